"""The emulator ministack: its process, an account in it, and its faults with a way round each.

The faults as of 1.5 that the examples meet:

- `Ref` of a secret gives its name. On AWS it gives the ARN, so a policy on a `Ref` allows nothing.
- A container of a task definition that came through CloudFormation keeps the inner names of
  `RepositoryCredentials` as CloudFormation spells them, so boto3 does not find them in the answer.
- There are no job definitions of Batch and no Express services, so their containers stand in task
  definitions: what is tested of them is the role and the credentials.
- There are no macros, so a test calls the macro and hands over what it answers.
- A service principal in a trust policy lets the account's root through. That a test can assume an
  execution role rests on it; the trust policies stay as they are.
- `GetSecretValue` asks for no permission to use the key, and no call has `kms:ViaService`.
"""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import boto3

Json: TypeAlias = Any  # what AWS answers
Where: TypeAlias = tuple[str, str]  # an image, and the ARN of the role that pulls it

REGION = "eu-west-1"
HOST = "127.0.0.1"
START_SECONDS = 30
STACK_SECONDS = 30

_CONFIG = boto3.session.Config(
    connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 1}, proxies={}
)


@dataclass(frozen=True)
class Server:
    """A running emulator: its port, the secret key of every account's root, boto3's session.

    All clients come from one session: it reads the descriptions of the services once.
    """

    port: int
    secret_key: str = field(repr=False)
    session: boto3.Session


@contextmanager
def served(program: Path, directory: Path) -> Iterator[Server]:
    """Runs the emulator with IAM enforced; `directory` is its home and gets its log.

    Raises RuntimeError where it does not come up in time.
    """
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    server = Server(port, secrets.token_hex(20), boto3.Session(region_name=REGION))
    # Nothing of the user's environment: it may name a profile, a Region, a proxy or a Docker host.
    environ = {
        "AUTH": "true",
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "HOME": str(directory),
        "IOT_MTLS_ENABLED": "0",  # it would listen on a port of its own
        "TMPDIR": str(directory),
    }
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program], cwd=directory, env=environ, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _wait(lambda: process.poll() is not None or _is_ready(port), START_SECONDS)
            if not _is_ready(port):
                raise RuntimeError(f"The emulator does not start:\n{log.read_text('utf-8')}")
            yield server
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/_ministack/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _wait(done: Callable[[], bool], seconds: float) -> None:
    """Waits until something is done, or until the time is over."""
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.05)


class Principal:
    """Someone with credentials, who calls the emulator."""

    def __init__(self, server: Server, key_id: str, secret_key: str, token: str | None) -> None:
        self._server = server
        self._credentials = {
            "aws_access_key_id": key_id,
            "aws_secret_access_key": secret_key,
            "aws_session_token": token,
        }
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A client of boto3 that talks to the emulator."""
        if service not in self._clients:
            self._clients[service] = self._server.session.client(
                service,
                endpoint_url=f"http://{HOST}:{self._server.port}",
                config=_CONFIG,
                **self._credentials,
            )
        return self._clients[service]

    def may(self, service: str, call: str, **request: Any) -> Json:
        """What a call answers, or None where it is denied."""
        client = self.client(service)
        try:
            return getattr(client, call)(**request)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "AccessDeniedException":
                return None
            raise


class Account(Principal):
    """An account of the emulator, by its root; accounts share nothing."""

    def __init__(self, server: Server, account_id: str) -> None:
        # Twelve digits as a key are the root of that account.
        super().__init__(server, account_id, server.secret_key, None)
        self.id = account_id
        self.client("ecs").meta.events.register(
            "before-parse.ecs.DescribeTaskDefinition", _spell_as_ecs
        )

    def assume(self, role_arn: str) -> Principal:
        """A session with an execution role, as a service has one."""
        given = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="service")
        credentials = given["Credentials"]
        return Principal(
            self._server,
            credentials["AccessKeyId"],
            credentials["SecretAccessKey"],
            credentials["SessionToken"],
        )

    def deploy(self, template: Json, parameters: dict[str, str]) -> None:
        """Creates a stack and waits for it to be complete."""
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName="example",
            TemplateBody=json.dumps(_secrets_by_arn(_stood_in(template))),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in parameters.items()
            ],
        )

        def stack() -> Json:
            return cloudformation.describe_stacks(StackName="example")["Stacks"][0]

        _wait(lambda: not stack()["StackStatus"].endswith("_IN_PROGRESS"), STACK_SECONDS)
        reached = stack()
        assert reached["StackStatus"] == "CREATE_COMPLETE", reached.get("StackStatusReason")

    def containers(self) -> dict[Where, str | None]:
        """What ECS and CodeBuild describe: the secret that each container of the stack names."""
        listed = self.client("cloudformation").list_stack_resources(StackName="example")
        found: dict[Where, str | None] = {}
        for resource in listed["StackResourceSummaries"]:
            describe = _DESCRIBE.get(resource["ResourceType"])
            if describe:
                found |= describe(self, resource["PhysicalResourceId"])
        return found

    def rewrite_policies(self, role_arn: str, rewritten: Callable[[Json], list[Json]]) -> None:
        """Puts other statements in place of each statement of a role's inline policies."""
        iam, role = self.client("iam"), role_arn.rpartition("/")[2]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            statements = [new for old in document["Statement"] for new in rewritten(old)]
            if statements:
                iam.put_role_policy(
                    RoleName=role,
                    PolicyName=name,
                    PolicyDocument=json.dumps({**document, "Statement": statements}),
                )
            else:
                iam.delete_role_policy(RoleName=role, PolicyName=name)


def _described_task(account: Account, arn: str) -> dict[Where, str | None]:
    answer = account.client("ecs").describe_task_definition(taskDefinition=arn)
    task = answer["taskDefinition"]
    return {
        (container["image"], task["executionRoleArn"]): container.get(
            "repositoryCredentials", {}
        ).get("credentialsParameter")
        for container in task["containerDefinitions"]
    }


def _described_project(account: Account, name: str) -> dict[Where, str | None]:
    (project,) = account.client("codebuild").batch_get_projects(names=[name])["projects"]
    environment = project["environment"]
    credential = environment.get("registryCredential", {}).get("credential")
    return {(environment["image"], project["serviceRole"]): credential}


_DESCRIBE: dict[str, Callable[[Account, str], dict[Where, str | None]]] = {
    "AWS::ECS::TaskDefinition": _described_task,
    "AWS::CodeBuild::Project": _described_project,
}


def _spell_as_ecs(response_dict: dict[str, Any], **_: Any) -> None:
    """Fault: the name that `RepositoryCredentials` holds is left as CloudFormation spells it."""
    response_dict["body"] = response_dict["body"].replace(
        b'"CredentialsParameter"', b'"credentialsParameter"'
    )


def _type(resource: Json) -> str:
    """The type of a resource, nothing for a loop, which is a list."""
    return resource["Type"] if isinstance(resource, dict) else ""


def _secrets_by_arn(template: Json) -> Json:
    """Fault: `Ref` of a secret gives its name. Its attribute `Id` is what `Ref` gives on AWS."""
    made = {
        name
        for name, resource in template["Resources"].items()
        if _type(resource) == "AWS::SecretsManager::Secret"
    }

    def fixed(node: Json) -> Json:
        if isinstance(node, list):
            return [fixed(item) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("Ref"), str) and node["Ref"] in made:
            return {"Fn::GetAtt": [node["Ref"], "Id"]}
        return {key: fixed(value) for key, value in node.items()}

    return fixed(template)


def _stood_in(template: Json) -> Json:
    """Fault: there are no job definitions and no Express services.

    Each of their containers stands in a task definition, with role and credentials as they are.
    """
    resources: dict[str, Json] = {}
    for name, resource in template["Resources"].items():
        containers = _CONTAINERS.get(_type(resource))
        if containers is None:
            resources[name] = resource
            continue
        for number, (role, container) in enumerate(containers(resource["Properties"])):
            resources[f"{name}{number}"] = {
                **resource,
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {"ExecutionRoleArn": role, "ContainerDefinitions": [container]},
            }
    return {**template, "Resources": resources}


def _of_a_job(properties: Json) -> list[tuple[Json, Json]]:
    nodes = [node["Container"] for node in properties["NodeProperties"]["NodeRangeProperties"]]
    return [(container["ExecutionRoleArn"], container) for container in nodes]


def _of_an_express_service(properties: Json) -> list[tuple[Json, Json]]:
    return [(properties["ExecutionRoleArn"], properties["PrimaryContainer"])]


_CONTAINERS: dict[str, Callable[[Json], list[tuple[Json, Json]]]] = {
    "AWS::Batch::JobDefinition": _of_a_job,
    "AWS::ECS::ExpressGatewayService": _of_an_express_service,
}
