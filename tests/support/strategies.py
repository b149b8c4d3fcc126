"""Hypothesis strategies: templates as authors write them, each with what its author means by it.

A drawn template has no problem that `expand` would report, and the meaning is computed from what
was drawn, never read from the template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Generic, TypeVar

from hypothesis import strategies as st

from evaluator import ACCOUNT_ID, REGION, Account, Json, generated_name, key_arn, secret_arn

T = TypeVar("T")

NO_VALUE: Json = {"Ref": "AWS::NoValue"}
OTHER_ACCOUNT = "444455556666"
OTHER_REGION = "us-east-1"
AWS_MANAGED_KEY = "alias/aws/secretsmanager"

# Each prefix of a registry table, with images that it is the longest prefix of.
REGISTRIES = {
    "quay.io": ("quay.io/acme/app:1.4", "quay.io/acme/app@sha256:" + "0a" * 32),
    "registry.example.com": ("registry.example.com/app:2", "registry.example.com/teammate/app"),
    "registry.example.com/team": ("registry.example.com/team/app:1.4.2",),
    "registry.example.com:5000": ("registry.example.com:5000/team/app",),
    "docker.io": ("acme/app:1", "app"),
}


@dataclass(frozen=True)
class Expected:
    """A container as its author means it in one world.

    Without `private` it has no shorthand. `role` is the name of the role that pulls the image, or
    None where a new one must come; `secret` a full ARN, or None where the image is public; `key`
    the ARN of the key that takes a grant to decrypt the secret.
    """

    private: bool
    image: str
    role: str | None
    secret: str | None = None
    key: str | None = None
    grant: bool = True


@dataclass(frozen=True)
class Intent:
    """One world: what is outside the template, and each resource's containers in their order."""

    account: Account
    containers: Mapping[str, Sequence[Expected]]


class Stack:
    """A template, the parameter values that `expand` is told, and the intent in every world.

    `secrets` and `keys` are the ARNs of all that exist anywhere, needed or not. It is no dataclass,
    since Hypothesis prints those with all their fields.
    """

    def __init__(
        self,
        template: dict[str, Json],
        parameters: Mapping[str, str],
        worlds: Sequence[Intent],
        secrets: frozenset[str],
        keys: frozenset[str],
    ) -> None:
        self.template = template
        self.parameters = parameters
        self.worlds = worlds
        self.secrets = secrets
        self.keys = keys

    def __repr__(self) -> str:
        """What it takes to see a failure again."""
        shown = {"template": self.template, "parameters": self.parameters}
        return json.dumps(shown, indent=1)


@dataclass(frozen=True)
class Case:
    """The truth of each condition, and the value of each variable of the loops around a place."""

    truths: Mapping[str, bool]
    variables: Mapping[str, str]

    def fill(self, text: str) -> str:
        """The text with the loops' variables replaced."""
        for variable, value in self.variables.items():
            text = text.replace(f"${{{variable}}}", value)
        return text

    def holds(self, condition: str | None) -> bool:
        """Whether the condition (its name may hold a loop's variable) is true; None always is."""
        return condition is None or self.truths[self.fill(condition)]


@dataclass(frozen=True)
class Piece(Generic[T]):
    """A part of a template, and what it means in each case."""

    text: Json
    means: Callable[[Case], T]


@dataclass(frozen=True)
class Secret:
    """A secret by its full ARN, and the ARN of the key that takes a grant to decrypt it."""

    arn: str
    key: str | None


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
    body: dict[str, Json] | None  # the loop it stands in

    def is_in(self, scope: Scope) -> bool:
        """Whether a reference from this scope finds the resource in every case."""
        within = self.body is None or self.body is scope.body
        return within and all(case.holds(self.condition) for case in scope.cases)

    @property
    def looped(self) -> bool:
        """Whether the logical id holds a variable; one inside `${}` is more than a text can say."""
        return "$" in self.logical_id


@dataclass(frozen=True)
class Puller:
    """The role that pulls a container's image, and whether it takes a grant (None: either way)."""

    role: Piece[str | None]
    granted: bool | None


def always(text: Json, meaning: T) -> Piece[T]:
    """A piece that means the same in every case."""
    return Piece(text, lambda case: meaning)


def filled(text: Json, meaning: str) -> Piece[str | None]:
    """A piece whose meaning may hold variables of the loops around it."""
    return Piece(text, lambda case: case.fill(meaning))


Containers = Piece[list[Expected]]
NO_CONTAINERS: Containers = always(NO_VALUE, [])


class Author:
    """Draws a template part by part, and keeps all that the parts refer to."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.count = 0
        self.parameters: dict[str, str] = {}
        self.untold: set[str] = set()
        self.exports: dict[str, str] = {}
        self.aliases = {AWS_MANAGED_KEY: key_arn("managed by AWS")}
        self.outside_keys: list[tuple[str, str]] = []
        self.outside_roles: dict[str, str] = {}
        self.roles: list[tuple[Declared, str]] = []
        self.secrets: list[tuple[Declared, Callable[[Case], Secret]]] = []
        self.keys: list[Declared] = []
        self.runners: list[Declared] = []
        self.intents: list[tuple[Scope, str, str | None, Containers]] = []
        self.conditions: dict[str, Json] = {}
        self.resources: dict[str, Json] = {"Queue": {"Type": "AWS::SQS::Queue"}}
        self.loop_conditions = self.one_in(4)
        self.switches = self.draw_conditions()
        cases = tuple(Case(truths, {}) for truths, _ in self.switches)
        names = tuple(name for name in cases[0].truths if not name.startswith("Is"))
        self.top = Scope(cases, names, self.resources, cases)
        self.registries = {
            prefix: self.credentials(self.top, codebuild=True)
            for prefix in self.draw(st.sets(st.sampled_from(sorted(REGISTRIES)), max_size=2))
        }

    # What every part is drawn with.

    def pick(self, *options: T) -> T:
        """One of the options; the first is the simplest."""
        return self.draw(st.sampled_from(options))

    def one_in(self, number: int) -> bool:
        """True in about one of so many draws."""
        return self.draw(st.integers(1, number)) == number

    def number(self) -> int:
        """A number that no other part has."""
        self.count += 1
        return self.count

    def parameter(self, value: str, *, told: bool = True) -> Json:
        """A reference to a new parameter of this value; `expand` may be told the value or not."""
        name = f"Given{self.number()}"
        self.parameters[name] = value
        if not told:
            self.untold.add(name)
        return {"Ref": name}

    def exported(self, value: str) -> Json:
        """An import of this value from another stack."""
        name = f"shared-{self.number()}"
        self.exports[name] = value
        return {"Fn::ImportValue": name}

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
        return Piece(
            {"Fn::If": [name, branches[True].text, branches[False].text]},
            lambda case: branches[case.holds(name)].means(case),
        )

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

    def declare(
        self, scope: Scope, kind: str, body: Callable[[Scope, str], dict[str, Json]]
    ) -> Declared:
        """A new resource that this scope can refer to: beside it in its loop, or at the top."""
        base = self.top
        if scope.loop and scope.has_references and self.one_in(2):
            base = replace(scope, cases=scope.around)
        fitting = [name for name in base.conditions if all(c.holds(name) for c in scope.cases)]
        condition = self.pick(*fitting) if fitting and self.one_in(2) else None
        logical_id = f"{kind}{self.number()}" + "".join(f"${{{name}}}" for name in base.loop)
        resource = body(base.where(condition), logical_id)
        if condition:
            resource["Condition"] = condition
        base.body[logical_id] = resource
        return Declared(logical_id, condition, base.body if base.loop else None)

    # Conditions.

    def draw_conditions(self) -> list[tuple[dict[str, bool], dict[str, str]]]:
        """Declares the conditions; each world's truths, with the parameters that bring them."""
        atoms = {
            name: f"{name}Switch" for name in ("Prod", "East", "Beta")[: self.pick(1, 2, 0, 3)]
        }
        self.conditions |= {
            name: {"Fn::Equals": [{"Ref": switch}, "yes"]} for name, switch in atoms.items()
        }
        if self.loop_conditions:
            atoms |= {"Isweb": "webSwitch", "Isapi": "apiSwitch"}
            self.conditions["Fn::ForEach::Each"] = [
                "Name",
                ["web", "api"],
                {"Is${Name}": {"Fn::Equals": [{"Ref": "${Name}Switch"}, "yes"]}},
            ]
        composed = "Prod" in atoms and self.pick(None, "Not", "And", "Or")
        if composed:
            parts = [{"Condition": name} for name in ("Prod", "East") if name in atoms]
            if composed == "Not" or len(parts) == 1:
                composed, parts = "Not", parts[:1]
            self.conditions["Composed"] = {f"Fn::{composed}": parts}
        worlds = []
        for values in product((True, False), repeat=len(atoms)):
            truths = dict(zip(atoms, values, strict=True))
            switches = {atoms[name]: "yes" if truth else "no" for name, truth in truths.items()}
            if composed:
                operands = [truths[part["Condition"]] for part in parts]
                truths["Composed"] = {
                    "Not": not operands[0],
                    "And": all(operands),
                    "Or": any(operands),
                }[composed]
            worlds.append((truths, switches))
        return worlds

    # Roles.

    def puller(self, scope: Scope, *, required: bool = False) -> Puller:
        """The role of a place, absent or not; its text is None where the key stays away."""
        if self.one_in(12):
            foreign = f"arn:aws:iam::{OTHER_ACCOUNT}:role/elsewhere"
            return Puller(always(foreign, foreign), granted=False)
        optional = not required and scope.has_references
        if optional and self.one_in(4):
            return Puller(always(None, None), granted=True)
        absent: Piece[str | None] | None = always(NO_VALUE, None) if optional else None
        role = self.fork(scope, self.role, absent=absent)
        created = any(role.means(case) is None for case in scope.cases)
        return Puller(role, granted=True if created else None)

    def role(self, scope: Scope) -> Piece[str | None]:
        """A role that is there, in the template or outside, in any form."""
        if self.pick(True, False):
            return self.template_role(scope)
        form = self.pick("arn", "name", "parameter", "untold", "import", "sub")
        outside = form in ("untold", "import", "sub")  # their path would stay unknown
        known = [
            name
            for name, path in self.outside_roles.items()
            if "$" not in name and (path == "/" or not outside)
        ]
        if known and self.one_in(2):
            name = self.pick(*known)
        else:
            name = f"outside{self.number()}"
            self.outside_roles[name] = "/" if outside else self.pick("/", "/team/apps/")
        if form in ("arn", "name") and scope.has_references and self.one_in(3):
            path = self.outside_roles[name]
            name += scope.suffix.replace("/", "-")
            self.outside_roles[name] = path
        arn = f"arn:aws:iam::{ACCOUNT_ID}:role{self.outside_roles[name]}{name}"
        texts: dict[str, Json] = {
            "arn": arn,
            "name": name,
            "parameter": self.parameter(self.pick(arn, name)),
            "untold": self.parameter(arn, told=False),
            "import": self.exported(arn),
            "sub": {"Fn::Sub": f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{name}"},
        }
        return filled(texts[form], name)

    def template_role(self, scope: Scope) -> Piece[str | None]:
        """A role of the template that is there in every case of the scope, in any form."""
        known = [role for role in self.roles if role[0].is_in(scope)]
        if not known or self.one_in(3):
            name = f"app{self.number()}" if self.one_in(3) else None
            suffix = ""

            def body(own: Scope, logical_id: str) -> dict[str, Json]:
                nonlocal suffix
                suffix = own.suffix.replace("/", "-")
                return self.role_body(own, name and name + suffix)

            declared = self.declare(scope, "Role", body)
            real = name + suffix if name else generated_name(declared.logical_id)
            known = [(declared, real)]
            self.roles += known
        declared, real = self.pick(*known)
        logical_id = declared.logical_id
        forms: list[Json] = [
            {"Fn::GetAtt": [logical_id, "Arn"]},
            {"Fn::GetAtt": f"{logical_id}.Arn"},
            {"Ref": logical_id},
        ]
        if not declared.looped:
            forms.append({"Fn::Sub": f"${{{logical_id}.Arn}}"})
        return filled(self.pick(*forms), real)

    def role_body(self, scope: Scope, name: str | None) -> dict[str, Json]:
        """A role resource, with or without policies of its author's."""
        properties: dict[str, Json] = {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        }
        if name:
            properties["RoleName"] = name
        if self.one_in(3):
            properties["Path"] = "/team/"
        nothing = always(NO_VALUE, None)

        def policies(within: Scope) -> Piece[None]:
            items = [
                self.fork(within, self.policy, absent=nothing).text
                for _ in range(self.pick(1, 0, 2))
            ]
            if items and self.one_in(3):
                items[0] = {**self.policy(within).text, "PolicyName": "PrivateImage"}
            return always(items, None)

        if self.one_in(2):
            properties["Policies"] = self.fork(scope, policies, absent=nothing, depth=1).text
        return {"Type": "AWS::IAM::Role", "Properties": properties}

    def policy(self, scope: Scope) -> Piece[None]:
        """A policy that has nothing to do with images."""
        statement = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        return always({"PolicyName": f"Logs{self.number()}", "PolicyDocument": document}, None)

    # Keys.

    def key(self, scope: Scope) -> Piece[str | None]:
        """A key in any form, or AWS::NoValue in some cases."""
        return self.fork(scope, self.key_form, absent=always(NO_VALUE, None))

    def key_form(self, scope: Scope) -> Piece[str | None]:
        form = self.pick("arn", "template", "id", "alias", "alias arn", "other")
        if form == "template":
            return self.template_key(scope)
        if self.one_in(8):
            prefix = self.pick("", f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:")
            return always(prefix + AWS_MANAGED_KEY, None)
        if not self.outside_keys or self.one_in(2):
            number = self.number()
            self.outside_keys.append((key_arn(f"outside {number}"), f"alias/team{number}"))
        arn, alias = self.pick(*self.outside_keys)
        self.aliases[alias] = arn
        texts = {
            "arn": arn,
            "id": arn.split("/")[1],
            "alias": alias,
            "alias arn": f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:{alias}",
        }
        if form != "other":
            return filled(texts[form], arn)
        pseudo = "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:"
        team = self.parameter(alias[len("alias/") :], told=self.pick(True, False))["Ref"]
        other: Json = self.pick(
            self.parameter(self.pick(arn, texts["id"], alias)),
            self.parameter(arn, told=False),
            self.exported(arn),
            {"Fn::Sub": f"{pseudo}key/{texts['id']}"},
            {"Fn::Sub": pseudo + alias},
            {"Fn::Sub": f"alias/${{{team}}}"},
        )
        return filled(other, arn)

    def template_key(self, scope: Scope) -> Piece[str | None]:
        """A key of the template that is there in every case of the scope, or an alias of it."""
        if not self.one_in(3):
            key = self.declared_key(scope)
            logical_id = key.logical_id
            forms: list[Json] = [
                {"Fn::GetAtt": [logical_id, "Arn"]},
                {"Ref": logical_id},
                {"Fn::GetAtt": f"{logical_id}.Arn"},
            ]
            if not key.looped:
                forms.append({"Fn::Sub": f"${{{logical_id}.Arn}}"})
            return Piece(self.pick(*forms), lambda case: key_arn(case.fill(logical_id)))
        target = ""
        name = f"alias/app{self.number()}"

        def body(own: Scope, logical_id: str) -> dict[str, Json]:
            nonlocal target, name
            key = self.declared_key(own)
            target, name = key.logical_id, name + own.suffix
            refers = self.pick({"Ref": key.logical_id}, {"Fn::GetAtt": [key.logical_id, "Arn"]})
            return {
                "Type": "AWS::KMS::Alias",
                "Properties": {"AliasName": name, "TargetKeyId": refers},
            }

        alias = self.declare(scope, "Alias", body)
        refers = self.pick({"Ref": alias.logical_id}, name)
        return Piece(refers, lambda case: key_arn(case.fill(target)))

    def declared_key(self, scope: Scope) -> Declared:
        known = [key for key in self.keys if key.is_in(scope)]
        if not known or self.one_in(2):
            known = [self.declare(scope, "Key", self.key_body)]
            self.keys += known
        return self.pick(*known)

    def key_body(self, scope: Scope, logical_id: str) -> dict[str, Json]:
        """A key resource; its policy may name a role."""
        principal: Json = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
        named = [role for role, _ in self.roles if role.is_in(scope)]
        if named and self.one_in(2):
            principal = {"Fn::GetAtt": [self.pick(*named).logical_id, "Arn"]}
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": "kms:*",
            "Resource": "*",
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        return {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": document}}

    # Secrets.

    def credentials(self, scope: Scope, *, codebuild: bool) -> Piece[Secret | None]:
        """The keys `Secret` and `KmsKey` of a shorthand."""
        absent: Piece[Secret | None] = always(NO_VALUE, None)
        if self.one_in(10):
            return self.far_credentials(scope)

        def outside(within: Scope) -> Piece[Secret | None]:
            return self.outside_secret(within, codebuild=codebuild)

        def any_secret(within: Scope) -> Piece[Secret | None]:
            return self.pick(self.template_secret, outside)(within)

        if not self.one_in(3):
            plain = self.fork(scope, any_secret, absent=absent)
            return Piece({"Secret": plain.text}, plain.means)
        secret, kms_key = self.fork(scope, outside, absent=absent), self.key(scope)

        def means(case: Case) -> Secret | None:
            found = secret.means(case)
            return found and Secret(found.arn, kms_key.means(case))

        return Piece({"Secret": secret.text, "KmsKey": kms_key.text}, means)

    def far_credentials(self, scope: Scope) -> Piece[Secret | None]:
        """A secret of another region or account, where only a full ARN works."""
        region, account = self.pick((OTHER_REGION, ACCOUNT_ID), (REGION, OTHER_ACCOUNT))
        number = self.number()
        arn = secret_arn(f"far{number}", region=region, account=account)
        # Only a customer-managed key opens a secret to another account.
        has_key = account == OTHER_ACCOUNT or self.one_in(2)
        key = key_arn(f"far {number}", region=region, account=account) if has_key else None
        far: Piece[Secret | None] = always(arn, Secret(arn, key))
        absent: Piece[Secret | None] = always(NO_VALUE, None)
        secret = self.fork(scope, lambda _: far, absent=absent)
        text = {"Secret": secret.text}
        if key:
            text["KmsKey"] = key
            if account == ACCOUNT_ID:
                alias = f"alias/far{number}"
                self.aliases[alias] = key
                text["KmsKey"] = self.pick(key, key.split("/")[1], alias)
        return Piece(text, secret.means)

    def outside_secret(self, scope: Scope, *, codebuild: bool) -> Piece[Secret | None]:
        """A secret outside the template in any form that Secrets Manager resolves to it."""
        name = f"team{self.number()}/registry"
        head = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:"
        ending = "-" + self.pick("AbCdEf", "a1B2c3", "qwerty")
        form = self.pick("full", "name", "partial", "parameter", "opaque", "assembled")
        if form in ("full", "name", "partial") and scope.has_references and self.one_in(2):
            name += scope.suffix
        if form == "name":
            name += self.pick("", "-abcdef", "-Prod01")
        if form == "partial" and codebuild:
            form = "full"
        arn = head + name + ending
        values = (arn, name) if codebuild else (arn, name, head + name)
        text: Json
        if form == "parameter":
            text = self.parameter(self.pick(*values))
        elif form == "opaque":
            text = self.pick(self.parameter(arn, told=False), self.exported(arn))
        elif form == "assembled":
            pseudo = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
            parts = ["arn", {"Ref": "AWS::Partition"}, "secretsmanager", {"Ref": "AWS::Region"}]
            parts += [{"Ref": "AWS::AccountId"}, "secret", name + ending]
            stage = self.parameter("prod", told=self.pick(True, False))
            given = self.parameter(ending[1:], told=self.pick(True, False))["Ref"]
            staged = f"{name}/prod"
            text, arn = self.pick(
                ({"Fn::Sub": pseudo + name + ending}, arn),
                ({"Fn::Join": [":", parts]}, arn),
                ({"Fn::Sub": f"{pseudo}{name}-${{{given}}}"}, arn),
                ({"Fn::Sub": f"{name}/${{{stage['Ref']}}}"}, head + staged + ending),
                ({"Fn::Join": ["/", [name, stage]]}, head + staged + ending),
                ({"Fn::Sub": [name + "/${Stage}", {"Stage": stage}]}, head + staged + ending),
            )
        else:
            text = {"full": arn, "name": name, "partial": head + name}[form]
        return Piece(text, lambda case: Secret(case.fill(arn), None))

    def template_secret(self, scope: Scope) -> Piece[Secret | None]:
        """A secret of the template that is there in every case of the scope."""
        known = [secret for secret in self.secrets if secret[0].is_in(scope)]
        if not known or self.one_in(2):
            known = [self.declared_secret(scope)]
            self.secrets += known
        declared, means = self.pick(*known)
        logical_id = declared.logical_id
        forms: list[Json] = [
            {"Ref": logical_id},
            {"Fn::GetAtt": [logical_id, "Id"]},
            {"Fn::GetAtt": f"{logical_id}.Id"},
        ]
        if not declared.looped:
            forms.append({"Fn::Sub": f"${{{logical_id}}}"})
        return Piece(self.pick(*forms), means)

    def declared_secret(self, scope: Scope) -> tuple[Declared, Callable[[Case], Secret]]:
        name = f"app{self.number()}/registry" if self.one_in(2) else ""
        key: Piece[str | None] = always(None, None)

        def body(own: Scope, logical_id: str) -> dict[str, Json]:
            nonlocal name, key
            properties: dict[str, Json] = {}
            if name:
                name = properties["Name"] = name + own.suffix
            if self.one_in(2):
                key = self.key(own)
                properties["KmsKeyId"] = key.text
            name = name or generated_name(logical_id)
            resource: dict[str, Json] = {"Type": "AWS::SecretsManager::Secret"}
            if properties:
                resource["Properties"] = properties
            earlier = [other for other, _ in self.roles if other.is_in(own)]
            earlier += [other for other in self.runners if other.is_in(own)]
            if earlier and self.one_in(4):
                resource["DependsOn"] = self.pick(*earlier).logical_id
            return resource

        declared = self.declare(scope, "Secret", body)
        return declared, lambda case: Secret(secret_arn(case.fill(name)), key.means(case))

    # Containers.

    def container(self, scope: Scope, puller: Puller, *, codebuild: bool = False) -> Containers:
        """One container, with the shorthand or without."""
        body: dict[str, Json] = {"Name": f"c{self.number()}"}
        if codebuild:
            body = {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL"}
        role = puller.role.means
        if self.one_in(4):
            body["Image"] = image = "public.ecr.aws/docker/library/busybox:1"
            if not codebuild and self.one_in(3):
                by_hand = {"CredentialsParameter": secret_arn("by-hand")}
                body["RepositoryCredentials"] = by_hand
            return Piece(body, lambda case: [Expected(False, image, role(case))])
        shorthand, credentials, image = self.shorthand(scope, codebuild=codebuild)
        grant = self.pick(True, True, False) if puller.granted is None else puller.granted
        if not grant or self.one_in(8):
            shorthand["Grant"] = grant
        short = len(shorthand) == 1 and self.one_in(2)
        body["PrivateImage"] = shorthand["Image"] if short else shorthand

        def means(case: Case) -> list[Expected]:
            secret = credentials.means(case)
            arn, key = (secret.arn, secret.key) if secret else (None, None)
            return [Expected(True, case.fill(image), role(case), arn, key, grant)]

        return Piece(body, means)

    def shorthand(
        self, scope: Scope, *, codebuild: bool
    ) -> tuple[dict[str, Json], Piece[Secret | None], str]:
        """A shorthand without `Grant`, the secret it names, and the image."""
        loop_tag = "-" + "-".join(f"${{{name}}}" for name in scope.loop) if scope.loop else ""
        if self.registries and self.one_in(3):
            prefix = self.pick(*self.registries)
            image = self.pick(*REGISTRIES[prefix])
            if ":" in image.rpartition("/")[2] and "@" not in image:
                image += loop_tag
            return {"Image": image}, self.registries[prefix], image
        credentials = self.credentials(scope, codebuild=codebuild)
        image = f"registry.example.net/team/app{self.number()}:1.4"
        tag = self.parameter("1.4")["Ref"]
        text: Json = self.pick(
            image + loop_tag,
            {"Fn::Sub": image.replace(":1.4", f":${{{tag}}}")},
            self.parameter(image, told=self.pick(True, False)),
        )
        if isinstance(text, str):
            image = text
        return {"Image": text, **credentials.text}, credentials, image

    # The resources that run containers.

    def task(self, scope: Scope, key: str) -> Containers:
        """What holds a role and, by this key, a list of containers."""
        puller = self.puller(scope)
        containers = self.several(scope, lambda within: self.container(within, puller))
        holder = {key: containers.text, **self.role_keys(puller)}
        return Piece(holder, containers.means)

    def single(self, scope: Scope) -> Containers:
        """A container that holds its own role."""
        puller = self.puller(scope)
        container = self.container(scope, puller)
        del container.text["Name"]
        holder = {**container.text, **self.role_keys(puller, task_role="JobRoleArn")}
        return Piece(holder, container.means)

    def role_keys(
        self, puller: Puller, *, task_role: str | None = "TaskRoleArn"
    ) -> dict[str, Json]:
        """The execution role, where there is one, and perhaps the same as the task's role."""
        role = puller.role.text
        if role is None:
            return {}
        if task_role and self.one_in(8):
            return {"ExecutionRoleArn": role, task_role: role}
        return {"ExecutionRoleArn": role}

    def task_definition(self, scope: Scope) -> Containers:
        return self.task(scope, "ContainerDefinitions")

    def express_service(self, scope: Scope) -> Containers:
        puller = self.puller(scope)

        def unnamed(within: Scope) -> Containers:
            container = self.container(within, puller)
            del container.text["Name"]
            return container

        container = self.fork(scope, unnamed)
        infrastructure = {"InfrastructureRoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/express"}
        roles = {**self.role_keys(puller, task_role=None), **infrastructure}
        return Piece({"PrimaryContainer": container.text, **roles}, container.means)

    def project(self, scope: Scope) -> Containers:
        puller = self.puller(scope, required=True)
        environment = self.fork(
            scope, lambda within: self.container(within, puller, codebuild=True)
        )
        properties = {"ServiceRole": puller.role.text, "Environment": environment.text}
        return Piece(properties, environment.means)

    def job(self, scope: Scope) -> Containers:
        if self.one_in(2):
            nodes = self.several(scope, lambda within: self.job_body(within, "Container"))
            properties = {
                "Type": "multinode",
                "NodeProperties": {"NodeRangeProperties": nodes.text},
            }
            return Piece(properties, nodes.means)
        body = self.job_body(scope, "ContainerProperties")
        return Piece({"Type": "container", **body.text}, body.means)

    def job_body(self, scope: Scope, single: str) -> Containers:
        """Either form of a job's containers; the single container goes by this key."""
        if self.pick(True, False):
            container = self.fork(scope, self.single)
            return Piece({single: container.text}, container.means)

        def properties(within: Scope) -> Containers:
            tasks = self.several(within, lambda inner: self.task(inner, "Containers"))
            return Piece({"TaskProperties": tasks.text}, tasks.means)

        ecs = self.fork(scope, properties)
        return Piece({"EcsProperties": ecs.text}, ecs.means)

    def runner(self, scope: Scope) -> None:
        """A resource that runs containers, beside the others of the scope."""
        resource_type, make = self.pick(
            ("AWS::ECS::TaskDefinition", self.task_definition),
            ("AWS::CodeBuild::Project", self.project),
            ("AWS::Batch::JobDefinition", self.job),
            ("AWS::ECS::ExpressGatewayService", self.express_service),
            ("AWS::ECS::DaemonTaskDefinition", self.task_definition),
        )
        condition = self.pick(None, *scope.conditions) if self.one_in(3) else None
        properties = make(scope.where(condition))
        resource: dict[str, Json] = {"Type": resource_type, "Properties": properties.text}
        if condition:
            resource["Condition"] = condition
        if self.one_in(4):
            resource["DependsOn"] = self.pick("Queue", ["Queue"])
        if self.one_in(4):
            resource["Metadata"] = {"Team": {"Ref": "Queue"}}
        stem = f"Run{self.number()}"
        variables = [f"&{{{name}}}" if name == "Host" else f"${{{name}}}" for name in scope.loop]
        logical_id = stem + "".join(variables)
        scope.body[logical_id] = resource
        self.intents.append((scope, stem, condition, properties))
        if scope.has_references:
            body = scope.body if scope.loop else None
            self.runners.append(Declared(logical_id, condition, body))

    def loop(self, scope: Scope, *, depth: int = 2) -> None:
        """An Fn::ForEach with resources that run containers, and perhaps one inside it."""
        collections = {"Name": ["web", "api"], "Tier": ["a", "b"], "Host": ["web-1", "api-2"]}
        variable = self.pick(*[name for name in collections if name not in scope.loop])
        values = collections[variable][: self.pick(2, 1)]
        around = tuple(
            Case(case.truths, {**case.variables, variable: value})
            for case in scope.around
            for value in values
        )
        conditions = scope.conditions
        if variable == "Host":  # a policy on a loop's condition would have to be referred to
            conditions = self.top.conditions
        elif variable == "Name" and scope.has_references and self.loop_conditions:
            conditions += ("Is${Name}",)
        body: dict[str, Json] = {}
        inside = Scope(around, conditions, body, around, (*scope.loop, variable))
        for _ in range(self.pick(1, 2)):
            self.runner(inside)
        if depth > 1 and self.one_in(4):
            self.loop(inside, depth=depth - 1)
        collection = self.parameter(",".join(values)) if self.one_in(4) else values
        scope.body[f"Fn::ForEach::Loop{self.number()}"] = [variable, collection, body]

    # The whole.

    def template(self) -> dict[str, Json]:
        """The template with all that was drawn."""
        template: dict[str, Json] = {"Resources": self.resources}
        if self.conditions:
            template["Conditions"] = self.conditions
        if self.registries:
            entries = {prefix: piece.text for prefix, piece in self.registries.items()}
            for prefix, entry in entries.items():
                if len(entry) == 1 and self.one_in(2):
                    entries[prefix] = entry["Secret"]
            template["Metadata"] = {"PrivateImage": {"Registries": entries}}
        transform: Json = ["AWS::LanguageExtensions", "PrivateImage"]
        if "Fn::ForEach" not in json.dumps(template):
            transform = self.pick("PrivateImage", ["PrivateImage"], transform)
        text = json.dumps(template)
        parameters = [name for name in self.parameters if name in text] + [*self.switches[0][1]]
        template["Parameters"] = {name: {"Type": "String"} for name in parameters}
        # As read from a file, no part of it is the same object as another.
        copy = json.loads(json.dumps({"Transform": transform, **template}))
        assert isinstance(copy, dict)
        return copy

    def intent(self, truths: Mapping[str, bool], switches: Mapping[str, str]) -> Intent:
        """What the author means in one world."""
        containers: dict[str, Sequence[Expected]] = {}
        roles: set[str] = set()
        for scope, stem, condition, piece in self.intents:
            for case in scope.around:
                if case.truths != truths:
                    continue
                roles |= {case.fill(name) for name in self.outside_roles}
                if case.holds(condition):
                    run = "".join(case.variables[name] for name in scope.loop)
                    containers[stem + re.sub(r"[^A-Za-z0-9]", "", run)] = piece.means(case)
        account = Account(
            {**self.parameters, **switches},
            self.exports,
            {**{f"{name}2": key_arn("unrelated") for name in self.aliases}, **self.aliases},
            frozenset(roles),
        )
        return Intent(account, containers)

    def stack(self) -> Stack:
        """The whole template, and what is meant by it."""
        template = self.template()
        worlds = [self.intent(truths, switches) for truths, switches in self.switches]
        everything = [
            container
            for world in worlds
            for containers in world.containers.values()
            for container in containers
        ]
        secrets = {container.secret for container in everything if container.secret}
        keys = {container.key for container in everything if container.key}
        told = {name: value for name, value in self.parameters.items() if name not in self.untold}
        return Stack(
            template,
            {**told, **self.switches[0][1]},
            worlds,
            frozenset(secrets | {near for arn in secrets for near in near_misses(arn)}),
            frozenset(keys | {self.aliases[AWS_MANAGED_KEY], key_arn("unrelated")}),
        )


def near_misses(arn: str) -> list[str]:
    """Secrets that a grant on this one (full ARN) must not reach."""
    name, ending = arn[:-7], arn[-7:]
    elsewhere = name.replace(REGION, "ap-south-1")
    return [f"{name}2{ending}", f"{name}-x{ending}", f"{name}/x{ending}", elsewhere + ending]


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    """Templates with the shorthand, of all forms that are free of problems."""
    author = Author(draw)
    for _ in range(author.pick(1, 2, 3)):
        if author.one_in(4):
            author.loop(author.top)
        else:
            author.runner(author.top)
    return author.stack()
