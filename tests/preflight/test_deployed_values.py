"""What intrinsic functions come to before the deploy, and what is not known by then."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from macro.engine.template.intrinsics import write_text
from macro.engine.template.loops import Loop
from macro.engine.template.stack import Context
from macro.preflight.deployed_values import Deployed, DeployedValues, UnknownValueError

ID = "111122223333"
TEMPLATE: dict[str, Any] = {
    "Parameters": {
        "Given": {"Type": "String"},
        "Default": {"Type": "String", "Default": "d"},
        "Empty": {"Type": "String", "Default": ""},
        "Number": {"Type": "Number", "Default": 7},
        "List": {"Type": "CommaDelimitedList", "Default": "a, b"},
        "Absent": {"Type": "String"},
        "Stars": {"Type": "String", "NoEcho": True},
        "Word": {"Type": "String", "NoEcho": "true"},
        "Ssm": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/path"},
        "Resolved": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/path"},
    },
    "Mappings": {"ByEnv": {"g": {"Secret": "mapped"}}},
    "Conditions": {
        "True": {"Fn::Equals": [{"Ref": "Given"}, "g"]},
        "False": {"Fn::Not": [{"Condition": "True"}]},
        "UnknownValueError": {"Fn::Equals": [{"Ref": "Absent"}, "g"]},
        "Empty": {"Fn::Equals": [{"Ref": "Empty"}, ""]},
        "AndNo": {"Fn::And": [{"Condition": "UnknownValueError"}, {"Condition": "False"}]},
        "AndMaybe": {"Fn::And": [{"Condition": "UnknownValueError"}, {"Condition": "True"}]},
        "OrYes": {"Fn::Or": [{"Condition": "UnknownValueError"}, {"Condition": "True"}]},
        "OrMaybe": {"Fn::Or": [{"Condition": "UnknownValueError"}, {"Condition": "False"}]},
        "NotMaybe": {"Fn::Not": [{"Condition": "UnknownValueError"}]},
        "Circle": {"Fn::Not": [{"Condition": "Circle"}]},
        "Odd": {"Fn::Odd": []},
        "Fn::ForEach::Each": [
            "X",
            ["Given", "Default"],
            {
                "Is${X}": {"Fn::Equals": [{"Ref": "${X}"}, "g"]},
                "No&{X}": {"Fn::Not": [{"Condition": "Is${X}"}]},
            },
        ],
    },
    "Resources": {
        "Key": {"Type": "AWS::KMS::Key"},
        "Fn::ForEach::Keys": ["X", ["Web"], {"Key${X}": {"Type": "AWS::KMS::Key"}}],
        "Fn::ForEach::Unknown": ["X", {"Ref": "Absent"}, {"A${X}": {"Type": "AWS::SQS::Queue"}}],
        "Secret": {"Type": "AWS::SecretsManager::Secret"},
        "New": {"Type": "AWS::SecretsManager::Secret"},
    },
}
ARN = f"arn:aws-cn:secretsmanager:cn-north-1:{ID}:secret:s-AbCdEf"
VALUES = DeployedValues(
    TEMPLATE,
    Context({"Given": "g", "Stars": "****", "Word": "hidden"}, "cn-north-1", ID),
    Deployed(
        "web",
        {"Key": "1234", "KeyWeb": "5678", "AWeb": "https://queue", "Secret": ARN},
        {"Resolved": "r"},
        lambda: {"Out": "exported"},
    ),
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (7, "7"),
        (True, "true"),
        ({"Ref": "Given"}, "g"),
        ({"Ref": "Default"}, "d"),
        ({"Ref": "Empty"}, ""),
        ({"Ref": "Number"}, "7"),
        ({"Ref": "Resolved"}, "r"),
        ({"Ref": "AWS::StackName"}, "web"),
        ({"Ref": "Secret"}, ARN),
        ({"Fn::GetAtt": ["Secret", "Id"]}, ARN),
        ({"Fn::GetAtt": "Key.Arn"}, f"arn:aws-cn:kms:cn-north-1:{ID}:key/1234"),
        ({"Fn::GetAtt": ["KeyWeb", "Arn"]}, f"arn:aws-cn:kms:cn-north-1:{ID}:key/5678"),
        ({"Fn::Sub": "${Given}-${!Given}-${AWS::URLSuffix}"}, "g-${Given}-amazonaws.com.cn"),
        ({"Fn::Sub": ["${X}-${Given}", {"X": {"Ref": "Default"}}]}, "d-g"),
        ({"Fn::Join": ["/", ["a", {"Ref": "Given"}]]}, "a/g"),
        ({"Fn::Select": [1, {"Ref": "List"}]}, "b"),
        ({"Fn::Select": ["0", ["x", "y"]]}, "x"),
        ({"Fn::Select": [3, {"Fn::Split": [":", {"Ref": "Secret"}]}]}, "cn-north-1"),
        ({"Fn::FindInMap": ["ByEnv", {"Ref": "Given"}, "Secret"]}, "mapped"),
        ({"Fn::If": ["True", {"Ref": "Given"}, {"Ref": "Absent"}]}, "g"),
        ({"Fn::If": ["False", "no", {"Fn::If": ["Empty", "yes", "no"]}]}, "yes"),
        ({"Fn::ImportValue": {"Fn::Sub": "Out"}}, "exported"),
    ],
)
def test_what_is_known(value: Any, text: str) -> None:
    assert VALUES.text(value, {}) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"Ref": "Absent"}, "give it with -p Absent=..."),
        ({"Ref": "Stars"}, "The stack hides parameter Stars"),
        ({"Ref": "Ssm"}, "in Systems Manager"),
        ({"Ref": "New"}, "New is created by this deployment."),
        ({"Ref": "AWS::StackId"}, "AWS::StackId"),
        ({"Fn::GetAtt": ["Key", "KeyId"]}, "attribute KeyId of Key"),
        ({"Fn::GetAtt": ["AWeb", "Arn"]}, "attribute Arn of AWeb"),
        ({"Fn::Sub": "a-${Absent}"}, "Absent"),
        ("{{resolve:ssm:/path}}", "dynamic reference"),
        ({"Fn::If": ["UnknownValueError", "a", "b"]}, "The condition UnknownValueError"),
        ({"Fn::ImportValue": "None"}, "No stack exports None yet."),
        ({"Fn::FindInMap": ["ByEnv", "none", "Secret"]}, "Mappings"),
        ({"Fn::Select": [5, ["a"]]}, "does not exist"),
        ({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, "Only CloudFormation knows the items"),
        ({"Fn::Cidr": ["a"]}, "Fn::Cidr"),
        (["a"], "not text"),
        ({"a": 1}, "not text"),
        (None, "not text"),
    ],
)
def test_what_is_not_known(value: Any, reason: str) -> None:
    with pytest.raises(UnknownValueError) as caught:
        VALUES.text(value, {})
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("True", True),
        ("False", False),
        ("UnknownValueError", None),
        ("Empty", True),
        ("AndNo", False),
        ("AndMaybe", None),
        ("OrYes", True),
        ("OrMaybe", None),
        ("NotMaybe", None),
        ("Circle", None),
        ("Odd", None),
        ("IsGiven", True),
        ("IsDefault", False),
        ("NoDefault", True),
        ("Undeclared", None),
    ],
)
def test_whether_a_condition_holds(condition: str, holds: bool | None) -> None:
    assert VALUES.holds(condition, {}) is holds


def test_the_turns_of_loops() -> None:
    outer = Loop((), "Env", {"Ref": "List"})
    inner = Loop((), "Team", ["x", {"Fn::Sub": "${Env}2"}])
    assert list(VALUES.turns((outer, inner))) == [
        {"Env": "a", "Team": "x"},
        {"Env": "a", "Team": "a2"},
        {"Env": "b", "Team": "x"},
        {"Env": "b", "Team": "b2"},
    ]
    assert VALUES.text("${Team}-${Other}", {"Team": "x"}) == "x-${Other}"
    assert VALUES.text({"Ref": "Team"}, {"Team": "x"}) == "x"
    with pytest.raises(UnknownValueError):
        list(VALUES.turns((Loop((), "Env", {"Ref": "Absent"}),)))


def test_hidden_values_are_taken_out() -> None:
    assert VALUES.hidden("a/hidden:g") == "a/<Word>:g"


@given(st.text())
def test_a_text_without_holes_is_itself(text: str) -> None:
    if "{{resolve:" not in text:
        assert VALUES.text(text, {}) == text
        assert VALUES.text(write_text((text,) if text else ()), {}) == text
