"""What a drawn template means: its parts, the cases they are judged in, and what is expected there.

A deployment is a template under one set of parameter values, and so under one truth of each
condition; a case is a deployment with, inside loops, one turn of each of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from evaluator import Account, Json

T = TypeVar("T")

NO_VALUE: Json = {"Ref": "AWS::NoValue"}


@dataclass(frozen=True)
class Expected:
    """A container as its author means it in one deployment.

    Without `private` it has no shorthand. `role` is the name of the role that pulls the image, or
    None where a new one must come; `secret` a full ARN, or None where the image is public; `key`
    the ARN of the key that takes a grant to decrypt the secret. The grant may be of `others` too:
    another deployment has them in place of the secret.
    """

    private: bool
    image: str
    role: str | None
    secret: str | None = None
    key: str | None = None
    grant: bool = True
    others: tuple[Secret, ...] = ()


@dataclass(frozen=True)
class Intent:
    """One deployment: what is outside the template, and each resource's containers in their order.

    `doubts` are the names of values that no expansion can be right for here, so that a warning or
    a problem on each is all that can be asked. `placeholders` are parameter values that
    CloudFormation passes while it makes a change set of nested stacks, before it knows the real
    ones.
    """

    account: Account
    containers: Mapping[str, Sequence[Expected]]
    doubts: frozenset[str] = frozenset()
    placeholders: Mapping[str, str] | None = None


class Stack:
    """A template, what `expand` knows of its deployment, and the intent in every deployment that
    agrees with that.

    `secrets` and `keys` are the ARNs of all that exist anywhere, needed or not. `refusable` are the
    names of values that may be a problem. It is no dataclass, since Hypothesis prints those with
    all their fields.
    """

    def __init__(
        self,
        template: dict[str, Json],
        parameters: Mapping[str, str],
        deployments: Sequence[Intent],
        secrets: frozenset[str],
        keys: frozenset[str],
        *,
        settings: Mapping[str, Json] | None = None,
        role_settings: Mapping[str, Json] | None = None,
        refusable: frozenset[str] = frozenset(),
    ) -> None:
        self.template = template
        self.parameters = parameters
        self.deployments = deployments
        self.secrets = secrets
        self.keys = keys
        self.settings = settings
        self.role_settings = role_settings or {}
        self.refusable = refusable

    def __repr__(self) -> str:
        """What it takes to see a failure again."""
        shown: dict[str, Any] = {"template": self.template, "parameters": self.parameters}
        if self.settings:
            shown["settings"] = self.settings
        return json.dumps(shown, indent=1)


@dataclass(frozen=True)
class Case:
    """The truth of each condition, the value of each variable of the loops around a place, and
    which of their values the parameters have that no condition looks at."""

    truths: Mapping[str, bool]
    variables: Mapping[str, str]
    variant: int = 0

    def fill(self, text: str) -> str:
        """The text with the loops' variables replaced."""
        for variable, value in self.variables.items():
            text = text.replace(f"${{{variable}}}", value)
        return text

    def holds(self, condition: str | None) -> bool:
        """Whether the condition (its name may hold a loop's variable) is true; None always is."""
        return condition is None or self.truths[self.fill(condition)]

    def turn(self, variables: Mapping[str, str]) -> Case:
        """The case in this turn of a loop."""
        return replace(self, variables={**self.variables, **variables})


@dataclass(frozen=True)
class Piece(Generic[T]):
    """A part of a template, and what it means in each case."""

    text: Json
    means: Callable[[Case], T]


@dataclass(frozen=True)
class Secret:
    """A secret by its full ARN, and the ARN of the key that takes a grant to decrypt it; `others`
    are those that other deployments have in its place."""

    arn: str
    key: str | None
    others: tuple[Secret, ...] = ()


@dataclass(frozen=True)
class Scope:
    """A place in the template: the cases in which it is deployed, the conditions it can name.

    `body` holds the resources beside it, and is deployed in the cases `around`; `loop` names the
    variables of the loops around it.
    """

    cases: tuple[Case, ...]
    conditions: tuple[str, ...]
    body: dict[str, Json]
    around: tuple[Case, ...]
    loop: tuple[str, ...] = ()

    def where(self, condition: str | None, truth: bool = True) -> Scope:
        """The scope within a branch of this condition, which no case may ever take."""
        return replace(self, cases=tuple(c for c in self.cases if c.holds(condition) == truth))

    def always(self, condition: str | None) -> bool:
        """Whether the condition holds in every case of the scope."""
        return all(case.holds(condition) for case in self.cases)

    @property
    def has_references(self) -> bool:
        """Whether a resource declared here can be referred to: `&{Host}` works in keys alone."""
        return "Host" not in self.loop

    @property
    def suffix(self) -> str:
        """What tells one run of the loops from another, in the names of what is outside."""
        return "".join(f"/${{{name}}}" for name in self.loop)


@dataclass(frozen=True)
class Declared:
    """A resource of the template that others may refer to."""

    logical_id: str
    condition: str | None
    body: dict[str, Json] | None  # the loop it is in

    def is_in(self, scope: Scope) -> bool:
        """Whether a reference from this scope finds the resource in every case."""
        within = self.body is None or self.body is scope.body
        return within and scope.always(self.condition)

    @property
    def looped(self) -> bool:
        """Whether the logical id holds a variable; one inside `${}` is more than a text can say."""
        return "{" in self.logical_id


@dataclass(frozen=True)
class Puller:
    """The role that pulls a container's image, and whether it takes a grant (None: either way)."""

    role: Piece[str | None]
    granted: bool | None


Containers = Piece[list[Expected]]


def always(text: Json, meaning: T) -> Piece[T]:
    """A piece that means the same in every case."""
    return Piece(text, lambda case: meaning)


def filled(text: Json, meaning: str) -> Piece[str | None]:
    """A piece whose meaning may hold variables of the loops around it."""
    return Piece(text, lambda case: case.fill(meaning))


NO_CONTAINERS: Containers = always(NO_VALUE, [])


def substituted(text: str) -> Json:
    """A text with `${Parameter}` in it as a template writes it: with Fn::Sub, where it needs one.

    A loop's variable, which is replaced anywhere, is no parameter.
    """
    return {"Fn::Sub": text} if "${" in text else text
