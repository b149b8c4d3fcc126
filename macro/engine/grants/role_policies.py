"""Policies that a role of the template carries itself."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from macro.engine.grants import quotas
from macro.engine.grants.additions import POLICY_NAME, Placed, Placement, circular_dependency
from macro.engine.grants.creation_order import Order
from macro.engine.grants.dependencies import Dependency
from macro.engine.grants.names import names_of, numbered, shortened, widths
from macro.engine.grants.permissions import Grant, Policy, merged
from macro.engine.grants.roles import TemplateRole
from macro.engine.template.choices import choice
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, spelled
from macro.engine.template.edits import Edit
from macro.engine.template.loops import Loop, Turn, fill_text
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Resource, completed_by
from macro.engine.template.stack import Stack


def takes_policies(role: Resource, grant: Grant) -> bool:
    """Whether the role's own `Policies` can hold a grant: they are a list, or absent, in the scope
    of the grant."""
    properties = role.body.get("Properties", {})
    if not isinstance(properties, dict) or grant.scope != role.loops:
        return False
    own = properties.get("Policies")
    if own is None and completed_by(properties):
        return False
    return own in (None, NO_VALUE) or isinstance(own, list)


def fill_roles(grants: Iterable[Grant], order: Order, stack: Stack) -> Placement:
    """Puts policies into the roles that carry them. What names such a role by text, rather than by
    a reference, must be told to come after it."""
    by_role: dict[Path, tuple[Resource, list[Policy]]] = {}
    for policy in merged(grants):
        assert isinstance(policy.role, TemplateRole)
        role = policy.role.resource
        by_role.setdefault(role.path, (role, []))[1].append(policy)
    edits: list[Edit] = []
    placed: list[Placed] = []
    problems: list[Problem] = []
    separate_names = _names_of_policies(stack) if by_role else set()
    dependencies: list[Dependency] = []
    for role, policies in by_role.values():
        for grant in (grant for policy in policies for grant in policy.grants):
            if isinstance(grant.role, TemplateRole) and grant.role.by_name:
                if not order.allows([grant.served.path], [role]):
                    problems.append(circular_dependency(grant.served, grant.path))
                always = stack.implies(grant.served.when, role.when, stack.sites(grant.served))
                condition = None if always else next(name for name, _ in role.when)
                dependencies.append(Dependency(grant.served, role.logical_id, condition))
        placed += [Placed(policy, "role", role.logical_id) for policy in policies]
        taken = separate_names | _names_on(role, stack)
        items = policy_items(policies, role.when, taken, role.loops, stack)
        own = role.property("Policies")
        path = (*role.path, "Properties")
        if "Properties" not in role.body:
            edits.append(Edit("add", path, {"Policies": items}))
        elif isinstance(own, list):
            edits += [Edit("add", (*path, "Policies", "-"), item) for item in items]
        else:
            properties = role.body["Properties"]
            exists = isinstance(properties, dict) and "Policies" in properties
            edits.append(Edit("replace" if exists else "add", (*path, "Policies"), items))
        problems += quotas.check_policies(own, policies, path)
    return Placement(tuple(edits), tuple(placed), tuple(problems), dependencies=tuple(dependencies))


def policy_items(
    policies: Iterable[Policy],
    when: Conditions,
    taken: set[str],
    scope: tuple[Loop, ...],
    stack: Stack,
) -> list[Json]:
    """The policies as items of a role's `Policies`, with names that none in `taken` has; the role
    exists where `when` holds."""
    items: list[Json] = []
    used = set(taken)
    turns = stack.turns(scope) or ()
    for policy in policies:
        missing = policy.when.without(when)
        name = f"{POLICY_NAME}-{missing.label}" if missing else POLICY_NAME
        name = shortened(name, quotas.POLICY_NAME_LENGTH - 3, widths(scope, stack))
        free = numbered(name, partial(_is_free, used, turns))
        used |= _in_turns(free, turns)
        item: Json = {"PolicyName": spelled(free), "PolicyDocument": policy.document}
        for condition, truth in sorted(missing, reverse=True):
            item = choice(condition, *((item, NO_VALUE) if truth else (NO_VALUE, item)))
        items.append(item)
    return items


def _is_free(used: set[str], turns: Iterable[Turn], name: str) -> bool:
    return used.isdisjoint(_in_turns(name, turns))


def _in_turns(name: str, turns: Iterable[Turn]) -> set[str]:
    """A name, and what it becomes in the turns of its loops."""
    return {name, *(fill_text(name, turn) for turn in turns)}


def _names_on(role: Resource, stack: Stack) -> set[str]:
    """The names of the policies that a role has of its own."""
    names: list[Json] = []
    todo: list[Json] = [role.property("Policies")]
    while todo:
        node = todo.pop()
        if isinstance(node, list):
            todo += node
        elif isinstance(node, dict):
            names.append(node.get("PolicyName"))
            todo.append(node.get("Fn::If"))
    return names_of(((name, role.loops) for name in names if name is not None), stack)


def _names_of_policies(stack: Stack) -> set[str]:
    """The names of the policies that are resources of their own."""
    policies = (
        resource
        for resource in stack.resources
        if resource.type in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy")
    )
    named = ((one.property("PolicyName"), one.loops) for one in policies)
    return names_of((pair for pair in named if pair[0] is not None), stack)
