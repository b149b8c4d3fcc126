"""What people do to the policies that an expansion writes: drawn changes of a template."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any

from evaluator import secret_arn

NO_VALUE = {"Ref": "AWS::NoValue"}
Statement = dict[str, Any]


def worked_over(template: dict[str, Any], random: Random) -> dict[str, Any]:
    """The template with some of its statements changed as people write them."""
    changed = deepcopy(template)
    for holder in list(_lists_of_statements(changed["Resources"])):
        for change in random.sample(CHANGES, random.randint(0, 2)):
            change(holder, changed, random)
        if random.random() < 0.2:
            _alone(holder)
    if random.random() < 0.5:
        _apart(changed, random)
    return changed


def _lists_of_statements(node: Any) -> Iterator[dict[str, Any]]:
    """The policy documents that allow anything on secrets, whose statements are a list."""
    if isinstance(node, list):
        for item in node:
            yield from _lists_of_statements(item)
    elif isinstance(node, dict):
        found = node.get("Statement")
        if isinstance(found, list) and "secretsmanager:GetSecretValue" in str(found):
            yield node
        for value in node.values():
            yield from _lists_of_statements(value)


def _conditions(template: dict[str, Any]) -> list[str]:
    return [name for name in template.get("Conditions", {}) if not name.startswith("Fn::")]


def _plain(document: dict[str, Any], random: Random) -> Statement | None:
    plain = [one for one in document["Statement"] if "Action" in one]
    return random.choice(plain) if plain else None


def _more_actions(document: dict[str, Any], template: dict[str, Any], random: Random) -> None:
    if statement := _plain(document, random):
        more = random.choice(["secretsmanager:DescribeSecret", "kms:Decrypt", "ssm:GetParameters"])
        own = statement["Action"]
        statement["Action"] = [*(own if isinstance(own, list) else [own]), more]


def _more_resources(document: dict[str, Any], template: dict[str, Any], random: Random) -> None:
    if statement := _plain(document, random):
        own = statement["Resource"]
        more: Any = secret_arn("another/one")
        names = _conditions(template)
        if names and random.random() < 0.5:
            more = {"Fn::If": [random.choice(names), more, NO_VALUE]}
        statement["Resource"] = [*(own if isinstance(own, list) else [own]), more]


def _wildcard(document: dict[str, Any], template: dict[str, Any], random: Random) -> None:
    if statement := _plain(document, random):
        every = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:*"
        statement["Resource"] = random.choice(["*", every])


def _keys(document: dict[str, Any], template: dict[str, Any], random: Random) -> None:
    document["Statement"].append({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"})


def _deny(document: dict[str, Any], template: dict[str, Any], random: Random) -> None:
    denied = {"Effect": "Deny", "Action": "secretsmanager:*", "Resource": secret_arn("another/one")}
    document["Statement"].append(denied)


def _anywhere(document: dict[str, Any], template: dict[str, Any], random: Random) -> None:
    if statement := _plain(document, random):
        statement.pop("Condition", None)


def _in_one_case(document: dict[str, Any], template: dict[str, Any], random: Random) -> None:
    names = _conditions(template)
    if names:
        index = random.randrange(len(document["Statement"]))
        branches = [document["Statement"][index], NO_VALUE]
        random.shuffle(branches)
        document["Statement"][index] = {"Fn::If": [random.choice(names), *branches]}


def _alone(document: dict[str, Any]) -> None:
    if len(document["Statement"]) == 1 and "Action" in document["Statement"][0]:
        document["Statement"] = document["Statement"][0]


def _apart(template: dict[str, Any], random: Random) -> None:
    """A policy of a role becomes a resource of its own, which something may wait for."""
    resources = template["Resources"]
    for name, body in list(resources.items()):
        policies = body.get("Properties", {}).get("Policies") if isinstance(body, dict) else None
        if not isinstance(body, dict) or body["Type"] != "AWS::IAM::Role":
            continue
        if not isinstance(policies, list) or not policies or "PolicyName" not in policies[-1]:
            continue
        policy = policies.pop()
        if not policies:
            del body["Properties"]["Policies"]
        own = {"Type": "AWS::IAM::Policy", "Properties": {**policy, "Roles": [{"Ref": name}]}}
        if "Condition" in body:
            own["Condition"] = body["Condition"]
        resources[f"{name}Apart"] = own
        return


CHANGES: list[Callable[[dict[str, Any], dict[str, Any], Random], None]] = [
    _more_actions,
    _more_resources,
    _wildcard,
    _keys,
    _deny,
    _anywhere,
    _in_one_case,
]
