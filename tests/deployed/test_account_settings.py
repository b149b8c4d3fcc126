"""One function and its settings for several accounts: each gets the secret of its own."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest

from contract import event, processed
from emulator import REGION, Account, Json, Server
from macro_stack import MacroStack

ACCOUNTS = count(666677778888)
IMAGE = "quay.io/prometheus/node-exporter:v1.8.2"
SETTINGS = json.dumps({"Registries": {"quay.io": "registry/quay"}})
TEMPLATE: Json = {
    "Resources": {
        "Task": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "ContainerDefinitions": [{"Name": "web", "Memory": 128, "PrivateImage": IMAGE}]
            },
        }
    }
}


@pytest.fixture
def shared(server: Server, sam: Path, artefact: Path) -> tuple[MacroStack, str]:
    """The macro's stack in an account of its own, and what the macro calls."""
    stack = MacroStack(Account(server, str(next(ACCOUNTS))), sam, artefact)
    return stack, stack.deploy({"Settings": SETTINGS})["MacroFunctionName"]


def test_each_account_reads_its_own_secret_of_the_name_in_the_settings(
    server: Server, shared: tuple[MacroStack, str]
) -> None:
    stack, function = shared
    for account in (Account(server, str(next(ACCOUNTS))) for _ in range(2)):
        manager = account.client("secretsmanager")
        login = json.dumps({"username": "reader", "password": account.id})
        arn = manager.create_secret(Name="registry/quay", SecretString=login)["ARN"]
        manager.create_secret(Name="registry/quay-others", SecretString="not for this one")
        sent = event(TEMPLATE, region=REGION, account=account.id)

        account.deploy(processed(stack.call(function, sent)), {})

        ((image, role), secret) = next(iter(account.containers().items()))
        assert (image, arn.startswith(f"{secret}-")) == (IMAGE, True)
        session = account.assume(role)
        read = session.may("secretsmanager", "get_secret_value", SecretId=str(secret))
        assert read["SecretString"] == login
        others = session.may("secretsmanager", "get_secret_value", SecretId="registry/quay-others")
        assert others is None


def test_wrong_settings_are_an_answer_of_the_deployed_function(
    server: Server, sam: Path, artefact: Path
) -> None:
    stack = MacroStack(Account(server, str(next(ACCOUNTS))), sam, artefact)
    function = stack.deploy({"Settings": '{"Registry": {}}'})["MacroFunctionName"]
    answer = stack.call(function, event(TEMPLATE))
    assert answer["status"] == "failure"
    assert "the settings of the macro PrivateImage are wrong" in answer["errorMessage"]
    assert "The settings have no key Registry." in answer["errorMessage"]
    # They are parameters: without them, the same stack is right again.
    function = stack.deploy({"Settings": ""})["MacroFunctionName"]
    assert "PI103" in stack.call(function, event(TEMPLATE))["errorMessage"]
