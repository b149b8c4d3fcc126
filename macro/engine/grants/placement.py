"""Grants -> edits: into the roles of the template, or policies and roles beside what they serve."""

from __future__ import annotations

from collections.abc import Iterable

from macro.engine.grants import quotas
from macro.engine.grants.added_conditions import AddedConditions, Wanted, add_conditions
from macro.engine.grants.additions import Added, Placement, needed_resources, referenced
from macro.engine.grants.created_roles import create_roles
from macro.engine.grants.creation_order import Node, Order
from macro.engine.grants.dependencies import Dependency, depend
from macro.engine.grants.names import Names
from macro.engine.grants.needs import Vacancy
from macro.engine.grants.permissions import Grant
from macro.engine.grants.role_policies import fill_roles, takes_policies
from macro.engine.grants.roles import CreatedRole, NamedRole, TemplateRole
from macro.engine.grants.separate_policies import add_policies, check_sizes
from macro.engine.shorthand.role_settings import RoleSettings
from macro.engine.template.document import Json, Path, spelled
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import references
from macro.engine.template.stack import Stack

_MANAGED = "managed policies"  # all of the template's together, in the order of creation


def place(
    grants: Iterable[Grant], vacancies: Iterable[Vacancy], role: RoleSettings, stack: Stack
) -> Placement:
    """Finds for every grant its place. Roles that are made for it have the settings of `role`."""
    ordered = sorted(grants, key=_grant_order)
    names = Names(stack)
    order = Order(stack, _wished(ordered, role, stack))
    carried, created, separate = _sorted_out(ordered, order, stack)
    parts = [
        fill_roles(carried, order, stack),
        create_roles(created, vacancies, role, order, names, stack),
        add_policies(separate, order, names, stack),
    ]
    added = [one for part in parts for one in part.added]
    dependencies = [one for part in parts for one in part.dependencies]
    conditions = add_conditions([Wanted(one.when, one.scope) for one in added], stack, names)
    policies = tuple(placed for part in parts for placed in part.policies)
    roles = sum(one.type == "AWS::IAM::Role" for one in added)
    return Placement(
        (
            *(edit for part in parts for edit in part.edits),
            *(_addition(one, conditions.name(Wanted(one.when, one.scope))) for one in added),
            *depend(_with_condition_names(dependencies, added, conditions)),
            *conditions.edits,
        ),
        policies,
        (
            *(problem for part in parts for problem in part.problems),
            *quotas.check_resources(stack, [one.scope for one in added], roles),
            *check_sizes(policies),
        ),
    )


def _grant_order(grant: Grant) -> tuple[str, str, list[tuple[str, bool]]]:
    return str(grant.path), grant.permission.key, sorted(grant.when)


def _wished(grants: Iterable[Grant], settings: RoleSettings, stack: Stack) -> dict[Node, set[Node]]:
    """All that may have to come before a resource for the sake of its grants: what they refer to,
    and the role, be it by a policy that several resources share; before a new role also the
    policies of the template that the settings may name."""
    wished: dict[Node, set[Node]] = {}
    if settings.permissions_boundary or settings.managed_policy_arns:
        managed = (one for one in stack.resources if one.type == "AWS::IAM::ManagedPolicy")
        wished[_MANAGED] = {policy.path for policy in managed}
    asked: set[tuple[Path | None, str, str]] = set()
    for grant in grants:
        role = grant.role
        owner = role.resource.path if isinstance(role, TemplateRole) else None
        policy = role.identity
        wished.setdefault(grant.served.path, set()).add(policy)
        question = owner, policy, grant.permission.key
        if not grant.served.loops and question in asked:
            continue
        asked.add(question)
        before: set[Node] = {one.path for one in needed_resources(grant.permission, grant, stack)}
        wished.setdefault(policy, set()).update(before)
        if owner:
            wished.setdefault(owner, set()).update(before)
            wished[policy].add(owner)
        elif isinstance(role, NamedRole):
            named = referenced(references(role.name), grant, stack)
            wished[policy] |= {one.path for one in named}
        elif _MANAGED in wished:
            wished[policy].add(_MANAGED)
    return wished


def _sorted_out(
    grants: Iterable[Grant], order: Order, stack: Stack
) -> tuple[list[Grant], list[Grant], list[Grant]]:
    """Grants that their role of the template carries itself, those of roles that are made, and
    those that need a separate policy. What carried grants depend on is added to the order."""
    carried: list[Grant] = []
    created: list[Grant] = []
    separate: list[Grant] = []
    # Outside of loops a role's answer for a permission is that for all who ask for the same.
    carries: dict[tuple[Path, str], bool] = {}
    for grant in grants:
        if isinstance(grant.role, CreatedRole):
            created.append(grant)
        elif isinstance(grant.role, NamedRole):
            separate.append(grant)
        else:
            role = grant.role.resource
            asked = role.path, grant.permission.key
            if grant.served.loops or asked not in carries:
                needed = needed_resources(grant.permission, grant, stack)
                carries[asked] = takes_policies(role, grant) and order.allows([role.path], needed)
                if carries[asked]:
                    order.add(role.path, needed)
            (carried if carries[asked] else separate).append(grant)
    return carried, created, separate


def _addition(added: Added, condition: str | None) -> Edit:
    """The edit that adds a resource, behind the one that it serves where both are in one scope."""
    # In a loop, CloudFormation takes `Condition` only behind another key:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach-example-conditions.html
    body: dict[str, Json] = {"Type": added.type}
    if condition:
        body["Condition"] = spelled(condition)
    body["Properties"] = added.properties
    section = added.scope[-1].body if added.scope else ("Resources",)
    after = added.served.logical_id if added.served.loops == added.scope else None
    return Edit("add", (*section, added.logical_id), body, after=after)


def _with_condition_names(
    dependencies: Iterable[Dependency], added: Iterable[Added], conditions: AddedConditions
) -> list[Dependency]:
    """The dependencies on policies that may not exist, with the names of their conditions."""
    by_id = {one.logical_id: conditions.name(Wanted(one.when, one.scope)) for one in added}
    return [
        one._replace(condition=by_id.get(one.condition, one.condition)) if one.condition else one
        for one in dependencies
    ]
