"""Grants -> edits: into the roles of the template, or policies and roles beside what they serve."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Literal, NamedTuple

from macro.engine.grants import quotas
from macro.engine.grants.added_conditions import Conditions
from macro.engine.grants.creation_order import Order
from macro.engine.grants.dependencies import Wait, wait_for
from macro.engine.grants.names import Names, label, shortened, within
from macro.engine.grants.permissions import Created, Grant, Holds, Permission, Policy, merged
from macro.engine.grants.role import Inside, Outside
from macro.engine.shorthand.places import Place
from macro.engine.template.document import NO_VALUE, Json, Path, choice, get, spelled
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import arn_attribute, literal, parse, ref, references
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Loop, Resource
from macro.engine.template.stack import Stack

ROLE_SUFFIX = "PrivateImageRole"
POLICY_SUFFIX = "PrivateImagePolicy"
POLICY_NAME = "PrivateImage"


_MANAGED_POLICIES = "arn:${AWS::Partition}:iam::aws:policy/"


class Vacancy(NamedTuple):
    """Where a resource names no role but needs one: at `path`, where `when` holds.

    `absent`: the key is not there, rather than `AWS::NoValue`.
    """

    owner: Resource
    place: Place
    path: Path
    when: Holds
    absent: bool


class Placed(NamedTuple):
    """A policy where it has come to stand: on a role of the template ("role"), on one that is made
    for it ("new role"), or as a resource of its own ("policy"). `logical_id` is that resource's."""

    policy: Policy
    kind: Literal["role", "new role", "policy"]
    logical_id: str


class Attached(NamedTuple):
    """The edits that put every grant in its place, the policies they write, and what stands in the
    way of some."""

    edits: list[Edit]
    policies: list[Placed]
    problems: list[Problem]


def attach(grants: Iterable[Grant], vacancies: Iterable[Vacancy], stack: Stack) -> Attached:
    """Finds for every grant its place."""
    attachment = _Attachment(sorted(grants, key=_grant_order), stack)
    attachment.fill_roles()
    attachment.create_roles(list(vacancies))
    attachment.stand_apart()
    edits = [
        *attachment.edits,
        *wait_for(attachment.waits.values()),
        *attachment.conditions.edits(),
    ]
    problems = [*attachment.problems, *quotas.check_resources(stack, attachment.added)]
    return Attached(edits, attachment.placed, problems)


def _grant_order(grant: Grant) -> tuple[str, str, list[tuple[str, bool]]]:
    return str(grant.path), grant.permission.key, sorted(grant.when)


class _Attachment:
    """The edits as they come about, with the names, conditions and order they must keep to."""

    def __init__(self, grants: list[Grant], stack: Stack) -> None:
        self.edits: list[Edit] = []
        self.placed: list[Placed] = []
        self.problems: list[Problem] = []
        self.added: list[tuple[Loop, ...]] = []
        self.stack = stack
        self.names = Names(stack)
        self.conditions = Conditions(stack, self.names)
        growing = {grant.served.path for grant in grants}
        growing |= {grant.role.resource.path for grant in grants if isinstance(grant.role, Inside)}
        self.order = Order(stack, growing)
        self.inside: list[Grant] = []
        self.created: list[Grant] = []
        self.apart: list[Grant] = []
        for grant in grants:
            if isinstance(grant.role, Created):
                self.created.append(grant)
            elif isinstance(grant.role, Inside) and self._can_carry(grant.role.resource, grant):
                self.inside.append(grant)
            else:
                self.apart.append(grant)
        self.waits: dict[Path, tuple[Resource, list[Wait]]] = {}

    def _can_carry(self, role: Resource, grant: Grant) -> bool:
        """Whether the grant can stand in the role's own `Policies` without closing a circle."""
        properties = role.body.get("Properties", {})
        return (
            grant.scope == role.loops
            and isinstance(properties, dict)
            and (
                properties.get("Policies") in (None, NO_VALUE)
                or isinstance(properties["Policies"], list)
            )
            and self.order.add(role.path, self._needed(grant.permission, grant.served))
        )

    def _needed(self, permission: Permission, served: Resource) -> list[Resource]:
        """The resources of the template that a permission refers to."""
        names = dict.fromkeys(references(permission.values))
        found = (self.stack.resource(name, served) for name in names)
        return [resource for resource in found if resource]

    def fill_roles(self) -> None:
        """Puts policies into the roles that can carry them."""
        policies: dict[Path, tuple[Resource, list[Policy]]] = {}
        for policy in merged(self.inside):
            assert isinstance(policy.role, Inside)
            role = policy.role.resource
            policies.setdefault(role.path, (role, []))[1].append(policy)
        for role, of_role in policies.values():
            self.placed += [Placed(policy, "role", role.logical_id) for policy in of_role]
            items = self._items(of_role, role.when, self._names_on(role))
            own = get(role.body, "Properties", "Policies")
            path = (*role.path, "Properties")
            if "Properties" not in role.body:
                self.edits.append(Edit("add", path, {"Policies": items}))
            elif isinstance(own, list):
                self.edits += [Edit("add", (*path, "Policies", "-"), item) for item in items]
            else:
                properties = role.body["Properties"]
                there = isinstance(properties, dict) and "Policies" in properties
                self.edits.append(Edit("replace" if there else "add", (*path, "Policies"), items))
            self.problems += quotas.check_policies(own, of_role, (*role.path, "Properties"))

    def _items(self, policies: list[Policy], when: Holds, taken: set[str]) -> list[Json]:
        """The policies as items of a role's `Policies`; the role is there where `when` holds."""
        items = []
        for policy in policies:
            missing = policy.when - when
            name = f"{POLICY_NAME}-{label(missing)}" if missing else POLICY_NAME
            name = free = shortened(name, quotas.POLICY_NAME_LENGTH - 3)
            number = 1
            while free in taken:
                number += 1
                free = f"{name}{number}"
            taken.add(free)
            item: Json = {
                "PolicyName": spelled(free),
                "PolicyDocument": policy.document,
            }
            for condition, value in sorted(missing, reverse=True):
                item = choice(condition, *((item, NO_VALUE) if value else (NO_VALUE, item)))
            items.append(item)
        return items

    def _names_on(self, role: Resource) -> set[str]:
        """The names of the policies that a role may have: its own, and any that resources add."""
        names: list[Json] = []
        todo: list[Json] = [get(role.body, "Properties", "Policies")]
        while todo:
            node = todo.pop()
            if isinstance(node, list):
                todo += node
            elif isinstance(node, dict):
                names.append(node.get("PolicyName"))
                todo.append(node.get("Fn::If"))
        return self._known_names(names) | self._names_of_policies

    @cached_property
    def _names_of_policies(self) -> set[str]:
        """The names of the policies that are resources of their own."""
        return self._known_names(
            get(resource.body, "Properties", "PolicyName")
            for resource in self.stack.resources
            if resource.type in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy")
        )

    def _known_names(self, names: Iterable[Json]) -> set[str]:
        texts = (self.stack.known(parse(name)).text for name in names if name is not None)
        return {name for name in map(literal, texts) if name}

    def create_roles(self, vacancies: list[Vacancy]) -> None:
        """Makes a role for each resource that names none, with the policies it needs."""
        policies: dict[Path, list[Policy]] = {}
        for policy in merged(self.created):
            policies.setdefault(policy.served[0].path, []).append(policy)
        by_owner: dict[Path, list[Vacancy]] = {}
        for vacancy in sorted(vacancies, key=lambda vacancy: str(vacancy.path)):
            by_owner.setdefault(vacancy.owner.path, []).append(vacancy)
        for path, alike in sorted(by_owner.items(), key=lambda item: str(item[0])):
            owner, place = alike[0].owner, alike[0].place
            assert place.managed_policy
            needed = [
                resource
                for policy in policies[path]
                for permission in policy.permissions
                for resource in self._needed(permission, owner)
            ]
            if not self.order.add(path, needed):
                self.problems.append(_circle(owner, policies[path][0].paths[0]))
            logical_id = self._logical_id(owner, owner.loops, ROLE_SUFFIX, alike[0].path)
            self.placed += [Placed(policy, "new role", logical_id) for policy in policies[path]]
            when = alike[0].when.intersection(*(vacancy.when for vacancy in alike))
            items = self._items(policies[path], when, set())
            self._add(
                logical_id,
                owner,
                owner.loops,
                "AWS::IAM::Role",
                self.conditions.name(when, owner.loops),
                {
                    "AssumeRolePolicyDocument": _trust(place.service),
                    "ManagedPolicyArns": [{"Fn::Sub": _MANAGED_POLICIES + place.managed_policy}],
                    "Policies": items,
                },
            )
            for vacancy in alike:
                op: Literal["add", "replace"] = "add" if vacancy.absent else "replace"
                self.edits.append(Edit(op, vacancy.path, arn_attribute(logical_id)))
            self.problems += quotas.check_policies(None, policies[path], alike[0].path)

    def stand_apart(self) -> None:
        """Makes a policy of its own for what no role of the template can carry."""
        for together in merged(self.apart):
            for policy in self._in_order(together):
                self._add_policy(policy)

    def _in_order(self, policy: Policy) -> list[Policy]:
        """The policy, or one for each resource it serves, where not all can wait for the whole."""
        if self.order.allows((served.path for served in policy.served), self._before(policy)):
            return [policy]
        return [
            one
            for served in policy.served
            for one in merged(grant for grant in policy.grants if grant.served.path == served.path)
        ]

    def _before(self, policy: Policy) -> list[Resource]:
        """The resources of the template that a policy comes after."""
        user = policy.served[0]
        found = [self.stack.resource(name, user) for name in references(_role_name(policy))]
        for permission in policy.permissions:
            found += self._needed(permission, user)
        return [resource for resource in found if resource]

    def _add_policy(self, policy: Policy) -> None:
        first = policy.served[0]
        logical_id = self._logical_id(first, policy.scope, POLICY_SUFFIX, policy.paths[0])
        self.placed.append(Placed(policy, "policy", logical_id))
        condition = self.conditions.name(policy.when, policy.scope)
        properties: dict[str, Json] = {
            "PolicyName": _name_of_its_own(logical_id),
            "PolicyDocument": policy.document,
            "Roles": [_role_name(policy)],
        }
        self._add(logical_id, first, policy.scope, "AWS::IAM::Policy", condition, properties)
        before = self._before(policy)
        for served, path in zip(policy.served, policy.paths, strict=True):
            if not self.order.add(served.path, before):
                self.problems.append(_circle(served, path))
            waits = self.waits.setdefault(served.path, (served, []))[1]
            waits.append(Wait(logical_id, policy.when, condition))

    def _logical_id(
        self, served: Resource, scope: tuple[Loop, ...], suffix: str, path: Path
    ) -> str:
        logical_id = self.names.take(within(served.logical_id, scope) + suffix, scope)
        if "&{" in logical_id:
            self.problems.append(
                Problem(
                    "PI405",
                    path,
                    f"What {served.logical_id} needs cannot be referred to: CloudFormation replaces"
                    " &{} in logical ids only.",
                    "Write ${} in the logical id, or name a role outside of the loop.",
                )
            )
        if len(logical_id) > quotas.LOGICAL_ID_LENGTH:
            self.problems.append(quotas.too_long(logical_id, path))
        return logical_id

    def _add(
        self,
        logical_id: str,
        served: Resource,
        scope: tuple[Loop, ...],
        kind: str,
        condition: str | None,
        properties: dict[str, Json],
    ) -> None:
        """Adds a resource behind the one that it serves, where both stand in the same scope."""
        body: dict[str, Json] = {"Type": kind}
        if condition:
            body["Condition"] = spelled(condition)
        body["Properties"] = properties
        section = scope[-1].body if scope else ("Resources",)
        after = served.logical_id if served.loops == scope else None
        self.edits.append(Edit("add", (*section, logical_id), body, after=after))
        self.added.append(scope)


def _role_name(policy: Policy) -> Json:
    """The role of a policy that stands apart, as `Roles` takes it."""
    if isinstance(policy.role, Outside):
        return policy.role.name
    assert isinstance(policy.role, Inside)
    return ref(policy.role.resource.logical_id)


def _name_of_its_own(logical_id: str) -> Json:
    """A policy's name that no other stack gives: the uuid in the stack's id is unique."""
    most = quotas.POLICY_NAME_LENGTH - quotas.UUID_LENGTH - len(POLICY_NAME) - 2
    uuid: Json = {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
    return {"Fn::Join": ["-", [POLICY_NAME, spelled(shortened(logical_id, most)), uuid]]}


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


def _circle(served: Resource, path: Path) -> Problem:
    return Problem(
        "PI404",
        path,
        f"{served.logical_id} must come after its grant, but the secret, the key or the role"
        " depends on it.",
        "Take that dependency away, or grant access elsewhere and write Grant: false.",
    )
