"""Grants -> edits: into the roles of the template, or policies and roles beside what they serve."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Literal

from macro.engine.grants import quotas
from macro.engine.grants.added_conditions import AddedConditions, Wanted, add_conditions
from macro.engine.grants.boundaries import made_first
from macro.engine.grants.creation_order import Node, Order
from macro.engine.grants.dependencies import Dependency, depend
from macro.engine.grants.names import (
    Names,
    length,
    names_of,
    numbered,
    shortened,
    widths,
)
from macro.engine.grants.needs import Vacancy
from macro.engine.grants.permissions import Grant, Permission, Policy, merged
from macro.engine.grants.roles import CreatedRole, NamedRole, TemplateRole
from macro.engine.shorthand.role_settings import RoleSettings, Setting
from macro.engine.template.choices import choice
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, spelled
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import arn_attribute, ref, references
from macro.engine.template.loops import Loop, Turn, fill_text, variables_in, without_variables
from macro.engine.template.problems import Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource, completed_by
from macro.engine.template.stack import Site, Stack

ROLE_SUFFIX = "PrivateImageRole"
POLICY_SUFFIX = "PrivateImagePolicy"
POLICY_NAME = "PrivateImage"

_MANAGED = "managed policies"  # all of the template's together, in the order of creation

_MANAGED_POLICIES = "arn:${AWS::Partition}:iam::aws:policy/"


class Placed(NamedTuple):
    """A policy where it is written: on a role of the template ("role"), on one that is made for it
    ("new role"), or as a resource of its own ("policy"). `logical_id` is that resource's."""

    policy: Policy
    kind: Literal["role", "new role", "policy"]
    logical_id: str


class Added(NamedTuple):
    """A resource that is added within some loops: where some conditions hold, if any are named."""

    logical_id: str
    type: str
    properties: dict[str, Json]
    served: Resource
    scope: tuple[Loop, ...]
    when: Conditions


class Placement(NamedTuple):
    """The edits that write every grant, the policies they write, and what stands in the way."""

    edits: tuple[Edit, ...] = ()
    policies: tuple[Placed, ...] = ()
    problems: tuple[Problem, ...] = ()
    added: tuple[Added, ...] = ()
    dependencies: tuple[Dependency, ...] = ()


def place(
    grants: Iterable[Grant], vacancies: Iterable[Vacancy], role: RoleSettings, stack: Stack
) -> Placement:
    """Finds for every grant its place. Roles that are made for it have the settings of `role`."""
    ordered = sorted(grants, key=_grant_order)
    names = Names(stack)
    order = Order(stack, _wished(ordered, role, stack))
    carried, created, separate = _sorted_out(ordered, order, stack)
    parts = [
        _fill_roles(carried, order, stack),
        _create_roles(created, vacancies, role, order, names, stack),
        _add_policies(separate, order, names, stack),
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
            *_check_sizes(policies),
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
    asked: set[tuple[Path | None, str, Permission]] = set()
    for grant in grants:
        role = grant.role
        owner = role.resource.path if isinstance(role, TemplateRole) else None
        policy = role.identity
        wished.setdefault(grant.served.path, set()).add(policy)
        if not grant.served.loops and (owner, policy, grant.permission) in asked:
            continue
        asked.add((owner, policy, grant.permission))
        before: set[Node] = {one.path for one in _needed(grant.permission, grant, stack)}
        wished.setdefault(policy, set()).update(before)
        if owner:
            wished.setdefault(owner, set()).update(before)
            wished[policy].add(owner)
        elif isinstance(role, NamedRole):
            named = _referenced(references(role.name), grant, stack)
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
    carries: dict[tuple[Path, Permission], bool] = {}
    for grant in grants:
        if isinstance(grant.role, CreatedRole):
            created.append(grant)
        elif isinstance(grant.role, NamedRole):
            separate.append(grant)
        else:
            role = grant.role.resource
            asked = role.path, grant.permission
            if grant.served.loops or asked not in carries:
                needed = _needed(grant.permission, grant, stack)
                carries[asked] = _takes_policies(role, grant) and order.allows([role.path], needed)
                if carries[asked]:
                    order.add(role.path, needed)
            (carried if carries[asked] else separate).append(grant)
    return carried, created, separate


def _takes_policies(role: Resource, grant: Grant) -> bool:
    """Whether the role's own `Policies` can hold a grant: they are a list, or absent, in the scope
    of the grant."""
    properties = role.body.get("Properties", {})
    if not isinstance(properties, dict) or grant.scope != role.loops:
        return False
    own = properties.get("Policies")
    if own is None and completed_by(properties):
        return False
    return own in (None, NO_VALUE) or isinstance(own, list)


def _needed(permission: Permission, grant: Grant, stack: Stack) -> list[Resource]:
    """The resources of the template that a permission refers to."""
    return _referenced(permission.references, grant, stack)


def _referenced(names: Iterable[str], grant: Grant, stack: Stack) -> list[Resource]:
    """The resources of these names where a grant writes them, in all turns of its loops."""
    sites = [Site(grant.served, grant.turn)] if grant.turn else stack.sites(grant.served)
    found = {
        resource.path: resource
        for name in names
        for site in (sites if variables_in(name) else sites[:1])
        for resource in [stack.resource(name, site)]
        if resource
    }
    return list(found.values())


def _fill_roles(grants: Iterable[Grant], order: Order, stack: Stack) -> Placement:
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
                    problems.append(_circular(grant.served, grant.path))
                always = stack.implies(grant.served.when, role.when, stack.sites(grant.served))
                condition = None if always else next(name for name, _ in role.when)
                dependencies.append(Dependency(grant.served, role.logical_id, condition))
        placed += [Placed(policy, "role", role.logical_id) for policy in policies]
        taken = separate_names | _names_on(role, stack)
        items = _items(policies, role.when, taken, role.loops, stack)
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


def _items(
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


def _create_roles(
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
            for resource in _needed(grant.permission, grant, stack)
        ]
        if order.allows([path], needed):
            order.add(path, needed)
        else:
            problems.append(_circular(owner, policies[path][0].paths[0]))
        logical_id = names.take(owner.logical_id + ROLE_SUFFIX, owner.loops)
        problems += _check_logical_id(logical_id, owner, owner.loops, alike[0].path, stack)
        placed += [Placed(policy, "new role", logical_id) for policy in policies[path]]
        when = Conditions(alike[0].when.intersection(*(vacancy.when for vacancy in alike)))
        items = _items(policies[path], when, set(), owner.loops, stack)
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
    managed: list[Json] = [{"Fn::Sub": _MANAGED_POLICIES + managed_policy}]
    if settings.managed_policy_arns:
        own = settings.managed_policy_arns.value
        managed += own if isinstance(own, list) else [own]
    properties: dict[str, Json] = {"AssumeRolePolicyDocument": _trust(service)}
    if settings.path:
        properties["Path"] = settings.path.value
    if settings.permissions_boundary:
        properties["PermissionsBoundary"] = settings.permissions_boundary.value
    properties |= {"ManagedPolicyArns": managed, "Policies": policies}
    if settings.tags:
        properties["Tags"] = settings.tags.value
    return properties


def _add_policies(grants: Iterable[Grant], order: Order, names: Names, stack: Stack) -> Placement:
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
        problems += _check_logical_id(written, first, policy.scope, policy.paths[0], stack)
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
                problems.append(_circular(served, path))
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
    return _referenced(names, policy.grants[0], stack)


def _check_logical_id(
    logical_id: str, served: Resource, scope: tuple[Loop, ...], path: Path, stack: Stack
) -> Iterable[Problem]:
    if "&{" in logical_id:
        yield Problem(
            "PI405",
            path,
            f"The resources that {served.logical_id} needs cannot be referred to: CloudFormation"
            " replaces &{} only in logical ids.",
            "Write ${} in the logical id, or name a role outside the loop.",
        )
    longest = length(logical_id, widths(scope, stack))
    if longest > quotas.LOGICAL_ID_LENGTH:
        yield quotas.too_long(longest, path)


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


def _check_sizes(policies: Iterable[Placed]) -> Iterable[Problem]:
    """The problem of separate policies that are too long for their role, all together."""
    by_role: dict[str, list[Policy]] = {}
    for one in policies:
        if one.kind == "policy":
            by_role.setdefault(one.policy.role.identity, []).append(one.policy)
    for of_role in by_role.values():
        yield from quotas.check_policies(None, of_role, of_role[0].paths[0])


def _circular(served: Resource, path: Path) -> Problem:
    return Problem(
        "PI404",
        path,
        f"{served.logical_id} must come after its grant, but the secret, the key or the role"
        " depends on it.",
        "Remove that dependency, or grant access elsewhere and write Grant: false.",
    )
