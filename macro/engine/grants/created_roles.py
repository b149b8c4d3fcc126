"""Roles that are created for what names none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from macro.engine.grants import quotas
from macro.engine.grants.additions import (
    Added,
    Placed,
    Placement,
    check_logical_id,
    circular_dependency,
    needed_resources,
)
from macro.engine.grants.boundaries import made_first
from macro.engine.grants.creation_order import Order
from macro.engine.grants.names import Names
from macro.engine.grants.needs import Vacancy
from macro.engine.grants.permissions import Grant, Policy, merged
from macro.engine.grants.role_policies import policy_items
from macro.engine.shorthand.role_settings import RoleSettings, Setting
from macro.engine.template.choices import Leaf, forked, graft, written
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import arn_attribute, references
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Site, Stack

ROLE_SUFFIX = "PrivateImageRole"

_MANAGED_POLICIES = "arn:${AWS::Partition}:iam::aws:policy/"


def create_roles(
    grants: Iterable[Grant],
    vacancies: Iterable[Vacancy],
    settings: RoleSettings,
    order: Order,
    names: Names,
    stack: Stack,
) -> Placement:
    """Makes a role for each resource that names none, with the policies it needs."""
    policies: dict[Path, list[Policy]] = {}
    for policy in merged(grants):
        policies.setdefault(policy.served[0].path, []).append(policy)
    by_owner: dict[Path, list[Vacancy]] = {}
    for vacancy in sorted(vacancies, key=lambda vacancy: str(vacancy.path)):
        by_owner.setdefault(vacancy.owner.path, []).append(vacancy)
    edits: list[Edit] = []
    placed: list[Placed] = []
    problems: list[Problem] = []
    added: list[Added] = []
    for path, alike in sorted(by_owner.items(), key=lambda item: str(item[0])):
        owner, row = alike[0].owner, alike[0].place
        assert row.managed_policy
        needed = [
            resource
            for policy in policies[path]
            for grant in policy.grants
            for resource in needed_resources(grant.permission, grant, stack)
        ]
        if order.allows([path], needed):
            order.add(path, needed)
        else:
            problems.append(circular_dependency(owner, policies[path][0].paths[0]))
        logical_id = names.take(owner.logical_id + ROLE_SUFFIX, owner.loops)
        problems += check_logical_id(logical_id, owner, owner.loops, alike[0].path, stack)
        placed += [Placed(policy, "new role", logical_id) for policy in policies[path]]
        when = Conditions(alike[0].when.intersection(*(vacancy.when for vacancy in alike)))
        items = policy_items(policies[path], when, set(), owner.loops, stack)
        own = _with_policies_first(settings, owner, order, stack)
        order.add(path, _policies_of(own, owner, stack))
        properties = _role_properties(row.service, row.managed_policy, items, own)
        added.append(Added(logical_id, "AWS::IAM::Role", properties, owner, owner.loops, when))
        for vacancy in alike:
            op: Literal["add", "replace"] = "add" if vacancy.absent else "replace"
            edits.append(Edit(op, vacancy.path, arn_attribute(logical_id)))
        problems += quotas.check_policies(None, policies[path], alike[0].path)
    return Placement(tuple(edits), tuple(placed), tuple(problems), tuple(added))


def _with_policies_first(
    settings: RoleSettings, owner: Resource, order: Order, stack: Stack
) -> RoleSettings:
    """The settings for the role of a resource: policies of the template are made before it."""

    def ordered(setting: Setting | None) -> Setting | None:
        def may_refer(policy: Resource) -> bool:
            return order.allows([owner.path], [policy])

        value = setting and made_first(setting.value, Site(owner), stack, may_refer)
        return setting and setting._replace(value=value)

    return settings._replace(
        permissions_boundary=ordered(settings.permissions_boundary),
        managed_policy_arns=ordered(settings.managed_policy_arns),
    )


def _policies_of(settings: RoleSettings, owner: Resource, stack: Stack) -> list[Resource]:
    """The resources of the template that the settings for the role of a resource refer to."""
    site = Site(owner)
    values = [
        one.value for one in (settings.permissions_boundary, settings.managed_policy_arns) if one
    ]
    found = (stack.resource(name, site) for value in values for name in references(value))
    return [resource for resource in found if resource]


def _role_properties(
    service: str, managed_policy: str, policies: list[Json], settings: RoleSettings
) -> dict[str, Json]:
    """The properties of a role that is made, with what the settings say of it."""
    own = settings.managed_policy_arns.value if settings.managed_policy_arns else NO_VALUE
    managed = _with_own({"Fn::Sub": _MANAGED_POLICIES + managed_policy}, own)
    properties: dict[str, Json] = {"AssumeRolePolicyDocument": _trust(service)}
    if settings.path:
        properties["Path"] = settings.path.value
    if settings.permissions_boundary:
        properties["PermissionsBoundary"] = settings.permissions_boundary.value
    properties |= {"ManagedPolicyArns": managed, "Policies": policies}
    if settings.tags:
        properties["Tags"] = settings.tags.value
    return properties


def _with_own(managed_policy: Json, own: Json) -> Json:
    """The managed policies of a new role: that for its task, and those of the settings, which are a
    list, or in some cases none."""

    def beside(leaf: Leaf) -> Json:
        return [managed_policy, *(leaf.value if isinstance(leaf.value, list) else ())]

    return written(graft(forked(own, ()), beside))


def _trust(service: str) -> Json:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
