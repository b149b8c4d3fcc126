"""Checks in the account against an emulator that enforces IAM, and what IAM's simulation may say.

The emulator's simulation knows no policies but the role's own, no context and no boundaries, so the
answers that have to do with those are given by botocore's Stubber.
"""

from __future__ import annotations

import argparse
import io
import json
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from emulator import HOST, REGION, Account, Server
from macro.commands.login import login
from macro.commands.verify import verify
from macro.engine.grants.permissions import Permission, document
from macro.preflight import aws_account
from macro.preflight.findings import Finding
from macro.preflight.image_pulls import ExecutionRole
from macro.preflight.role_checks import check_role
from macro.preflight.secret_checks import StoredSecret, check_key, fetch_secret
from registry_server import READER, basic_pusher

ROOT = Path(__file__).parents[2]
ID = "111122223333"
ROLE = f"arn:aws:iam::{ID}:role/exec"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ID}:secret:registry/team-AbCdEf"
KEY = f"arn:aws:kms:{REGION}:{ID}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = f"arn:aws:iam::{ID}:policy/boundary"
READ, DECRYPT = "secretsmanager:GetSecretValue", "kms:Decrypt"
GRANT = (
    Permission(READ, SECRET),
    Permission(DECRYPT, KEY, "secretsmanager.eu-west-1.amazonaws.com"),
)
WELL = Finding("passed", "")


# What IAM's simulation says


def role(**more: Any) -> dict[str, Any]:
    made = {"Path": "/", "RoleName": "exec", "RoleId": "A" * 16, "Arn": ROLE}
    return {"Role": {**made, "CreateDate": "2026-01-01", **more}}


def said(decision: str, **more: Any) -> dict[str, Any]:
    return {"EvaluationResults": [{"EvalActionName": READ, "EvalDecision": decision, **more}]}


def key_policy(*principals: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": principals}, "Action": "kms:*"}
    return {"Policy": json.dumps({"Statement": [statement]})}


def policy(text: str | None = None) -> dict[str, Any]:
    """The resource policy of the secret."""
    return {"ARN": SECRET, "Name": "registry/team", **({"ResourcePolicy": text} if text else {})}


class Stubs:
    """An account whose answers are given one by one, each with the call that must ask for it."""

    def __init__(self) -> None:
        session = boto3.Session("none", "none", region_name=REGION)
        self.account = aws_account.Account(session, REGION, ID)
        self.elsewhere = False  # whether the secret is another account's
        self._stubs: dict[str, Stubber] = {}

    def answer(self, service: str, call: str, answer: dict[str, Any], **sent: Any) -> None:
        if service not in self._stubs:
            self._stubs[service] = Stubber(self.account.client(service))
            self._stubs[service].activate()
        self._stubs[service].add_response(call, answer, sent or None)

    def refuse(self, service: str, call: str, code: str, text: str) -> None:
        self._stubs[service].add_client_error(call, code, text)

    def simulate(self, action: str, arn: str, answer: dict[str, Any], **more: Any) -> None:
        if action == READ and not self.elsewhere:
            self.answer("secretsmanager", "get_resource_policy", policy(), SecretId=SECRET)
        sent = {"PolicySourceArn": ROLE, "ActionNames": [action], "ResourceArns": [arn]}
        policies = {"PolicyInputList": [json.dumps(document(GRANT))]}
        self.answer("iam", "simulate_principal_policy", answer, **{**sent, **policies, **more})

    def check(self, secret: StoredSecret | None = None) -> Finding:
        found = check_role(self.account, ExecutionRole("exec"), secret or secret_with(), GRANT)
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()
        return found


@pytest.fixture
def stubs(models_once: None) -> Stubs:
    return Stubs()


def secret_with(key: str | None = None, elsewhere: bool = False) -> StoredSecret:
    return StoredSecret(WELL, REGION, elsewhere, SECRET, key)


def test_the_grant_to_come_is_simulated(stubs: Stubs) -> None:
    stubs.answer("iam", "get_role", role(), RoleName="exec")
    stubs.simulate(READ, SECRET, said("allowed"))
    assert stubs.check() == Finding("passed", "may read the secret once it has the grant")


def test_the_key_is_simulated_as_secrets_manager_uses_it(stubs: Stubs) -> None:
    described = {"KeyMetadata": {"KeyId": KEY, "Arn": KEY, "KeyManager": "CUSTOMER"}}
    via = "secretsmanager.eu-west-1.amazonaws.com"
    entry = {"ContextKeyName": "kms:ViaService", "ContextKeyType": "string"}
    stubs.answer("iam", "get_role", role())
    stubs.answer("kms", "describe_key", described, KeyId=KEY)
    stubs.simulate(READ, SECRET, said("allowed"))
    stubs.simulate(
        DECRYPT, KEY, said("allowed"), ContextEntries=[{**entry, "ContextKeyValues": [via]}]
    )
    stubs.answer("kms", "get_key_policy", key_policy(f"arn:aws:iam::{ID}:root"))
    assert stubs.check(secret_with(KEY)).status == "passed"


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (said("implicitDeny"), "failed", "none of its policies allows"),
        (said("explicitDeny"), "failed", "one of its policies denies"),
        (
            said("implicitDeny", OrganizationsDecisionDetail={"AllowedByOrganizations": False}),
            "failed",
            "a policy of the organization does not allow",
        ),
        (
            said("implicitDeny", MissingContextValues=["aws:SourceVpce"]),
            "not checked",
            "depends on aws:SourceVpce",
        ),
    ],
)
def test_a_role_that_may_not_read(
    stubs: Stubs, answer: dict[str, Any], status: str, message: str
) -> None:
    stubs.answer("iam", "get_role", role())
    stubs.simulate(READ, SECRET, answer)
    found = stubs.check()
    assert found.status == status and message in found.message


def test_a_permissions_boundary_that_caps_the_role_is_named(stubs: Stubs) -> None:
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": BOUNDARY}
    detail = {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}}
    stubs.answer("iam", "get_role", role(PermissionsBoundary=boundary))
    stubs.simulate(READ, SECRET, said("implicitDeny", **detail))
    found = stubs.check()
    assert found.status == "failed"
    assert found.message.endswith(f"its permissions boundary {BOUNDARY} does not allow {READ}.")


def specific(**more: Any) -> dict[str, Any]:
    """What the simulation says of a resource that is named: beside the decision, not in it."""
    found = {"EvalResourceName": SECRET, "EvalResourceDecision": "allowed", **more}
    return {"ResourceSpecificResults": [found]}


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (said("allowed", **specific()), "passed", ""),
        (said("allowed", **specific(MissingContextValues=["aws:SourceVpce"])), "not", "aws:Source"),
        (said("allowed", **specific(MissingContextValues=["kms:ViaService"])), "passed", ""),
        (said("allowed", MissingContextValues=["aws:SourceIp"]), "not checked", "aws:SourceIp"),
        (said("allowed", **specific(EvalResourceDecision="explicitDeny")), "failed", "denies"),
    ],
)
def test_what_the_simulation_cannot_tell_has_not_passed(
    stubs: Stubs, answer: dict[str, Any], status: str, message: str
) -> None:
    stubs.answer("iam", "get_role", role())
    stubs.simulate(READ, SECRET, answer)
    found = stubs.check()
    assert found.status.startswith(status) and message in found.message


def test_a_secrets_policy_that_names_the_role_is_enough_in_its_account(stubs: Stubs) -> None:
    sent = policy(key_policy(ROLE)["Policy"].replace("kms:*", READ))
    stubs.elsewhere = True  # the answer is given here
    stubs.answer("secretsmanager", "get_resource_policy", sent, SecretId=SECRET)
    stubs.answer("iam", "get_role", role())
    stubs.simulate(READ, SECRET, said("implicitDeny"))
    assert stubs.check().status == "passed"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (None, "failed"),
        (key_policy(ROLE)["Policy"], "failed"),
        (key_policy(ROLE)["Policy"].replace("kms:*", READ), "passed"),
        (key_policy(ID)["Policy"].replace("kms:", "secretsmanager:"), "passed"),
        (key_policy("444455556666")["Policy"].replace("kms:", ""), "failed"),
        (key_policy("*")["Policy"].replace("kms:", ""), "passed"),
        (key_policy("*")["Policy"].replace("kms:", "").replace("Allow", "Deny"), "failed"),
    ],
)
def test_another_accounts_secret_must_let_the_role_in(
    stubs: Stubs, text: str | None, status: str
) -> None:
    stubs.elsewhere = True
    stubs.answer("iam", "get_role", role())
    stubs.simulate(READ, SECRET, said("allowed"))
    stubs.answer("secretsmanager", "get_resource_policy", policy(text), SecretId=SECRET)
    assert stubs.check(secret_with(elsewhere=True)).status == status


def test_what_is_no_answer_about_a_resource_policy_is_not_one_without(stubs: Stubs) -> None:
    stubs.elsewhere = True  # the answer is given here
    stubs.answer("iam", "get_role", role())
    stubs.answer("secretsmanager", "get_resource_policy", {}, SecretId=SECRET)
    assert stubs.check() == Finding(
        "not checked", "The answer of secretsmanager:GetResourcePolicy makes no sense."
    )


ANYBODY = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({}, "passed"),
        (ANYBODY, "not checked"),
        ({"Bool": {"aws:SecureTransport": False}}, "failed"),
    ],
)
def test_a_resource_policy_for_anybody_may_be_enough(
    stubs: Stubs, condition: dict[str, Any], status: str
) -> None:
    allow = {"Effect": "Allow", "Principal": "*", "Action": READ, "Condition": condition}
    stubs.elsewhere = True  # the answer is given here
    stubs.answer("iam", "get_role", role())
    sent = policy(json.dumps({"Statement": [allow]}))
    stubs.answer("secretsmanager", "get_resource_policy", sent, SecretId=SECRET)
    stubs.simulate(READ, SECRET, said("implicitDeny"))
    assert stubs.check().status == status


def kms_grant(principal: str, *operations: str) -> dict[str, Any]:
    return {"Grants": [{"GranteePrincipal": principal, "Operations": list(operations)}]}


NOBODY = dict[str, Any](Grants=[])
ROOT_OF_ID = f"arn:aws:iam::{ID}:root"


@pytest.mark.parametrize(
    ("simulated", "principal", "grants", "status"),
    [
        ("implicitDeny", ROOT_OF_ID, [NOBODY, NOBODY], "failed"),
        ("allowed", f"{ROLE}2", [NOBODY, NOBODY], "failed"),
        ("implicitDeny", ROOT_OF_ID, [kms_grant(ROLE, "Encrypt"), NOBODY], "failed"),
        ("implicitDeny", ROOT_OF_ID, [kms_grant(ROLE, "Encrypt", "Decrypt")], "not checked"),
        ("allowed", f"{ROLE}2", [kms_grant(ROLE, "Decrypt")], "not checked"),
        ("allowed", f"{ROLE}2", [NOBODY, kms_grant(ROOT_OF_ID, "Decrypt")], "not checked"),
        ("explicitDeny", ROOT_OF_ID, [], "failed"),  # which no grant outweighs
        ("allowed", ROOT_OF_ID, [], "passed"),
    ],
)
def test_a_grant_of_kms_may_allow_what_no_policy_does(
    stubs: Stubs, simulated: str, principal: str, grants: list[dict[str, Any]], status: str
) -> None:
    with_key(stubs, simulated, principal)
    for asked, answer in zip((ROLE, ROOT_OF_ID), grants, strict=False):
        stubs.answer("kms", "list_grants", answer, KeyId=KEY, GranteePrincipal=asked)
    assert stubs.check(secret_with(KEY)).status == status


def test_without_a_look_at_the_grants_of_kms_nothing_has_failed(stubs: Stubs) -> None:
    with_key(stubs, "implicitDeny", ROOT_OF_ID)
    stubs.refuse("kms", "list_grants", "AccessDeniedException", "")
    found = stubs.check(secret_with(KEY))
    assert found.status == "not checked" and "kms:ListGrants" in found.message


def with_key(stubs: Stubs, simulated: str, principal: str) -> None:
    """The role may read the secret; of its key a simulation and a policy are given."""
    described = {"KeyMetadata": {"KeyId": KEY, "Arn": KEY, "KeyManager": "CUSTOMER"}}
    stubs.answer("iam", "get_role", role())
    stubs.answer("kms", "describe_key", described, KeyId=KEY)
    stubs.simulate(READ, SECRET, said("allowed"))
    entry = {"ContextKeyName": "kms:ViaService", "ContextKeyType": "string"}
    via = {**entry, "ContextKeyValues": ["secretsmanager.eu-west-1.amazonaws.com"]}
    stubs.simulate(DECRYPT, KEY, said(simulated), ContextEntries=[via])
    stubs.answer("kms", "get_key_policy", key_policy(principal))


def test_a_role_of_another_account_is_not_checked(stubs: Stubs) -> None:
    found = check_role(stubs.account, ExecutionRole("exec", "444455556666"), secret_with(), GRANT)
    assert found == Finding(
        "not checked", "The role is of another account.", "Ask its owner to check it."
    )


def test_an_endpoint_that_cannot_be_reached(stubs: Stubs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert stubs.check() == Finding(
        "not checked", "iam:GetRole could not be called (EndpointConnectionError)."
    )


# What Secrets Manager says


@pytest.mark.parametrize(
    ("code", "text", "status", "message"),
    [
        ("ResourceNotFoundException", "", "failed", "It has no current version."),
        ("DecryptionFailure", "", "failed", "Its key does not decrypt it."),
        ("InvalidRequestException", "", "failed", "Its current version cannot be read."),
        ("AccessDeniedException", "", "not checked", f"Your credentials lack {READ}."),
        (
            "AccessDeniedException",
            "Access to KMS is not allowed",
            "not checked",
            f"Your credentials lack {DECRYPT}.",
        ),
        ("InternalServiceError", "", "not checked", f"{READ} failed: InternalServiceError."),
    ],
)
def test_a_secret_whose_value_is_not_given(
    stubs: Stubs, code: str, text: str, status: str, message: str
) -> None:
    stubs.answer("secretsmanager", "describe_secret", {"ARN": SECRET}, SecretId="registry/team")
    stubs.refuse("secretsmanager", "get_secret_value", code, text)
    found = fetch_secret(stubs.account, "registry/team")
    assert (found.finding.status, found.finding.message) == (status, message)
    assert found.login is None


def test_who_manages_a_secret_is_told(stubs: Stubs) -> None:
    described = {"ARN": SECRET, "OwningService": "rds"}
    held = {"SecretString": json.dumps({"username": "a", "password": "b"})}
    stubs.answer("secretsmanager", "describe_secret", described)
    stubs.answer("secretsmanager", "get_secret_value", held)
    assert fetch_secret(stubs.account, "registry/team").finding.message.endswith("rds manages it")


def test_another_accounts_secret_needs_a_key_of_that_account(stubs: Stubs) -> None:
    foreign = SECRET.replace(ID, "444455556666")
    held = {"SecretString": json.dumps({"username": "a", "password": "b"})}
    stubs.answer("secretsmanager", "describe_secret", {"ARN": foreign}, SecretId=foreign)
    stubs.answer("secretsmanager", "get_secret_value", held)
    secret = fetch_secret(stubs.account, foreign)
    assert secret.elsewhere and secret.finding.status == "passed"
    assert "must have a customer-managed key" in check_key(stubs.account, secret, None).message
    assert check_key(stubs.account, secret_with(), None).status == "passed"


# An account that enforces IAM

TEMPLATE = """\
Parameters:
  Tag: {Type: String, Default: '1'}
Resources:
  ExecutionRole:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {}}
  TeamSecret:
    Type: AWS::SecretsManager::Secret
    Properties: {KmsKeyId: KEY}
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt ExecutionRole.Arn
      ContainerDefinitions:
        - Name: web
          PrivateImage:
            Image: !Sub REGISTRY/team/web:${Tag}
            Secret: !Ref TeamSecret
            Grant: false
        - Name: other
          PrivateImage: {Image: 'REGISTRY/team/web:1', Secret: !ImportValue Team, Grant: false}
"""


@pytest.fixture(scope="module")
def registry(registry: str) -> str:
    basic_pusher(registry).image("team/web", "1", "linux/amd64")
    return registry


@pytest.fixture
def account(account: Account) -> Account:
    """An account with a stack, in which a secret, its key, a role that may read it; an export."""
    login = json.dumps({"username": READER.username, "password": READER.password})
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    allow = [{"Effect": "Allow", "Action": [READ, DECRYPT], "Resource": "*"}]
    policy = {"PolicyName": "read", "PolicyDocument": {"Statement": allow}}
    trust = {"Effect": "Allow", "Principal": {"AWS": account.id}, "Action": "sts:AssumeRole"}
    there = {
        "Resources": {
            "ExecutionRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {"Statement": [trust]},
                    "Policies": [policy],
                },
            },
            "TeamSecret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"KmsKeyId": key, "SecretString": login},
            },
        },
        "Outputs": {
            "Team": {"Value": {"Fn::GetAtt": ["TeamSecret", "Id"]}, "Export": {"Name": "Team"}}
        },
    }
    account.deploy(there, {})
    return account


DOCUMENT = (ROOT / "docs" / "verify.md").read_text("utf-8")
POLICY, LOGIN_POLICY = map(json.loads, re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL))
for statement in POLICY["Statement"]:
    if "iam:SimulatePrincipalPolicy" in statement["Action"]:
        statement["Resource"] = "*"  # the emulator does not say on which role it is asked for
ACTIONS = [action for statement in POLICY["Statement"] for action in statement["Action"]]


def someone(account: Account, statements: list[dict[str, Any]], name: str) -> dict[str, str]:
    """Credentials, as boto3 finds them, of someone who has these statements in a policy."""
    iam = account.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": account.id}, "Action": "sts:AssumeRole"}
    made = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
    )
    iam.put_role_policy(
        RoleName=name, PolicyName="it", PolicyDocument=json.dumps({"Statement": statements})
    )
    assumed = account.client("sts").assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="it")
    given = assumed["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


@pytest.fixture
def verified(
    account: Account,
    server: Server,
    registry: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """Verifies the template as someone who has these statements in a policy."""
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE.replace("REGISTRY", registry), "utf-8")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{server.port}")
    number = count()

    def run(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for name, value in someone(account, statements, f"someone{next(number)}").items():
            monkeypatch.setenv(name, value)
        absent = ("config_env", "config_file", "settings", "macro_name", "account", "profile")
        lists = ("parameter", "parameter_file", "plain_http", "skip_registry")
        given = {"region": REGION, "stack_name": "example", "format": "json", "strict": False}
        options = {**dict.fromkeys(absent), **{name: [] for name in lists}, **given}
        capsys.readouterr()
        verify(argparse.Namespace(paths=[str(path)], **options))
        out, err = capsys.readouterr()
        assert READER.password not in out + err
        checks: list[dict[str, Any]] = json.loads(out)["checks"]
        return checks

    return run


def test_the_documented_policy_is_enough(
    verified: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
) -> None:
    checks = verified(POLICY["Statement"])
    # The registry of the tests has no TLS, so that no task is sure to reach it.
    images = [one for one in checks if one["check"] == "image"]
    assert images and all("is called without TLS" in one["message"] for one in images)
    rest = [one for one in checks if one["check"] != "image"]
    assert len(rest) == 6 and {one["status"] for one in rest} == {"passed"}, checks


# Not met here: a managed policy of a role whose policies are written by hand; a role that no policy
# lets decrypt (above); and the emulator reads secrets for those who may not use their keys.
NOT_MET = {DECRYPT, "iam:GetPolicy", "iam:GetPolicyVersion", "kms:ListGrants"}


@pytest.mark.parametrize("action", [one for one in ACTIONS if one not in NOT_MET])
def test_an_action_that_is_missing_is_named_and_the_other_checks_are_made(
    action: str, verified: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> None:
    statements = [
        {**one, "Action": [other for other in one["Action"] if other != action]}
        for one in POLICY["Statement"]
    ]
    checks = verified([one for one in statements if one["Action"]])
    statuses = [one["status"] for one in checks]
    assert "failed" not in statuses and "passed" in statuses and "not checked" in statuses
    assert action in json.dumps(checks)


def test_the_documented_policy_is_enough_to_log_in(
    account: Account,
    server: Server,
    registry: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{server.port}")
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    given: dict[str, Any] = {"profile": None, "region": REGION, "secret_name": None}
    given |= {"plain_http": [], "yes": True, "pull_through_cache": False}

    def run(statements: list[dict[str, Any]], name: str) -> int:
        for variable, value in someone(account, statements, name).items():
            monkeypatch.setenv(variable, value)
        data = io.BytesIO(READER.password.encode())
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(data))
        options = {"registry": registry, "username": READER.username, "tag": ["team=web"]}
        return login(argparse.Namespace(**options, **given, kms_key_id=key))

    assert run(LOGIN_POLICY["Statement"], "maker") == 0
    assert run(LOGIN_POLICY["Statement"], "updater") == 0
    actions = ["secretsmanager:DescribeSecret"]
    assert run([{**LOGIN_POLICY["Statement"][0], "Action": actions}], "nobody") == 1
    assert "lack secretsmanager:UpdateSecret" in capsys.readouterr().err
