"""The command: what it reads and writes, what it says, and how it ends."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from macro.commands.cli import main

TEMPLATE = """\
Transform: PrivateImage
Parameters:
  SecretArn:
    Type: String
    NoEcho: true
    AllowedPattern: arn:.+
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: arn:aws:iam::111122223333:role/exec
      ContainerDefinitions:
        - Name: web
          PrivateImage:
            Image: registry.example.com/team/web:1
            Secret: !Ref SecretArn
"""
UNTOUCHED = "Resources:\n  Topic:   {Type: AWS::SNS::Topic}   # odd\r\n"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE, "utf-8")
    return path


def test_writes_to_standard_output(
    template: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["expand", str(template)]) == 0
    out, err = capfdbinary.readouterr()
    assert b"CredentialsParameter: !Ref SecretArn\n" in out
    assert err == b""


def test_reads_standard_input(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    data = UNTOUCHED.encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["expand", "-"]) == 0
    assert capfdbinary.readouterr().out == data


def test_problems_of_standard_input_name_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a: [\n")))
    assert main(["expand", "-"]) == 1
    assert capsys.readouterr().err.startswith("<stdin>:2:1: PI002 ")


def test_output_replaces_the_file_and_keeps_its_mode(template: Path, tmp_path: Path) -> None:
    output = tmp_path / "expanded.yaml"
    output.write_text("old", "utf-8")
    output.chmod(0o640)
    assert main(["expand", str(template), "-o", str(output)]) == 0
    assert "RepositoryCredentials" in output.read_text("utf-8")
    assert stat.S_IMODE(output.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["expanded.yaml", "template.yaml"]


def test_output_onto_the_input(template: Path) -> None:
    assert main(["expand", str(template), "-o", str(template)]) == 0
    assert "RepositoryCredentials" in template.read_text("utf-8")


def test_nothing_is_written_where_there_is_a_problem(
    template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template.write_text(TEMPLATE.replace("Secret:", "Secrets:"), "utf-8")
    output = tmp_path / "expanded.yaml"
    output.write_text("old", "utf-8")
    assert main(["expand", str(template), "-o", str(output)]) == 1
    assert output.read_text("utf-8") == "old"
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{template}:16:13: PI101 " in err


def test_a_template_that_grows_over_the_limit(
    template: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template.write_text(f"# {'-' * 1_048_400}\n{TEMPLATE}", "utf-8")
    assert main(["expand", str(template)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and f"{template}:2:1: PI504 " in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "SecretArn"], "-p takes NAME=VALUE"),
        (["-p", "Secret=registry/hidden"], "no template has a parameter Secret"),
        (["--region", "Europe"], "--region is not a Region's code"),
        (["--account", "1234"], "--account is not an account's id"),
        (["-o", "/dev/null/expanded.yaml"], "cannot be written: "),
        (["-o", ""], "--output is empty"),
        (["--output-dir", ""], "--output-dir is empty"),
        (["--macro-name", "a b"], "--macro-name is not the name of a macro"),
        (["--settings", "nowhere.yaml"], "nowhere.yaml cannot be read"),
    ],
)
def test_wrong_usage(
    template: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["expand", str(template), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ") and said in err
    assert "hidden" not in err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["expand", "nowhere.yaml"]) == 2
    assert capsys.readouterr().err == (
        "error: nowhere.yaml cannot be read: No such file or directory\n"
    )


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["expand"]])
def test_wrong_usage_of_the_command_line(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_the_value_of_a_parameter_is_never_shown(
    template: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["expand", str(template), "-p", "SecretArn=arn:aws:s3:::hidden"]) == 1
    out, err = capsys.readouterr()
    assert "PI304" in err
    assert "hidden" not in out + err


def run(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "macro", *arguments]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], **options)  # type: ignore[call-overload, no-any-return]


def test_runs_as_a_module(template: Path) -> None:
    process = run("expand", str(template), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"RepositoryCredentials" in out


def test_a_reader_that_goes_away(template: Path) -> None:
    template.write_text(f"# {'-' * 500_000}\n{TEMPLATE}", "utf-8")
    reading, writing = os.pipe()
    os.close(reading)
    process = run("expand", str(template), stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert process.communicate()[1] == b""
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        (["verify", "examples/fargate.yaml", "--region", "eu-west-1"], "boto3", "aws"),
        (["login", "quay.io", "--username", "x", "--password-stdin"], "urllib3", "aws"),
        (["lint", "template.yaml"], "cfnlint", "lint"),
        (["completion", "bash"], "shtab", "completion"),
    ],
)
def test_a_command_without_its_extra_names_it(
    arguments: list[str], package: str, extra: str
) -> None:
    program = f"import sys\nsys.modules[{package!r}] = None\nfrom macro.commands.cli import main\n"
    command = [sys.executable, "-c", f"{program}sys.exit(main(sys.argv[1:]))", *arguments]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
        text=True,
        input="",
    )
    install = f"pip install 'private-image-macro[{extra}]'"
    assert done.stderr == f"error: this command needs {package}: {install}\n"
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify"], "the following arguments are required"),
        (["login", "quay.io"], "the following arguments are required: -u/--username"),
        (["login", "quay.io", "--username", "x", "--password", "hunter2"], "--password-stdin\n"),
        (["login", "quay.io", "--username", "x", "--password=hunter2"], "--password-stdin\n"),
    ],
)
def test_wrong_usage_of_verify_and_login(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    error = capsys.readouterr().err
    assert said in error and "hunter2" not in error


def test_a_key_that_occurs_twice_where_nothing_is_written_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = Path(__file__).parents[1] / "cases/place-ecs-task-definition/template.yaml"
    doubled = "  Queue:\n    Type: AWS::SQS::Queue\n"
    doubled += "    DependsOn: Task\n    DependsOn: ExecutionRole\n"
    file = tmp_path / "template.yaml"
    file.write_text(case.read_text("utf-8") + doubled, "utf-8")
    assert main(["expand", str(file)]) == 0
    output, messages = capsys.readouterr()
    assert output.endswith(doubled)
    assert 'PI003 warning: The key "DependsOn" occurs twice in a mapping' in messages
