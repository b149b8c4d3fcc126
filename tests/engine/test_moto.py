"""Golden outputs as moto's CloudFormation deploys them: which role may do what in the account.

moto resolves intrinsics, conditions and the names of roles without a line of ours. Its faults as of
5.2: it has no secrets as resources; it leaves a hole where `AWS::NoValue` stands in a list, so here
no world takes a policy out of a role's list; and it does not know the tag `!Condition`, so it gets
the templates as JSON.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from macro.text.source import parse

CASES = Path(__file__).parents[1] / "cases"
REGION = "eu-west-1"
ACCOUNT_ID = "123456789012"  # moto's
READ = "secretsmanager:GetSecretValue"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:registry"
ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role"
WEB = (READ, f"{SECRET}/web-??????")

# A role of the template by its logical id, one outside by its name -> what it may do.
Grants = dict[str, set[tuple[str, str]]]

WORLDS: list[tuple[str, dict[str, str], Grants]] = [
    ("secret-name", {}, {"ExecutionRole": {WEB}}),
    ("secret-sub-name", {"Team": "blue"}, {"ExecutionRole": {(READ, f"{SECRET}/blue-??????")}}),
    ("secret-parameter-name", {"SecretName": "registry/web"}, {"ExecutionRole": {WEB}}),
    ("role-absent", {}, {"TaskPrivateImageRole": {WEB}}),
    ("role-if-absent", {"HasRole": "yes"}, {"ExecutionRole": {WEB}}),
    ("role-if-absent", {"HasRole": "no"}, {"TaskPrivateImageRole": {WEB}}),
    ("role-parameter", {"RoleArn": f"{ROLE}/exec"}, {"exec": {WEB}}),
    ("role-parameter-with-path", {"RoleArn": f"{ROLE}/team/exec"}, {"exec": {WEB}}),
    ("role-parameter-name", {"RoleName": "exec"}, {"exec": {WEB}}),
    ("role-sub-arn", {}, {"exec": {WEB}}),
    ("role-if-outside", {"RoleArn": ""}, {"ExecutionRole": {WEB}, "exec": set()}),
    (
        "condition-narrower-than-the-task",
        {"Env": "prod", "RoleArn": f"{ROLE}/exec"},
        {"exec": {(READ, f"{SECRET}/prod-??????")}},
    ),
    (
        "condition-narrower-than-the-task",
        {"Env": "test", "RoleArn": f"{ROLE}/exec"},
        {"exec": {(READ, f"{SECRET}/test-??????")}},
    ),
    ("condition-section-added", {"Env": "prod", "RoleArn": f"{ROLE}/exec"}, {"exec": set()}),
    (
        "condition-section-added",
        {"Env": "test", "RoleArn": f"{ROLE}/exec"},
        {"exec": {(READ, f"{SECRET}/test-??????")}},
    ),
    (
        "condition-around-a-container",
        {"WithMetrics": "yes"},
        {"ExecutionRole": {(READ, f"{SECRET}/quay-??????")}},
    ),
    (
        "conditions-of-a-shared-role",
        {"A": "no", "B": "yes"},
        {"ExecutionRole": {WEB, (READ, f"{SECRET}/b-??????")}},
    ),
]


@pytest.fixture
def aws(moto_account: None) -> None:
    boto3.client("iam").create_role(RoleName="exec", AssumeRolePolicyDocument="{}")


def deploy(case: str, parameters: dict[str, str]) -> dict[str, str]:
    """Creates a stack from a golden output; the physical ids by logical id."""
    golden = CASES / case / "expanded.yaml"
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(
        StackName=case,
        TemplateBody=json.dumps(parse(golden.read_bytes(), golden.name).template),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
    )
    resources = cloudformation.list_stack_resources(StackName=case)["StackResourceSummaries"]
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}


def allowed(role: str) -> set[tuple[str, str]]:
    """What the inline policies of a role allow."""
    iam = boto3.client("iam")
    found = set()
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document: Any = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        if isinstance(document, str):  # moto keeps some as the text of a dict
            document = ast.literal_eval(document)
        for statement in document["Statement"]:
            resources = statement["Resource"]
            for resource in [resources] if isinstance(resources, str) else resources:
                found.add((statement["Action"], resource))
    return found


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("case", "parameters", "grants"),
    WORLDS,
    ids=[f"{case}-{'-'.join(given.values())}".replace("/", ".") for case, given, _ in WORLDS],
)
def test_roles_may_do_just_this(case: str, parameters: dict[str, str], grants: Grants) -> None:
    physical = deploy(case, parameters)
    roles = {role: physical.get(role, role) for role in grants}
    assert {role: allowed(name) for role, name in roles.items()} == grants


@pytest.mark.usefixtures("aws")
def test_two_stacks_do_not_overwrite_each_others_grant() -> None:
    deploy("role-arn", {})
    deploy("role-arn-with-path", {})
    assert len(boto3.client("iam").list_role_policies(RoleName="exec")["PolicyNames"]) == 2
