"""Trust policies of the template's roles -> a warning where what pulls may not assume the role.

Sources: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html,
https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from macro.engine.grants.permissions import Policy
from macro.engine.grants.policy_statements import statements
from macro.engine.grants.roles import TemplateRole
from macro.engine.shorthand.containers import PLACES_BY_TYPE
from macro.engine.template.document import Json, intrinsic
from macro.engine.template.intrinsics import is_text, parse_text
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Resource


def trust_warnings(policies: Iterable[Policy]) -> Iterator[Problem]:
    """The warnings for roles of the template whose trust policy surely leaves out the service that
    pulls the image. Actions and conditions of its statements are not judged."""
    for policy in policies:
        if not isinstance(policy.role, TemplateRole):
            continue
        role = policy.role.resource
        path = (*role.path, "Properties", "AssumeRolePolicyDocument")
        rows = [place for served in policy.served for place in PLACES_BY_TYPE[served.type]]
        for service in sorted({place.service for place in rows}):
            if not may_assume(role, service):
                name = f"{service}.amazonaws.com"
                message = f"{role.logical_id} does not trust {name}, which must assume it to pull."
                fix = f"Allow {name} to assume the role, or name another role."
                yield Problem("PI913", path, message, fix)


def may_assume(role: Resource, service: str) -> bool:
    """Whether the trust policy of a role of the template names the service, as far as known."""
    listed = statements(role.property("AssumeRolePolicyDocument"))
    return not listed or any(_may_name(statement, service) for statement in listed)


def _may_name(statement: Json, service: str) -> bool:
    if not isinstance(statement, dict) or intrinsic(statement):
        return True  # only CloudFormation knows
    if statement.get("Effect") == "Deny":
        return False
    principal = statement.get("Principal")
    if not isinstance(principal, dict) or intrinsic(principal):
        return True
    services = principal.get("Service", [])
    return any(
        _may_be(one, service) for one in (services if isinstance(services, list) else [services])
    )


def _may_be(principal: Json, service: str) -> bool:
    """Whether a service principal is that of the service, whose domain differs by partition."""
    head = parse_text(principal)[:1] if is_text(principal) else ()
    match head:
        case (str(written),):
            return written.startswith(f"{service}.")
    return True
