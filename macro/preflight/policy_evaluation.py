"""Policies as IAM reads them: what do their statements say of one action by one principal?

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

Effect = Literal["Allow", "Deny"]

_OPERATOR = re.compile(
    r"(?:(?P<set>ForAllValues|ForAnyValue):)?"
    r"(?P<kind>String|Arn)(?P<negated>Not)?(?P<match>Equals|Like)(?P<any_case>IgnoreCase)?"
    r"(?P<if_exists>IfExists)?"
)


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """An action on a resource, as a policy sees it.

    `principal` is the ARN of the role that makes it, None where that is not known; `account` is the
    role's. `context` has the values of condition keys, by their names in lower case; what is not
    in it is not known.
    """

    action: str
    resource: str
    account: str
    principal: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What policies say of a request.

    `denied` and `allowed`: whether a statement denies or allows it; None: that depends on what is
    not known, which `reasons` names.
    """

    denied: bool | None
    allowed: bool | None
    reasons: tuple[str, ...] = ()


def evaluate(
    documents: Iterable[Any], request: AccessRequest, *, of_resource: bool = False
) -> Verdict:
    """What policy documents say of a request; `of_resource`: each is the resource's own policy.

    Raises `ValueError` for what is no policy document.
    """
    truths: dict[Effect, list[tuple[bool | None, str]]] = {"Allow": [], "Deny": []}
    for statement in _statements(documents):
        effect = statement.get("Effect")
        if effect not in ("Allow", "Deny"):
            raise ValueError("A statement has no Effect.")
        truths[effect].append(_applies(statement, request, effect, of_resource))
    return Verdict(
        _any(truth for truth, _ in truths["Deny"]),
        _any(truth for truth, _ in truths["Allow"]),
        tuple(
            dict.fromkeys(
                reason for found in truths.values() for truth, reason in found if truth is None
            )
        ),
    )


def _statements(documents: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for document in documents:
        if not isinstance(document, dict):
            raise ValueError("A policy must be an object.")
        for statement in _listed(document.get("Statement", [])):
            if not isinstance(statement, dict):
                raise ValueError("A statement must be an object.")
            yield statement


def _any(truths: Iterable[bool | None]) -> bool | None:
    known = list(truths)
    return True if True in known else None if None in known else False


def _all(truths: Iterable[bool | None]) -> bool | None:
    known = list(truths)
    return False if False in known else None if None in known else True


def _applies(
    statement: dict[str, Any], request: AccessRequest, effect: Effect, of_resource: bool
) -> tuple[bool | None, str]:
    """Whether a statement is about the request; where that is not known, what it depends on."""
    parts = [
        (_matches(statement, "Action", request.action, any_case=True), "an action"),
        (_names_resource(statement, request.resource, of_resource), "a resource"),
        (not of_resource or _names_principal(statement, request, effect), "a principal"),
        *_conditions(statement.get("Condition", {}), request.context),
    ]
    truth = _all(truth for truth, _ in parts)
    return truth, ", ".join(reason for part, reason in parts if part is None)


def _matches(statement: dict[str, Any], element: str, value: str, *, any_case: bool) -> bool | None:
    found = statement.get(element, statement.get(f"Not{element}"))
    truth = _any(
        matches(pattern, value, any_case=any_case) if isinstance(pattern, str) else None
        for pattern in _listed(found)
    )
    if element in statement or truth is None:
        return truth
    return not truth


def _names_resource(statement: dict[str, Any], resource: str, of_resource: bool) -> bool | None:
    if of_resource and not {"Resource", "NotResource"} & statement.keys():
        return True
    return _matches(statement, "Resource", resource, any_case=False)


def matches(pattern: str, value: str, *, any_case: bool = False) -> bool | None:
    """Whether a value matches a pattern with `*` and `?`; None where it holds a policy variable."""
    if "${" in pattern:
        return None
    if any_case:
        pattern, value = pattern.lower(), value.lower()
    # Brackets mean nothing to IAM.
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def _names_principal(
    statement: dict[str, Any], request: AccessRequest, effect: Effect
) -> bool | None:
    """Whether a resource's policy means the role by its principals, or the role's account.

    A statement that allows the account leaves it to the role's policies, and one that denies the
    account denies all in it. Sources:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html,
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
    """
    if "NotPrincipal" in statement:
        # Excepting a role takes its account and each of its sessions too, which have not begun.
        named = _named(statement["NotPrincipal"], request)
        return (None if named is not False else True) if effect == "Deny" else None
    return _named(statement.get("Principal"), request)


def _named(principal: Any, request: AccessRequest) -> bool | None:
    listed = _listed(principal.get("AWS", []) if isinstance(principal, dict) else principal)
    return _any(_is_named(one, request) for one in listed)


def _is_named(named: Any, request: AccessRequest) -> bool | None:
    if not isinstance(named, str):
        return None
    if named in ("*", request.account, request.principal):
        return True
    fields = named.split(":", 5)
    if len(fields) < 6 or fields[4] != request.account:
        # An id, such as AROA..., is of a role that was deleted since; another account's is another.
        return False
    if fields[5] == "root":
        return True
    if request.principal is None:
        return None
    role = request.principal.rpartition("/")[2]
    return None if fields[5].startswith(f"assumed-role/{role}/") else False


def _conditions(conditions: Any, context: Mapping[str, str]) -> Iterator[tuple[bool | None, str]]:
    """The truth of each condition, and the key that it is about."""
    if not isinstance(conditions, dict):
        raise ValueError("A condition must be an object.")
    for operator, tests in conditions.items():
        if not isinstance(tests, dict):
            raise ValueError("A condition must be an object.")
        for key, wanted in tests.items():
            yield _holds(operator, context.get(key.lower()), _listed(wanted)), key


def _holds(operator: str, value: str | None, wanted: list[Any]) -> bool | None:
    """Whether a value meets a condition; None for a value that is not known, and for an operator
    on numbers, dates or addresses, whose values are of the real call alone."""
    if value is None:
        return None
    if operator in ("Bool", "BoolIfExists"):
        return any(str(one).lower() == value for one in wanted)
    found = _OPERATOR.fullmatch(operator)
    if not found:
        return None
    any_case = found["any_case"] is not None

    def meets(one: Any) -> bool | None:
        if not isinstance(one, str) or "${" in one:
            return None
        if found["kind"] == "Arn":
            return _is_like_arn(one, value)
        if found["match"] == "Like":
            return matches(one, value, any_case=any_case)
        return one.lower() == value.lower() if any_case else one == value

    truth = _any(map(meets, wanted))
    return truth if truth is None or not found["negated"] else not truth


def _is_like_arn(pattern: str, arn: str) -> bool | None:
    """Whether each of the six parts of an ARN matches that of a pattern: `*` spans no colon.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
    """
    wanted, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(parts) and _all(map(matches, wanted, parts))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
