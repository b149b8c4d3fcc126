"""Every example in an account that enforces IAM: its execution role reads its secrets and no other.

The truth here is what the emulator allows and denies, and nothing that this project says of it.
Each container's secret is read as ECS and CodeBuild read it: with a session of the execution role,
by what the container's credentials name.

`tests/emulator.py` tells the emulator's faults and goes round them. One of them cannot be gone
round: it reads a secret for a role that may not use the secret's key. What a role may do with the
key is tested by itself, at the end.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contract import event, processed
from emulator import REGION, Account, Json, Principal, Where
from macro.engine.shorthand.block import NAME
from macro.text.source import parse

EXAMPLES = Path(__file__).parents[2] / "examples"

# What is there before a stack: secrets by name. The one in fargate.yaml's own template is NEW.
NEW = "new"
GIVEN = "team/given"
HUB, QUAY, GITHUB = "registry/docker-hub", "registry/quay", "registry/github"
NGINX, HTTPD = "registry/nginx", "registry/httpd"
NAMES = (GIVEN, HUB, QUAY, GITHUB, NGINX, HTTPD)


@dataclass(frozen=True)
class Row:
    """An example, parameters beside the usual ones, and what comes of it.

    `pulls` has the secret for each image that a container of the stack has, None for a public one.
    """

    example: str
    pulls: dict[str, str | None]
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return "-".join([self.example, *self.parameters.values()])


FARGATE = Row("fargate.yaml", {"docker.io/library/nginx:stable": NEW})
REGISTRIES = Row(
    "registries.yaml",
    {
        "nginx:1.27": GIVEN,
        "quay.io/prometheus/node-exporter:v1.8.2": QUAY,
        "ghcr.io/fluent/fluent-bit:3.1.9": GITHUB,
    },
)
ROWS = [
    FARGATE,
    REGISTRIES,
    Row("ec2-existing-role.yaml", {"docker.io/library/nginx:1.27": GIVEN}),
    Row(
        "conditional-sidecar.yaml",
        {
            "public.ecr.aws/nginx/nginx:stable": None,
            "quay.io/prometheus/node-exporter:v1.8.2": QUAY,
        },
        {"WithMetrics": "true"},
    ),
    Row(
        "conditional-sidecar.yaml",
        {"public.ecr.aws/nginx/nginx:stable": None},
        {"WithMetrics": "false"},
    ),
    Row(
        "foreach-services.yaml",
        {"docker.io/library/nginx:latest": NGINX, "docker.io/library/httpd:latest": HTTPD},
    ),
    Row(
        "batch-multinode.yaml",
        {"docker.io/library/busybox:stable": HUB, "quay.io/fedora/fedora:41": QUAY},
    ),
    Row("codebuild.yaml", {"python:3.13-slim": GIVEN}),
    Row("express-service.yaml", {"docker.io/library/nginx:1.27": HUB}),
    Row("fargate.json", {"docker.io/library/nginx:1.27": GIVEN}),
]
SERVICE = f"secretsmanager.{REGION}.amazonaws.com"  # as kms:ViaService has it


def transformed(
    invoke: Callable[[Json], Json], account_id: str, template: Json, parameters: dict[str, str]
) -> Json:
    """What CloudFormation has before it runs its own transforms, those that are left.

    A macro gets the template without `Transform`.
    """
    fragment = {key: part for key, part in template.items() if key != "Transform"}
    sent = event(fragment, dict(parameters), region=REGION, account=account_id)
    answer: Json = processed(invoke(sent))
    if isinstance(template["Transform"], str):
        return answer
    return {**answer, "Transform": [one for one in template["Transform"] if one != NAME]}


@dataclass(frozen=True)
class Stack:
    """An example deployed, and for each login the name of the secret that holds it."""

    account: Account
    logins: dict[str, str] = field(repr=False)
    containers: dict[Where, str | None]

    @property
    def roles(self) -> dict[str, Principal]:
        """A session with each execution role, by the role's ARN."""
        return {arn: self.account.assume(arn) for _, arn in self.containers}

    def read(self, principal: Principal, secret: str) -> str | None:
        """The secret whose login someone gets, None where it is denied."""
        answer = principal.may("secretsmanager", "get_secret_value", SecretId=secret)
        return self.logins.get(answer["SecretString"], "unknown") if answer else None

    def readable(self, principal: Principal) -> set[str]:
        """All secrets of the account whose login someone gets."""
        listed = self.account.client("secretsmanager").list_secrets(MaxResults=100)["SecretList"]
        return {one for secret in listed if (one := self.read(principal, secret["ARN"]))}


def new_login() -> str:
    return json.dumps({"username": "reader", "password": secrets.token_hex()})


def given(account: Account, logins: dict[str, str]) -> dict[str, str]:
    """Makes what the examples take as there, with these logins by the names of the secrets.

    Comes back with the values of the parameters that name it.
    """
    manager, ec2 = account.client("secretsmanager"), account.client("ec2")
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    keys = {GITHUB: {"KmsKeyId": key}}
    for name in NAMES:
        manager.create_secret(Name=name, SecretString=logins[name], **keys.get(name, {}))
    arn = manager.describe_secret(SecretId=GIVEN)["ARN"]
    trusted = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
    trust = {"Version": "2012-10-17", "Statement": [{**trusted, "Action": "sts:AssumeRole"}]}
    role = account.client("iam").create_role(
        RoleName="existing", AssumeRolePolicyDocument=json.dumps(trust)
    )
    account.client("ecs").create_cluster(clusterName="default")
    return {
        "DockerHubSecret": arn,
        "ExecutionRoleArn": role["Role"]["Arn"],
        "GitHubKey": key,
        "RegistryLogin": logins[NEW],
        "RegistrySecret": arn,
        "Subnets": ",".join(one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]),
        "Vpc": ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
    }


def deploy(row: Row, account: Account, invoke: Callable[[Json], Json]) -> Stack:
    """Deploys an example through the macro, and then gives every secret a neighbour."""
    logins = {name: new_login() for name in (*NAMES, NEW)}
    values = {**given(account, logins), **row.parameters}
    path = EXAMPLES / row.example
    template: Json = parse(path.read_bytes(), path.name).template
    parameters = {
        name: values.get(name) or declared["Default"]
        for name, declared in template.get("Parameters", {}).items()
    }
    account.deploy(transformed(invoke, account.id, template, parameters), parameters)
    manager = account.client("secretsmanager")
    for secret in manager.list_secrets(MaxResults=100)["SecretList"]:
        # Six letters, as many as the random characters at the end of a secret's ARN.
        neighbour = f"{secret['Name']}-others"
        logins[neighbour] = new_login()
        manager.create_secret(Name=neighbour, SecretString=logins[neighbour])
    return Stack(account, {login: name for name, login in logins.items()}, account.containers())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_an_execution_role_reads_its_own_secrets_and_no_other(
    row: Row, account: Account, invoke: Callable[[Json], Json]
) -> None:
    stack = deploy(row, account, invoke)
    roles = stack.roles
    assert {
        image: secret and stack.read(roles[role], secret)
        for (image, role), secret in stack.containers.items()
    } == row.pulls
    for role, session in roles.items():
        own = {row.pulls[image] for image, at in stack.containers if at == role}
        assert stack.readable(session) == own - {None}


@pytest.mark.parametrize(
    "row", [row for row in ROWS if any(row.pulls.values())], ids=lambda row: row.id
)
def test_a_role_without_its_policies_reads_nothing(
    row: Row, account: Account, invoke: Callable[[Json], Json]
) -> None:
    stack = deploy(row, account, invoke)
    for role, session in stack.roles.items():
        account.rewrite_policies(role, lambda _: [])
        assert stack.readable(session) == set()


@pytest.mark.parametrize("row", [FARGATE, REGISTRIES], ids=lambda row: row.id)
def test_a_role_uses_the_key_of_its_secret_through_secrets_manager_alone(
    row: Row, account: Account, invoke: Callable[[Json], Json]
) -> None:
    stack = deploy(row, account, invoke)
    ((role, session),) = stack.roles.items()
    manager, kms = account.client("secretsmanager"), account.client("kms")
    pulled = [manager.describe_secret(SecretId=one) for one in stack.containers.values()]
    (own,) = {secret["KmsKeyId"] for secret in pulled if secret.get("KmsKeyId")}
    other = kms.create_key()["KeyMetadata"]["Arn"]
    sealed = {
        key: kms.encrypt(KeyId=key, Plaintext=b"login")["CiphertextBlob"] for key in (own, other)
    }

    def opened() -> set[str]:
        return {
            key
            for key, text in sealed.items()
            if session.may("kms", "decrypt", CiphertextBlob=text)
        }

    def through_secrets_manager(statement: Json) -> list[Json]:
        if statement["Action"] != "kms:Decrypt":
            return [statement]
        assert statement["Condition"] == {"StringEquals": {"kms:ViaService": SERVICE}}
        return [{key: value for key, value in statement.items() if key != "Condition"}]

    def without_the_key(statement: Json) -> list[Json]:
        return [] if statement["Action"] == "kms:Decrypt" else [statement]

    assert opened() == set()
    # The emulator never says that a call comes through Secrets Manager. So the condition for it is
    # read here, and the emulator judges the rest of the statement.
    account.rewrite_policies(role, through_secrets_manager)
    assert opened() == {own}
    account.rewrite_policies(role, without_the_key)
    assert opened() == set()
