"""What policies say of a request, and that nothing is made of what they leave open."""

from __future__ import annotations

from typing import Any

import pytest

from macro.preflight.policy_evaluation import AccessRequest, evaluate, matches

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/exec"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:registry/team-AbCdEf"
REQUEST = AccessRequest(
    "secretsmanager:GetSecretValue", SECRET, ACCOUNT, ROLE, {"aws:principalarn": ROLE}
)


def allowed(of_resource: bool = False, **statement: Any) -> bool | None:
    document = {"Statement": {"Effect": "Allow", **statement}}
    return evaluate([document], REQUEST, of_resource=of_resource).allowed


@pytest.mark.parametrize(
    ("statement", "truth"),
    [
        ({"Action": "*", "Resource": "*"}, True),
        ({"Action": "SECRETSMANAGER:getsecretvalue", "Resource": SECRET}, True),
        ({"Action": ["s3:*", "secretsmanager:Get*"], "Resource": f"{SECRET[:-6]}??????"}, True),
        ({"Action": "secretsmanager:Put*", "Resource": "*"}, False),
        ({"Action": "*", "Resource": SECRET.upper()}, False),
        ({"Action": "*", "Resource": SECRET[:-7]}, False),
        ({"NotAction": "s3:*", "Resource": "*"}, True),
        ({"NotAction": "secretsmanager:*", "Resource": "*"}, False),
        ({"Action": "*", "NotResource": SECRET}, False),
        ({"Action": "*", "Resource": "arn:aws:secretsmanager:*:*:secret:${aws:username}"}, None),
        ({"Action": "*"}, None),
        ({"Action": {}, "Resource": "*"}, None),
    ],
)
def test_actions_and_resources(statement: dict[str, Any], truth: bool | None) -> None:
    assert allowed(**statement) is truth


@pytest.mark.parametrize(
    ("principal", "truth"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": ["arn:aws:iam::444455556666:root", ROLE]}, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, True),
        ({"AWS": ACCOUNT}, True),
        ({"AWS": "444455556666"}, False),
        ({"AWS": "AROAEXAMPLEID"}, False),
        ({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/exec/session"}, None),
        ({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/other/session"}, False),
        ({"Service": "ecs-tasks.amazonaws.com"}, False),
        (None, None),
        ({"AWS": [1]}, None),
    ],
)
def test_principals(principal: Any, truth: bool | None) -> None:
    assert allowed(True, Action="*", Principal=principal) is truth


def test_a_deny_with_exceptions() -> None:
    def denied(*names: str) -> bool | None:
        statement = {"Effect": "Deny", "Action": "*", "NotPrincipal": {"AWS": list(names)}}
        return evaluate([{"Statement": [statement]}], REQUEST, of_resource=True).denied

    assert denied(f"{ROLE}2") is True
    # The session must be excepted too, and it has not begun.
    assert denied(ROLE) is None


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        ({"ArnEquals": {"aws:PrincipalArn": ROLE}}, True),
        ({"ArnLike": {"AWS:principalARN": "arn:aws:iam::*:role/*"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:*:role/exec"}}, False),  # each part by itself
        ({"ArnNotLike": {"aws:PrincipalArn": "arn:*"}}, True),
        ({"StringNotEquals": {"aws:PrincipalArn": ROLE}}, False),
        ({"StringEquals": {"aws:PrincipalArn": [ROLE, "x"]}}, True),
        ({"StringEquals": {"aws:PrincipalArn": "arn:*"}}, False),
        ({"StringLikeIfExists": {"aws:PrincipalArn": "arn:*"}}, True),
        ({"StringEqualsIgnoreCase": {"aws:PrincipalArn": ROLE.upper()}}, True),
        ({"StringEquals": {"aws:SourceVpce": "vpce-1"}}, None),
        ({"NumericLessThan": {"aws:PrincipalArn": "1"}}, None),
        ({"Null": {"aws:PrincipalArn": "true"}}, None),
        ({"StringEquals": {"aws:PrincipalArn": "${aws:PrincipalArn}"}}, None),
        ({"StringEquals": {"aws:PrincipalArn": "x", "aws:SourceVpce": "y"}}, False),
    ],
)
def test_conditions(condition: dict[str, Any], truth: bool | None) -> None:
    assert allowed(Action="*", Resource="*", Condition=condition) is truth


def test_what_is_not_known_is_named() -> None:
    condition = {"StringEquals": {"aws:SourceVpce": "vpce-1"}}
    document = {"Statement": [{"Effect": "Deny", "Action": "*", "Condition": condition}]}
    verdict = evaluate([document], REQUEST, of_resource=True)
    assert verdict.denied is None and "aws:SourceVpce" in verdict.reasons[0]


@pytest.mark.parametrize(
    "document", [[], "text", {"Statement": ["x"]}, {"Statement": {"Effect": "Maybe"}}]
)
def test_what_is_no_policy(document: Any) -> None:
    with pytest.raises(ValueError, match=r"must be an object|no Effect"):
        evaluate([document], REQUEST)


def test_brackets_mean_nothing_and_stars_cost_nothing() -> None:
    assert matches("a[b]*", "a[b]c") is True
    assert matches("[ab]", "a") is False
    assert matches("*a" * 200 + "b", "a" * 5000) is False
