"""The handler answers CloudFormation in its contract, whatever it is sent, and logs no content."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract import REQUEST_ID, TransformFailedError, event, processed
from golden_cases import CASES, EXPANDED, expanded, template
from hostile import JSON, damaged
from macro.engine import __version__
from macro.engine import handler as module
from macro.engine.account_settings import (
    SETTINGS_VARIABLE,
    account_settings,
    environment_bytes,
)
from macro.engine.error_message import MESSAGE_LENGTH, error_message
from macro.engine.expand import Context, expand
from macro.engine.handler import handler
from macro.engine.template.document import Json
from macro.engine.template.edits import apply
from macro.engine.template.problems import Problem
from macro.text.source import parse

# CloudFormation itself refuses the others, or could not read them.
TEMPLATES = [case for case in CASES if not case.name.startswith("problem-text-")]

TOKEN = "hunter2"
PREFIX = "Transform 111122223333::PrivateImage failed with: "


def fragment(case: Path) -> Any:
    """The template of a golden case as CloudFormation hands it over: without `Transform`."""
    found: Any = parse(template(case).read_bytes(), case.name).template
    return {key: value for key, value in found.items() if key != "Transform"}


def options(case: Path, name: str) -> list[str]:
    path = case / "options.txt"
    words = path.read_text("utf-8").split() if path.exists() else []
    return [value for option, value in pairwise(words) if option == name]


def asked(case: Path) -> dict[str, Json]:
    """The event of a golden case: it says as much of the deployment as the command is told."""
    parameters: dict[str, Json] = {}
    for pair in options(case, "-p"):
        name, _, value = pair.partition("=")
        parameters[name] = value
    sent = event(fragment(case), parameters)
    said = case / "stderr.txt"
    taken = re.search(
        r"The transform (\w+) is taken", said.read_text("utf-8") if said.exists() else ""
    )
    if taken:  # the case is of a macro with this name
        sent["transformId"] = f"111122223333::{taken[1]}"
    for key, option in (("region", "--region"), ("accountId", "--account")):
        sent[key] = next(iter(options(case, option)), None)
    return sent


def failure(asked: Json) -> str:
    """What CloudFormation shows of the failure, without its own words."""
    with pytest.raises(TransformFailedError) as failed:
        processed(handler(asked, None))
    shown = str(failed.value)
    assert shown.startswith(PREFIX)
    return shown.removeprefix(PREFIX)


# What the macro makes of a template is what the command makes of it.


@pytest.mark.parametrize("case", EXPANDED, ids=lambda case: case.name)
def test_a_golden_template_becomes_what_the_command_writes(case: Path) -> None:
    golden = expanded(case)
    assert golden
    written: Any = parse(golden.read_bytes(), golden.name).template
    written.pop("Transform", None)
    sent = asked(case)
    before = deepcopy(sent)

    assert processed(handler(sent, None)) == written
    assert sent == before


# Of the section that CloudFormation takes out, or that names no macro that it could call.
OF_THE_TRANSFORM = ("problem-parameters-of-the-transform", "problem-transform-nearly-the-name")


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in TEMPLATES
        if case.name.startswith("problem-") and case.name not in OF_THE_TRANSFORM
    ],
    ids=lambda case: case.name,
)
def test_a_golden_template_with_problems_fails_with_their_codes(case: Path) -> None:
    said = (case / "stderr.txt").read_text("utf-8")
    codes = re.findall(r"^\d+:\d+: (PI\d+) (?!warning:)", said, re.MULTILINE)

    shown = failure(asked(case))

    told = re.findall(r"\b(PI\d{3})\b", shown)
    assert told == sorted(told)
    assert set(told) <= set(codes) if "more" in shown else set(told) == set(codes)


def test_parameters_for_the_whole_template_are_a_problem() -> None:
    sent = event(fragment(case("problem-parameters-of-the-transform")), params={"Grant": False})
    assert failure(sent).startswith("PI108 at Transform.Parameters: PrivateImage takes no Param")


@pytest.mark.parametrize(
    ("calls", "left"),
    [
        ("Sidecars", "Sidecars"),
        (["Sidecars", "PrivateImage"], "Sidecars"),
        (["Sidecars", "PrivateImage", "AWS::Include"], ["Sidecars", "AWS::Include"]),
        (["PrivateImage", {"Name": "Sidecars"}], [{"Name": "Sidecars"}]),
    ],
)
def test_a_transform_that_an_emulator_leaves_in_the_fragment_loses_our_name_alone(
    calls: Json, left: Json
) -> None:
    sent = fragment(case("place-ecs-task-definition"))
    assert processed(handler(event({"Transform": calls, **sent}), None)) == {
        "Transform": left,
        **processed(handler(event(sent), None)),
    }


def test_without_shorthand_the_fragment_comes_back() -> None:
    sent: Json = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {}}
    assert processed(handler(event(sent), None)) == sent


# Fn::Transform


def case(name: str) -> Path:
    (found,) = [case for case in CASES if case.name == name]
    return found


def containers(node: Any) -> Iterator[dict[str, Any]]:
    """The mappings that call a macro by `Fn::Transform`."""
    if isinstance(node, dict):
        if "Fn::Transform" in node:
            yield node
        for value in node.values():
            yield from containers(value)
    elif isinstance(node, list):
        for item in node:
            yield from containers(item)


@pytest.mark.parametrize(
    "name", ["fn-transform-on-a-container", "fn-transform-with-all-parameters"]
)
def test_a_call_on_a_container_does_what_the_command_does(name: str) -> None:
    whole = fragment(case(name))
    (container,) = containers(whole)
    call = container.pop("Fn::Transform")

    answer = processed(handler(event(deepcopy(container), params=call["Parameters"]), None))

    container.clear()
    container.update(answer)
    golden = expanded(case(name))
    assert golden and whole == parse(golden.read_bytes(), name).template


def test_a_call_on_the_environment_of_a_project_gets_the_credentials_of_codebuild() -> None:
    environment: Json = {
        "ComputeType": "BUILD_GENERAL1_SMALL",
        "Type": "LINUX_CONTAINER",
        "PrivateImage": {"Image": "quay.io/acme/build:1", "Secret": "registry/quay"},
    }
    assert processed(handler(event(environment, params={"Grant": "false"}), None)) == {
        "ComputeType": "BUILD_GENERAL1_SMALL",
        "Type": "LINUX_CONTAINER",
        "Image": "quay.io/acme/build:1",
        "RegistryCredential": {
            "CredentialProvider": "SECRETS_MANAGER",
            "Credential": "registry/quay",
        },
        "ImagePullCredentialsType": "SERVICE_ROLE",
    }


def test_a_call_on_a_container_without_grant_false_names_the_form_that_grants() -> None:
    block: Json = {"Image": "quay.io/acme/web:1", "Secret": "registry/quay"}
    shown = failure(event({"Name": "web", "PrivateImage": block}))
    assert shown.startswith("PI109 at Fn::Transform: ")
    assert "Write Transform: PrivateImage at the top of the template" in shown


@pytest.mark.parametrize("params", [{}, {"Grant": False}])
def test_a_call_on_something_else_is_a_problem(params: Json) -> None:
    assert failure(event({"TopicName": "x"}, params=params)).startswith("PI105: ")


# The values of parameters


def pulling(parameter: Json) -> Any:
    """A template whose secret is a parameter, declared like this."""
    place = fragment(case("place-ecs-task-definition"))
    container, _ = place["Resources"]["Task"]["Properties"]["ContainerDefinitions"]
    container["PrivateImage"]["Secret"] = {"Ref": "SecretName"}
    return {"Parameters": {"SecretName": parameter}, **place}


def credentials(answer: Any) -> Json:
    container, _ = answer["Resources"]["Task"]["Properties"]["ContainerDefinitions"]
    found: Json = container["RepositoryCredentials"]["CredentialsParameter"]
    return found


def test_the_value_of_a_parameter_decides_the_form() -> None:
    sent = event(pulling({"Type": "String"}), {"SecretName": "registry/web"})
    assert credentials(processed(handler(sent, None))) != {"Ref": "SecretName"}


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ({"Type": "AWS::SSM::Parameter::Value<String>"}, "/registry/secret-name"),
        ({"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/registry/x"}, "/registry/x"),
        ({"Type": "String", "NoEcho": "true"}, "****"),
        ({"Type": "CommaDelimitedList"}, ["registry/web"]),
        ({"Type": "Number"}, 5),
        ({"Type": "String"}, None),
        ({"Type": "String"}, {"Ref": "Other"}),
        ({"Type": {}}, []),
        (None, "registry/web"),
    ],
)
def test_a_value_that_is_not_what_ref_gives_is_not_mistaken_for_it(
    declared: Json, value: Json
) -> None:
    answer = processed(handler(event(pulling(declared), {"SecretName": value}), None))
    assert credentials(answer) == {"Ref": "SecretName"}


def test_the_account_and_the_region_of_the_event_are_those_of_the_stack() -> None:
    sent = pulling({"Type": "String"})
    arn = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:registry/web"
    assert failure(event(sent, {"SecretName": arn})).startswith("PI308 at Resources.Task")
    assert failure(event(sent, {"SecretName": arn}, region="cn-north-1")).startswith("PI307")
    processed(handler(event(sent, {"SecretName": arn}, account="444455556666"), None))


# The account's settings

SETTINGS: dict[str, Json] = {
    "Registries": {
        "quay.io": "registry/quay",
        "registry.example.com": {"Secret": "registry/example", "KmsKey": "alias/registry"},
        "docker.io": {"Secret": "registry/hub", "Grant": False},
    },
    "ExecutionRole": {"Path": "/workloads/", "Tags": [{"Key": "team", "Value": "web"}]},
}


@contextmanager
def deployed_with(settings: str) -> Iterator[None]:
    """A start of the function whose environment has these settings."""
    with patch.dict(os.environ, {SETTINGS_VARIABLE: settings}):
        account_settings.cache_clear()
        try:
            yield
        finally:
            account_settings.cache_clear()


PLAIN: dict[str, Json] = {
    "Resources": {
        "Task": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "ContainerDefinitions": [{"Name": "web", "PrivateImage": "quay.io/acme/web:1"}]
            },
        }
    }
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda case: case.name)
def test_the_answer_is_that_of_the_engine_with_the_same_settings(path: Path) -> None:
    sent = asked(path)
    with deployed_with(json.dumps(SETTINGS)):
        response = handler(sent, None)
    context = Context(
        sent["templateParameterValues"],  # type: ignore[arg-type]
        sent["region"],  # type: ignore[arg-type]
        sent["accountId"],  # type: ignore[arg-type]
        SETTINGS,
        str(sent["transformId"]).rpartition("::")[2],
    )
    expansion = expand(sent["fragment"], context)
    if expansion.problems:
        assert response["status"] == "failure"
    else:
        assert response["fragment"] == apply(sent["fragment"], expansion.edits)


def test_a_name_in_the_settings_is_of_the_account_that_deploys() -> None:
    with deployed_with(json.dumps(SETTINGS)):
        answer = processed(handler(event(PLAIN, account="444455556666"), None))
    (container,) = answer["Resources"]["Task"]["Properties"]["ContainerDefinitions"]
    arn = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
    assert container["RepositoryCredentials"] == {
        "CredentialsParameter": {"Fn::Sub": f"{arn}registry/quay"}
    }


@pytest.mark.parametrize("settings", ["", " ", "{}", "null"])
def test_without_settings_an_image_alone_has_no_secret(settings: str) -> None:
    with deployed_with(settings):
        assert failure(event(PLAIN)).startswith("PI103 at ")


def test_the_settings_are_read_once_in_a_start() -> None:
    with deployed_with(json.dumps(SETTINGS)):
        processed(handler(event(PLAIN), None))
        os.environ[SETTINGS_VARIABLE] = "not read any more"
        processed(handler(event(PLAIN), None))


WRONG_SETTINGS = [
    f"Registries: {TOKEN}",
    "{",
    '{"Registries": {}} {}',
    f'"{TOKEN}"',
    "[]",
    "true",
    "1",
    "NaN",
    '{"Registries": NaN}',
    '{"Registries": []}',
    f'{{"Registries": {{"quay.io": ["{TOKEN}"]}}}}',
    '{"Registries": {"quay.io": {"KmsKey": "x"}}}',
    '{"Registries": {"https://quay.io": "x"}}',
    '{"Registries": {"quay.io": {"Ref": "Secret"}}}',
    '{"Registries": {"quay.io": "x", "quay.io": "y"}}',
    '{"Registry": {}}',
    '{"ExecutionRole": []}',
    '{"ExecutionRole": {"Tags": {"team": "web"}}}',
    '{"ExecutionRole": {"Path": 1}}',
    r'{"Registries": {"quay.io": "\ud800"}}',
    '{"Registries":' * 3000 + "1" + "}" * 3000,
    f'{{"Registries": {{"quay.io": {{"username": "u", "password": "{TOKEN}"}}}}}}',
]


@pytest.mark.parametrize("settings", WRONG_SETTINGS, ids=lambda text: text[:40])
def test_wrong_settings_are_an_answer_that_blames_them(
    settings: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with deployed_with(settings):
        shown = failure(event({"Resources": {}}))
    assert shown.startswith("The template may be right: the settings of the macro PrivateImage are")
    assert re.search(r" PI\d{3}: ", shown)
    assert len(shown) <= MESSAGE_LENGTH and shown.isprintable()
    line = logged(caplog)
    assert (line["level"], line["outcome"]) == ("ERROR", "settings")
    assert line["codes"]
    assert TOKEN not in shown + str(vars(caplog.records[0]))


def test_many_mistakes_in_the_settings_are_counted() -> None:
    registries = {f"https://{number}.example.com": "x" for number in range(100)}
    with deployed_with(json.dumps({"Registries": registries})):
        shown = failure(event(PLAIN))
    assert len(shown) <= MESSAGE_LENGTH
    assert " 100 problems. (1) PI107: " in shown and shown.endswith(" more")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON | st.fixed_dictionaries({}, optional={"Registries": JSON, "ExecutionRole": JSON}))
def test_any_settings_get_an_answer_within_the_contract(account: Json) -> None:
    with deployed_with(json.dumps(account)):
        within_the_contract(event(PLAIN))


@pytest.mark.parametrize("text", ["", "x", '{"Registries":{"quay.io":"registry/quay"}}', "\n\\"])
def test_the_environment_is_measured_as_lambda_does(text: str) -> None:
    measured = json.dumps({SETTINGS_VARIABLE: text}, separators=(",", ":"))
    assert environment_bytes(text) == len(measured.encode())


# The macro's name


def test_a_macro_of_another_name_takes_its_own_calls_alone() -> None:
    sent = {**event(PLAIN), "transformId": "111122223333::PrivateImageNext"}
    own: dict[str, Json] = {"Transform": ["PrivateImageNext", "Sidecars"]}
    block: Json = {"Image": "quay.io/acme/web:1", "Secret": "registry/quay"}
    task: Any = deepcopy(PLAIN)
    (container,) = task["Resources"]["Task"]["Properties"]["ContainerDefinitions"]
    container["PrivateImage"] = block
    sent["fragment"] = {**own, **task}
    assert processed(handler(sent, None))["Transform"] == "Sidecars"


def test_a_call_of_a_macro_of_another_name_on_a_container_needs_no_role() -> None:
    container: Json = {
        "Name": "web",
        "PrivateImage": {"Image": "quay.io/acme/web:1", "Secret": "registry/quay"},
    }
    sent = {
        **event(container, params={"Grant": False}),
        "transformId": "111122223333::PrivateImageNext",
    }
    answer = processed(handler(sent, None))
    assert answer["Image"] == "quay.io/acme/web:1"
    assert "RepositoryCredentials" in answer and "PrivateImage" not in answer


# Limits


def large(size: int) -> Any:
    """A template with shorthand that has about so many bytes."""
    sent = fragment(case("place-ecs-task-definition"))
    return {**sent, "Outputs": {"Large": {"Value": "x" * size}}}


def test_a_template_that_gets_too_large_is_a_problem() -> None:
    assert failure(event(large(1_048_576))).startswith("PI504: Expanded, the template would have")
    processed(handler(event(large(1_000_000)), None))


@given(JSON)
def test_the_size_is_that_of_the_text(template: Json) -> None:
    text = json.dumps(template, ensure_ascii=False, separators=(",", ":"))
    assert module._size(template) == len(text.encode())  # noqa: SLF001 # too large to reach else


def test_too_large_a_template_without_shorthand_is_not_ours_to_judge() -> None:
    sent = {**large(1_048_576), "Resources": {}}
    assert processed(handler(event(sent), None)) == sent


# The message


def problem(code: str = "PI101", name: str = "Task", text: str = "This is wrong.") -> Problem:
    return Problem(code, ("Resources", name, "Properties", 0), text, "Fix it.")


def test_one_problem_stands_alone() -> None:
    assert error_message([problem()]) == (
        "PI101 at Resources.Task.Properties[0]: This is wrong. Fix it."
    )


def test_several_are_numbered_with_the_lowest_code_first() -> None:
    assert error_message([problem("PI504", "B", "Too large."), problem()]) == (
        "2 problems. (1) PI101 at Resources.Task.Properties[0]: This is wrong. Fix it."
        " (2) PI504 at Resources.B.Properties[0]: Too large. Fix it."
    )


def test_the_same_problem_at_several_places_is_reported_once() -> None:
    assert error_message([problem(name="A"), problem(name="B"), problem(name="C")]) == (
        "PI101 at Resources.A.Properties[0] and 2 more places: This is wrong. Fix it."
    )


def test_one_more_place_is_one() -> None:
    assert error_message([problem(name="A"), problem(name="B")]) == (
        "PI101 at Resources.A.Properties[0] and 1 more place: This is wrong. Fix it."
    )


def test_what_does_not_fit_is_counted() -> None:
    message = error_message([problem(text=f"{number} is wrong.") for number in range(100)])
    assert len(message) <= MESSAGE_LENGTH
    told = len(re.findall(r"\(\d+\)", message))
    assert told >= 10
    assert message.startswith("100 problems. (1) ")
    assert message.endswith(f"Fix it. ... and {100 - told} more")


@given(
    st.lists(
        st.builds(problem, st.sampled_from(["PI101", "PI2"]), st.text(), st.text()), min_size=1
    )
)
def test_any_problems_make_one_line_that_cloudformation_can_show(problems: list[Problem]) -> None:
    message = error_message(problems)
    assert message.isprintable()
    assert 0 < len(message) <= MESSAGE_LENGTH


# Whatever is sent

NAMES = ["fragment", "params", "templateParameterValues", "region", "accountId", "transformId"]


@st.composite
def events(draw: st.DrawFn) -> Json:
    """An event in which a few things are not what CloudFormation sends."""
    sent: Any = event(draw(damaged()), draw(st.dictionaries(st.text(), JSON, max_size=3)))
    for name in draw(st.lists(st.sampled_from([*NAMES, "requestId"]), max_size=3)):
        if draw(st.booleans()):
            sent[name] = draw(JSON)
        else:
            sent.pop(name, None)
    return sent  # type: ignore[no-any-return]


def within_the_contract(sent: Json) -> None:
    """Fails where CloudFormation would call the response of the handler malformed."""
    before = deepcopy(sent)
    request_id = sent.get("requestId") if isinstance(sent, dict) else None
    if not isinstance(request_id, str) or not request_id.isprintable():
        request_id = ""
    response = handler(sent, None)
    assert sent == before
    json.dumps(response)
    try:
        processed(response, request_id)
    except TransformFailedError as failed:
        shown = str(failed)
        assert shown.startswith(PREFIX)
        assert "fault of its own" not in shown


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events() | JSON)
def test_any_event_gets_an_answer_within_the_contract(sent: Json) -> None:
    within_the_contract(sent)


# The log


def with_token(node: Any) -> Any:
    """The node with the token in every text that is a value."""
    if isinstance(node, dict):
        return {
            key: value if key in ("Type", "Condition", "Ref") else with_token(value)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [with_token(item) for item in node]
    return f"{node}-{TOKEN}" if isinstance(node, str) else node


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda case: case.name)
def test_no_value_gets_into_the_log_or_the_message(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sent = asked(path)
    sent["fragment"] = with_token(sent["fragment"])
    sent["templateParameterValues"] = with_token(sent["templateParameterValues"])

    response = handler(sent, None)

    assert TOKEN not in response.get("errorMessage", "")
    (record,) = caplog.records
    assert TOKEN not in str(vars(record))
    assert vars(record)["request"] == REQUEST_ID
    assert record.message == response["status"]


def logged(caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    """What the one line of the log says, in the keys that docs/operations.md queries."""
    (record,) = caplog.records
    keys = ("request", "version", "outcome", "codes", "containers", "grants")
    return {"level": record.levelname, **{key: vars(record)[key] for key in keys}}


def test_the_log_counts_containers_and_grants(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    handler(asked(case("registry-table")), None)
    assert logged(caplog) == {
        "level": "INFO",
        "request": REQUEST_ID,
        "version": __version__,
        "outcome": "success",
        "codes": (),
        "containers": 2,
        "grants": 3,
    }


def test_the_log_names_the_codes_of_problems(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    handler(asked(case("problem-all-at-once")), None)
    assert logged(caplog) == {
        "level": "INFO",
        "request": REQUEST_ID,
        "version": __version__,
        "outcome": "failure",
        "codes": ("PI202", "PI305", "PI310", "PI402"),
        "containers": 0,
        "grants": 0,
    }


def test_a_fault_of_ours_is_answered_and_logged_without_content(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError(TOKEN)

    monkeypatch.setattr(module, "expand", broken)

    shown = failure(event({"Resources": {}}))

    assert REQUEST_ID in shown and f"PrivateImage {__version__} failed" in shown
    assert logged(caplog) == {
        "level": "ERROR",
        "request": REQUEST_ID,
        "version": __version__,
        "outcome": "fault",
        "codes": (),
        "containers": 0,
        "grants": 0,
    }
    (record,) = caplog.records
    assert "ValueError" in record.message and "test_handler.py" in record.message
    assert TOKEN not in shown + str(vars(record))


@pytest.mark.parametrize("request_id", ["x" * 65, "a b", "\n", TOKEN + "!", 5, None, {}])
def test_a_request_id_of_another_form_is_not_logged(
    request_id: Json, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    handler({**event({"Resources": {}}), "requestId": request_id}, None)
    (record,) = caplog.records
    assert vars(record)["request"] == "unknown"
