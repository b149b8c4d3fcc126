"""Draws a template part by part, and keeps all that the parts refer to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from hypothesis import strategies as st

from classes import CLASSES
from drawn_conditions import Conditions, draw_conditions
from evaluator import Json, key_arn
from meaning import NO_CONTAINERS, NO_VALUE, Case, Containers, Declared, Piece, Scope, Secret

T = TypeVar("T")

AWS_MANAGED_KEY = "alias/aws/secretsmanager"
VARIANTS = 3


@dataclass(frozen=True)
class Given:
    """A value from outside: a parameter, another stack's output, or one of the Parameter Store.

    `values` are what deployments give it, by their variant. `told` is what `expand` knows of a
    parameter's value; where one of `doubtful` is deployed, nothing could have been right. A warning
    on that mentions `shown`, or else the name of what gives the value.
    """

    values: tuple[str, ...]
    told: str | None = None
    doubtful: frozenset[str] = frozenset()
    refusable: bool = False
    shown: str = ""

    def index(self, case: Case) -> int:
        """Which of the values it has in this case."""
        return case.variant % len(self.values)


@dataclass(frozen=True)
class DeclaredSecret:
    """A secret of the template; `name` is what its Name says, where its author gave it one.

    `at_times` is a name that it has where a parameter says so; else a secret outside has it.
    """

    declared: Declared
    name: str | None
    means: Callable[[Case], Secret]
    at_times: str | None = None


@dataclass(frozen=True)
class DeclaredRole:
    """A role of the template by its real name; `name` is what its RoleName says, if anything."""

    declared: Declared
    name: str | None
    real: str
    path: str


class Author:
    """What has been drawn so far, and the means to draw more."""

    def __init__(self, draw: st.DrawFn, classes: Sequence[str]) -> None:
        self.draw = draw
        chosen = st.sets(st.sampled_from(classes), max_size=4) if classes else st.just(set[str]())
        self.classes = draw(chosen)
        self.count = 0
        self.parameters: dict[str, Given] = {}
        self.declarations: dict[str, Json] = {}
        self.exports: dict[str, Given] = {}
        self.stored: dict[str, Given] = {}
        self.mappings: dict[str, Json] = {}
        self.texts: dict[str, str] = {}
        self.has_opaque = False
        self.extended = False  # the template needs AWS::LanguageExtensions
        self.aliases: dict[str, tuple[str, str | None]] = {
            AWS_MANAGED_KEY: (key_arn("managed by AWS"), None)
        }
        self.outside_keys: list[tuple[str, str]] = []
        self.outside_roles: dict[str, str] = {}
        self.roles: list[DeclaredRole] = []
        self.secrets: list[DeclaredSecret] = []
        self.loop_secrets: dict[str, DeclaredSecret] = {}
        self.keys: list[Declared] = []
        self.runners: list[Declared] = []
        self.intents: list[tuple[Scope, str, str | None, Containers]] = []
        self.resources: dict[str, Json] = {"Queue": {"Type": "AWS::SQS::Queue"}}
        self.switched: Conditions = draw_conditions(self.pick, self.one_in, self.classes)
        cases = tuple(
            Case(truths, {}, variant)
            for variant in range(VARIANTS)
            for truths in self.switched.truths
        )
        names = tuple(name for name in cases[0].truths if not name.startswith("Is"))
        self.top = Scope(cases, names, self.resources, cases)
        self.registries: dict[str, Piece[Secret | None]] = {}
        self.account_registries: dict[str, Piece[Secret | None]] = {}
        self.role_settings: dict[str, Json] = {}

    # What every part is drawn with.

    def pick(self, *options: T) -> T:
        """One of the options; the first is the simplest."""
        return self.draw(st.sampled_from(options))

    def one_in(self, number: int) -> bool:
        """True in about one of so many draws."""
        return self.draw(st.integers(1, number)) == number

    def tries(self, name: str) -> bool:
        """Whether to draw something of this class here."""
        assert name in CLASSES, f"no such class: {name}"
        return name in self.classes and not self.one_in(3)

    def number(self) -> int:
        """A number that no other part has."""
        self.count += 1
        return self.count

    # Values from outside.

    def given(self, given: Given, **declaration: Json) -> str:
        """The name of a new parameter."""
        name = f"Given{self.number()}"
        if "names like a loop's" in self.classes and self.secrets:
            looped = [one.declared for one in self.secrets if one.declared.looped]
            if looped:
                name = f"{stem_of(looped[0])}Arn{self.number()}"
        self.parameters[name] = given
        self.declarations[name] = {"Type": "String", **declaration}
        return name

    def parameter(self, value: str, *, told: bool = True) -> Json:
        """A reference to a new parameter of this value; `expand` may know the value or not."""
        return {"Ref": self.given(Given((value,), value if told else None))}

    def name_part(self, value: str) -> str:
        """The name of a new parameter for the beginning of a name, which may vary."""
        if self.tries("names that parameters decide"):
            values = (value, f"{value}-other")
            if self.pick(True, False):
                return self.given(Given(values), AllowedValues=[*values])
            return self.given(Given(values), Default=value)
        return self.given(Given((value,), self.pick(value, None)))

    def exported(self, *values: str, doubtful: frozenset[str] = frozenset()) -> Json:
        """An import of this value from another stack."""
        name = f"shared-{self.number()}"
        self.exports[name] = Given(values, None, doubtful)
        return {"Fn::ImportValue": name}

    # Structure.

    def fork(
        self,
        scope: Scope,
        make: Callable[[Scope], Piece[T]],
        *,
        absent: Piece[T] | None = None,
        depth: int = 2,
    ) -> Piece[T]:
        """What `make` draws, or an Fn::If of such, one branch of which may be `absent`."""
        if not (depth and scope.conditions and self.one_in(4)):
            return make(scope)
        name = self.pick(*scope.conditions)
        branches = {
            truth: self.fork(scope.where(name, truth), make, absent=absent, depth=depth - 1)
            for truth in (True, False)
        }
        if absent and self.one_in(2):
            branches[self.pick(False, True)] = absent
        return chosen(name, branches[True], branches[False])

    def several(self, scope: Scope, make: Callable[[Scope], Containers]) -> Containers:
        """A list of what `make` draws, where each item and the list itself may be Fn::If."""

        def items(within: Scope) -> Containers:
            pieces = [
                self.fork(within, make, absent=NO_CONTAINERS) for _ in range(self.pick(1, 1, 2, 3))
            ]
            return Piece(
                [piece.text for piece in pieces],
                lambda case: [found for piece in pieces for found in piece.means(case)],
            )

        return self.fork(scope, items, depth=1)

    def optional(
        self, scope: Scope, value: str, meaning: Callable[[Case], T], absent: T
    ) -> Piece[T] | None:
        """A parameter that is `none` unless it is given, and an Fn::If that leaves it out then."""
        given, missing = self.switched.optional
        if not given or given in self.texts or not self.tries("optional parameter"):
            return None
        self.texts[given] = value
        condition, truth = self.pick(("HasIt", True), ("HasNone", False))
        there = Piece[T]({"Ref": given}, meaning)
        nothing = Piece[T](NO_VALUE, lambda case: absent)
        pair = (there, nothing) if truth else (nothing, there)
        assert missing
        return chosen(condition, *pair)

    def declare(
        self,
        scope: Scope,
        kind: str,
        body: Callable[[Scope, str], dict[str, Json]],
        *,
        base: Scope | None = None,
        stem: str = "",
        sometimes: bool = False,
    ) -> Declared:
        """A new resource that this scope can refer to: beside it in its loop, or at the top.

        `base` is the scope that it is in, `stem` the beginning of its logical id. `sometimes`: its
        condition may be false where the scope is deployed.
        """
        if base is None:
            base = self.top
            if scope.loop and scope.has_references and not stem and self.one_in(2):
                base = replace(scope, cases=scope.around)
        fitting = [
            name
            for name in base.conditions
            if sometimes or (("$" not in name or scope.loop == base.loop) and scope.always(name))
        ]
        if sometimes:
            fitting = [name for name in fitting if "$" not in name or base.loop] or fitting
        condition = self.pick(*fitting) if fitting and (sometimes or self.one_in(2)) else None
        if not stem:
            stem = f"{kind}{self.number()}" + "".join(turn_of(name) for name in base.loop)
        resource = body(base.where(condition), stem)
        if condition:
            resource["Condition"] = condition
        base.body[stem] = resource
        return Declared(stem, condition, base.body if base.loop else None)


def turn_of(variable: str) -> str:
    """A loop's variable as a logical id has it."""
    return f"&{{{variable}}}" if variable == "Host" else f"${{{variable}}}"


def stem_of(declared: Declared) -> str:
    """What a logical id begins with, up to its first variable."""
    return re.split(r"[$&]", declared.logical_id)[0]


def chosen(condition: str, then: Piece[T], otherwise: Piece[T]) -> Piece[T]:
    """An Fn::If of both."""
    branches = {True: then, False: otherwise}
    return Piece(
        {"Fn::If": [condition, then.text, otherwise.text]},
        lambda case: branches[case.holds(condition)].means(case),
    )
