"""An expansion in words and as data: who may now read what, where that stands and why there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import NoneType

from macro.engine.expand import Expansion, PrivateContainer
from macro.engine.grants.permissions import Policy
from macro.engine.grants.placement import Placed
from macro.engine.grants.roles import NamedRole, TemplateRole
from macro.engine.shorthand.block import NAME
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, get
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import Text, parse

# Registries that everybody may pull from without a login, and that give no more to whoever has one.
# https://learn.microsoft.com/azure/container-registry/container-registry-firewall-access-rules,
# https://kubernetes.io/blog/2022/11/28/registry-k8s-io-faster-cheaper-ga/
PUBLIC = ("mcr.microsoft.com/", "registry.k8s.io/")


def words(expansion: Expansion) -> Iterator[tuple[Path, str]]:
    """A line for each container and each policy, with the path that it is about."""
    for pulled in expansion.containers:
        yield (*pulled.path, NAME), _container(pulled)
    for placed in expansion.policies:
        yield placed.policy.paths[0], _policy(placed)


def _container(pulled: PrivateContainer) -> str:
    credentials = pulled.parameter
    opened = "without credentials" if credentials == NO_VALUE else f"with {_said(credentials)}"
    image = _said(pulled.image)
    public = " (a public registry: it needs no secret)" if image.startswith(PUBLIC) else ""
    return f"{pulled.resource.logical_id} pulls {image} {opened}{_when(pulled.when)}{public}"


def _policy(placed: Placed) -> str:
    policy = placed.policy
    may = " and ".join(_may(policy))
    served = ", ".join(dict.fromkeys(resource.logical_id for resource in policy.served))
    return f"{_role(placed)} may {may} for {served}{_when(policy.when)}: {_where(placed)}"


def _where(placed: Placed) -> str:
    """Where a policy stands, and why there."""
    role = placed.policy.role
    if placed.kind == "role":
        return "in that role's own Policies, so that the role has it before anything can start"
    if placed.kind == "new role":
        return "in a role that is added, since none is named"
    if not isinstance(role, TemplateRole):
        why = "the role is outside of this template"
    elif role.resource.loops != placed.policy.scope:
        why = "it needs the loop's variable, which the role does not have"
    elif isinstance(get(role.resource.body, "Properties", "Policies"), (list, NoneType)):
        why = "the secret, its key or the container's resource depends on the role"
    else:
        why = "the role's own Policies are an intrinsic function"
    return f"as {placed.logical_id}, for which it waits, since {why}"


def _may(policy: Policy) -> Iterator[str]:
    """What a policy allows; secrets before keys."""
    ordered = sorted(policy.permissions, key=lambda one: (one.action, one.key), reverse=True)
    for permission in ordered:
        verb = "read" if permission.action == "secretsmanager:GetSecretValue" else "decrypt with"
        if permission.alias:
            yield f"{verb} the keys that have the alias {_said(permission.alias)}"
        else:
            yield f"{verb} {_said(permission.resource)}"


def _role(placed: Placed) -> str:
    role = placed.policy.role
    if isinstance(role, NamedRole):
        return f"the role {_said(role.name)}"
    return role.resource.logical_id if isinstance(role, TemplateRole) else placed.logical_id


def _when(when: Conditions) -> str:
    if not when:
        return ""
    held = " and ".join(name if value else f"not {name}" for name, value in sorted(when))
    return f", where {held}"


def _said(value: Json) -> str:
    """A value as a template writes it, in one line and short: `!Ref Secret`."""
    if value == NO_VALUE:
        return "nothing"
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return f"!Ref {name}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"!GetAtt {name}.{attribute}"
        case {"Fn::If": [str(condition), then, otherwise]}:
            return f"{_said(then)} (where {condition}; else {_said(otherwise)})"
        case {"Fn::Select": [1, {"Fn::Split": ["role/", role]}]}:
            return _said(role)  # as the name of a role is taken out of its ARN
    text = _text(parse(value)) or json.dumps(value)
    return text.replace(_SECRET_HERE, "secret ")


_SECRET_HERE = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"


def _text(text: Text) -> str | None:
    """A text with its holes as `Fn::Sub` writes them; None where it cannot."""
    parts = []
    for part in text:
        match part if isinstance(part, str) else part.value:
            case str(said):
                parts.append(said)
            case {"Ref": str(name)}:
                parts.append(f"${{{name}}}")
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                parts.append(f"${{{name}.{attribute}}}")
            case _:
                return None
    return "".join(parts)


# As data


def data(expansion: Expansion) -> dict[str, Json]:
    """The edits (RFC 6902), the containers and the policies of an expansion."""
    return {
        "edits": [_edit(edit) for edit in expansion.edits],
        "containers": [
            {
                "path": pointer(pulled.path),
                "resource": pulled.resource.logical_id,
                "conditions": _conditions(pulled.when),
                "image": pulled.image,
                "credentials": None if pulled.parameter == NO_VALUE else pulled.parameter,
            }
            for pulled in expansion.containers
        ],
        "grants": [
            {
                "role": _grantee(placed),
                "policy": {"on": placed.kind, "logicalId": placed.logical_id},
                "conditions": _conditions(placed.policy.when),
                "document": placed.policy.document,
                "for": [pointer(path) for path in placed.policy.paths],
            }
            for placed in expansion.policies
        ],
    }


def _grantee(placed: Placed) -> Json:
    role = placed.policy.role
    if isinstance(role, NamedRole):
        return {"name": role.name}
    return {
        "logicalId": role.resource.logical_id
        if isinstance(role, TemplateRole)
        else placed.logical_id
    }


def _conditions(when: Conditions) -> dict[str, Json]:
    return dict(sorted(when or ()))


def _edit(edit: Edit) -> dict[str, Json]:
    told: dict[str, Json] = {"op": edit.op, "path": pointer(edit.path)}
    if edit.op == "move":
        told["from"] = pointer(edit.source)
    elif edit.op != "remove":
        told["value"] = edit.value
    return told


def pointer(path: Path) -> str:
    """A path as a JSON pointer.

    Source: https://www.rfc-editor.org/rfc/rfc6901
    """
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
