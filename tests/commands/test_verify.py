"""`verify` from its options to its output: moto's account, a real registry.

moto has no policy simulation, so where a role is there already the test says what IAM would; that a
role's own policies are asked is tested in tests/test_account.py.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import boto3
import pytest
from botocore import httpsession

import macro.preflight.aws_account
from macro.commands.exit_codes import UsageError
from macro.commands.verify import verify
from macro.preflight.aws_account import AccountError
from macro.preflight.checks import Check
from macro.preflight.findings import Finding
from macro.preflight.image_checks import shown_platforms
from macro.preflight.threads import in_threads
from registry_server import READER, Reply, basic, basic_pusher, scripted, unreachable
from tls_front import Front, behind_tls, name_resolves, trusted_everywhere

PUBLIC = httpsession.DEFAULT_CA_BUNDLE  # before any test changes it
REGION, ACCOUNT_ID = "eu-west-1", "123456789012"  # moto's
LOGIN = json.dumps({"username": READER.username, "password": READER.password})
HIDDEN = (READER.password, READER.basic.split()[1], "hunter2")

TEMPLATE = """\
Transform: PrivateImage
Parameters:
  Secret: {Type: String, Default: registry/team}
  Tag: {Type: String, Default: '1'}
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: ROLE
      RuntimePlatform: {CpuArchitecture: X86_64}
      ContainerDefinitions:
        - Name: web
          PrivateImage:
            Image: !Sub REGISTRY/team/web:${Tag}
            Secret: !Ref Secret
"""
ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/exec"
ROOT = f"arn:aws:iam::{ACCOUNT_ID}:root"


@pytest.fixture(scope="module")
def plain_registry(
    registry_program: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with basic(registry_program, tmp_path_factory.mktemp("registry")) as host:
        pusher = basic_pusher(host)
        pusher.image("team/web", "1", "linux/amd64")
        pusher.index("team/web", "both", "linux/amd64", "linux/arm64")
        yield host


@pytest.fixture(scope="module")
def front(plain_registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with behind_tls(plain_registry, tmp_path_factory.mktemp("front")) as front:
        yield front


@pytest.fixture
def registry(front: Front, monkeypatch: pytest.MonkeyPatch) -> str:
    """A registry with a certificate that all trust."""
    name_resolves(monkeypatch)
    trusted_everywhere(monkeypatch, front)
    return front.host


@pytest.fixture
def aws(moto_account: None) -> None:
    boto3.client("iam").create_role(RoleName="exec", AssumeRolePolicyDocument="{}")


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What IAM's simulation says of each action; what is not in it is allowed."""
    decisions: dict[str, str] = {}

    def answer(params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        action = params["body"]["ActionNames.member.1"]
        result = {"EvalActionName": action, "EvalDecision": decisions.get(action, "allowed")}
        response = type("Response", (), {"status_code": 200})
        return response, {"EvaluationResults": [result]}

    made = macro.preflight.aws_account._client  # noqa: SLF001 # where the clients are made

    def client(session: Any, service: str, region: str) -> Any:
        found = made(session, service, region)
        found.meta.events.register("before-call.iam.SimulatePrincipalPolicy", answer)
        return found

    monkeypatch.setattr(macro.preflight.aws_account, "_client", client)
    return decisions


class Run:
    """What a run of the command has come to."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def rows(self) -> dict[str, str]:
        """Each check's status and message, by what it checks; the last one of each kind."""
        return {one["check"]: f"{one['status']}: {one['message']}" for one in self.checks}

    @property
    def checks(self) -> list[dict[str, Any]]:
        checks: list[dict[str, Any]] = json.loads(self.out)["checks"]
        return checks


@pytest.fixture
def run(
    tmp_path: Path, registry: str, capsys: pytest.CaptureFixture[str], simulated: dict[str, str]
) -> Callable[..., Run]:
    """Runs the command on a template, as data; nothing that it says may hold a login."""

    def run(template: str = TEMPLATE, *parameters: str, **options: Any) -> Run:
        path = tmp_path / "template.yaml"
        path.write_text(template.replace("REGISTRY", registry).replace("ROLE", ROLE), "utf-8")
        given = {
            "paths": [str(path)],
            "parameter": list(parameters),
            "parameter_file": [],
            "format": "json",
            "strict": False,
            "plain_http": [],
            "skip_registry": [],
        }
        absent = (
            "config_env",
            "config_file",
            "settings",
            "macro_name",
            "region",
            "account",
            "profile",
            "stack_name",
        )
        capsys.readouterr()
        code = verify(argparse.Namespace(**{**dict.fromkeys(absent), **given, **options}))
        out, err = capsys.readouterr()
        assert not [text for text in HIDDEN if text in out + err]
        return Run(code, out, err)

    return run


def secret(value: str | bytes = LOGIN, name: str = "registry/team", **more: Any) -> str:
    held: Any = {"SecretBinary": value} if isinstance(value, bytes) else {"SecretString": value}
    made = boto3.client("secretsmanager").create_secret(Name=name, **held, **more)
    arn: str = made["ARN"]
    return arn


def test_all_is_well(aws: None, run: Callable[..., Run]) -> None:
    secret()
    done = run()
    assert done.code == 0
    assert done.rows == {
        "secret": "passed: readable, with a username and a password",
        "key": "passed: AWS manages it; it needs no grant",
        "role": "passed: may read the secret once it has the grant",
        "image": "passed: the registry accepts the login and has it for linux/amd64",
    }


def test_a_resource_may_have_the_name_of_the_shorthand(aws: None, run: Callable[..., Run]) -> None:
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    secret(KmsKeyId=key)
    assert run(KEYED.replace("  Task:\n", "  PrivateImage:\n").replace("KEY", key)).code == 0


def test_a_table_for_people(
    aws: None,
    run: Callable[..., Run],
    registry: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret()
    monkeypatch.setenv("COLUMNS", "80")
    done = run(TEMPLATE, "Tag=2", format="text")
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[:10] == [
        "RESULT       CHECK   SUBJECT",
        "passed       secret  registry/team",
        "             readable, with a username and a password",
        "passed       key     registry/team",
        "             AWS manages it; it needs no grant",
        "passed       role    exec",
        "             may read the secret once it has the grant",
        f"failed       image   {registry}/team/web:2",
        f"             {registry} has no tag 2 in the repository team/web.",
        "             Check the image's name and version, or push it first.",
    ]
    assert done.out.endswith("\n\n3 passed, 1 failed, 0 not checked\n")
    assert f"{tmp_path}/template.yaml:13:11" in done.out
    assert all(len(line) <= 80 or str(tmp_path) in line for line in lines)


def test_a_secret_is_found_however_it_is_named(aws: None, run: Callable[..., Run]) -> None:
    arn = secret()
    for name in (arn, arn[:-7], "registry/team"):
        assert run(TEMPLATE, f"Secret={name}").code == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("hunter2", "It holds plain text and no JSON."),
        (b"hunter2", "It holds binary data."),
        ('["hunter2"]', "It holds JSON, but no object."),
        ('{"username": "hunter2"}', "In its JSON password is missing."),
        ('{"username": "", "password": 7}', "username is empty and password is no text."),
        ('{"Username": "a", "Password": "hunter2"}', "username is missing and password is missing"),
    ],
)
def test_a_secret_of_another_shape(
    value: str | bytes, said: str, aws: None, run: Callable[..., Run]
) -> None:
    secret(value)
    done = run()
    assert done.code == 1
    assert done.rows["secret"].startswith("failed: ") and said in done.rows["secret"]
    assert done.rows["image"].startswith("not checked: The login could not be read")


def test_a_secret_that_is_not_there(aws: None, run: Callable[..., Run]) -> None:
    done = run()
    assert done.code == 1
    assert done.rows["secret"] == f"failed: The secret does not exist in {REGION}."


def test_a_secret_of_another_region(aws: None, run: Callable[..., Run]) -> None:
    made = boto3.client("secretsmanager", "us-east-1").create_secret(
        Name="registry/far", SecretString=LOGIN
    )
    assert run(TEMPLATE, "Secret=registry/far").code == 1
    assert run(TEMPLATE, f"Secret={made['ARN']}").code == 0


def test_a_secret_that_was_made_anew(aws: None, run: Callable[..., Run]) -> None:
    arn = secret()
    done = run(TEMPLATE, f"Secret={arn[:-6]}Zz9Zz9")
    assert "its ARN ends differently" in done.rows["secret"]


def test_a_secret_that_will_be_deleted(aws: None, run: Callable[..., Run]) -> None:
    boto3.client("secretsmanager").delete_secret(SecretId=secret())
    done = run()
    assert done.code == 1 and "is scheduled for deletion on 20" in done.rows["secret"]


KEYED = TEMPLATE.replace("!Ref Secret\n", "!Ref Secret\n            KmsKey: KEY\n")


def test_a_customer_managed_key_must_be_granted(aws: None, run: Callable[..., Run]) -> None:
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/team", TargetKeyId=key["KeyId"])
    other = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/others", TargetKeyId=other)
    secret(KmsKeyId=key["Arn"])
    done = run()
    assert done.code == 1
    assert "no kms:Decrypt is granted on it" in done.rows["key"]
    assert f"Write KmsKey: {key['Arn']}" in done.out
    for right in (key["Arn"], key["KeyId"], "alias/team"):
        granted = run(KEYED.replace("KEY", right))
        assert granted.rows["key"] == "passed: customer-managed and enabled, granted"
        assert granted.code == 0
    assert run(KEYED.replace("KEY", other)).code == 1
    assert run(KEYED.replace("KEY", "alias/others")).code == 1
    assert run(KEYED.replace("KEY", "alias/none")).code == 1
    vouched = run(TEMPLATE + "            Grant: false\n")
    assert vouched.rows["key"] == "passed: customer-managed and enabled"
    assert vouched.rows["role"] == "passed: may read the secret"


@pytest.mark.parametrize("call", ["disable_key", "schedule_key_deletion"])
def test_a_key_that_cannot_be_used(call: str, aws: None, run: Callable[..., Run]) -> None:
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    secret(KmsKeyId=key)
    getattr(kms, call)(KeyId=key.rpartition("/")[2])
    done = run(KEYED.replace("KEY", key))
    assert done.code == 1
    assert done.rows["key"].startswith("failed: The secret's key is in the state ")


def test_a_key_policy_that_leaves_the_role_out(aws: None, run: Callable[..., Run]) -> None:
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    secret(KmsKeyId=key)

    def allow(principal: str, action: str) -> None:
        statements = [
            {"Effect": "Allow", "Principal": {"AWS": who}, "Action": what, "Resource": "*"}
            for who, what in ((principal, action), (ROOT, ["kms:DescribeKey", "kms:Get*"]))
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)

    for principal, action, code in (
        (ROLE, "kms:Decrypt", 0),
        (ROLE, "kms:D*", 0),
        (ROLE, "kms:Encrypt", 1),
        (f"{ROLE}2", "kms:*", 1),
        (ROOT, "kms:*", 0),
    ):
        allow(principal, action)
        done = run(KEYED.replace("KEY", key))
        assert done.code == code, done.rows
        assert ("key's policy does not let the role in" in done.rows["role"]) is bool(code)


def test_what_iam_says_of_the_role(
    aws: None, run: Callable[..., Run], simulated: dict[str, str]
) -> None:
    secret()
    simulated["secretsmanager:GetSecretValue"] = "explicitDeny"
    done = run()
    assert done.code == 1
    assert "one of its policies denies secretsmanager:GetSecretValue" in done.rows["role"]


def test_a_role_that_is_not_there(aws: None, run: Callable[..., Run]) -> None:
    secret()
    done = run(TEMPLATE.replace("ROLE", "ROLE2"))
    assert done.code == 1 and "The role exec2 does not exist" in done.rows["role"]


NEW_ROLE = TEMPLATE.replace("      ExecutionRoleArn: ROLE\n", "")
NEW_SECRET = (
    TEMPLATE.replace("!Ref Secret\n", "!Ref New\n")
    + """\
  New:
    Type: AWS::SecretsManager::Secret
"""
)
IMPORTED = TEMPLATE.replace("!Ref Secret\n", "!ImportValue TeamSecret\n")


@pytest.mark.parametrize(
    ("template", "kind", "said"),
    [
        (NEW_ROLE, "role", "TaskPrivateImageRole is created by the stack"),
        (NEW_SECRET, "secret", "New is created by the stack"),
        (NEW_SECRET, "image", "The login is in a secret that is not known."),
        (IMPORTED, "secret", "No stack exports TeamSecret yet."),
        (TEMPLATE.replace(", Default: '1'", ""), "image", "give it with -p Tag=..."),
    ],
)
def test_what_is_not_known_before_the_deploy_has_not_passed(
    template: str, kind: str, said: str, aws: None, run: Callable[..., Run]
) -> None:
    secret()
    done = run(template)
    assert done.rows[kind].startswith("not checked: ") and said in done.rows[kind]
    assert done.code == 0
    assert run(template, strict=True).code == 1


def test_an_import_that_is_there(aws: None, run: Callable[..., Run]) -> None:
    secret()
    exporting = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"One": {"Value": "registry/team", "Export": {"Name": "TeamSecret"}}},
    }
    boto3.client("cloudformation").create_stack(
        StackName="other", TemplateBody=json.dumps(exporting)
    )
    # A name that an import gives is not known to be one when the template is expanded.
    assert run(IMPORTED).rows["secret"].startswith("passed: ")


def test_what_the_stack_has_already(aws: None, run: Callable[..., Run]) -> None:
    secret(name="registry/now")
    there = {
        "Parameters": {"Secret": {"Type": "String"}},
        "Resources": {
            "TaskPrivateImageRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {}, "Path": "/team/"},
            }
        },
    }
    boto3.client("cloudformation").create_stack(
        StackName="web",
        TemplateBody=json.dumps(there),
        Parameters=[{"ParameterKey": "Secret", "ParameterValue": "registry/now"}],
    )
    done = run(NEW_ROLE, stack_name="web")
    assert done.rows["secret"].startswith("passed: ")
    assert done.rows["role"].startswith("passed: ")
    # What is given outweighs what the stack has.
    assert run(NEW_ROLE, "Secret=registry/none", stack_name="web").code == 1


@pytest.mark.parametrize(
    ("tag", "platform", "code", "said"),
    [
        ("1", "CpuArchitecture: X86_64", 0, ""),
        ("1", "CpuArchitecture: ARM64", 1, "does not exist for linux/arm64, but for linux/amd64."),
        ("both", "CpuArchitecture: ARM64", 0, ""),
        ("1", "OperatingSystemFamily: WINDOWS_SERVER_2022_CORE", 1, "for windows/amd64, but"),
        ("1", "CpuArchitecture: !If [Arm, ARM64, X86_64]", 1, "not exist for linux/arm64"),
        ("2", "CpuArchitecture: X86_64", 1, "has no tag 2"),
    ],
)
def test_the_image(
    tag: str, platform: str, code: int, said: str, aws: None, run: Callable[..., Run]
) -> None:
    secret()
    condition = "Conditions:\n  Arm: !Equals [!Ref Tag, '1']\nResources:\n"
    template = TEMPLATE.replace("CpuArchitecture: X86_64", platform)
    done = run(template.replace("Resources:\n", condition), f"Tag={tag}")
    assert done.code == code and said in done.rows["image"]


BUILD = """\
Resources:
  Build:
    Type: AWS::CodeBuild::Project
    Properties:
      ServiceRole: ROLE
      Environment:
        Type: ARM_CONTAINER
        ComputeType: BUILD_GENERAL1_SMALL
        PrivateImage: {Image: 'REGISTRY/team/web:1', Secret: registry/team}
"""


def test_the_platform_of_a_build(aws: None, run: Callable[..., Run]) -> None:
    secret()
    assert "not exist for linux/arm64" in run(BUILD).rows["image"]
    assert run(BUILD.replace("ARM_", "LINUX_")).code == 0


def test_a_wrong_password(aws: None, run: Callable[..., Run]) -> None:
    secret(json.dumps({"username": "reader", "password": "hunter2"}))
    done = run()
    assert done.code == 1
    assert "does not accept the username and password" in done.rows["image"]


def test_a_registry_that_is_down(aws: None, run: Callable[..., Run]) -> None:
    secret()
    with unreachable() as host:
        template = TEMPLATE.replace("REGISTRY", host)
        done = run(template)
        skipped = run(template, skip_registry=[host])
    assert done.code == 1 and done.rows["image"] == f"failed: {host} cannot be reached."
    assert skipped.code == 0 and skipped.rows["image"].startswith("not checked: ")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com/web", "is in Amazon ECR"),
        ("https://quay.io/web", "must not have a scheme"),
        ("quay.io/Web", "The repository must be in lower case"),
    ],
)
def test_an_image_whose_parameter_has_what_is_none(
    image: str, said: str, aws: None, run: Callable[..., Run]
) -> None:
    secret()
    template = TEMPLATE.replace("!Sub REGISTRY/team/web:${Tag}", "!ImportValue Image")
    exporting = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"One": {"Value": image, "Export": {"Name": "Image"}}},
    }
    boto3.client("cloudformation").create_stack(
        StackName="other", TemplateBody=json.dumps(exporting)
    )
    done = run(template)
    assert done.code == 1 and said in done.rows["image"]


def test_a_check_is_made_once_for_all_its_containers(
    aws: None, run: Callable[..., Run], tmp_path: Path
) -> None:
    secret()
    second = TEMPLATE[TEMPLATE.index("        - Name") :].replace("Name: web", "Name: two")
    done = run(TEMPLATE + second)
    assert [one["check"] for one in done.checks] == ["secret", "key", "role", "image"]
    file = str(tmp_path / "template.yaml")
    assert [list(place.values()) for place in done.checks[0]["containers"]] == [
        [file, 13, 11, "Task/web"],
        [file, 17, 11, "Task/two"],
    ]


CONDITIONAL = """\
Parameters:
  Env: {Type: String, Default: prod}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: ROLE
      ContainerDefinitions:
        - Name: web
          PrivateImage:
            Image: !If [IsProd, 'REGISTRY/team/web:1', 'REGISTRY/team/web:test']
            Secret: !If [IsProd, registry/team, !Ref AWS::NoValue]
"""


def test_only_the_branch_that_is_deployed_is_checked(aws: None, run: Callable[..., Run]) -> None:
    secret()
    assert run(CONDITIONAL).code == 0
    public = run(CONDITIONAL, "Env=test")
    assert [one["check"] for one in public.checks] == ["image"]
    assert "wants a login" in public.rows["image"]
    both = run(CONDITIONAL.replace(", Default: prod", ""))
    assert [one["check"] for one in both.checks] == ["secret", "key", "role", "image", "image"]
    assert {len(one["containers"]) for one in both.checks} == {1}


LOOP = """\
Transform: [PrivateImage, AWS::LanguageExtensions]
Resources:
  Fn::ForEach::Teams:
    - Team
    - [blue, red]
    - ${Team}Task:
        Type: AWS::ECS::TaskDefinition
        Properties:
          ExecutionRoleArn: ROLE
          ContainerDefinitions:
            - Name: !Sub ${Team}
              PrivateImage:
                Image: !Sub REGISTRY/team/${Team}:1
                Secret: !Sub registry/${Team}
"""


def test_every_turn_of_a_loop_is_checked(aws: None, run: Callable[..., Run], registry: str) -> None:
    secret(name="registry/blue")
    done = run(LOOP)
    subjects = {one["subject"]: one["status"] for one in done.checks if one["check"] == "secret"}
    assert subjects == {"registry/blue": "passed", "registry/red": "failed"}
    images = [one["subject"] for one in done.checks if one["check"] == "image"]
    assert images == [f"{registry}/team/blue:1", f"{registry}/team/red:1"]


BY_HAND = re.sub(
    r"PrivateImage:\n +(Image.*)\n +Secret: (.*)",
    r"\1\n          RepositoryCredentials: {CredentialsParameter: !Ref Secret}",
    TEMPLATE,
)


def test_what_is_written_by_hand_is_checked_too(
    aws: None, run: Callable[..., Run], simulated: dict[str, str]
) -> None:
    secret()
    done = run(BY_HAND)
    assert done.rows["image"].startswith("passed: ")
    assert done.rows["role"] == "passed: may read the secret"
    simulated["secretsmanager:GetSecretValue"] = "implicitDeny"
    assert run(BY_HAND).rows["role"].startswith("failed: The role may not read the secret: none")
    assert json.loads(run(BY_HAND.replace("RepositoryC", "C")).out)["checks"] == []


def test_what_is_written_by_hand_is_found_in_folders(
    aws: None, run: Callable[..., Run], tmp_path: Path
) -> None:
    secret()
    assert "image" in run(BY_HAND, paths=[str(tmp_path)]).rows


def test_the_audit_of_what_is_written_by_hand(aws: None, run: Callable[..., Run]) -> None:
    secret()
    for name, codes in (
        ("registry/team-??????", []),
        ("registry/other", ["PI601"]),
        ("*", ["PI603"]),
    ):
        assert re.findall(r"PI6\d\d", run(OWN_ROLE.replace("NAME", name)).err) == codes


OWN_ROLE = (
    BY_HAND.replace("ExecutionRoleArn: ROLE", "ExecutionRoleArn: !GetAtt Own.Arn")
    + """\
  Own:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {}
      ManagedPolicyArns:
        - !Sub arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
      Policies:
        - PolicyName: read
          PolicyDocument:
            Statement:
              Effect: Allow
              Action: secretsmanager:GetSecretValue
              Resource: !Sub arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:NAME
"""
)
SEPARATE = """\
  Separate:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: deny
      Roles: [!Ref Own]
      PolicyDocument:
        Statement: [{Effect: Deny, Action: 'secretsmanager:*', Resource: '*'CONDITION}]
"""


@pytest.mark.parametrize(
    ("name", "more", "status"),
    [
        ("registry/team-??????", "", "passed"),
        ("registry/*", "", "passed"),
        ("registry/other-??????", "", "failed"),
        ("registry/team", "", "failed"),
        ("registry/team-??????", SEPARATE.replace("CONDITION", ""), "failed"),
        (
            "registry/team-??????",
            SEPARATE.replace("CONDITION", ", Condition: {Bool: {'aws:SecureTransport': false}}"),
            "passed",
        ),
        (
            "registry/team-??????",
            SEPARATE.replace("CONDITION", ", Condition: {Null: {'aws:SourceVpce': true}}"),
            "not checked",
        ),
        ("registry/team-??????", SEPARATE.replace("!Ref Own", "!Ref Other"), "passed"),
    ],
)
def test_a_role_of_the_template_with_policies_written_by_hand(
    name: str, more: str, status: str, aws: None, run: Callable[..., Run]
) -> None:
    secret()
    more = more.replace("CONDITION", "")
    assert run(OWN_ROLE.replace("NAME", name) + more).rows["role"].startswith(f"{status}: ")


@pytest.mark.parametrize(
    ("boundary", "status"),
    [("secretsmanager:Get*", "passed"), ("s3:*", "failed"), ("!ImportValue Some", "not checked")],
)
def test_a_role_of_the_template_with_a_boundary(
    boundary: str, status: str, aws: None, run: Callable[..., Run]
) -> None:
    secret()
    template = OWN_ROLE.replace("NAME", "registry/*").replace(
        "      Policies:\n", "      PermissionsBoundary: !Ref Cap\n      Policies:\n"
    )
    template += f"""\
  Cap:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: {{Statement: [{{Effect: Allow, Action: {boundary}, Resource: '*'}}]}}
"""
    assert run(template).rows["role"].startswith(f"{status}: ")


def test_what_denies_the_role_in_the_secrets_own_policy(aws: None, run: Callable[..., Run]) -> None:
    arn = secret()

    def deny(principal: object, **more: Any) -> None:
        statement = {"Effect": "Deny", "Principal": principal, "Action": "secretsmanager:Get*"}
        policy = json.dumps({"Statement": [{**statement, "Resource": "*", **more}]})
        boto3.client("secretsmanager").put_resource_policy(SecretId=arn, ResourcePolicy=policy)

    unless = {"ArnNotEquals": {"aws:PrincipalArn": ROLE}}
    others = {"ArnNotEquals": {"aws:PrincipalArn": f"{ROLE}2"}}
    elsewhere = {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}
    for principal, more, status in (
        ("*", {}, "failed"),
        ({"AWS": ROLE}, {}, "failed"),
        ({"AWS": [ACCOUNT_ID]}, {}, "failed"),
        ({"AWS": ROOT}, {}, "failed"),
        ({"AWS": f"{ROLE}2"}, {}, "passed"),
        ("*", {"Condition": others}, "failed"),
        ("*", {"Condition": unless}, "passed"),
        ("*", {"Condition": elsewhere}, "not checked"),
        ("*", {"Action": "secretsmanager:PutSecretValue"}, "passed"),
        ({"Service": "ecs.amazonaws.com"}, {}, "passed"),
    ):
        deny(principal, **more)
        assert run().rows["role"].startswith(f"{status}: "), (principal, more)


def test_what_denies_the_role_in_the_keys_policy(aws: None, run: Callable[..., Run]) -> None:
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    secret(KmsKeyId=key)
    allow = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    deny = {**allow, "Effect": "Deny", "Principal": {"AWS": ROLE}, "Action": "kms:Decrypt"}
    via = {"StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}}
    for statements, status in (
        ([allow], "passed"),
        ([{**allow, "Condition": via}], "passed"),
        ([allow, deny], "failed"),
        ([allow, {**deny, "Condition": via}], "failed"),
        ([allow, {**deny, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": False}}}], "not"),
        ([{**allow, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}], "not"),
    ):
        policy = json.dumps({"Statement": statements})
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
        role = run(KEYED.replace("KEY", key)).rows["role"]
        assert role.startswith(status), statements


def test_a_grant_of_kms_for_a_role_of_the_template(aws: None, run: Callable[..., Run]) -> None:
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    secret(KmsKeyId=key)
    template = OWN_ROLE.replace("NAME", "registry/team-??????")
    assert "allows kms:Decrypt" in run(template).rows["role"]
    kms.create_grant(KeyId=key, GranteePrincipal=ROOT, Operations=["Decrypt"])
    assert run(template).rows["role"].startswith("not checked: No policy lets the role use the")


def test_a_policy_of_the_secret_may_be_enough_for_a_role_of_the_template(
    aws: None, run: Callable[..., Run]
) -> None:
    arn = secret()
    template = OWN_ROLE.replace("NAME", "registry/other-??????")
    for condition, status in (({}, "passed"), ({"Null": {"aws:SourceVpce": "true"}}, "not")):
        allow = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
        policy = json.dumps({"Statement": [{**allow, "Condition": condition}]})
        boto3.client("secretsmanager").put_resource_policy(SecretId=arn, ResourcePolicy=policy)
        assert run(template).rows["role"].startswith(f"{status}")


FARGATE = TEMPLATE.replace("RuntimePlatform", "RequiresCompatibilities: [FARGATE]\n      Runtime")
FARGATE = FARGATE.replace("\n      Runtime:", "\n      RuntimePlatform:")
SERVICE = (
    TEMPLATE
    + """\
  Service:
    Type: AWS::ECS::Service
    Properties: {TaskDefinition: !Ref Task, LaunchType: FARGATE}
"""
)


@pytest.mark.parametrize(
    ("template", "status"),
    [
        (TEMPLATE, "not checked"),
        (FARGATE, "failed"),
        (FARGATE.replace("[FARGATE]", "[EC2, FARGATE]"), "not checked"),
        (SERVICE, "failed"),
        (SERVICE.replace("FARGATE", "EC2"), "not checked"),
    ],
)
def test_a_registry_that_only_this_machine_can_pull_from(
    template: str,
    status: str,
    aws: None,
    run: Callable[..., Run],
    registry: str,
    plain_registry: str,
    front: Front,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret()
    assert run(template).rows["image"].startswith("passed: ")
    plain = run(template.replace("REGISTRY", plain_registry))
    assert plain.rows["image"].startswith(f"{status}: ") and "without TLS" in plain.out
    monkeypatch.setattr(httpsession, "DEFAULT_CA_BUNDLE", PUBLIC)
    for bundle in (PUBLIC, str(front.bundle)):
        monkeypatch.setenv("SSL_CERT_FILE", bundle)
        done = run(template)
        assert done.rows["image"].startswith(f"{status}: "), done.rows
        assert "certificate" in done.rows["image"] and "SSL_CERT_FILE" not in done.out


def test_an_index_of_very_many_platforms_does_not_fill_the_screen() -> None:
    platforms = tuple(f"linux/a{number}" for number in range(45_000))
    assert shown_platforms(platforms) == (
        "linux/a0, linux/a1, linux/a2, linux/a3, linux/a4, linux/a5, linux/a6, linux/a7 and"
        " 44992 more"
    )
    assert shown_platforms(platforms[:2]) == "linux/a0, linux/a1"


def test_the_secret_of_a_pull_through_cache_is_named(aws: None, run: Callable[..., Run]) -> None:
    secret(json.dumps({"username": "reader", "accessToken": "hunter2"}))
    done = run()
    assert "ECR's pull-through cache" in done.rows["secret"] and done.code == 1
    assert "--pull-through-cache" in done.out


def test_half_a_character_in_a_password(aws: None, run: Callable[..., Run]) -> None:
    secret('{"username": "reader", "password": "\\ud800"}')
    done = run()
    assert done.rows["secret"].startswith("not checked: ")
    assert done.rows["image"].startswith("not checked: ")


def test_a_malformed_region_in_an_arn(aws: None, run: Callable[..., Run]) -> None:
    arn = f"arn:aws:secretsmanager:eu west:{ACCOUNT_ID}:secret:registry/team-AbCdEf"
    done = run(BY_HAND, f"Secret={arn}")
    assert {one["status"] for one in done.checks} == {"not checked"}
    assert "InvalidRegionError" in done.rows["secret"]


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"", b"\xff", b"{}", b"[" * 9999])
@pytest.mark.parametrize("status", [200, 403, 502])
def test_the_report_comes_whatever_answers_for_aws(
    body: bytes,
    status: int,
    run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with scripted(lambda _: Reply(status, {"Content-Type": "text/html"}, body)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server.host}")
        done = run()
    assert done.code == 2 and "error: AWS cannot be asked: " in done.err
    assert {one["status"] for one in done.checks} == {"not checked"}
    assert [one["check"] for one in done.checks] == ["secret", "key", "role", "image"]
    reason = done.err.splitlines()[-1].removeprefix("error: AWS cannot be asked: ")
    assert done.rows["secret"] == f"not checked: {reason}" and "sts" in reason


def test_a_call_to_aws_has_a_deadline(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(macro.preflight.aws_account, "CALL_SECONDS", 0.3)
    with scripted(lambda _: Reply(200, {}, b" ", endless=True, pause=0.02)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server.host}")
        done = run()
    assert done.code == 2 and "was not answered within" in done.err
    assert {one["status"] for one in done.checks} == {"not checked"}


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_ENDPOINT_URL": "nonsense"},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token", "AWS_ROLE_ARN": ROLE},
    ],
)
def test_the_report_comes_where_credentials_do_not(
    variables: dict[str, str], run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    if "AWS_ENDPOINT_URL" in variables:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = run()
    assert done.code == 2
    assert {one["status"] for one in done.checks} == {"not checked"}


def test_progress_in_ci_names_the_subject(aws: None, run: Callable[..., Run]) -> None:
    secret()
    lines = run().err.splitlines()
    assert re.fullmatch(r"\d/4 secret registry/team: passed", next(x for x in lines if "secr" in x))
    assert len(lines) == 4


def test_annotations_in_github(
    aws: None, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    err = run(TEMPLATE, "Tag=2").err
    (note,) = [line for line in err.splitlines() if line.startswith("::")]
    file = str(tmp_path / "template.yaml")
    assert note.startswith(f"::error file={file},line=13,col=11,title=image failed::")
    assert "has no tag 2" in note
    assert "::warning" in run(NEW_ROLE).err


def test_no_key_is_a_workflow_command(
    aws: None, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    template = TEMPLATE.replace("Name: web", "Name: '::error::##[error]x'")
    for form in ("text", "json"):
        done = run(template, "Secret=registry/none", format=form)
        assert "::error::" in done.out
        lines = [line for line in (done.out + done.err).splitlines() if "at=" not in line]
        assert "##[" not in done.out + done.err
        assert not any(line.lstrip().startswith("::error::") for line in lines)


@pytest.mark.parametrize(("quiet", "coloured"), [("", True), ("1", False)])
def test_colour_on_a_terminal(
    quiet: str,
    coloured: bool,
    aws: None,
    run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret()
    monkeypatch.setenv("NO_COLOR", quiet)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    out = run(TEMPLATE, "Tag=2", format="text").out
    assert ("\x1b[32mpassed" in out and "\x1b[31mfailed" in out) is coloured
    assert ("\x1b" in out) is coloured


def test_the_value_of_a_hidden_parameter_is_not_shown(aws: None, run: Callable[..., Run]) -> None:
    template = TEMPLATE.replace("Default: registry/team", "NoEcho: true")
    done = run(template, "Secret=team/hunter2")
    assert done.checks[0]["subject"] == "<Secret>"


def test_progress_is_shown_on_a_terminal(
    aws: None, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    done = run()
    assert f"\r[{'#' * 30}] 4/4" in done.err and done.err.endswith("\r\x1b[K")
    assert "\n" not in done.err


def test_control_characters_do_not_reach_the_terminal(aws: None, run: Callable[..., Run]) -> None:
    secret()
    done = run(TEMPLATE.replace("Name: web", 'Name: "a\\e[31m"'), "Tag=2", format="text")
    assert "\x1b" not in done.out and r"Task/a\x1b[31m" in done.out


def test_problems_come_before_any_call(run: Callable[..., Run], aws: None, tmp_path: Path) -> None:
    done = run(TEMPLATE.replace(" Image:", " Imege:"), "Secret=registry/none")
    assert done.code == 1 and done.out == ""
    assert f"{tmp_path}/template.yaml:14:13: PI101 " in done.err
    assert "PI002" in run("a: [\n").err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stack_name": "none"}, "the stack none does not exist in eu-west-1"),
        ({"account": "111122223333"}, f"of the account {ACCOUNT_ID}, not of 111122223333"),
        ({"profile": "none"}, "the profile none does not exist"),
        ({"parameter": ["Sercet=hunter2"]}, "no template has a parameter Sercet"),
    ],
)
def test_wrong_usage(
    options: dict[str, Any], said: str, aws: None, run: Callable[..., Run]
) -> None:
    with pytest.raises((UsageError, AccountError), match=said) as caught:
        run(**options)
    assert "hunter2" not in str(caught.value)


def test_no_region(aws: None, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(AccountError, match="--region"):
        run()


def test_no_credentials(run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "PROFILE", "SESSION_TOKEN"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AccountError, match="there are no credentials"):
        run()


def test_work_is_done_at_once() -> None:
    begun = time.monotonic()
    done = dict(in_threads([lambda: time.sleep(0.2)] * 8))
    assert sorted(done) == list(range(8)) and time.monotonic() - begun < 1


def test_work_that_never_ends_is_not_waited_for() -> None:
    never = Event()
    assert dict(in_threads([lambda: True, never.wait], stall=0.2)) == {0: True}
    never.set()


def test_a_fault_in_a_check_is_not_checked() -> None:
    def fault() -> Finding:
        raise ZeroDivisionError(READER.password)

    assert Check("secret", "x", (), fault).find() == Finding(
        "not checked", "The check ended in a fault (ZeroDivisionError)."
    )


def test_a_fault_of_ours_is_not_taken_for_an_answer() -> None:
    def fault() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(in_threads([fault]))
