"""Managed policies of the template that roles name: made before them, and a warning where one is a
permissions boundary that does not allow a grant.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from macro.engine.grants.permissions import Policy
from macro.engine.grants.policy_statements import allows_somewhere
from macro.engine.grants.roles import CreatedRole, NamedRole
from macro.engine.shorthand.role_settings import RoleSettings
from macro.engine.template.choices import branches
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import Json, Path, intrinsic
from macro.engine.template.intrinsics import Text, attribute, is_text, parse_text, ref
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Site, Sought, Stack

_POLICY = "AWS::IAM::ManagedPolicy"


def boundary_warnings(
    policies: Iterable[Policy], settings: RoleSettings, stack: Stack
) -> Iterator[Problem]:
    """The warnings for roles of the template, and for those that are made as the settings say,
    whose boundary, a policy of the template too, allows an action of their grants nowhere. What
    the boundary's resources and conditions say is not judged."""
    for policy in policies:
        value, path, site = _boundary_of(policy, settings)
        for at, boundary, _ in branches(value, path, ALWAYS):
            found = _of_template(boundary, site, stack)
            if found is None:
                continue
            document = found.property("PolicyDocument")
            actions = sorted({permission.action for permission in policy.permissions})
            for action in (action for action in actions if not allows_somewhere(document, action)):
                message = f"The permissions boundary {found.logical_id} does not allow {action}."
                fix = f"Allow {action} in the boundary, for the secrets and keys of its roles."
                yield Problem("PI909", at, message, fix)


def _boundary_of(policy: Policy, settings: RoleSettings) -> tuple[Json, Path, Site]:
    """The permissions boundary of a policy's role, where it is written, and where it is read."""
    match policy.role:
        case CreatedRole(owner=owner):
            setting = settings.permissions_boundary
            return (
                (setting.value, setting.path, Site(owner)) if setting else (None, (), Site(owner))
            )
        case NamedRole():
            return None, (), Site(policy.served[0])
    role = policy.role.resource
    path = (*role.path, "Properties", "PermissionsBoundary")
    return role.property("PermissionsBoundary"), path, Site(role)


def made_first(
    value: Json, site: Site, stack: Stack, may_refer: Callable[[Resource], bool]
) -> Json:
    """The managed policies that a new role names, with a reference in place of an ARN that is of a
    policy of the template: so that CloudFormation makes the policy first. One that may not exist
    stays an ARN, and so does one that `may_refer` excludes."""
    if isinstance(value, list):
        return [made_first(item, site, stack, may_refer) for item in value]
    match intrinsic(value):
        case ("Fn::If", [condition, then, otherwise]):
            taken = [made_first(one, site, stack, may_refer) for one in (then, otherwise)]
            return {"Fn::If": [condition, *taken]}
    found = None if attribute(value) else _of_template(value, site, stack)
    if found is None or found.when or found.loops or not may_refer(found):
        return value
    return ref(found.logical_id)


def _of_template(value: Json, site: Site, stack: Stack) -> Resource | None:
    """The managed policy of the template that a value names: by a reference, or by its ARN."""
    if named := attribute(value):
        found = stack.resource(named[0], site)
        return found if found and found.type == _POLICY else None
    if not is_text(value):
        return None
    arn = parse_text(value, site.loop_variables)
    _, written = _path_and_name(arn)
    for text in stack.known(arn, site, ALWAYS).texts:
        path, name = _path_and_name(text)
        sought = Sought(name, written, ALWAYS, site)
        bearers = stack.with_property(_POLICY, "ManagedPolicyName", sought).always if name else ()
        for policy in bearers:
            if path == (policy.property("Path") or "/"):
                return policy
    return None


def _path_and_name(arn: Text) -> tuple[str, Text]:
    """Path and name in the ARN of a managed policy of an account's own, as far as they are literal:
    the path whole. A role and its boundary are of one account, so the ARN's is not looked at."""
    for index, part in enumerate(arn):
        found = (
            re.search(r"(?<!:aws):policy(/(?:.*/)?)(.*)", part) if isinstance(part, str) else None
        )
        if found:
            rest = arn[index + 1 :]
            return found[1], (found[2], *rest) if found[2] else rest
    return "", ()
