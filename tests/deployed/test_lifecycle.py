"""The macro's own stack in the emulator: versions, the alias, rollback, permissions, alarms."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from contract import event, processed
from documented_commands import commands
from emulator import REGION, Account, Server
from macro import __version__
from macro_stack import MacroStack, transformed

ACCOUNTS = count(222233334444)
SETTINGS = '{"Registries":{"quay.io":"registry/quay"}}'
OTHER_SETTINGS = '{"Registries":{"quay.io":"registry/other"}}'


@pytest.fixture
def stack(server: Server, sam: Path, artefact: Path) -> MacroStack:
    """A stack to deploy in an account of its own."""
    return MacroStack(Account(server, str(next(ACCOUNTS))), sam, artefact)


def alias(stack: MacroStack) -> str:
    """The version that the macro calls."""
    answer = stack.account.client("lambda").get_alias(FunctionName="PrivateImage", Name="live")
    version: str = answer["FunctionVersion"]
    return version


def versions(stack: MacroStack) -> list[str]:
    """The versions of the function that exist, apart from $LATEST."""
    answer = stack.account.client("lambda").list_versions_by_function(FunctionName="PrivateImage")
    return [one["Version"] for one in answer["Versions"] if one["Version"] != "$LATEST"]


def test_the_macro_calls_the_alias_of_a_published_version(stack: MacroStack) -> None:
    outputs = stack.deploy()
    function = f"arn:aws:lambda:{REGION}:{stack.account.id}:function:PrivateImage"
    assert outputs == {
        "MacroFunctionName": f"{function}:live",
        "FunctionArn": f"{function}:live",
        "FunctionVersionArn": f"{function}:1",
        "Version": __version__,
    }
    assert alias(stack) == "1"
    sent = event({"Resources": {}})
    assert processed(stack.call(outputs["MacroFunctionName"], sent)) == {"Resources": {}}


def test_the_function_and_its_version_say_which_release_they_are(stack: MacroStack) -> None:
    stack.deploy()
    answer = stack.account.client("lambda").list_versions_by_function(FunctionName="PrivateImage")
    descriptions = {one["Version"]: one["Description"] for one in answer["Versions"]}
    assert descriptions["$LATEST"].endswith(f" Version {__version__}.")
    assert descriptions["1"] == __version__


@pytest.mark.parametrize(
    ("parameters", "code"),
    [({}, b"more"), ({"Settings": SETTINGS}, b"")],
    ids=["code", "settings"],
)
def test_a_deploy_of_other_code_or_settings_publishes_a_version(
    parameters: dict[str, str], code: bytes, stack: MacroStack
) -> None:
    stack.deploy()
    stack.deploy(parameters, code)
    assert (alias(stack), versions(stack)) == ("2", ["1", "2"])


@pytest.mark.parametrize(
    "parameters",
    [{"LogRetentionInDays": "7"}, {"ReservedConcurrency": "5"}],
    ids=lambda one: next(iter(one)),
)
def test_a_deploy_that_changes_nothing_of_a_version_publishes_none(
    parameters: dict[str, str], stack: MacroStack
) -> None:
    # Lambda makes no version of the reserved concurrency alone, so none may be asked for.
    stack.deploy()
    stack.deploy(parameters)
    assert (alias(stack), versions(stack)) == ("1", ["1"])


def test_settings_that_return_are_published_again(stack: MacroStack) -> None:
    for settings in (SETTINGS, OTHER_SETTINGS, SETTINGS):
        stack.deploy({"Settings": settings})
    assert (alias(stack), versions(stack)) == ("3", ["1", "2", "3"])


def test_the_documented_command_rolls_code_and_settings_back(stack: MacroStack) -> None:
    function = stack.deploy({"Settings": SETTINGS})["MacroFunctionName"]
    stack.deploy({"Settings": "{}"}, b"more")
    (command,) = (one for one in commands() if one.operation == "UpdateAlias")
    assert command.options.pop("FunctionVersion") == "6"

    client = stack.account.client(command.service)
    getattr(client, xform_name(command.operation))(**command.options, FunctionVersion="1")

    assert alias(stack) == "1"
    environment = client.get_function_configuration(FunctionName=function)["Environment"]
    assert environment["Variables"] == {"PRIVATE_IMAGE_SETTINGS": SETTINGS}
    # What CloudFormation has recorded is what it compares with, so the alias stays.
    stack.deploy({"Settings": "{}", "LogRetentionInDays": "7"}, b"more")
    assert alias(stack) == "1"
    stack.deploy({"Settings": OTHER_SETTINGS}, b"more")
    assert alias(stack) == "3"


def test_a_canary_has_everything_of_its_own(server: Server, sam: Path, artefact: Path) -> None:
    account = Account(server, str(next(ACCOUNTS)))
    first, second = (
        MacroStack(account, sam, artefact, name) for name in ("private-image", "private-image-next")
    )
    first.deploy()
    outputs = second.deploy({"MacroName": "PrivateImageNext"})
    assert outputs["MacroFunctionName"].endswith(":function:PrivateImageNext:live")
    assert alias(first) == "1"
    groups = account.client("logs").describe_log_groups()["logGroups"]
    assert {"/aws/lambda/PrivateImage", "/aws/lambda/PrivateImageNext"} <= {
        group["logGroupName"] for group in groups
    }


def test_others_may_call_the_alias_and_nothing_else(stack: MacroStack) -> None:
    stack.deploy({"AccountIds": "111122223333,444455556666", "OrganizationId": "o-a1b2c3d4e5"})
    client = stack.account.client("lambda")
    policy = json.loads(client.get_policy(FunctionName="PrivateImage")["Policy"])
    arn = f"arn:aws:lambda:{REGION}:{stack.account.id}:function:PrivateImage:live"
    allowed = [
        (one["Effect"], one["Action"], one["Resource"], one["Principal"], one.get("Condition"))
        for one in policy["Statement"]
    ]
    organization = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    assert sorted(allowed, key=str) == sorted(
        [
            ("Allow", "lambda:InvokeFunction", arn, {"AWS": "111122223333"}, None),
            ("Allow", "lambda:InvokeFunction", arn, {"AWS": "444455556666"}, None),
            ("Allow", "lambda:InvokeFunction", arn, "*", organization),
        ],
        key=str,
    )


def test_without_others_there_is_no_resource_policy(stack: MacroStack) -> None:
    stack.deploy()
    client = stack.account.client("lambda")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_policy(FunctionName="PrivateImage", Qualifier="live")
    assert json.loads(client.get_policy(FunctionName="PrivateImage")["Policy"])["Statement"] == []


def test_an_alarm_notifies_the_topic_of_faults_errors_and_throttles(stack: MacroStack) -> None:
    topic = stack.account.client("sns").create_topic(Name="operators")["TopicArn"]
    stack.deploy({"AlarmTopicArn": topic})
    alarms = stack.account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {(one["Namespace"], one["MetricName"]) for one in alarms} == {
        ("PrivateImage", "PrivateImageFaults"),
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Throttles"),
    }
    assert {tuple(one["AlarmActions"]) for one in alarms} == {(topic,)}
    (metric,) = stack.account.client("logs").describe_metric_filters()["metricFilters"]
    assert metric["logGroupName"] == "/aws/lambda/PrivateImage"
    (transformation,) = metric["metricTransformations"]
    assert transformation["metricNamespace"] == "PrivateImage"
    assert transformation["metricName"] == "PrivateImageFaults"


def test_without_a_topic_there_is_no_alarm(stack: MacroStack) -> None:
    stack.deploy()
    assert stack.account.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert stack.account.client("logs").describe_metric_filters()["metricFilters"] == []


def test_the_log_may_have_a_key(stack: MacroStack) -> None:
    key = stack.account.client("kms").create_key()["KeyMetadata"]["Arn"]
    stack.deploy({"LogKmsKeyArn": key})
    (group,) = stack.account.client("logs").describe_log_groups()["logGroups"]
    assert (group["logGroupName"], group["kmsKeyId"]) == ("/aws/lambda/PrivateImage", key)


@pytest.mark.parametrize(("asked", "reserved"), [("5", "5"), ("", None)])
def test_concurrency_is_reserved_where_it_is_asked_for(
    asked: str, reserved: str | None, sam: Path, artefact: Path
) -> None:
    # The emulator does not reserve any, so this reads what CloudFormation would.
    template = transformed(sam, artefact, {"ReservedConcurrency": asked}, "s3://code/key")
    properties = template["Resources"]["Function"]["Properties"]
    assert properties.get("ReservedConcurrentExecutions") == reserved


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Settings", "Registries: {}"),
        ("Settings", "{"),  # what SAM CLI makes of JSON without quotes around it
        ("Settings", json.dumps({"Registries": {"quay.io": "x" * 4040}})),
        ("ReservedConcurrency", "0"),
        ("AlarmTopicArn", "operators"),
        ("LogKmsKeyArn", "alias/log"),
    ],
    ids=["yaml", "cut", "long", "none", "topic", "alias"],
)
def test_cloudformation_refuses_a_parameter_that_cannot_be_right(
    name: str, value: str, stack: MacroStack
) -> None:
    with pytest.raises(ClientError, match=name):
        stack.deploy({name: value})
