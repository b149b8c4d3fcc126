"""The policies that a template itself gives to a role of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from macro.engine.template.document import NO_VALUE, Json, get, intrinsic
from macro.engine.template.intrinsics import attribute
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Stack
from macro.preflight.deployed_values import DeployedValues, UnknownValueError, Variables, filled

# For a value in a policy that is not known: a policy variable, whose value the call alone has.
UNKNOWN = "${unknown}"

_ATTACHED = {
    "AWS::IAM::Policy": "Roles",
    "AWS::IAM::ManagedPolicy": "Roles",
    "AWS::IAM::RolePolicy": "RoleName",
}


@dataclass(frozen=True, slots=True)
class RolePolicies:
    """The policies of a role, by its logical id, as far as its template has them.

    `documents` are written out, with `UNKNOWN` for what is not known; `managed` has the ARNs of
    managed policies, `boundary` is the role's permissions boundary: an ARN or a document.
    """

    role: str
    documents: tuple[Json, ...]
    managed: tuple[str, ...]
    boundary: Json


def role_policies(logical_id: str, stack: Stack, values: DeployedValues) -> RolePolicies | None:
    """The policies of a role of the template; None where the template has no such role."""
    for role, turn in _existing(stack, values):
        if role.type == "AWS::IAM::Role" and filled(role.logical_id, turn) == logical_id:
            break
    else:
        return None
    properties = role.body.get("Properties")
    inline = (get(one, "PolicyDocument") for one in _items(properties, "Policies", values, turn))
    own = [_written_out(one, values, turn) for one in inline]
    named = [
        _managed(one, stack, values, turn)
        for one in _items(properties, "ManagedPolicyArns", values, turn)
    ]
    boundary = _chosen(get(properties, "PermissionsBoundary"), values, turn)
    return RolePolicies(
        logical_id,
        tuple(
            chain(
                own,
                (one for one in named if not isinstance(one, str)),
                _attached(logical_id, get(properties, "RoleName"), stack, values),
            )
        ),
        tuple(one for one in named if isinstance(one, str)),
        None if boundary in (None, NO_VALUE) else _managed(boundary, stack, values, turn),
    )


def _existing(stack: Stack, values: DeployedValues) -> Iterator[tuple[Resource, Variables]]:
    """The resources that may exist, turn by turn."""
    for resource in stack.resources:
        for turn in values.known_turns(resource):
            if all(values.holds(name, turn) in (None, holds) for name, holds in resource.when):
                yield resource, turn


def _attached(role: str, role_name: Json, stack: Stack, values: DeployedValues) -> Iterator[Json]:
    """The documents of the policies that name the role."""
    for policy, turn in _existing(stack, values):
        key = _ATTACHED.get(policy.type)
        named = _items(policy.body.get("Properties"), key, values, turn) if key else []
        for one in named:
            reference = attribute(one)
            name = filled(reference[0], turn) if reference else None
            if name == role or (role_name is not None and one == role_name):
                yield _document(policy, values, turn)
                break


def _document(policy: Resource, values: DeployedValues, turn: Variables) -> Json:
    """The document of a policy; of one that may not exist, nothing is known."""
    if any(values.holds(name, turn) is None for name, _ in policy.when):
        return {"Statement": [{"Effect": effect, "Action": UNKNOWN} for effect in _EFFECTS]}
    return _written_out(get(policy.body, "Properties", "PolicyDocument"), values, turn)


_EFFECTS = ("Allow", "Deny")


def _managed(value: Json, stack: Stack, values: DeployedValues, turn: Variables) -> Json:
    """A managed policy: the document of one in the template, else its ARN."""
    reference = attribute(value)
    if reference:
        for policy, own in _existing(stack, values):
            if filled(policy.logical_id, own) == filled(reference[0], turn):
                return _document(policy, values, own)
    try:
        return values.text(value, turn)
    except UnknownValueError:
        return UNKNOWN


def _items(properties: Json, key: str, values: DeployedValues, turn: Variables) -> list[Json]:
    """The items of a property, through `Fn::If`; one alone where it is no list."""
    value = _chosen(get(properties, key), values, turn)
    listed = value if isinstance(value, list) else [value]
    chosen = [_chosen(one, values, turn) for one in listed]
    return [one for one in chosen if one not in (None, NO_VALUE)]


def _chosen(node: Json, values: DeployedValues, turn: Variables) -> Json:
    try:
        return values.chosen(node, turn)
    except UnknownValueError:
        return {"Ref": UNKNOWN}


def _written_out(node: Json, values: DeployedValues, turn: Variables) -> Json:
    """A document with the values that its intrinsic functions give."""
    node = _chosen(node, values, turn)
    if isinstance(node, list):
        written = [_written_out(item, values, turn) for item in node]
        return [item for item in written if item != NO_VALUE]
    if intrinsic(node) and node != NO_VALUE:
        try:
            return values.text(node, turn)
        except UnknownValueError:
            return UNKNOWN
    if isinstance(node, dict) and node != NO_VALUE:
        return {key: _written_out(value, values, turn) for key, value in node.items()}
    return node
