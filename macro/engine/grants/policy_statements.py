"""What the statements of a policy allow, as far as it is known before a deploy.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from macro.engine.template.document import Json, get, intrinsic


def statements(document: Json) -> list[Json]:
    """The statements of a policy, of which there may be one outside of a list."""
    found = get(document, "Statement")
    return found if isinstance(found, list) else [found]


def allows_somewhere(document: Json, action: str) -> bool:
    """Whether a policy allows an action on some resource. What its resources and conditions say is
    not judged, but that it denies the action everywhere."""
    listed = statements(document)
    if any(_denies(statement, action) for statement in listed):
        return False
    return any(statement_may_allow(statement, action) for statement in listed)


def _denies(statement: Json, action: str) -> bool:
    """Whether a statement denies the action on all resources, whatever the circumstances."""
    if not isinstance(statement, dict) or statement.get("Effect") != "Deny":
        return False
    everywhere = statement.get("Resource") in ("*", ["*"]) and "Condition" not in statement
    if "NotAction" in statement:
        return everywhere and not _matches(statement["NotAction"], action, unknown=True)
    return everywhere and _matches(statement.get("Action"), action, unknown=False)


def statement_may_allow(statement: Json, action: str) -> bool:
    """Whether a statement allows an action on some resource; true if only CloudFormation knows."""
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
        if fnmatchcase(action.lower(), pattern.lower().replace("[", "[[]")):
            return True
    return False
