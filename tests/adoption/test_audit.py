"""The audit of credentials written by hand: each finding, and a neighbour that it leaves alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from macro.adoption.audit import audit
from macro.engine.expand import Context, expand

READ = "secretsmanager:GetSecretValue"
PARTIAL = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:registry/team"
FULL = f"{PARTIAL}-AbCdEf"
ROLE: dict[str, Any] = {"Fn::GetAtt": ["Role", "Arn"]}
SECRET = {"Ref": "Secret"}
KEY = {"Fn::GetAtt": ["Key", "Arn"]}
IMAGE = "quay.io/acme/web:1"
ECR = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web"
MANAGED = "arn:aws:iam::aws:policy/"


def allow(action: Any, resource: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def role(*statements: Any, **more: Any) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    policies = [{"PolicyName": "pull", "PolicyDocument": document}] if statements else []
    return {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies, **more}}


def task(secret: Any, role: Any = ROLE, image: Any = IMAGE) -> dict[str, Any]:
    credentials = {"CredentialsParameter": secret}
    container = {"Name": "web", "Image": image, "RepositoryCredentials": credentials}
    properties = {"ContainerDefinitions": [container], "ExecutionRoleArn": role}
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}


def build(secret: Any) -> dict[str, Any]:
    registry = {"Credential": secret, "CredentialProvider": "SECRETS_MANAGER"}
    environment = {"Image": IMAGE, "RegistryCredential": registry}
    properties = {"ServiceRole": ROLE, "Environment": environment}
    return {"Type": "AWS::CodeBuild::Project", "Properties": properties}


def key(principal: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"}
    return {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Statement": [statement]}}}


ROOT = key({"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}})
PLAIN = {"Type": "AWS::SecretsManager::Secret"}
ENCRYPTED = {**PLAIN, "Properties": {"KmsKeyId": KEY}}
MAY_READ = role(allow(READ, SECRET))


def found(resources: dict[str, Any], **sections: Any) -> list[str]:
    template = {"Resources": resources, **sections}
    known = Context({}, "eu-west-1", "111122223333")
    return [problem.code for problem in audit(template, known, expand(template, known))]


@pytest.mark.parametrize(
    ("expected", "resources"),
    [
        ([], {"Role": MAY_READ, "Secret": PLAIN, "Task": task(SECRET)}),
        (["PI601"], {"Role": role(), "Secret": PLAIN, "Task": task(SECRET)}),
        (["PI601"], {"Role": role(allow(READ, PARTIAL)), "Task": task(FULL)}),
        (["PI601"], {"Role": role(allow(READ, PARTIAL)), "Task": task(PARTIAL)}),
        ([], {"Role": role(allow(READ, f"{PARTIAL}-??????")), "Task": task(PARTIAL)}),
        ([], {"Role": role(allow("secretsmanager:Get*", FULL)), "Task": task(FULL)}),
        (["PI601"], {"Role": role(allow("secretsmanager:List*", FULL)), "Task": task(FULL)}),
        ([], {"Role": role({**allow(READ, FULL), "NotAction": "s3:*"}), "Task": task(FULL)}),
        (
            ["PI601"],  # only the first of two secrets is granted
            {"Role": MAY_READ, "Secret": PLAIN, "Two": PLAIN, "Task": task({"Ref": "Two"})},
        ),
    ],
)
def test_a_role_that_may_not_read(expected: list[str], resources: dict[str, Any]) -> None:
    assert found(resources) == expected


@pytest.mark.parametrize(
    ("expected", "managed"),
    [
        (["PI601"], f"{MANAGED}service-role/AmazonECSTaskExecutionRolePolicy"),
        ([], f"{MANAGED}SecretsManagerReadWrite"),
        ([], {"Ref": "PolicyArn"}),
    ],
)
def test_a_managed_policy_may_let_the_role_read(expected: list[str], managed: Any) -> None:
    resources = {"Role": role(ManagedPolicyArns=[managed]), "Task": task(FULL)}
    assert found(resources, Parameters={"PolicyArn": {"Type": "String"}}) == expected


def test_policies_of_their_own_count() -> None:
    document = {"Version": "2012-10-17", "Statement": allow(READ, FULL)}
    policy = {"PolicyName": "pull", "PolicyDocument": document, "Roles": [{"Ref": "Role"}]}
    resources = {"Role": role(), "Task": task(FULL)}
    for kind in ("Policy", "ManagedPolicy"):
        own = {"Type": f"AWS::IAM::{kind}", "Properties": policy}
        assert found({**resources, "Own": own}) == []
        other = {"Type": f"AWS::IAM::{kind}", "Properties": {**policy, "Roles": ["other"]}}
        assert found({**resources, "Own": other}) == ["PI601"]
        unknown = {"Type": f"AWS::IAM::{kind}", "Properties": {**policy, "Roles": {"Ref": "P"}}}
        assert found({**resources, "Own": unknown}) == []


@pytest.mark.parametrize(
    ("expected", "resource"),
    [
        ([], "arn:aws:secretsmanager:eu-west-1:111122223333:secret:Secret-*"),
        ([], {"Fn::Sub": "arn:aws:secretsmanager:*:*:secret:${AWS::StackName}-*"}),
        (["PI601"], "arn:aws:secretsmanager:eu-west-1:111122223333:secret:registry/*"),
        (["PI601"], f"{FULL}"),
        (["PI601"], "arn:aws:kms:eu-west-1:111122223333:*"),
    ],
)
def test_the_name_that_cloudformation_makes_up(expected: list[str], resource: Any) -> None:
    resources = {"Role": role(allow(READ, resource)), "Secret": PLAIN, "Task": task(SECRET)}
    assert found(resources) == expected


def test_a_policy_may_spell_out_the_name_that_the_template_gives_a_secret() -> None:
    secret = {**PLAIN, "Properties": {"Name": "registry/team"}}
    resources = {"Secret": secret, "Task": task(SECRET)}
    for resource, expected in ((f"{PARTIAL}-??????", []), (f"{PARTIAL}s-??????", ["PI601"])):
        assert found({**resources, "Role": role(allow(READ, resource))}) == expected


def test_what_others_may_add_to_a_role_is_not_judged() -> None:
    resources = {"Role": role(), "Task": task(FULL)}
    assert found(resources, Transform="AWS::Serverless-2016-10-31") == ["PI601"]
    assert found(resources, Transform=["AWS::LanguageExtensions", "Company"]) == []
    included = {"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/more.yaml"}}
    assert found(resources, Transform=included) == []
    more = {"Fn::Transform": included}
    assert found({**resources, "Role": role(**more)}) == []
    assert found({**resources, **more}) == []


def test_a_policy_on_a_name_that_is_not_known_may_be_on_a_role_with_a_name() -> None:
    document = {"Version": "2012-10-17", "Statement": allow(READ, FULL)}
    policy = {"PolicyName": "pull", "PolicyDocument": document, "Roles": [{"Ref": "P"}]}
    own = {"Type": "AWS::IAM::Policy", "Properties": policy}
    parameters = {"P": {"Type": "String"}}
    resources = {"Task": task(FULL), "Own": own}
    assert found({**resources, "Role": role(RoleName="pull")}, Parameters=parameters) == []
    assert found({**resources, "Role": role()}, Parameters=parameters) == ["PI601"]


def test_each_turn_of_a_loop_is_judged() -> None:
    def loop(secret: Any) -> dict[str, Any]:
        of_turn = {"Fn::GetAtt": [{"Fn::Sub": "Role${Name}"}, "Arn"]}
        body = {
            "Secret${Name}": PLAIN,
            "Role${Name}": role(allow(READ, {"Ref": {"Fn::Sub": "Secret${Name}"}})),
            "Task${Name}": task(secret, of_turn),
        }
        return {"Fn::ForEach::Tasks": ["Name", ["Web", "Api"], body]}

    assert found(loop({"Ref": {"Fn::Sub": "Secret${Name}"}})) == []
    assert found(loop({"Ref": "SecretWeb"})) == ["PI601"]


def test_a_role_outside_of_the_template_is_not_judged() -> None:
    assert found({"Task": task(FULL, "arn:aws:iam::111122223333:role/pull")}) == []
    assert found({"Task": task(FULL, {"Fn::ImportValue": "Role"})}) == []


@pytest.mark.parametrize(
    ("expected", "statements", "declared"),
    [
        (["PI602"], [allow(READ, SECRET)], ROOT),
        ([], [allow(READ, SECRET), allow("kms:Decrypt", KEY)], ROOT),
        ([], [allow(READ, SECRET), allow("kms:*", "*")], ROOT),
        (["PI602"], [allow(READ, SECRET), allow("kms:Encrypt", KEY)], ROOT),
        ([], [allow(READ, SECRET)], key({"AWS": ROLE})),
        ([], [allow(READ, SECRET)], key("*")),
    ],
)
def test_a_key_that_the_role_may_not_use(
    expected: list[str], statements: list[Any], declared: dict[str, Any]
) -> None:
    resources = {"Key": declared, "Secret": ENCRYPTED, "Task": task(SECRET)}
    assert found({**resources, "Role": role(*statements)}) == expected


@pytest.mark.parametrize(
    ("expected", "resource"),
    [
        ([], "arn:aws:kms:eu-west-1:111122223333:key/*"),
        ([], {"Fn::Sub": "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*"}),
        (["PI602"], {"Ref": "Key"}),  # a key's id, which IAM does not know
        (["PI602"], "arn:aws:secretsmanager:eu-west-1:111122223333:*"),
    ],
)
def test_a_statement_on_keys_by_their_arns(expected: list[str], resource: Any) -> None:
    statements = allow(READ, SECRET), allow("kms:Decrypt", resource)
    resources = {"Key": ROOT, "Secret": ENCRYPTED, "Task": task(SECRET)}
    assert found({**resources, "Role": role(*statements)}) == expected


def test_a_wildcard_that_something_else_limits() -> None:
    wide = allow(READ, "*")
    tagged = {"StringEquals": {"secretsmanager:ResourceTag/team": "web"}}
    denied = {**allow("secretsmanager:*", f"{PARTIAL}*"), "Effect": "Deny"}
    limited = (
        role({**wide, "Condition": tagged}),
        role(wide, denied),
        role(wide, PermissionsBoundary="arn:aws:iam::111122223333:policy/boundary"),
    )
    for one in limited:
        assert found({"Role": one, "Task": task(FULL)}) == []
    assert found({"Role": role(wide), "Task": task(FULL)}) == ["PI603"]


@pytest.mark.parametrize(
    ("expected", "resource"),
    [
        (["PI603"], "*"),
        (["PI603"], "arn:aws:secretsmanager:*:*:secret:*"),
        (["PI603"], {"Fn::Sub": "arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:*"}),
        ([], f"{PARTIAL}*"),
    ],
)
def test_a_role_that_may_read_every_secret(expected: list[str], resource: Any) -> None:
    assert found({"Role": role(allow(READ, resource)), "Task": task(FULL)}) == expected


@pytest.mark.parametrize(
    ("expected", "resources"),
    [
        (["PI604"], {"Role": role(allow(READ, "*-??????")), "Build": build(PARTIAL)}),
        ([], {"Role": role(allow(READ, FULL)), "Build": build(FULL)}),
        (["PI605"], {"Role": MAY_READ, "Secret": PLAIN, "Task": task(SECRET, ROLE, ECR)}),
        (["PI606"], {"Task": task(FULL, {"Ref": "AWS::NoValue"})}),
        (["PI607"], {"Role": role(), "Task": task(f"{FULL}:password::")}),
        (["PI607"], {"Role": role(), "Task": task("arn:aws:ssm:eu-west-1:111122223333:a/b")}),
    ],
)
def test_what_is_wrong_with_credentials(expected: list[str], resources: dict[str, Any]) -> None:
    assert found(resources) == expected


def test_a_default_is_no_proof_of_what_is_deployed() -> None:
    resources: dict[str, Any] = {
        "Role": role(allow(READ, {"Ref": "S"})),
        "Task": task({"Ref": "S"}),
    }
    for default in ("", f"{FULL}:password::"):
        assert found(resources, Parameters={"S": {"Type": "String", "Default": default}}) == []
    only = {"Type": "String", "AllowedValues": [f"{FULL}:password::"]}
    assert found(resources, Parameters={"S": only}) == ["PI607"]


def test_what_the_shorthand_grants_counts() -> None:
    one, other = task(FULL), task(FULL)
    container = other["Properties"]["ContainerDefinitions"][0]
    container["PrivateImage"] = {"Image": container.pop("Image"), "Secret": FULL}
    del container["RepositoryCredentials"]
    sections = {"Transform": "PrivateImage"}
    assert found({"Role": role(), "Task": one}, **sections) == ["PI601"]
    assert found({"Role": role(), "Task": one, "Other": other}, **sections) == []


def test_a_case_that_is_not_reached_is_not_judged() -> None:
    resources: dict[str, Any] = {"Role": role(), "Task": {**task(FULL), "Condition": "Never"}}
    conditions = {"Never": {"Fn::Equals": ["a", "b"]}}
    assert found(resources, Conditions=conditions) == []
    assert found(resources, Conditions={"Never": {"Fn::Equals": ["a", "a"]}}) == ["PI601"]


def test_no_message_holds_a_value() -> None:
    template: Any = {"Resources": {"Role": role(), "Task": task(f"{FULL}:password::")}}
    problems = audit(template, Context(), None)
    assert problems and not any("registry/team" in str(problem) for problem in problems)
    assert json.dumps(template).count("registry/team") == 1
