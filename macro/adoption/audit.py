"""An audit of hand-written credentials: what the shorthand would have made impossible.

Every finding is a warning, and there is one only where the template proves it. What a role may do
in `Fn::ForEach` is judged where the values of the loop are known.
"""

from __future__ import annotations

from collections.abc import Iterator

from macro.adoption.access import DECRYPT, READ, may_allow, may_deny
from macro.adoption.hand_written import HandWritten, find_hand_written
from macro.adoption.patterns import action_covers, covers, pattern_of
from macro.adoption.policies import Policies, Statement, declared, read_policies, role_key
from macro.engine.expand import Expansion
from macro.engine.grants.key_forms import Key
from macro.engine.grants.kms_keys import read_keys
from macro.engine.grants.policy_statements import statements
from macro.engine.grants.roles import Role, read_role
from macro.engine.grants.secret_forms import Reader
from macro.engine.grants.secret_values import Secret
from macro.engine.grants.secrets import read_secret
from macro.engine.shorthand.images import find_flaw
from macro.engine.template.arn import arn_of
from macro.engine.template.choices import branches, leaves
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, get, intrinsic
from macro.engine.template.edits import apply
from macro.engine.template.intrinsics import Text, attribute, literal_parts, parse_text, write_text
from macro.engine.template.problems import InvalidValueError, Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Context, Site, Stack


class Case(NamedTuple):
    """A secret that hand-written credentials name in one case, as read."""

    written: HandWritten
    path: Path
    when: Conditions
    secret: Secret


def audit(template: Json, context: Context, expansion: Expansion | None = None) -> list[Problem]:
    """What is wrong with the hand-written credentials of a template; empty for what is none.

    `expansion` is what its shorthand comes to, if it has any: what that grants counts. Raises
    nothing.
    """
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        return []
    found = list(find_hand_written(Stack(template, context)))
    if not found:
        return []
    if expansion and expansion.problems:
        return []  # what the shorthand grants is not known
    whole = apply(template, expansion.edits) if expansion else template
    assert isinstance(whole, dict)
    stack = Stack(whole, context)
    policies = read_policies(stack)
    problems = [problem for one in found for problem in _audited(one, policies, stack)]
    return list(dict.fromkeys(problems))


def _audited(written: HandWritten, policies: Policies, stack: Stack) -> Iterator[Problem]:
    container = written.container
    if written.secret is None:
        return
    yield from _images(written, stack)
    for leaf, when in leaves(written.secret, container.when):
        if leaf.value == NO_VALUE or not stack.reached(when, written.site):
            continue
        tree = read_secret(
            leaf.value, when, Reader(container.place.credentials, written.site, stack)
        )
        readings: list[tuple[Secret | InvalidValueError, Conditions]] = leaves(tree, when)
        for secret, holds in readings:
            if not stack.reached(holds, written.site):
                continue
            if isinstance(secret, InvalidValueError):
                text = parse_text(leaf.value, written.site.loop_variables)
                if not stack.known(text, written.site, holds).defaults:
                    yield _not_a_secret(secret).at(leaf.path)
                continue
            yield from _roles(Case(written, leaf.path, holds, secret), policies, stack)


def _not_a_secret(error: InvalidValueError) -> InvalidValueError:
    code = "PI604" if error.code == "PI309" else "PI607"
    return InvalidValueError(code, error.message, error.fix)


def _images(written: HandWritten, stack: Stack) -> Iterator[Problem]:
    """The warning of credentials on an image that takes none."""
    container, site = written.container, written.site
    assert written.secret is not None
    opened = [
        when for leaf, when in leaves(written.secret, container.when) if leaf.value != NO_VALUE
    ]
    for image, when in leaves(written.images, container.when):
        if image.value in (None, NO_VALUE):
            continue
        flaw = find_flaw(image.value, site, stack, container.place.service)
        together = (when.both(other) for other in opened)
        if flaw and flaw.certain and flaw.takes_no_secret:
            if any(stack.reached(holds, site) for holds in together):
                key = container.place.credentials.key
                message = f"{flaw.error.message} {key} has no effect on it, or fails."
                yield Problem("PI605", image.path, message, f"Leave out {key}.")


# Roles


def _roles(case: Case, policies: Policies, stack: Stack) -> Iterator[Problem]:
    """What is wrong with the roles that are to read a secret."""
    container, site = case.written.container, case.written.site
    key = container.place.execution_role
    owner, path = container.owner, (*container.owner_path, key)
    for _, role, around in branches(owner.get(key), path, container.around):
        when = case.when.both(around)
        if not stack.reached(when, site):
            continue
        if role in (None, NO_VALUE):
            if "Fn::Transform" not in owner:
                message = f"Nothing reads these credentials: there is no {key}."
                fix = f"Name a role in {key} that may read the secret."
                yield Problem("PI606", case.written.path, message, fix)
        elif not container.resource.loops:
            tree = read_role(role, when, site, stack)
            readings: list[tuple[Role | InvalidValueError, Conditions]] = leaves(tree, when)
            for read, holds in readings:
                found = None if isinstance(read, InvalidValueError) else declared(read, site, stack)
                if found and stack.reached(holds.both(found.when), site):
                    yield from _role(case, found, holds, policies, stack)


def _role(
    case: Case, role: Resource, when: Conditions, policies: Policies, stack: Stack
) -> Iterator[Problem]:
    holder, site = role_key(role), case.written.site
    of_role = [
        one
        for one in policies.statements
        if one.policy.holder == holder and stack.solver.possible(one.when.both(when))
    ]
    if role.property("PermissionsBoundary") is None and not may_deny(of_role, READ):
        for statement in of_role:
            yield from _wildcards(statement, role, stack)
    if holder in policies.open_roles:
        return
    name = role.logical_id
    targets = [pattern_of(one, when, site, stack) for one in case.secret.resources]
    readable = any(may_allow(one, READ, targets, stack) for one in of_role)
    if not readable and not _has_resource_policy(stack):
        message = f"Nothing in the template lets {name} read this secret."
        fix = f"Allow {READ} on the secret's ARN in {name}; a partial ARN needs -?????? behind it."
        yield Problem("PI601", case.path, message, fix)
    for found in read_keys(None, case.path, when, case.secret, site, stack):
        if not isinstance(found.key, Key):
            continue
        if not stack.reached(found.when, site):
            continue
        key = pattern_of(found.key.resource, found.when, site, stack)
        if any(may_allow(one, DECRYPT, [key], stack) for one in of_role):
            continue
        if not _may_grant_itself(key, site, stack):
            message = f"Nothing in the template lets {name} decrypt this secret with its key."
            fix = f"Allow {DECRYPT} on the key's ARN in {name}."
            yield Problem("PI602", case.path, message, fix)


def _wildcards(statement: Statement, role: Resource, stack: Stack) -> Iterator[Problem]:
    """The warnings of resources that take in all secrets of the account, unless a condition takes
    some from them."""
    if not statement.is_plain or get(statement.body, "Condition"):
        return
    if not any(action_covers(one, READ) for one in statement.actions):
        return
    site = Site(statement.policy.carrier)
    every = pattern_of(
        write_text(arn_of("secretsmanager", "secret:*")), statement.when, site, stack
    )
    for path, value, when in statement.resources():
        if stack.reached(when, site) and covers(pattern_of(value, when, site, stack), every):
            message = f"{role.logical_id} may read every secret of the account."
            fix = "Write the ARN of each secret that its containers need."
            yield Problem("PI603", path, message, fix)


def _has_resource_policy(stack: Stack) -> bool:
    """Whether a secret of the template has a policy of its own, which may grant access too."""
    return any(one.type == "AWS::SecretsManager::ResourcePolicy" for one in stack.resources)


def _may_grant_itself(key: Text, site: Site, stack: Stack) -> bool:
    """Whether the policy of a key may let a role decrypt without a policy of the role's."""
    match key:
        case (part,) if not isinstance(part, str) and (named := attribute(part.value)):
            found = stack.resource(named[0], site)
            policy = found.property("KeyPolicy") if found else None
        case _:
            return False
    if intrinsic(policy):
        return True
    for statement in statements(policy):
        if not isinstance(statement, dict) or intrinsic(statement):
            if statement is not None:
                return True
        elif statement.get("Effect") != "Deny" and not _is_for_others(statement.get("Principal")):
            return True
    return False


def _is_for_others(principal: Json) -> bool:
    """Whether principals of a key's policy are services, or accounts that leave it to IAM."""
    if not isinstance(principal, dict) or intrinsic(principal):
        return False
    accounts = principal.get("AWS", [])
    listed = accounts if isinstance(accounts, list) else [accounts]
    return principal.keys() <= {"AWS", "Service"} and all(
        literal_parts(parse_text(one)).endswith(":root") for one in listed
    )
