"""The account's settings: given to expand, and printed for the macro's deployment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from macro.commands.cli import main

SETTINGS = "# of the team\nRegistries:\n  quay.io: {Secret: !Sub 'registry/${AWS::Region}'}\n"
TEMPLATE = """\
Transform: NAME
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: arn:aws:iam::111122223333:role/exec
      ContainerDefinitions:
        - Name: web
          PrivateImage: quay.io/acme/web:1
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("settings.yaml").write_text(SETTINGS, "utf-8")
    Path("a.yaml").write_text(TEMPLATE.replace("NAME", "PrivateImage"), "utf-8")


def test_expand_takes_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["expand", "a.yaml"]) == 1
    assert "PI103" in capsys.readouterr().err
    assert main(["expand", "a.yaml", "--settings", "settings.yaml"]) == 0
    assert "secret:registry/${AWS::Region}" in capsys.readouterr().out


def test_settings_are_printed_as_the_deployment_takes_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["settings", "settings.yaml"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    secret = {"Secret": {"Fn::Sub": "registry/${AWS::Region}"}}
    assert json.loads(out) == {"Registries": {"quay.io": secret}}
    Path("again.json").write_text(out, "utf-8")
    assert main(["settings", "again.json"]) == 0
    assert capsys.readouterr().out == out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "settings.yaml holds no settings"),
        ("a: [", "settings.yaml:2:1: this is neither YAML nor JSON"),
        ("Registries: {}\nRegistries: {}\n", "settings.yaml:1: a key is given twice"),
        ("[" * 999, "settings.yaml nests deeper than"),
        ("Registrys: {}\nRoles: {}\n", "settings.yaml: PI107 "),
        ("Registries: {quay.io: !Ref Secret}\n", "settings.yaml: PI110 "),
    ],
)
@pytest.mark.parametrize("command", [["settings"], ["expand", "a.yaml", "--settings"]])
def test_wrong_settings(
    text: str, message: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("settings.yaml").write_text(text, "utf-8")
    assert main([*command, "settings.yaml"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and f"error: {message}" in err


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("arn:aws:secretsmanager:eu-west-1:111122223333:secret:*", "PI305 "),
        ("'{{resolve:secretsmanager:team}}'", "PI303 "),
        ("arn:aws:s3:::bucket", "PI304 "),
        ("{Secret: team, KmsKey: 'arn:aws:kms:eu-west-1:111122223333:key/*'}", "PI305 "),
    ],
)
def test_a_secret_that_no_template_could_take(
    entry: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"Registries:\n  docker.io: team\n  quay.io/acme: {entry}\n"
    Path("settings.yaml").write_text(text, "utf-8")
    assert main(["settings", "settings.yaml"]) == 2
    out, err = capsys.readouterr()
    at = f"error: settings.yaml: {message}In the account's settings, at Registries.quay.io/acme: "
    assert out == "" and err.startswith(at) and err.count("\n") == 1
    assert "In the account's settings: " not in err


def test_what_is_printed_may_be_within_single_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    text = "ExecutionRole: {Tags: [{Key: owner, Value: \"O'Brien's\"}]}"
    Path("settings.yaml").write_text(text, "utf-8")
    assert main(["settings", "settings.yaml"]) == 0
    out = capsys.readouterr().out
    assert "'" not in out
    assert json.loads(out)["ExecutionRole"]["Tags"][0]["Value"] == "O'Brien's"


def test_settings_that_lambda_does_not_take(capsys: pytest.CaptureFixture[str]) -> None:
    many = "".join(f"  registry{number}.example.com: registry/team\n" for number in range(99))
    Path("settings.yaml").write_text(f"Registries:\n{many}", "utf-8")
    assert main(["settings", "settings.yaml"]) == 2
    assert "error: settings.yaml is too large: " in capsys.readouterr().err
    assert main(["expand", "a.yaml", "--settings", "settings.yaml"]) == 1


def test_the_name_of_the_macro(capsys: pytest.CaptureFixture[str]) -> None:
    template = TEMPLATE.replace("NAME", "[Containers, Other]")
    Path("a.yaml").write_text(template, "utf-8")
    command = ["expand", "a.yaml", "--settings", "settings.yaml", "--macro-name", "Containers"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "Containers," not in out and "Other" in out


def test_what_is_reported_names_the_settings_that_an_entry_came_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, template = tmp_path / "settings.yaml", tmp_path / "template.yaml"
    settings.write_text("Registries: {quay.io: registry/quay, ghcr.io: registry/github}\n", "utf-8")
    template.write_text(
        "Transform: PrivateImage\n"
        "Metadata: {PrivateImage: {Registries: {ghcr.io: registry/own}}}\n"
        "Resources:\n"
        "  Task:\n"
        "    Type: AWS::ECS::TaskDefinition\n"
        "    Properties:\n"
        "      ContainerDefinitions:\n"
        "        - {Name: a, PrivateImage: 'quay.io/team/a:1'}\n"
        "        - {Name: b, PrivateImage: 'ghcr.io/team/b:1'}\n"
        "        - {Name: c, PrivateImage: {Image: 'quay.io/team/c:1', Secret: registry/c}}\n",
        "utf-8",
    )
    command = ["expand", str(template), "--settings", str(settings)]
    assert main([*command, "--format", "json"]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert [one["settings"] for one in file["containers"]] == [["account"], ["template"], []]
    assert main([*command, "--explain"]) == 0
    shown = [line.split("with ")[1] for line in capsys.readouterr().out.splitlines()[-3:]]
    assert shown == [
        "registry/quay, from the account's settings",
        "registry/own, from the template's settings",
        "registry/c",
    ]
