"""The built function under AWS's runtime client: whatever the event, it answers and lives on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from contract import event
from macro.engine import __version__
from macro.engine.handler import handler
from macro.engine.template.document import Json
from macro.text.source import parse
from runtime_api import Answer, Function

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").iterdir())

Invoke = Callable[[Json], Any]


def template(block: Json, **sections: Json) -> dict[str, Json]:
    """A template with one container and its block."""
    properties: Json = {
        "ExecutionRoleArn": "arn:aws:iam::111122223333:role/exec",
        "ContainerDefinitions": [{"Name": "web", "PrivateImage": block}],
    }
    task: Json = {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}
    return {**sections, "Resources": {"Task": task}}


BLOCK: dict[str, Json] = {"Image": "registry.example.com/team/web:1", "Secret": "registry/team"}


def check_failure(answer: Answer, code: str) -> None:
    """The answer is a failure as CloudFormation takes it, with the code in its message."""
    assert answer.status == "response"
    assert answer.body.keys() == {"requestId", "status", "fragment", "errorMessage"}
    assert isinstance(answer.body["requestId"], str)
    assert answer.body["status"] == "failure"
    assert code in answer.body["errorMessage"]


def check_alive(function: Function) -> None:
    answer = function.invoke(event(template(BLOCK)))
    assert (answer.status, answer.body["status"]) == ("response", "success")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_expands_in_lambda_as_it_does_here(example: Path, invoke: Invoke) -> None:
    written: Any = parse(example.read_bytes(), example.name).template
    del written["Transform"]  # as CloudFormation does
    sent = event(written)
    response = invoke(sent)
    assert response == handler(sent, None)
    assert (response["status"], response["requestId"]) == ("success", sent["requestId"])
    assert response["fragment"] != written


def test_a_template_with_problems_fails_with_their_codes(function: Function) -> None:
    sent = event(template({"Image": "registry.example.com/team/web:1:1", "Secrt": "registry/team"}))
    answer = function.invoke(sent)
    check_failure(answer, "PI101")
    check_failure(answer, "PI202")
    assert answer.body == handler(sent, None)


@pytest.mark.parametrize(
    "junk", [None, True, 1, 1.5, "", "text", [], [[]], {}, {"fragment": []}, {"fragment": "x"}]
)
def test_what_is_no_event_fails(junk: Json, function: Function) -> None:
    check_failure(function.invoke(junk), "PI004")
    check_alive(function)


@pytest.mark.parametrize("fragment", [None, True, 1, "x", [], {}, {"Resources": []}])
def test_what_is_no_fragment_fails(fragment: Json, function: Function) -> None:
    check_failure(function.invoke(event(fragment)), "PI")
    check_alive(function)


@pytest.mark.parametrize("junk", [None, True, 1, "", "x", [], [1], {}, {"x": {}}])
@pytest.mark.parametrize("key", sorted(event(None).keys() - {"fragment"}))
def test_anything_may_stand_beside_the_fragment(key: str, junk: Json, invoke: Invoke) -> None:
    sent = {**event(template(BLOCK)), key: junk}
    response = invoke(sent)
    assert response == handler(sent, None)
    # Parameters are refused for a whole template, whatever they are.
    assert response["status"] == ("failure" if key == "params" and junk else "success")


@pytest.mark.parametrize("key", sorted(event(None).keys() - {"fragment"}))
def test_anything_beside_the_fragment_may_be_missing(key: str, invoke: Invoke) -> None:
    sent = event(template(BLOCK))
    del sent[key]
    response = invoke(sent)
    assert response == handler(sent, None)
    assert response["status"] == "success"


def test_a_large_fragment(function: Function, invoke: Invoke) -> None:
    sent = event(template(BLOCK, Metadata={"Note": "x" * 1_000_000}))
    assert invoke(sent) == handler(sent, None)
    sent = event(template(BLOCK, Metadata={"Note": "x" * 5_000_000}))
    check_failure(function.invoke(sent), "PI504")
    check_alive(function)


# Where the client's own parser gives up depends on its Python.
@pytest.mark.parametrize("depth", [100, 900, 5_000, 100_000])
@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('{"Fn::If":["C",', ',"x"]}')]
)
@pytest.mark.parametrize("place", ["event", "Metadata", "Secret"])
def test_a_deep_event(
    place: str, opening: str, closing: str, depth: int, function: Function
) -> None:
    deep = f'{opening * depth}"x"{closing * depth}'
    sent = {
        "event": "DEEP",
        "Metadata": event(template(BLOCK, Metadata="DEEP")),
        "Secret": event(template({**BLOCK, "Secret": "DEEP"})),
    }
    answer = function.invoke(json.dumps(sent[place]).replace('"DEEP"', deep).encode())
    if answer.status == "error":
        # The client could not read the event, and told so in our stead.
        assert answer.body["errorType"] == "Runtime.UnmarshalError"
    else:
        # Perhaps too deep to be read here, with the frames of the tests on the stack.
        assert re.search(rb'"status": "(success|failure)"', answer.content)
    check_alive(function)


@pytest.mark.parametrize("payload", [b"", b"{", b'"\xff"'])
def test_lives_on_after_what_is_not_json(payload: bytes, function: Function) -> None:
    # Lambda takes nothing else from a caller; the client answers in our stead.
    assert function.invoke(payload).status == "error"
    check_alive(function)


@pytest.mark.parametrize("place", [{"Description": "\ud800"}, {"\udfff": 1}])
def test_half_a_surrogate_pair_is_a_problem(place: dict[str, Json], function: Function) -> None:
    check_failure(function.invoke(event({**template(BLOCK), **place})), "PI001")
    check_alive(function)


def test_half_a_surrogate_pair_in_the_request_id(function: Function) -> None:
    check_failure(function.invoke({"requestId": "\ud800"}), "PI004")
    check_alive(function)


def test_the_log_holds_nothing_of_the_event(function: Function) -> None:
    token = uuid4().hex
    block: dict[str, Json] = {"Image": f"quay.io/team/{token}", "Secret": f"{token}/team"}
    good = template({**block, "KmsKey": f"alias/{token}"}, Metadata={token: token})
    events = [
        event(good, {token: token}),
        event(template({**block, token: token}), params={token: token}),
        event(template({**block, "Secret": f"arn:aws:ssm:eu-west-1:1:parameter/{token}"})),
        event({"Resources": {token: {"Type": token, "PrivateImage": {token: token}}}}),
        event({token: token}),
        event(token),
    ]
    statuses = []
    for sent in events:
        answer = function.invoke(sent)
        (line,) = map(json.loads, answer.log)
        assert line["request"] == sent["requestId"]
        assert line["outcome"] == line["message"] == answer.body["status"]
        assert line["version"] == __version__
        assert isinstance(line["codes"], list) and bool(line["codes"]) == (
            line["outcome"] == "failure"
        )
        assert (line["containers"], line["grants"]) == (
            (1, 2) if line["outcome"] == "success" else (0, 0)
        )
        assert token not in "".join(answer.log)
        statuses.append(answer.body["status"])
    assert statuses == ["success", *["failure"] * 5]


def test_the_log_holds_nothing_of_what_is_no_event(function: Function) -> None:
    token = uuid4().hex
    events: list[Json] = [token, [token], {token: token}, {"requestId": f"<{token}>"}]
    for payload in (*map(json.dumps, events), token):
        log = function.invoke(payload.encode()).log
        assert [line for line in log if not isinstance(json.loads(line), dict)] == []
        assert token not in "".join(log)
