"""Permissions, grants of them to roles, and the policies that grants are merged into."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import TypeAlias

from macro.engine.grants.key_forms import Key
from macro.engine.grants.roles import CreatedRole, NamedRole, TemplateRole
from macro.engine.grants.secret_values import Secret
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import Json, Path, canonical
from macro.engine.template.intrinsics import (
    Unknown,
    join,
    mentions,
    parse_text,
    references,
    write_text,
)
from macro.engine.template.loops import Loop, Turn
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource

Grantee: TypeAlias = TemplateRole | NamedRole | CreatedRole


class Permission:
    """One action on one resource of IAM's.

    `via` limits it to the use through a service, `alias` to the keys that have the alias. No tuple,
    since many grants share one, and what follows from it is found once.
    """

    def __init__(self, action: str, resource: Json, via: Json = None, alias: Json = None) -> None:
        self.action, self.resource, self.via, self.alias = action, resource, via, alias

    @property
    def values(self) -> list[Json]:
        """All that the permission says, to compare and to look through."""
        return [self.action, self.resource, self.via, self.alias]

    @cached_property
    def key(self) -> str:
        """The same for equal permissions; sorts them."""
        return canonical(self.values)

    @cached_property
    def references(self) -> tuple[str, ...]:
        """The logical ids and parameters that it names."""
        return tuple(dict.fromkeys(references(self.values)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Permission) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class Grant(NamedTuple):
    """A permission that a role gets, under some conditions, for a container of `served`.

    `path` is that of the shorthand that asks for it. `turn`: the grant is that of one turn of the
    loops around `served` and is written outside of them; else it is written for all turns.
    """

    role: Grantee
    when: Conditions
    permission: Permission
    served: Resource
    path: Path
    turn: Turn = ()

    @property
    def scope(self) -> tuple[Loop, ...]:
        """The loops within which the grant must be: to the innermost one it depends on."""
        loops = self.served.loops
        if self.turn or not loops:
            return ()
        if isinstance(self.role, CreatedRole):
            return loops
        name = self.role.name if isinstance(self.role, NamedRole) else None
        conditions: list[Json] = [condition for condition, _ in sorted(self.when)]
        used = mentions([*self.permission.values, name, conditions], self.served.loop_variables)
        depth = max((i for i, loop in enumerate(loops, 1) if loop.variable in used), default=0)
        own = len(self.role.resource.loops) if isinstance(self.role, TemplateRole) else 0
        return loops[: max(depth, own)]


def secret_permissions(secret: Secret) -> Iterator[Permission]:
    """What a role needs to read a secret, its key aside."""
    for resource in secret.resources:
        yield Permission("secretsmanager:GetSecretValue", resource)


def key_permission(key: Key, secret: Secret, taken: Collection[str] = ()) -> Permission:
    """What a role needs to have a secret decrypted with its key, by Secrets Manager alone.

    `taken` are the variables of the loops around the place where it is written.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html; the value of
    kms:ViaService ends as the service's host name does, in China in amazonaws.com.cn.
    """
    suffix = Unknown({"Ref": "AWS::URLSuffix"})
    via = join("secretsmanager.", *parse_text(secret.region), ".", suffix)
    return Permission("kms:Decrypt", key.resource, write_text(via, taken), key.alias)


class Policy(NamedTuple):
    """What one role may do where `when` holds, for the containers of `served`.

    `paths` has the shorthand that asks for it, one for each of `served`; `grants` was merged.
    """

    role: Grantee
    scope: tuple[Loop, ...]
    when: Conditions
    permissions: tuple[Permission, ...]
    served: tuple[Resource, ...]
    paths: tuple[Path, ...]
    grants: tuple[Grant, ...]
    document: Json
    turn: Turn = ()


def merged(grants: Iterable[Grant]) -> list[Policy]:
    """Grants merged per role, scope and conditions; sorted, whatever the order they came in."""
    by_role: dict[tuple[str, ...], dict[str, list[Grant]]] = {}
    for grant in grants:
        key = (grant.role.identity, *[str(loop.path) for loop in grant.scope])
        if grant.turn and not isinstance(grant.role, TemplateRole):
            key = (*key, str(grant.served.path), str(grant.turn))
        by_role.setdefault(key, {}).setdefault(grant.permission.key, []).append(grant)
    return [policy for _, wanted in sorted(by_role.items()) for policy in _policies(wanted)]


def _policies(wanted: dict[str, list[Grant]]) -> Iterator[Policy]:
    """The policies of one role in one scope: one for each conjunction of conditions."""
    by_when: dict[Conditions, list[Grant]] = {}
    for alike in wanted.values():
        whens = {grant.when for grant in alike}
        if len(whens) == 1:
            by_when.setdefault(whens.pop(), []).extend(alike)
            continue
        parts = _Parts(simplest(whens))
        for grant in alike:
            for when in parts.of(grant.when):
                by_when.setdefault(when, []).append(grant)
    for when, grants in sorted(by_when.items(), key=lambda item: item[0].reading_order):
        permissions = {grant.permission.key: grant.permission for grant in grants}
        by_served = {grant.served.path: grant for grant in grants}
        ordered = [by_served[path] for path in sorted(by_served, key=str)]
        first = ordered[0]
        yield Policy(
            first.role,
            first.scope,
            when,
            tuple(permissions.values()),
            tuple(grant.served for grant in ordered),
            tuple(grant.path for grant in ordered),
            tuple(grants),
            document(permissions.values()),
            first.turn,
        )


def document(granted: Iterable[Permission]) -> Json:
    """The policy document that allows just these; statements and resources are sorted."""
    statements: dict[str, tuple[Permission, list[Permission]]] = {}
    for permission in sorted(granted, key=lambda one: one.key):
        alike = [permission.action, permission.via, permission.alias and permission.resource]
        statements.setdefault(canonical(alike), (permission, []))[1].append(permission)
    return {
        "Version": "2012-10-17",
        "Statement": [
            _statement(first, alike)
            for _, (first, alike) in sorted(
                statements.items(), key=lambda item: item[1][0].action, reverse=True
            )
        ],
    }


def _statement(first: Permission, alike: list[Permission]) -> Json:
    resources = [permission.resource for permission in alike]
    statement: dict[str, Json] = {
        "Effect": "Allow",
        "Action": first.action,
        "Resource": _one_or_list(resources[:1] if first.alias else resources),
    }
    conditions: dict[str, Json] = {}
    if first.via:
        conditions["StringEquals"] = {"kms:ViaService": first.via}
    if first.alias:
        aliases = [permission.alias for permission in alike]
        conditions["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": _one_or_list(aliases)}
    if conditions:
        statement["Condition"] = conditions
    return statement


def _one_or_list(values: list[Json]) -> Json:
    return values[0] if len(values) == 1 else values


def simplest(whens: Iterable[Conditions]) -> set[Conditions]:
    """The fewest conjunctions that hold in the same deployments, as far as two rules carry.

    `A and B` goes where `A` alone exists too; `A and B` with `A and not B` becomes `A`.
    """
    found = set(whens)
    todo = list(found)
    while todo:
        when = todo.pop()
        for name, truth in when:
            shorter = Conditions(when - {(name, truth)})
            if shorter not in found and shorter.also(name, not truth) in found:
                found.add(shorter)
                todo.append(shorter)
    parts = _Parts(found)
    return {when for when in found if all(other == when for other in parts.of(when))}


class _Parts:
    """Finds, among conjunctions, those that are a part of another: it holds wherever that does."""

    def __init__(self, whens: Iterable[Conditions]) -> None:
        self._by_literal: dict[tuple[str, bool] | None, list[Conditions]] = {}
        for when in whens:
            self._by_literal.setdefault(min(when, default=None), []).append(when)

    def of(self, when: Conditions) -> Iterator[Conditions]:
        """The conjunctions that are a part of `when`, itself included where it is one of them."""
        for literal in (None, *when):
            for other in self._by_literal.get(literal, ()):
                if other <= when:
                    yield other
