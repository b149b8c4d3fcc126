"""Policies that are resources of their own, for what no role of the template can carry."""

from __future__ import annotations

from collections.abc import Iterable

from macro.engine.grants import quotas
from macro.engine.grants.additions import (
    POLICY_NAME,
    Added,
    Placed,
    Placement,
    check_logical_id,
    circular_dependency,
    referenced,
)
from macro.engine.grants.creation_order import Order
from macro.engine.grants.dependencies import Dependency
from macro.engine.grants.names import Names, length, shortened, widths
from macro.engine.grants.permissions import Grant, Policy, merged
from macro.engine.grants.roles import NamedRole, TemplateRole
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import Json, Path, spelled
from macro.engine.template.intrinsics import ref, references
from macro.engine.template.loops import Loop, Turn, fill_text, without_variables
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Site, Stack

POLICY_SUFFIX = "PrivateImagePolicy"


def add_policies(grants: Iterable[Grant], order: Order, names: Names, stack: Stack) -> Placement:
    """Makes a separate policy for what no role of the template can carry."""
    placed: list[Placed] = []
    problems: list[Problem] = []
    added: list[Added] = []
    dependencies: list[Dependency] = []
    in_turns: dict[tuple[str, int], dict[Path, str]] = {}
    counted: dict[tuple[Path, str], int] = {}
    for policy in (one for together in merged(grants) for one in _apart(together, order, stack)):
        first = policy.served[0]
        if policy.turn:
            # In each turn the policy has the name that its number gives: so the loop can refer to
            # it by one text with the variable in it.
            turn_key = (first.path, str(policy.turn))
            number = counted[turn_key] = counted.get(turn_key, 0) + 1
            open_ids = in_turns.setdefault((str(first.path), number), {})
            if first.path not in open_ids:
                open_ids[first.path] = names.take(first.logical_id + POLICY_SUFFIX, first.loops)
            written = open_ids[first.path]
            logical_id = fill_text(written, policy.turn)
        else:
            stem = without_variables(first.logical_id, {loop.variable for loop in policy.scope})
            written = logical_id = names.take(stem + POLICY_SUFFIX, policy.scope)
        problems += check_logical_id(written, first, policy.scope, policy.paths[0], stack)
        placed.append(Placed(policy, "policy", logical_id))
        name, longest = _policy_name(logical_id, policy.scope, stack)
        if longest > quotas.POLICY_NAME_LENGTH:
            problems.append(quotas.name_too_long(longest, policy.paths[0]))
        properties: dict[str, Json] = {
            "PolicyName": name,
            "PolicyDocument": policy.document,
            "Roles": [_role_name(policy)],
        }
        added.append(
            Added(logical_id, "AWS::IAM::Policy", properties, first, policy.scope, policy.when)
        )
        before = _before(policy, stack)
        allowed = order.allows([served.path for served in policy.served], before)
        for served, path in zip(policy.served, policy.paths, strict=True):
            if allowed:
                order.add(served.path, before)
            else:
                problems.append(circular_dependency(served, path))
            sites = [Site(served, policy.turn)] if policy.turn else stack.sites(served)
            always = stack.implies(served.when, policy.when, sites)
            dependencies.append(Dependency(served, written, None if always else logical_id))
    problems += _check_turns((one.policy for one in placed), stack)
    return Placement((), tuple(placed), tuple(problems), tuple(added), tuple(dependencies))


def _check_turns(policies: Iterable[Policy], stack: Stack) -> Iterable[Problem]:
    """The problem of a loop whose turns need other separate policies: what it makes can refer only
    to a policy that exists in all turns alike."""
    conditions: dict[Path, dict[Turn, list[Conditions]]] = {}
    paths: dict[Path, Path] = {}
    for policy in policies:
        if policy.turn:
            served = policy.served[0]
            conditions.setdefault(served.path, {}).setdefault(policy.turn, []).append(policy.when)
            paths.setdefault(served.path, policy.paths[0])
            for turn in stack.turns(served.loops) or ():
                conditions[served.path].setdefault(turn, [])
    for path, of_turns in conditions.items():
        first, *others = of_turns.values()
        if any(other != first for other in others):
            yield turns_differ(paths[path])


def turns_differ(path: Path) -> Problem:
    """The problem of a loop whose turns need what one text cannot say for all of them."""
    return Problem(
        "PI408",
        path,
        "The iterations of the loop need different grants, which cannot be written within the"
        " loop.",
        "Write the secrets of all iterations in the same form, or declare these resources one by"
        " one.",
    )


def _apart(policy: Policy, order: Order, stack: Stack) -> list[Policy]:
    """The policy, or one for each resource it serves, where not all can come after the whole."""
    if order.allows([served.path for served in policy.served], _before(policy, stack)):
        return [policy]
    return [
        one
        for served in policy.served
        for one in merged(grant for grant in policy.grants if grant.served.path == served.path)
    ]


def _before(policy: Policy, stack: Stack) -> list[Resource]:
    """The resources of the template that a policy comes after."""
    names = dict.fromkeys(references(_role_name(policy)))
    for permission in policy.permissions:
        names |= dict.fromkeys(permission.references)
    return referenced(names, policy.grants[0], stack)


def _policy_name(logical_id: str, scope: tuple[Loop, ...], stack: Stack) -> tuple[Json, int]:
    """A policy's name that no other stack gives, since the stack's id is unique, and its length.

    The length is the greatest that it has in any turn of its loops.
    """
    beside = len(POLICY_NAME) + quotas.UUID_LENGTH + 2
    known = widths(scope, stack)
    part = shortened(logical_id, quotas.POLICY_NAME_LENGTH - beside, known)
    uuid: Json = {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
    name: Json = {"Fn::Join": ["-", [POLICY_NAME, spelled(part), uuid]]}
    return name, beside + length(part, known)


def _role_name(policy: Policy) -> Json:
    """The role of a separate policy, as `Roles` takes it."""
    if isinstance(policy.role, NamedRole):
        return policy.role.name
    assert isinstance(policy.role, TemplateRole)
    return ref(policy.role.resource.logical_id)


def check_sizes(policies: Iterable[Placed]) -> Iterable[Problem]:
    """The problem of separate policies that are too long for their role, all together."""
    by_role: dict[str, list[Policy]] = {}
    for one in policies:
        if one.kind == "policy":
            by_role.setdefault(one.policy.role.identity, []).append(one.policy)
    for of_role in by_role.values():
        yield from quotas.check_policies(None, of_role, of_role[0].paths[0])
