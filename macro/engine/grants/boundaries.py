"""Permissions boundaries of the template -> a warning where one does not allow a grant.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from macro.engine.grants.permissions import Policy
from macro.engine.grants.roles import TemplateRole
from macro.engine.template.choices import branches
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import Json, get, intrinsic
from macro.engine.template.intrinsics import attribute
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Site, Stack


def boundary_warnings(policies: Iterable[Policy], stack: Stack) -> Iterator[Problem]:
    """The warnings for roles of the template whose boundary, a policy of the template too, allows
    an action of their grants nowhere. What the boundary's resources and conditions say is not
    judged."""
    for policy in policies:
        if not isinstance(policy.role, TemplateRole):
            continue
        role = policy.role.resource
        path = (*role.path, "Properties", "PermissionsBoundary")
        for at, boundary, _ in branches(role.property("PermissionsBoundary"), path, ALWAYS):
            named = attribute(boundary)
            found = stack.resource(named[0], Site(role)) if named else None
            if found is None or found.type != "AWS::IAM::ManagedPolicy":
                continue
            actions = sorted({permission.action for permission in policy.permissions})
            for action in (action for action in actions if not _may_allow(found, action)):
                message = f"The permissions boundary {found.logical_id} does not allow {action}."
                fix = f"Allow {action} in the boundary, for the secrets and keys of its roles."
                yield Problem("PI909", at, message, fix)


def _may_allow(boundary: Resource, action: str) -> bool:
    """Whether a statement of the policy allows the action on some resource, as far as known."""
    statements = get(boundary.property("PolicyDocument"), "Statement")
    listed = statements if isinstance(statements, list) else [statements]
    return any(_statement_may_allow(statement, action) for statement in listed)


def _statement_may_allow(statement: Json, action: str) -> bool:
    if not isinstance(statement, dict) or intrinsic(statement):
        return True  # only CloudFormation knows
    if statement.get("Effect") == "Deny":
        return False
    if "NotAction" in statement:
        return not _matches(statement["NotAction"], action, unknown=False)
    return _matches(statement.get("Action"), action, unknown=True)


def _matches(patterns: Json, action: str, *, unknown: bool) -> bool:
    """Whether an action is one of those that a statement lists; `unknown` is the answer for what
    only CloudFormation knows."""
    for pattern in patterns if isinstance(patterns, list) else [patterns]:
        if not isinstance(pattern, str):
            if unknown:
                return True
            continue
        expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
        if re.fullmatch(expression, action, re.IGNORECASE):
            return True
    return False
