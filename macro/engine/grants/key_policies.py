"""Key policies of the template -> a warning where what is granted on the key has no effect.

Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html (without
leave of the key policy, IAM policies that allow use of the key have no effect).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from macro.engine.grants.kms_keys import KEYS
from macro.engine.grants.permissions import Policy
from macro.engine.grants.policy_statements import statement_may_allow, statements
from macro.engine.grants.roles import CreatedRole, NamedRole, TemplateRole
from macro.engine.template.arn import arn_fields
from macro.engine.template.choices import branches
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import Json, get, intrinsic
from macro.engine.template.intrinsics import attribute, is_text, literal, parse_text
from macro.engine.template.problems import Problem
from macro.engine.template.stack import Site, Stack

_DECRYPT = "kms:Decrypt"


def key_policy_warnings(policies: Iterable[Policy], stack: Stack) -> Iterator[Problem]:
    """The warnings for keys of the template whose policy surely allows decryption neither to the
    role that is granted it nor to the account, whose IAM policies would then count. What the
    policy's conditions say is not judged."""
    for policy in policies:
        site = Site(policy.served[0], policy.turn)
        for permission in policy.permissions:
            named = attribute(permission.resource) if permission.action == _DECRYPT else None
            key = stack.resource(named[0], site) if named else None
            if key is None or key.type not in KEYS:
                continue
            path = (*key.path, "Properties", "KeyPolicy")
            for at, document, _ in branches(key.property("KeyPolicy"), path, ALWAYS):
                if isinstance(document, dict) and not _lets(document, policy, stack):
                    message = f"The key policy of {key.logical_id} allows {_DECRYPT} neither to the"
                    message += " role that needs it nor to the account, so the grant has no effect."
                    fix = "Allow kms:* to the account's root in it, so that IAM policies count."
                    yield Problem("PI914", at, message, fix)


def _lets(document: dict[str, Json], policy: Policy, stack: Stack) -> bool:
    """Whether a key policy may let a role decrypt, by itself or by IAM policies."""
    listed = statements(document)
    return not listed or any(
        statement_may_allow(statement, _DECRYPT)
        and _may_be_for(get(statement, "Principal"), policy, stack)
        for statement in listed
    )


def _may_be_for(principal: Json, policy: Policy, stack: Stack) -> bool:
    """Whether a statement's principal may be the account or the policy's role."""
    if not isinstance(principal, dict) or intrinsic(principal):
        return True  # everyone, or only CloudFormation knows
    named = principal.get("AWS", [])
    return any(
        _may_be(one, policy, stack) for one in (named if isinstance(named, list) else [named])
    )


def _may_be(principal: Json, policy: Policy, stack: Stack) -> bool:
    if not is_text(principal):
        return True  # only CloudFormation knows
    role, site = policy.role, Site(policy.served[0], policy.turn)
    named = attribute(principal)
    if named and (found := stack.resource(named[0], site)):
        return isinstance(role, NamedRole) or (
            isinstance(role, TemplateRole) and role.resource.path == found.path
        )
    arn = arn_fields(parse_text(principal, site.loop_variables))
    resource = literal(arn.resource) if arn else None
    if resource is None or resource == "root":
        return True
    kind, _, name = resource.partition("/")
    if kind != "role" or isinstance(role, CreatedRole):
        return False
    if isinstance(role, NamedRole):
        return not isinstance(role.name, str) or role.name == name.rpartition("/")[2]
    own = role.resource.property("RoleName")
    return own is not None and (not isinstance(own, str) or own == name.rpartition("/")[2])
