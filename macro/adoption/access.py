"""Who may do what: the statements of a template's policies, with the roles that have them.

Roles and policies within `Fn::ForEach` are not read: what they allow is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from macro.adoption.patterns import (
    SERVICES,
    action_covers,
    covers,
    in_one_partition,
    may_meet,
    pattern_of,
    service_of,
)
from macro.engine.grants.permissions import Permission, identity
from macro.engine.grants.roles import NamedRole, TemplateRole, read_role
from macro.engine.grants.secrets import Reader, Secret, read_secret
from macro.engine.shorthand.places import REPOSITORY
from macro.engine.template.choices import branches, leaves
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, canonical, get, intrinsic
from macro.engine.template.intrinsics import Text, attribute, literal, parse
from macro.engine.template.problems import InvalidValueError
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Site, Stack

READ = "secretsmanager:GetSecretValue"
DECRYPT = "kms:Decrypt"

_ROLE = "AWS::IAM::Role"
_MANAGED = "AWS::IAM::ManagedPolicy"
_SEPARATE = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy")

# AWS's own policies that allow neither GetSecretValue nor Decrypt, by what follows `policy/`:
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
_WITHOUT_SECRETS = frozenset(
    {
        "service-role/AmazonECSTaskExecutionRolePolicy",
        "AmazonEC2ContainerRegistryReadOnly",
        "AmazonEC2ContainerRegistryPullOnly",
        "CloudWatchLogsFullAccess",
    }
)


class Attached(NamedTuple):
    """A policy of the template on one role (`holder`: its identity), where `when` holds.

    `path` is that of the item of `Policies`, or of the policy's resource. `only_roles`: it is on
    nothing but roles.
    """

    holder: str
    carrier: Resource
    path: Path
    document: Json
    document_path: Path
    when: Conditions
    kind: Literal["inline", "separate", "managed"]
    only_roles: bool = True


class Statement(NamedTuple):
    """A statement of a policy, where `when` holds."""

    policy: Attached
    path: Path
    body: Json
    when: Conditions

    @property
    def is_plain(self) -> bool:
        """Whether it allows actions on resources, and nothing in it hides which."""
        body = self.body
        return (
            isinstance(body, dict)
            and not intrinsic(body)
            and body.get("Effect") == "Allow"
            and body.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
            and bool(self.actions)
            and "Resource" in body
        )

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions; empty where not all are literal."""
        written = get(self.body, "Action")
        listed = written if isinstance(written, list) else [written]
        found = tuple(one for one in listed if isinstance(one, str))
        return found if len(found) == len(listed) else ()

    def resources(self) -> Iterator[tuple[Path, Json, Conditions]]:
        """The resources with their conditions, `AWS::NoValue` left out."""
        for at, value, when in branches(
            get(self.body, "Resource"), (*self.path, "Resource"), self.when
        ):
            items = value if isinstance(value, list) else [value]
            for index, item in enumerate(items):
                own = (*at, index) if isinstance(value, list) else at
                for found in branches(item, own, when):
                    if found[1] != NO_VALUE:
                        yield found


class Access(NamedTuple):
    """The statements of all policies, and the roles (identities) of which they are not all."""

    statements: tuple[Statement, ...]
    open_roles: frozenset[str]


def read_access(stack: Stack) -> Access:
    """What the policies of a template say of roles."""
    attached = [one for resource in stack.resources for one in _attached(resource, stack)]
    roles = [resource for resource in stack.resources if resource.type == _ROLE]
    hidden = {identity(TemplateRole(role)) for role in roles if _is_open(role, stack)}
    return Access(
        tuple(one for policy in attached for one in _statements(policy)), frozenset(hidden)
    )


def _attached(resource: Resource, stack: Stack) -> Iterator[Attached]:
    if resource.loops:
        return
    if resource.type == _ROLE:
        holder = identity(TemplateRole(resource))
        for at, item, when in _items(resource, "Policies"):
            document = get(item, "PolicyDocument")
            yield Attached(holder, resource, at, document, (*at, "PolicyDocument"), when, "inline")
        for _, item, when in _items(resource, "ManagedPolicyArns"):
            named = attribute(item)
            found = stack.resource(named[0], Site(resource)) if named else None
            if found and found.type == _MANAGED and not found.loops:
                yield _whole(found, holder, when.both(found.when), "managed")
    elif resource.type in (*_SEPARATE, _MANAGED):
        kind: Literal["managed", "separate"] = (
            "managed" if resource.type == _MANAGED else "separate"
        )
        key = "RoleName" if resource.type == "AWS::IAM::RolePolicy" else "Roles"
        for holder, when in _holders(resource, key, stack):
            yield _whole(resource, holder, when, kind)


def _whole(
    resource: Resource, holder: str, when: Conditions, kind: Literal["separate", "managed"]
) -> Attached:
    document = resource.property("PolicyDocument")
    path = (*resource.path, "Properties", "PolicyDocument")
    only_roles = not (resource.property("Users") or resource.property("Groups"))
    return Attached(holder, resource, resource.path, document, path, when, kind, only_roles)


def _items(resource: Resource, key: str) -> Iterator[tuple[Path, Json, Conditions]]:
    """The items of a list among the properties, through every `Fn::If`."""
    path = (*resource.path, "Properties", key)
    for at, value, when in branches(resource.property(key), path, resource.when):
        for index, item in enumerate(value if isinstance(value, list) else ()):
            for found in branches(item, (*at, index), when):
                if found[1] != NO_VALUE:
                    yield found


def _holders(resource: Resource, key: str, stack: Stack) -> Iterator[tuple[str, Conditions]]:
    """The roles that a policy of its own is on."""
    if key == "RoleName":
        path = (*resource.path, "Properties", key)
        named = list(branches(resource.property(key), path, resource.when))
    else:
        named = list(_items(resource, key))
    for _, value, when in named:
        tree = read_role(value, when, Site(resource), stack)
        readings: Iterator[tuple[TemplateRole | NamedRole | InvalidValueError, Conditions]]
        readings = leaves(tree, when)
        for role, holds in readings:
            if not isinstance(role, InvalidValueError):
                # A name is one by how it is written: the engine would read it anew.
                by_name = isinstance(role, NamedRole)
                yield canonical(value) if by_name else identity(role), holds


def _is_open(role: Resource, stack: Stack) -> bool:
    """Whether a role has policies, or may have some, of which the template does not say all."""
    if role.loops or any(_hides_roles(one, stack) for one in stack.resources):
        return True
    for key in ("Policies", "ManagedPolicyArns"):
        for _, value, _ in branches(role.property(key), (), role.when):
            if value not in (None, NO_VALUE) and not isinstance(value, list):
                return True
    for _, item, _ in _items(role, "ManagedPolicyArns"):
        named = attribute(item)
        found = stack.resource(named[0], Site(role)) if named else None
        if found and found.type == _MANAGED:
            continue
        last = parse(item)[-1:]
        name = last[0].partition(":policy/")[2] if last and isinstance(last[0], str) else ""
        if name not in _WITHOUT_SECRETS:
            return True
    return False


def _hides_roles(resource: Resource, stack: Stack) -> bool:
    """Whether it is not known which roles a policy of its own is on."""
    if resource.type not in (*_SEPARATE, _MANAGED):
        return False
    key = "RoleName" if resource.type == "AWS::IAM::RolePolicy" else "Roles"
    if resource.loops:
        return True
    if key == "RoleName":
        return not list(_holders(resource, key, stack))
    written = branches(resource.property(key), (), resource.when)
    if any(
        value not in (None, NO_VALUE) and not isinstance(value, list) for _, value, _ in written
    ):
        return True
    return any(
        isinstance(role, InvalidValueError)
        for _, value, when in _items(resource, key)
        for role, _ in leaves(read_role(value, when, Site(resource), stack), when)
    )


def _statements(policy: Attached) -> Iterator[Statement]:
    for at, document, when in branches(policy.document, policy.document_path, policy.when):
        written = get(document, "Statement")
        for place, listed, holds in branches(written, (*at, "Statement"), when):
            if not isinstance(listed, list):
                yield Statement(policy, place, listed, holds)
                continue
            for index, item in enumerate(listed):
                for path, body, inner in branches(item, (*place, index), holds):
                    if body != NO_VALUE:
                        yield Statement(policy, path, body, inner)


# What a statement may allow, and what it allows for sure


def may_allow(statement: Statement, action: str, targets: list[Text], stack: Stack) -> bool:
    """Whether a statement may allow an action on one of the targets: false only where it is known
    that it does not. What its conditions ask of a request is not judged."""
    body = statement.body
    if not isinstance(body, dict) or intrinsic(body):
        return True
    if body.get("Effect") == "Deny":
        return False
    if not statement.actions or "NotResource" in body:
        return True
    if not any(action_covers(one, action) for one in statement.actions):
        return False
    site = Site(statement.policy.carrier)
    return any(
        _may_be(pattern_of(value, when, site, stack), target, site, stack)
        for _, value, when in statement.resources()
        for target in targets
    )


def _may_be(pattern: Text, target: Text, site: Site, stack: Stack) -> bool:
    """Whether a pattern may match a target; two resources of the template are not one."""
    named = [
        stack.resource(found[0], site)
        for text in (pattern, target)
        if len(text) == 1 and not isinstance(text[0], str) and (found := attribute(text[0].value))
    ]
    if len(named) == 2 and None not in named:
        return pattern == target
    for text, other in ((pattern, target), (target, pattern)):
        if _is_generated(text, site, stack) and len(other) > 1:
            return False
    return may_meet(pattern, target)


def _is_generated(text: Text, site: Site, stack: Stack) -> bool:
    """Whether a text is a secret or a key of the template whose name CloudFormation makes up, so
    that no ARN which is spelled out is its own."""
    if len(text) != 1 or isinstance(text[0], str) or not (named := attribute(text[0].value)):
        return False
    found = stack.resource(named[0], site)
    return found is not None and found.type in SERVICES and found.property("Name") is None


class Pair(NamedTuple):
    """An action on a resource that a statement allows, where `when` holds; `path` is the
    resource's. `condition` is what it asks of a request."""

    action: str
    resource: Text
    condition: Json
    when: Conditions
    path: Path


def pairs_of(statement: Statement, stack: Stack) -> Iterator[Pair]:
    """What a plain statement allows: its actions on the resources that they are for."""
    site = Site(statement.policy.carrier)
    condition = _condition(get(statement.body, "Condition"), statement, stack)
    for path, value, when in statement.resources():
        pattern = pattern_of(_completed(value, when, site, stack), when, site, stack)
        service = service_of(pattern, site, stack)
        for action in statement.actions:
            own = action.partition(":")[0].lower()
            if service is None or own == service or set(own) & set("*?"):
                yield Pair(action, pattern, condition, when, path)


def _completed(value: Json, when: Conditions, site: Site, stack: Stack) -> Json:
    """A resource; the ARN of a secret without the characters that Secrets Manager adds, which
    matches nothing, with a place for them."""
    text = literal(parse(value)[:1]) or ""
    if not text.startswith("arn:") or ":secretsmanager:" not in text:
        return value
    reading = read_secret(value, when, Reader(REPOSITORY, site, stack))
    if isinstance(reading, Secret) and len(reading.resources) == 1 and not reading.declarations:
        return reading.resources[0]
    return value


def _condition(value: Json, statement: Statement, stack: Stack) -> Json:
    """What a statement asks of requests, so that what means the same is equal."""
    if not isinstance(value, dict) or intrinsic(value):
        return value

    def normal(node: Json) -> Json:
        items = node if isinstance(node, list) else [node]
        site = Site(statement.policy.carrier)
        texts = [
            in_one_partition(pattern_of(item, statement.when, site, stack))
            if isinstance(item, str) or intrinsic(item)
            else (str(item),)
            for item in items
        ]
        return [*sorted(str(text) for text in texts)]

    return {
        operator: {key: normal(values) for key, values in keys.items()}
        if isinstance(keys, dict) and not intrinsic(keys)
        else keys
        for operator, keys in value.items()
    }


def is_covered(pair: Pair, others: list[Pair], stack: Stack) -> bool:
    """Whether what a pair allows the others allow too, in every case of the conditions."""
    found = [
        other
        for other in others
        if action_covers(other.action, pair.action)
        and other.condition in (None, pair.condition)
        and covers(other.resource, pair.resource)
    ]
    return is_always(pair.when, [other.when for other in found], stack)


def is_always(when: Conditions, others: list[Conditions], stack: Stack) -> bool:
    """Whether, wherever some conditions hold, one of the others holds too."""
    cases = [when]
    for other in others:
        cases = [
            case.also(name, not truth)
            for case in cases
            for name, truth in other
            if stack.solver.possible(case.also(name, not truth))
        ]
        if len(cases) > 64:
            return False
    return not [case for case in cases if stack.solver.possible(case)]


def permitted(permission: Permission, when: Conditions, site: Site, stack: Stack) -> Pair:
    """A permission of a grant as a pair."""
    condition: dict[str, Json] = {}
    if permission.via:
        via = in_one_partition(pattern_of(permission.via, when, site, stack))
        condition["StringEquals"] = {"kms:ViaService": [str(via)]}
    if permission.alias:
        alias = in_one_partition(pattern_of(permission.alias, when, site, stack))
        condition["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": [str(alias)]}
    pattern = pattern_of(permission.resource, when, site, stack)
    return Pair(permission.action, pattern, condition or None, when, ())
