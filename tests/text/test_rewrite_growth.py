"""However many edits a text takes, the work of rewriting it grows with the text alone."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import yaml

from growth import counted
from macro.engine.expand import expand
from macro.engine.template.document import Json
from macro.text.rewrite import rewrite
from macro.text.source import parse

ROLE: Json = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}


def task(secret: Json = "registry/web", **others: Json) -> dict[str, Json]:
    """A task with a private container, and with these properties besides."""
    block: Json = {"Image": "quay.io/acme/web:1", "Secret": secret}
    containers: Json = [{"Name": "web", "PrivateImage": block}]
    properties: Json = {**others, "ContainerDefinitions": containers}
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}


def with_role(role: str, secret: Json = "registry/web") -> dict[str, Json]:
    return task(secret, ExecutionRoleArn={"Fn::GetAtt": [role, "Arn"]})


SHAPES: dict[str, Callable[[int], dict[str, Json]]] = {
    "tasks that share a role": lambda n: {
        "Role": ROLE,
        **{f"Task{i}": with_role("Role") for i in range(n)},
    },
    "a role for each task": lambda n: {
        name: body
        for i in range(n)
        for name, body in {f"Role{i}": ROLE, f"Task{i}": with_role(f"Role{i}")}.items()
    },
    "roles that are made": lambda n: {f"Task{i}": task() for i in range(n)},
    "separate policies": lambda n: {
        f"Task{i}": task(ExecutionRoleArn=f"execution{i}") for i in range(n)
    },
    "policies that a role has": lambda n: {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"Policies": [{"PolicyName": f"Policy{i}"} for i in range(n)]},
        },
        "Task": with_role("Role"),
    },
    "one secret of the template for each task": lambda n: {
        "Role": ROLE,
        **{f"Secret{i}": {"Type": "AWS::SecretsManager::Secret"} for i in range(n)},
        **{f"Task{i}": with_role("Role", {"Ref": f"Secret{i}"}) for i in range(n)},
    },
    "resources that no edit touches": lambda n: {
        "Task": task(),
        **{f"Queue{i}": {"Type": "AWS::SQS::Queue"} for i in range(n)},
    },
}

SPELLINGS: dict[str, Callable[[Json], str]] = {
    "YAML": lambda template: yaml.dump(template, sort_keys=False),
    "JSON": lambda template: json.dumps(template, indent=2),
}


def steps(text: str) -> int:
    """How many functions reading and rewriting a template calls, its expansion aside."""
    source, reading = counted(lambda: parse(text.encode(), "template.yaml"))
    edits = expand(source.template).edits
    assert edits
    _, rewriting = counted(lambda: rewrite(source, edits))
    return reading + rewriting


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", SHAPES)
def test_the_work_grows_no_faster_than_the_text(name: str, spelling: str) -> None:
    def text(count: int) -> str:
        return SPELLINGS[spelling]({"Resources": SHAPES[name](count)})

    steps(text(5))  # what is done once only
    small, large = (steps(text(n)) for n in (40, 80))
    assert large < 2.3 * small
