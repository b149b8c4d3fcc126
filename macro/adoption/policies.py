"""The policies of a template: their statements, each with the role that has it.

Roles and policies in an `Fn::ForEach` whose collection is not known are not read: what they allow
is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from macro.adoption.unrolled import unrolled
from macro.engine.grants.roles import NamedRole, TemplateRole, read_role
from macro.engine.template.choices import branches, leaves
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, canonical, get, intrinsic
from macro.engine.template.intrinsics import attribute, literal, parse_text, write_text
from macro.engine.template.problems import InvalidValueError
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Site, Stack

ROLE = "AWS::IAM::Role"
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
    """A policy of the template on one role (`holder`: its key), where `when` holds.

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


class Policies(NamedTuple):
    """The statements of all policies, and the roles (their keys) of which they are not all."""

    statements: tuple[Statement, ...]
    open_roles: frozenset[str]


def role_key(role: Resource) -> str:
    """The same for roles of the template that are one: in each turn of a loop there is another."""
    return canonical([*role.path, *(item for pair in role.turn for item in pair)])


def name_key(name: Json) -> str:
    """The same for the names of roles that are written in two ways, such as with `Fn::Sub`."""
    return canonical(_in_one_form(name))


def _in_one_form(value: Json) -> Json:
    """A value whose texts are written in one way at any depth: variables of `Fn::Sub` too, which
    `expand` calls otherwise than the loops around."""
    if isinstance(value, list):
        return [_in_one_form(item) for item in value]
    if isinstance(value, dict):
        written = write_text(parse_text(value))
        if isinstance(written, dict):
            return {key: _in_one_form(item) for key, item in written.items()}
        return written
    return value


def declared(role: TemplateRole | NamedRole, site: Site, stack: Stack) -> Resource | None:
    """The role of the template that a role is, which a site names; None: it is none of them."""
    if isinstance(role, TemplateRole):
        return role.resource
    named = attribute(role.name)  # one that another loop makes is read as a name
    found = stack.resource(named[0], site) if named else None
    return found if found and found.type == ROLE else None


def read_policies(stack: Stack) -> Policies:
    """What the policies of a template say of roles."""
    resources = list(unrolled(stack))
    attached = [one for resource in resources for one in _attached(resource, stack)]
    return Policies(
        tuple(one for policy in attached for one in _statements(policy)),
        frozenset(_open_roles(resources, stack)),
    )


def _attached(resource: Resource, stack: Stack) -> Iterator[Attached]:
    if resource.loops:
        return
    if resource.type == ROLE:
        holder = role_key(resource)
        for at, item, when in _items(resource, "Policies"):
            document = get(item, "PolicyDocument")
            yield Attached(holder, resource, at, document, (*at, "PolicyDocument"), when, "inline")
        for _, item, when in _items(resource, "ManagedPolicyArns"):
            found = _managed(item, resource, stack)
            if found and not found.loops:
                yield _whole(found, holder, when.both(found.when), "managed")
    elif resource.type in (*_SEPARATE, _MANAGED):
        kind: Literal["managed", "separate"] = (
            "managed" if resource.type == _MANAGED else "separate"
        )
        for role, _, when in _holders(resource, stack):
            if not isinstance(role, InvalidValueError):
                yield _whole(resource, role, when, kind)


def _managed(item: Json, role: Resource, stack: Stack) -> Resource | None:
    """The managed policy of the template that an item of `ManagedPolicyArns` is."""
    named = attribute(item)
    found = stack.resource(named[0], Site(role)) if named else None
    return found if found and found.type == _MANAGED else None


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


def _holders(
    resource: Resource, stack: Stack
) -> Iterator[tuple[str | InvalidValueError, Json, Conditions]]:
    """The roles that a policy of its own is on: their keys, or that they cannot be read; as they
    are written, and where."""
    if resource.type == "AWS::IAM::RolePolicy":
        path = (*resource.path, "Properties", "RoleName")
        named = list(branches(resource.property("RoleName"), path, resource.when))
    else:
        named = list(_items(resource, "Roles"))
    for _, value, when in named:
        tree = read_role(value, when, Site(resource), stack)
        readings: list[tuple[TemplateRole | NamedRole | InvalidValueError, Conditions]]
        readings = leaves(tree, when)
        for role, holds in readings:
            if isinstance(role, InvalidValueError):
                yield role, value, holds
            else:
                found = declared(role, Site(resource), stack)
                # A name is one by how it is written: the engine would read it anew.
                yield role_key(found) if found else name_key(value), value, holds


# Roles of which the template does not say all


def _open_roles(resources: list[Resource], stack: Stack) -> Iterator[str]:
    roles = [one for one in resources if one.type == ROLE]
    separate = [one for one in resources if one.type in (*_SEPARATE, _MANAGED)]
    is_hidden = _is_changed_by_others(stack) or any(_hides_roles(one, stack) for one in separate)
    is_name_hidden = any(_hides_names(one, stack) for one in separate)
    for role in roles:
        by_name = is_name_hidden and role.property("RoleName") is not None
        if is_hidden or by_name or _is_open(role, stack):
            yield role_key(role)


def _is_changed_by_others(stack: Stack) -> bool:
    """Whether a macro of somebody works on the whole template, or a part of it comes from
    elsewhere; AWS's own transforms add nothing to a role."""
    written = stack.template.get("Transform")
    names = written if isinstance(written, list) else [written]
    return any(
        not isinstance(name, str) or not name.startswith("AWS::") or name == "AWS::Include"
        for name in names
        if name is not None
    ) or any(resource.logical_id == "Fn::Transform" for resource in stack.resources)


def _is_open(role: Resource, stack: Stack) -> bool:
    """Whether a role has policies, or may have some, of which the template does not say all."""
    if role.loops or "Fn::Transform" in canonical(role.body):
        return True
    for key in ("Policies", "ManagedPolicyArns"):
        for _, value, _ in branches(role.property(key), (), role.when):
            if value not in (None, NO_VALUE) and not isinstance(value, list):
                return True
    for _, item, _ in _items(role, "ManagedPolicyArns"):
        if _managed(item, role, stack):
            continue
        last = parse_text(item)[-1:]
        name = last[0].partition(":policy/")[2] if last and isinstance(last[0], str) else ""
        if name not in _WITHOUT_SECRETS:
            return True
    return False


def _hides_roles(policy: Resource, stack: Stack) -> bool:
    """Whether it is not known which roles a policy of its own is on."""
    if policy.loops or "Fn::Transform" in canonical(policy.body):
        return True
    if policy.type != "AWS::IAM::RolePolicy":
        written = branches(policy.property("Roles"), (), policy.when)
        if any(
            value not in (None, NO_VALUE) and not isinstance(value, list) for _, value, _ in written
        ):
            return True
    return any(isinstance(role, InvalidValueError) for role, _, _ in _holders(policy, stack))


def _hides_names(policy: Resource, stack: Stack) -> bool:
    """Whether a policy of its own is on a role whose name only CloudFormation knows."""
    return any(
        role == name_key(value) and literal(parse_text(value)) is None
        for role, value, _ in _holders(policy, stack)
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
