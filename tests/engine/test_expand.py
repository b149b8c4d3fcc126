"""Expansions that no golden case shows, for cfn-lint does not read their loops to the end."""

from __future__ import annotations

import pytest

from macro.engine.expand import expand
from macro.engine.template.document import Json, get
from macro.engine.template.edits import apply


def loop(collection: list[Json], logical_id: str) -> Json:
    container: Json = {
        "Name": "web",
        "PrivateImage": {
            "Image": "quay.io/acme/app:1",
            "Secret": {"Fn::If": ["Is${Name}", {"Ref": "AWS::NoValue"}, "registry/web"]},
        },
    }
    task: Json = {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {
            "ExecutionRoleArn": "arn:aws:iam::111122223333:role/exec",
            "ContainerDefinitions": [container],
        },
    }
    return ["Name", collection, {logical_id: task}]


def test_a_condition_that_is_added_for_a_loop_runs_over_what_the_loop_runs_over() -> None:
    template: Json = {
        "Transform": ["PrivateImage", "AWS::LanguageExtensions"],
        "Conditions": {},
        "Resources": {
            "Fn::ForEach::Tasks": loop(["Web"], "Task${Name}"),
            "Fn::ForEach::Jobs": loop(["Web", "Api"], "Job${Name}"),
        },
    }
    expanded = apply(template, expand(template).edits)
    assert get(expanded, "Conditions") == {
        "NotIsApi": {"Fn::Not": [{"Condition": "IsApi"}]},
        "NotIsWeb": {"Fn::Not": [{"Condition": "IsWeb"}]},
    }
    resources = get(expanded, "Resources")
    assert isinstance(resources, dict)
    for name, condition in (("Tasks", "NotIs${Name}"), ("Jobs", "NotIs${Name}")):
        body = resources[f"Fn::ForEach::{name}"]
        assert isinstance(body, list)
        policy = f"{'Task' if name == 'Tasks' else 'Job'}${{Name}}PrivateImagePolicy"
        assert get(body[2], policy, "Condition") == {"Fn::Sub": condition}


@pytest.mark.parametrize("collection", [["web", "api"], {"Ref": "Names"}])
@pytest.mark.parametrize(
    ("existing", "added"),
    [
        ({"Fn::Sub": "PrivateImage-Is${Name}"}, "PrivateImage-Is${Name}2"),
        ({"Fn::Sub": "PrivateImage-Was${Name}"}, "PrivateImage-Is${Name}"),
    ],
)
def test_a_policy_in_a_loop_has_another_name_than_those_of_its_role(
    collection: Json, existing: Json, added: str
) -> None:
    secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:quay-AbCdEf"
    chosen: Json = {"Fn::If": ["Is${Name}", secret, {"Ref": "AWS::NoValue"}]}
    container: Json = {"Name": "c", "PrivateImage": {"Image": "quay.io/acme/app", "Secret": chosen}}
    role: Json = {"Fn::GetAtt": [{"Fn::Sub": "Role${Name}"}, "Arn"]}
    policy: Json = {"PolicyName": existing, "PolicyDocument": {}}
    body: Json = {
        "Role${Name}": {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}},
        "Task${Name}": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {"ExecutionRoleArn": role, "ContainerDefinitions": [container]},
        },
    }
    template: Json = {
        "Transform": ["PrivateImage", "AWS::LanguageExtensions"],
        "Parameters": {"Names": {"Type": "CommaDelimitedList"}},
        "Conditions": {
            "Fn::ForEach::Is": ["Name", collection, {"Is${Name}": {"Fn::Equals": [1, 1]}}]
        },
        "Resources": {"Fn::ForEach::Loop": ["Name", collection, body]},
    }
    expansion = expand(template)
    assert expansion.problems == ()
    names = [
        get(policy, "Fn::If")[1]["PolicyName"]  # type: ignore[index, call-overload]
        for policy in expanded_policies(apply(template, expansion.edits))
        if get(policy, "Fn::If")
    ]
    assert names == [{"Fn::Sub": added}]


def expanded_policies(template: Json) -> list[Json]:
    loop = get(template, "Resources", "Fn::ForEach::Loop")
    assert isinstance(loop, list)
    policies = get(loop[2], "Role${Name}", "Properties", "Policies")
    assert isinstance(policies, list)
    return policies


@pytest.mark.parametrize("own", ["Role", ["Role"], ["Queue", "Role"]])
def test_a_dependency_that_the_author_has_written_is_not_written_again(own: Json) -> None:
    container: Json = {"Name": "c", "PrivateImage": {"Image": "quay.io/acme/app", "Secret": "quay"}}
    properties: Json = {"ExecutionRoleArn": "pull", "ContainerDefinitions": [container]}
    task: Json = {"Type": "AWS::ECS::TaskDefinition", "DependsOn": own, "Properties": properties}
    role: Json = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "pull"}}
    template: Json = {
        "Transform": "PrivateImage",
        "Resources": {"Role": role, "Task": task, "Queue": {"Type": "AWS::SQS::Queue"}},
    }
    expansion = expand(template)
    assert expansion.problems == ()
    assert get(apply(template, expansion.edits), "Resources", "Task", "DependsOn") == own


@pytest.mark.parametrize(("length", "warned"), [(256, []), (257, ["PI906"])])
def test_a_pattern_of_great_length_proves_nothing(length: int, warned: list[str]) -> None:
    head, tail = "arn:aws:iam::", ":role/[a-z]+"
    pattern = head + "1" * (length - len(head) - len(tail)) + tail
    task: Json = {
        "ExecutionRoleArn": {"Ref": "Role"},
        "ContainerDefinitions": [
            {"PrivateImage": {"Image": "quay.io/a/b", "Secret": "registry/web"}}
        ],
    }
    expansion = expand(
        {
            "Transform": "PrivateImage",
            "Parameters": {"Role": {"Type": "String", "AllowedPattern": pattern}},
            "Resources": {"Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": task}},
        }
    )
    assert [warning.code for warning in expansion.warnings] == warned


def test_many_wildcards_in_a_boundary_take_no_more_steps_than_few() -> None:
    """The pattern, as a regular expression, would be tried in more ways than there is time for."""
    boundary: Json = {"Statement": {"Effect": "Allow", "Action": "*?" * 14 + "z", "Resource": "*"}}
    role: Json = {"AssumeRolePolicyDocument": {}, "PermissionsBoundary": {"Ref": "Boundary"}}
    task: Json = {
        "ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        "ContainerDefinitions": [
            {"PrivateImage": {"Image": "quay.io/a/b", "Secret": "registry/web"}}
        ],
    }
    expansion = expand(
        {
            "Transform": "PrivateImage",
            "Resources": {
                "Boundary": {
                    "Type": "AWS::IAM::ManagedPolicy",
                    "Properties": {"PolicyDocument": boundary},
                },
                "Role": {"Type": "AWS::IAM::Role", "Properties": role},
                "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": task},
            },
        }
    )
    assert "PI909" in [warning.code for warning in expansion.warnings]
