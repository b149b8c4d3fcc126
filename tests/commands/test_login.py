"""`login`: from the registry's answer to the secret in the account, and nothing of it in sight."""

from __future__ import annotations

import argparse
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

import macro.preflight.aws_account
from macro.commands.cli import main
from macro.commands.exit_codes import UsageError
from macro.commands.login import login
from macro.preflight.aws_account import AccountError
from registry_server import READER, Reply, scripted, unreachable

REGION = "eu-west-1"
HELD = {"username": READER.username, "password": READER.password}


@pytest.fixture
def aws(moto_account: None) -> Any:
    return boto3.client("secretsmanager")


class Run:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(
    registry: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Run]:
    """Logs in to the registry; nothing that is said may hold the password."""

    def run(password: str | bytes = READER.password + "\n", **options: Any) -> Run:
        data = password if isinstance(password, bytes) else password.encode()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        given: dict[str, Any] = {
            "registry": registry,
            "username": READER.username,
            "secret_name": "registry/team",
            "kms_key_id": None,
            "tag": [],
            "yes": False,
            "pull_through_cache": False,
            "plain_http": [],
            "profile": None,
            "region": None,
        }
        code = login(argparse.Namespace(**{**given, **options}))
        out, err = capsys.readouterr()
        for text in (READER.password, READER.basic.split()[1]):
            assert text not in out + err
        return Run(code, out, err)

    return run


def held(aws: Any, name: str = "registry/team") -> Any:
    return json.loads(aws.get_secret_value(SecretId=name)["SecretString"])


def test_a_secret_is_made(aws: Any, run: Callable[..., Run], registry: str) -> None:
    done = run(tag=["team=web", "empty="])
    described = aws.describe_secret(SecretId="registry/team")
    assert done.code == 0 and done.err == ""
    assert done.out == (
        f"{described['ARN']}\n\nIn a container's PrivateImage:\n"
        f"  Image: {registry}/REPOSITORY:TAG\n  Secret: {described['ARN']}\n"
    )
    assert held(aws) == HELD
    tags = [{"Key": "team", "Value": "web"}, {"Key": "empty", "Value": ""}]
    assert described["Tags"] == tags


def test_a_secret_is_named_for_its_registry(aws: Any, run: Callable[..., Run]) -> None:
    with scripted(lambda one: Reply(200 if one.headers.get("Authorization") else 401, ASK)) as it:
        name = it.host.replace(":", "-")
        assert run(registry=it.host, secret_name=None).code == 0
    assert held(aws, f"registry/{name}") == HELD


ASK = {"WWW-Authenticate": "Basic"}


def test_a_key_of_ones_own(aws: Any, run: Callable[..., Run]) -> None:
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    done = run(kms_key_id=key)
    assert done.out.endswith(f"  KmsKey: {key}\n")
    assert aws.describe_secret(SecretId="registry/team")["KmsKeyId"] == key


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_end_of_the_line_is_no_part_of_the_password(
    end: str, aws: Any, run: Callable[..., Run]
) -> None:
    assert run(READER.password + end).code == 0
    assert held(aws) == HELD


def test_nothing_is_stored_of_a_login_that_does_not_work(aws: Any, run: Callable[..., Run]) -> None:
    done = run("wrong")
    assert done.code == 1 and "does not accept the username and password" in done.err
    assert done.out == "" and aws.list_secrets()["SecretList"] == []


def test_a_registry_that_is_down(aws: Any, run: Callable[..., Run]) -> None:
    with unreachable() as host:
        done = run(registry=host)
    assert done.code == 1 and "cannot be reached" in done.err
    assert aws.list_secrets()["SecretList"] == []


def test_a_registry_that_lets_anybody_in(aws: Any, run: Callable[..., Run]) -> None:
    with scripted(lambda _: Reply(200)) as server:
        done = run(registry=server.host)
    assert done.code == 0 and done.err.startswith("warning: ")


def test_nobody_there_to_agree(
    aws: Any, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.create_secret(Name="registry/team", SecretString="before")
    monkeypatch.setattr("macro.commands.login.TERMINAL", "/nowhere/tty")
    done = run()
    assert done.code == 1 and "pass --yes" in done.err
    assert aws.get_secret_value(SecretId="registry/team")["SecretString"] == "before"


@pytest.mark.parametrize(
    ("answer", "code"), [("y", 0), ("Yes", 0), ("n", 1), ("", 1), ("yesterday", 1)]
)
def test_a_secret_that_is_there_is_overwritten_by_agreement(
    answer: str,
    code: int,
    aws: Any,
    run: Callable[..., Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws.create_secret(Name="registry/team", SecretString='"before"')
    terminal = tmp_path / "tty"
    terminal.write_text(f"{answer}\n", "utf-8")
    monkeypatch.setattr("macro.commands.login.TERMINAL", str(terminal))
    done = run()
    assert done.code == code and "The secret registry/team exists. Overwrite it? [y/N]" in done.err
    assert held(aws) == ("before" if code else HELD)


def test_yes_overwrites(aws: Any, run: Callable[..., Run]) -> None:
    made = aws.create_secret(Name="registry/team", SecretString='"before"')
    done = run(yes=True, tag=["team=web"])
    assert done.code == 0 and done.out.startswith(made["ARN"])
    assert held(aws) == HELD
    described = aws.describe_secret(SecretId="registry/team")
    assert described["Tags"] == [{"Key": "team", "Value": "web"}]


def test_a_secret_that_will_be_deleted(aws: Any, run: Callable[..., Run]) -> None:
    aws.create_secret(Name="registry/team", SecretString='"before"')
    aws.delete_secret(SecretId="registry/team")
    done = run(yes=True)
    assert done.code == 1 and "restore-secret" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"registry": "https://quay.io"}, "REGISTRY is a host"),
        ({"registry": "quay.io/acme"}, "REGISTRY is a host"),
        ({"username": "a:b"}, "without a colon"),
        ({"username": ""}, "without a colon"),
        ({"secret_name": "a b"}, "--secret-name"),
        ({"tag": ["team"]}, "--tag"),
        ({"region": "Europe"}, "--region"),
        ({"password": ""}, "no password"),
        ({"password": "\n"}, "no password"),
        ({"password": b"\xff"}, "not UTF-8"),
        ({"password": "one\ntwo\n"}, "more than a password"),
        ({"password": "a" * 20_000}, "more than a password"),
        ({"profile": "none"}, "the profile none does not exist"),
    ],
)
def test_wrong_usage(options: dict[str, Any], said: str, aws: Any, run: Callable[..., Run]) -> None:
    with pytest.raises((UsageError, AccountError), match=said):
        run(**options)


ARGUMENTS = ["login", "quay.io", "--username", "reader", "--password-stdin"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--password", "hunter2", *ARGUMENTS],
        ["hunter2", *ARGUMENTS],
        ["login", "hunter2", *ARGUMENTS[2:]],  # in the place of the registry
        ["login", "reader:hunter2@quay.io", *ARGUMENTS[2:]],
        [*ARGUMENTS, "--password", "hunter2"],
        [*ARGUMENTS, "--password=hunter2"],
        [*ARGUMENTS, "--pass=hunter2"],
        [*ARGUMENTS, "--passwd", "hunter2"],
        [*ARGUMENTS, "--pas", "hunter2"],
        [*ARGUMENTS, "-p", "hunter2"],
        [*ARGUMENTS, "-phunter2"],
        [*ARGUMENTS, "hunter2"],
        [*ARGUMENTS, "--password-stdin=hunter2"],
        [*ARGUMENTS, "--yes=hunter2"],
        [*ARGUMENTS, "--", "hunter2"],
        [*ARGUMENTS, "--region", "hunter2"],
        [*ARGUMENTS, "--secret-name", "hunter2 "],
        [*ARGUMENTS, "--tag", "hunter2"],
        [*ARGUMENTS, "--username", "reader:hunter2"],
        [*ARGUMENTS, "--username", "hunter2\x1b"],
        [*ARGUMENTS, "-u", "reader:hunter2"],
    ],
)
def test_an_argument_that_may_be_a_password_is_not_repeated(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x")))
    try:
        code: object = main(arguments)
    except SystemExit as ended:
        code = ended.code
    out, err = capsys.readouterr()
    assert code == 2 and err and "hunter2" not in out + err


def test_other_commands_repeat_what_they_do_not_take(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong, arguments in (("--checks", ["expand", "login", "--checks"]), ("expnd", ["expnd"])):
        with pytest.raises(SystemExit):
            main(arguments)
        assert wrong in capsys.readouterr().err.splitlines()[-1]


def test_arguments_that_are_missing_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, named in ((["login"], "REGISTRY"), (["login", "--tag"], "--tag")):
        with pytest.raises(SystemExit):
            main(arguments)
        assert named in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(SystemExit):
        main(["verify", "a.yaml", "--tag=team"])
    assert "--tag=team" in capsys.readouterr().err


def intercept(
    monkeypatch: pytest.MonkeyPatch, operation: str, answer: Callable[..., object]
) -> None:
    """Lets an operation of Secrets Manager be answered by a function."""
    made = macro.preflight.aws_account._client  # noqa: SLF001 # where the clients are made

    def client(session: Any, service: str, region: str) -> Any:
        found = made(session, service, region)
        found.meta.events.register(f"before-call.secrets-manager.{operation}", answer)
        return found

    monkeypatch.setattr(macro.preflight.aws_account, "_client", client)


def refuse(monkeypatch: pytest.MonkeyPatch, operation: str, code: str, status: int = 400) -> None:
    """Lets an operation of Secrets Manager be refused."""

    def refused(**_: Any) -> tuple[Any, dict[str, Any]]:
        response = type("Response", (), {"status_code": status})
        error = {"Code": code, "Message": READER.password}
        return response, {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}

    intercept(monkeypatch, operation, refused)


@pytest.mark.parametrize(
    ("operation", "exists", "reported", "updated"),
    [
        ("TagResource", True, "was updated, but not tagged", True),
        ("UpdateSecret", True, "Nothing was written", False),
        ("CreateSecret", False, "Nothing was written", False),
        ("DescribeSecret", True, "Nothing was written", False),
    ],
)
def test_a_refusal_says_what_is_written(
    operation: str,
    exists: bool,
    reported: str,
    updated: bool,
    aws: Any,
    run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if exists:
        aws.create_secret(Name="registry/team", SecretString='"before"')
    refuse(monkeypatch, operation, "AccessDeniedException")
    done = run(yes=True, tag=["team=web"])
    assert done.code == 1 and done.out == ""
    assert reported in done.err and f"lack secretsmanager:{operation}" in done.err
    if exists:
        assert held(aws) == (HELD if updated else "before")


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize(
    ("operation", "exists", "reported"),
    [
        ("DescribeSecret", True, "Nothing was written."),
        ("CreateSecret", False, "It is not known whether the secret was written."),
        ("UpdateSecret", True, "It is not known whether the secret was written."),
        ("TagResource", True, "was updated. It is not known whether it was tagged."),
    ],
)
def test_a_signal_leaves_word_of_what_is_written(
    operation: str,
    exists: bool,
    reported: str,
    signal: type[BaseException],
    aws: Any,
    run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if exists:
        aws.create_secret(Name="registry/team", SecretString='"before"')

    def end(**_: Any) -> None:
        raise signal

    intercept(monkeypatch, operation, end)
    with pytest.raises(signal):
        run(yes=True, tag=["team=web"])
    assert capsys.readouterr().err.endswith(f"{reported}\n")


def test_an_output_that_is_full_does_not_hide_what_is_written(
    aws: Any,
    run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stdout", Full())
    with pytest.raises(OSError, match="No space left"):
        run()
    assert held(aws) == HELD
    assert "registry/team" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_what_names_a_profile_is_blamed_for_it(
    variable: str, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "none")
    with pytest.raises(AccountError, match=rf"the profile none .* named by {variable}$"):
        run()
    with pytest.raises(AccountError, match=r"the profile other .* named by --profile$"):
        run(profile="other")


@pytest.mark.parametrize(
    ("code", "status", "reported"),
    [
        ("LimitExceededException", 400, "Nothing was written. secretsmanager:CreateSecret failed"),
        ("InternalServiceError", 500, "It is not known whether the secret was written. secrets"),
        ("504", 504, "It is not known whether the secret was written. secretsmanager:CreateSecret"),
        ("400", 400, "It is not known whether the secret was written. secretsmanager:CreateSecret"),
    ],
)
def test_what_may_have_been_written_is_not_said_to_be_not(
    code: str,
    status: int,
    reported: str,
    aws: Any,
    run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse(monkeypatch, "CreateSecret", code, status)
    done = run()
    assert done.code == 1 and done.err.startswith(f"error: {reported}")


def test_a_secret_for_ecrs_pull_through_cache(aws: Any, run: Callable[..., Run]) -> None:
    with scripted(lambda one: Reply(200 if one.headers.get("Authorization") else 401, ASK)) as it:
        name = f"ecr-pullthroughcache/{it.host.replace(':', '-')}"
        options = {"registry": it.host, "pull_through_cache": True}
        assert run(**options, secret_name=None).code == 0
        assert held(aws, name) == {**HELD, "accessToken": HELD["password"]}
        with pytest.raises(UsageError, match="ecr-pullthroughcache/"):
            run(**options)


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-central-1"}, "eu-central-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
    ],
)
def test_the_region_is_that_of_every_command(
    variables: dict[str, str],
    region: str,
    aws: Any,
    run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run().out.startswith(f"arn:aws:secretsmanager:{region}:")
    assert run(region="ap-south-1").out.startswith("arn:aws:secretsmanager:ap-south-1:")
    monkeypatch.setenv("AWS_REGION", "Europe")
    with pytest.raises(AccountError, match="AWS_REGION does not name a Region"):
        run()


def test_a_proxys_fault_is_the_proxys(
    aws: Any, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    with unreachable() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
        done = run(registry="registry.invalid")
    assert done.code == 1 and "The proxy between here and registry.invalid" in done.err


DRIVER = """
import argparse, sys
from macro.commands.login import login
names = "secret_name kms_key_id profile region".split()
options = argparse.Namespace(**dict.fromkeys(names), tag=[], yes=False, plain_http=[])
options.pull_through_cache = False
options.registry, options.username = sys.argv[1:]
login(options)
"""


def test_a_password_that_is_typed_is_not_shown(registry: str) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, registry, READER.username],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
    )
    os.close(theirs)
    shown = b""
    while b"Password: " not in shown:
        shown += os.read(ours, 1000)
    os.write(ours, b"wrong but secret\n")
    while b"does not accept" not in shown:
        shown += os.read(ours, 1000)
    process.wait(30)
    os.close(ours)
    assert b"secret" not in shown
