"""The values of parameters, the Region and the account, in every form in which teams have them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import boto3
import pytest

from macro.commands.cli import main
from macro.commands.deployment import Given, context
from macro.commands.exit_codes import UsageError

VALUES = {"Secret": "registry/web", "Image": "quay.io/acme/web:1 2"}

FORMS = {
    "aws cloudformation create-stack": json.dumps(
        [{"ParameterKey": name, "ParameterValue": value} for name, value in VALUES.items()]
        + [{"ParameterKey": "Old", "UsePreviousValue": True}]
    ),
    "aws cloudformation deploy": json.dumps([f"{name}={value}" for name, value in VALUES.items()]),
    "CodePipeline": json.dumps({"Parameters": VALUES}),
    "a mapping": json.dumps(VALUES),
    "lines": "# of the team\n\nSecret=registry/web\r\nImage = quay.io/acme/web:1 2\n",
    "with a byte-order mark": "\ufeff" + json.dumps(VALUES),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_parameter_file_in_every_form(form: str, tmp_path: Path) -> None:
    file = tmp_path / "parameters"
    file.write_text(FORMS[form], "utf-8")
    assert context(Given(files=[str(file)]), {}).parameters == VALUES


def test_lists_and_numbers_are_what_cloudformation_gets(tmp_path: Path) -> None:
    file = tmp_path / "parameters.json"
    file.write_text('{"Subnets": ["a", "b"], "Count": 3, "On": true, "Off": null}', "utf-8")
    assert context(Given(files=[str(file)]), {}).parameters == {
        "Subnets": "a,b",
        "Count": "3",
        "On": "true",
    }


OVERRIDES = {
    "a list": '["Secret=registry/web", "Image=\\"quay.io/acme/web:1 2\\""]',
    "one text": '"Secret=registry/web Image=\\"quay.io/acme/web:1 2\\""',
    "the long form": '''"ParameterKey=Secret,ParameterValue=registry/web \\
ParameterKey=Image,ParameterValue='quay.io/acme/web:1 2'"''',
    "a table": '{Secret = "registry/web", Image = "quay.io/acme/web:1 2"}',
}


@pytest.mark.parametrize("form", OVERRIDES)
def test_the_configuration_of_the_sam_cli(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = OVERRIDES[form].replace("\\\n", "")
    text = f"""\
version = 0.1
[prod.global.parameters]
region = "us-east-1"
stack_name = "web"
[prod.deploy.parameters]
region = "cn-north-1"
parameter_overrides = {overrides}
[default.deploy.parameters]
region = "eu-west-1"
"""
    (tmp_path / "samconfig.toml").write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    found = context(Given(environment="prod"), {"AWS_REGION": "us-west-2"})
    assert (found.parameters, found.region) == (VALUES, "cn-north-1")
    found = context(Given(config=str(tmp_path / "samconfig.toml")), {})
    assert (found.parameters, found.region) == ({}, "eu-west-1")


def test_a_later_source_outweighs_an_earlier_one(tmp_path: Path) -> None:
    config, file = tmp_path / "sam.toml", tmp_path / "p.json"
    config.write_text('[default.deploy.parameters]\nparameter_overrides = "A=1 B=1 C=1"', "utf-8")
    file.write_text('{"B": "2", "C": "2"}', "utf-8")
    given = Given(config=str(config), files=[str(file)], pairs=["C=3"])
    assert context(given, {}).parameters == {"A": "1", "B": "2", "C": "3"}


CONFIG = """\
[default]
region = eu-west-1
[profile role]
region = us-east-1
role_arn = arn:aws:iam::444455556666:role/deploy
sso_account_id = 777788889999
[profile sso]
sso_account_id = 777788889999
[profile own]
aws_account_id = 111122223333
region = cn-north-1
[profile "two words"]
region = eu-north-1
[services other]
region = us-west-1
"""
CREDENTIALS = """\
[keys]
region = sa-east-1
aws_access_key_id = hidden
"""


@pytest.fixture
def profiles(tmp_path: Path) -> dict[str, str]:
    """The variables that name AWS's two files."""
    (tmp_path / "config").write_text(CONFIG, "utf-8")
    (tmp_path / "credentials").write_text(CREDENTIALS, "utf-8")
    return {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }


@pytest.mark.parametrize(
    ("given", "variables", "expected"),
    [
        (Given(), {}, ("eu-west-1", None)),
        (Given(profile="role"), {}, ("us-east-1", "777788889999")),
        (Given(), {"AWS_PROFILE": "own"}, ("cn-north-1", "111122223333")),
        (Given(profile="sso"), {"AWS_PROFILE": "own"}, (None, "777788889999")),
        (Given(profile="keys"), {}, ("sa-east-1", None)),
        (Given(profile="two words"), {}, ("eu-north-1", None)),
        (Given(), {"AWS_DEFAULT_PROFILE": "own"}, ("cn-north-1", "111122223333")),
        (Given(), {"AWS_DEFAULT_REGION": "us-west-1"}, ("us-west-1", None)),
        (Given(), {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "x"}, ("us-west-2", None)),
        (Given(), {"AWS_ACCOUNT_ID": "999999999999"}, ("eu-west-1", "999999999999")),
        (
            Given(region="us-gov-west-1", account="123456789012", profile="role"),
            {"AWS_REGION": "us-west-2", "AWS_ACCOUNT_ID": "999999999999"},
            ("us-gov-west-1", "123456789012"),
        ),
    ],
)
def test_region_and_account(
    given: Given,
    variables: dict[str, str],
    expected: tuple[str, str],
    profiles: dict[str, str],
) -> None:
    found = context(given, {**profiles, **variables})
    assert (found.region, found.account) == expected


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AWS_PROFILE": "own"},
        {"AWS_DEFAULT_PROFILE": "keys", "AWS_PROFILE": "own"},
        {"AWS_DEFAULT_PROFILE": "own", "AWS_DEFAULT_REGION": "us-west-1"},
    ],
)
def test_the_region_is_that_of_boto3(
    variables: dict[str, str], profiles: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**profiles, **variables}.items():
        monkeypatch.setenv(name, value)
    assert context(Given(), os.environ).region == boto3.Session().region_name


@pytest.mark.parametrize(
    ("given", "variables", "message"),
    [
        (
            Given(profile="nobody"),
            {},
            "the profile nobody does not exist",
        ),
        (Given(profile="other"), {}, "the profile other does not exist"),
        (
            Given(),
            {"AWS_PROFILE": "nobody"},
            "the profile nobody does not exist",
        ),
        (Given(), {"AWS_REGION": "Europe"}, "AWS_REGION is not a Region's code"),
        (Given(), {"AWS_DEFAULT_REGION": "hidden"}, "AWS_DEFAULT_REGION is not a Region's code"),
        (Given(region="Europe"), {"AWS_REGION": "eu-west-1"}, "--region is not a Region's code"),
        (Given(), {"AWS_ACCOUNT_ID": "hidden"}, "AWS_ACCOUNT_ID is not an account's id"),
        (Given(profile="wrong"), {}, "region in the profile wrong is not a Region's code"),
    ],
)
def test_a_wrong_value_is_blamed_on_where_it_is(
    given: Given, variables: dict[str, str], message: str, profiles: dict[str, str]
) -> None:
    with Path(profiles["AWS_CONFIG_FILE"]).open("a", encoding="utf-8") as file:
        file.write("[profile wrong]\nregion = hidden\n")
    with pytest.raises(UsageError) as raised:
        context(given, {**profiles, **variables})
    assert str(raised.value).startswith(message)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "no section\n", "[default\n", "\x00", "[default]\nregion\n"])
def test_a_configuration_of_aws_that_cannot_be_read_says_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(text, "utf-8")
    found = context(Given(), {"AWS_CONFIG_FILE": str(tmp_path / "config")})
    assert (found.region, found.account) == (None, None)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.json", '{"A": ', "p.json:1:7: this is not JSON"),
        ("p.json", '["hidden"]', "p.json: a parameter is Name=Value, or has ParameterKey"),
        ("p.json", "[1]", "p.json: a parameter is Name=Value"),
        ("p.json", '[{"Key": "hidden"}]', "p.json: a parameter is Name=Value"),
        ("p.json", '"hidden"', "p.json is neither JSON nor lines"),
        ("p.json", "[" * 9000 + "]" * 9000, "p.json contains more than parameters"),
        ("p.json", '{"A": ' * 9000 + "1" + "}" * 9000, "p.json contains more than parameters"),
        ("p.json", '{"A": ' + "1" * 5000 + "}", "p.json contains more than parameters"),
        ("p.env", "hidden\n", "p.env is neither JSON nor lines of the form Name=Value"),
        ("p.json", "\udcff", "p.json is not UTF-8"),
    ],
)
def test_a_parameter_file_that_is_none(
    name: str, text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as raised:
        context(Given(files=[name]), {})
    assert str(raised.value).startswith(said)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Given(files=["nowhere"]), "nowhere cannot be read: No such file or directory"),
        (Given(environment="prod"), "samconfig.toml cannot be read: No such file or directory"),
        (Given(config="bad.toml"), "bad.toml is not TOML"),
        (Given(config="good.toml", environment="prod"), "good.toml has no environment prod"),
        (Given(config="list.toml"), "list.toml: a parameter is Name=Value"),
        (Given(files=["a\0b"]), "a\0b cannot be read"),
        (Given(files=["a" * 300]), "a" * 300 + " cannot be read: File name too long"),
        (Given(config="deep.toml"), "deep.toml is not TOML"),
        (Given(pairs=["=x"]), "-p takes NAME=VALUE"),
        (Given(region="europe"), "--region is not a Region's code"),
        (Given(account="12"), "--account is not an account's id of twelve digits"),
    ],
)
def test_wrong_usage(
    given: Given, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_text("[", "utf-8")
    (tmp_path / "good.toml").write_text("[default.deploy.parameters]\n", "utf-8")
    text = "[default.deploy.parameters]\nparameter_overrides = [1]\n"
    (tmp_path / "list.toml").write_text(text, "utf-8")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 9000 + "]" * 9000, "utf-8")
    with pytest.raises(UsageError) as raised:
        context(given, {})
    assert str(raised.value).startswith(said)


def test_the_command_takes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = Path(__file__).parents[1] / "cases/secret-parameter-name"
    file = tmp_path / "parameters.json"
    file.write_text('{"SecretName": "registry/web", "OfAnotherStack": "x"}', "utf-8")
    assert main(["expand", str(case / "template.yaml"), "--parameter-file", str(file)]) == 0
    assert capsys.readouterr().out == (case / "expanded.yaml").read_text("utf-8")
