"""guard/private-images.guard passes what `expand` writes, and fails what it is against."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from environments import installed
from golden_cases import EXPANDED, expanded
from macro.text.source import parse

RULES = Path(__file__).parents[2] / "guard" / "private-images.guard"

# Prints which rules each template breaks.
CHECK = """
import json, sys, cfn_guard_rs
rules, templates = open(sys.argv[1]).read(), json.load(sys.stdin)
print(json.dumps([
    sorted(one.Rule.name for one in cfn_guard_rs.run_checks(template, rules).not_compliant)
    for template in templates
]))
"""

CREDENTIALS, REGISTRIES, SECRETS = (
    "private_images_have_credentials",
    "registries_are_allowed",
    "secrets_are_named",
)


def resource(resource_type: str, **properties: Any) -> Any:
    return {"Resources": {"One": {"Type": resource_type, "Properties": properties}}}


def policy(resources: Any, action: Any = "secretsmanager:GetSecretValue") -> Any:
    return {"Statement": [{"Effect": "Allow", "Action": action, "Resource": resources}]}


LOGIN = {"CredentialsParameter": "arn"}
BARE = {"Image": "quay.io/acme/web:1"}
TASK, JOB = "AWS::ECS::TaskDefinition", "AWS::Batch::JobDefinition"
TASKS = {"TaskProperties": [{"Containers": [BARE]}]}

FOUND: list[tuple[Any, list[str]]] = [
    (resource(TASK, ContainerDefinitions=[{**BARE, "RepositoryCredentials": LOGIN}]), []),
    (resource(TASK, ContainerDefinitions=[BARE]), [CREDENTIALS]),
    (resource("AWS::ECS::DaemonTaskDefinition", ContainerDefinitions=[BARE]), [CREDENTIALS]),
    (resource(TASK, ContainerDefinitions=[{"Image": "evil.example/a"}]), [REGISTRIES]),
    (resource("AWS::ECS::ExpressGatewayService", PrimaryContainer=BARE), [CREDENTIALS]),
    (resource(JOB, ContainerProperties=BARE), [CREDENTIALS]),
    (resource(JOB, EcsProperties=TASKS), [CREDENTIALS]),
    (resource(JOB, NodeProperties={"NodeRangeProperties": [{"Container": BARE}]}), [CREDENTIALS]),
    (
        resource(JOB, NodeProperties={"NodeRangeProperties": [{"EcsProperties": TASKS}]}),
        [CREDENTIALS],
    ),
    (resource("AWS::CodeBuild::Project", Environment=BARE), [CREDENTIALS]),
    (
        resource(
            "AWS::CodeBuild::Project",
            Environment={**BARE, "RegistryCredential": {"Credential": "arn"}},
        ),
        [],
    ),
    (
        resource(TASK, ContainerDefinitions=[{"Fn::If": ["Prod", BARE, {"Ref": "AWS::NoValue"}]}]),
        [],  # docs/linting.md says that Fn::If is passed over
    ),
    (resource("AWS::IAM::Policy", PolicyDocument=policy("*")), [SECRETS]),
    (
        resource("AWS::IAM::Policy", PolicyDocument=policy(["a", "*"], ["secretsmanager:*"])),
        [SECRETS],
    ),
    (resource("AWS::IAM::Policy", PolicyDocument=policy("*", "logs:PutLogEvents")), []),
    (resource("AWS::IAM::Policy", PolicyDocument=policy({"Fn::Sub": "arn"})), []),
    (resource("AWS::IAM::Role", Policies=[{"PolicyDocument": policy("*")}]), [SECRETS]),
    (resource("AWS::IAM::Role", Policies=[{"PolicyDocument": policy("arn")}]), []),
]


BOUNDARIES = (
    "boundaries-by-name-and-in-settings",
    "boundary-of-a-new-role-comes-first",
    "boundary-that-allows-the-grant",
    "boundary-that-does-not-allow-the-grant",
)


@pytest.fixture(scope="session")
def guard(request: pytest.FixtureRequest) -> Path:
    """Guard as a library of Python: the directory of its programs."""
    return installed(request.config, "cfn-guard-rs")


def broken(templates: list[Any], guard: Path) -> list[list[str]]:
    done = subprocess.run(
        [guard / "python", "-c", CHECK, RULES],
        input=json.dumps(templates),
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    rules: list[list[str]] = json.loads(done.stdout)
    return rules


def test_the_rules_find_what_they_are_against(guard: Path) -> None:
    assert broken([template for template, _ in FOUND], guard) == [rules for _, rules in FOUND]


def test_what_expand_writes_has_credentials_and_names_its_secrets(guard: Path) -> None:
    files = [file for case in EXPANDED if (file := expanded(case))]
    templates = [parse(file.read_bytes(), file.name).template for file in files]
    found = dict(zip((file.parent.name for file in files), broken(templates, guard), strict=True))
    wrong = {name: own for name, own in found.items() if {CREDENTIALS, SECRETS} & {*own}}
    # A permissions boundary of the author's on all resources: docs/linting.md says so.
    assert wrong == {name: [SECRETS] for name in BOUNDARIES}
