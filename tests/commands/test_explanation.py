"""What an expansion does, in words: each role with what it may read, and each container."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from macro.commands.cli import main
from macro.engine.template.document import Json
from terminal import on_a_terminal

CASES = Path(__file__).parents[1] / "cases"


def explained(case: str, capsys: pytest.CaptureFixture[str], view: str = "--explain") -> str:
    """What is shown for a golden case."""
    template = next((CASES / case).glob("template.*"))
    options = CASES / case / "options.txt"
    arguments = options.read_text("utf-8").split() if options.exists() else []
    assert main(["expand", str(template), view, *arguments]) == 0
    return capsys.readouterr().out


IMAGE = "registry.example.com/team/web:1"

TEXTS = {
    "place-ecs-task-definition": f"""\
ExecutionRole  (in this template)
  reads  RegistrySecret  web

Containers
  web  {IMAGE}.4.2  with RegistrySecret
""",
    "key-alias": f"""\
ExecutionRole  (in this template)
  reads     registry/web    web
  decrypts  alias/registry  via Secrets Manager

Containers
  web  {IMAGE}  with registry/web
""",
    "secret-if-public": f"""\
ExecutionRole  (in this template)
  reads  RegistrySecret  web
  when   IsPrivate

Containers
  web  {IMAGE}  with RegistrySecret (if IsPrivate, else nothing)
""",
    "nothing-to-do": "",
}


@pytest.mark.parametrize(("case", "text"), TEXTS.items())
def test_roles_and_containers(case: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(case, capsys) == text


@pytest.mark.parametrize(
    ("case", "where"),
    [
        ("role-absent", "(added, since none is named)"),
        ("role-arn", "because the role is outside this template"),
        ("role-whose-policies-are-fn-if", "because the role's own Policies are an intrinsic"),
        ("loop-with-the-role-outside", "because it needs the loop's variable"),
        ("circle-through-the-key-policy", "because the secret, its key or the container's"),
    ],
)
def test_why_a_permission_is_where_it_is(
    case: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert where in explained(case, capsys)


def test_each_condition_of_a_role_has_a_block(capsys: pytest.CaptureFixture[str]) -> None:
    text = explained("conditions-of-a-shared-role", capsys)
    always, when_b, _ = text.split("\n\n")
    assert always.splitlines() == [
        "ExecutionRole  (in this template)",
        "  reads  registry/web  Always/web, WhenA/web",
    ]
    assert [line.split() for line in when_b.splitlines()] == [
        ["reads", "registry/b", "WhenB/web"],
        ["when", "B"],
    ]


EXAMPLES = Path(__file__).parents[2] / "examples"


def test_values_are_short_and_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["expand", str(EXAMPLES / "shared-secrets.yaml"), "--explain"]) == 0
    rows = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert [[cell.strip() for cell in row if cell] for row in rows[1:5]] == [
        ["reads", "output QuaySecret of stack central-secrets", "metrics"],
        ["reads", "import central-secrets-DockerHub", "web"],
        ["decrypts", "output Key of stack central-secrets", "via Secrets Manager"],
        ["decrypts", "import central-secrets-Key", "via Secrets Manager"],
    ]


@pytest.mark.parametrize(
    ("secret", "short"),
    [
        ({"Fn::ImportValue": {"Fn::Sub": "${Stage}-a"}}, "import ${Stage}-a"),
        ({"Fn::FindInMap": ["Map", {"Ref": "Stage"}, "Secret"]}, "Map.Stage.Secret"),
        ({"Fn::Select": [1, {"Fn::Split": [";", {"Ref": "Names"}]}]}, "Select(1, Split(;, Names))"),
        ({"Fn::Sub": ["arn:${A}", {"A": {"Ref": "Stage"}}]}, "arn:${Stage}"),
        ({"Fn::Join": ["/", ["arn:a", {"Fn::ImportValue": "b"}]]}, "arn:a/${import b}"),
        ({"Fn::GetAtt": ["Nested", "Outputs.Secret"]}, "Nested.Outputs.Secret"),
    ],
)
def test_an_intrinsic_function_is_short(
    secret: Json, short: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    block = {"Image": "quay.io/a/b:1", "Secret": secret}
    template = {
        "Transform": "PrivateImage",
        "Parameters": {"Stage": {"Type": "String"}, "Names": {"Type": "String"}},
        "Resources": {
            "Nested": {"Type": "AWS::CloudFormation::Stack"},
            "Task": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {"ContainerDefinitions": [{"Name": "web", "PrivateImage": block}]},
            },
        },
    }
    file = tmp_path / "template.json"
    file.write_text(json.dumps(template), "utf-8")
    assert main(["expand", str(file), "--explain"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"  with {short}")


def test_containers_without_a_name_are_numbered_where_there_are_several(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["expand", str(EXAMPLES / "batch-multinode.yaml"), "--explain"]) == 0
    text = capsys.readouterr().out
    assert "  reads  registry/docker-hub  Job#1\n  reads  registry/quay        Job#2\n" in text
    assert main(["expand", str(EXAMPLES / "express-service.yaml"), "--explain"]) == 0
    assert "  reads  registry/docker-hub  Service\n" in capsys.readouterr().out


def test_a_public_registry_is_worth_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template = tmp_path / "template.yaml"
    text = (CASES / "role-arn/template.yaml").read_text("utf-8")
    public = text.replace("registry.example.com/team/web:1", "mcr.microsoft.com/dotnet/runtime:8.0")
    assert public != text
    template.write_text(public, "utf-8")
    assert main(["expand", str(template), "--explain"]) == 0
    assert "(a public registry: it needs no secret)" in capsys.readouterr().out


def test_what_needs_no_grant_is_a_container_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert explained("grant-false", capsys).startswith("Containers\n  web  ")


def test_roles_and_labels_have_colours_on_a_terminal() -> None:
    template = str(CASES / "key-alias/template.yaml")
    seen = on_a_terminal("expand", template, "--explain")
    assert seen.startswith(
        "\x1b[1mExecutionRole\x1b[0m  (in this template)\n  \x1b[36mreads\x1b[0m "
    )
    assert "\x1b" not in on_a_terminal("expand", template, "--explain", NO_COLOR="1")


def test_keys_of_a_template_reach_no_terminal_raw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (CASES / "role-arn/template.yaml").read_text("utf-8")
    hostile = text.replace("Name: web", 'Name: "\\e[31m\\n::warning::x"')
    assert hostile != text
    template = tmp_path / f"a{os.linesep}::error::b\x1b[0m.yaml"
    template.write_text(hostile, "utf-8")
    for view in ("--explain", "--format=mermaid", "--format=json", "--format=sarif"):
        assert main(["expand", str(template), str(template.parent / "none*"), view]) == 2
        assert main(["expand", str(template.parent), view]) == 0
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err
        assert not [line for line in (out + err).splitlines() if line.startswith("::")]


# As a diagram


def test_a_diagram_of_who_may_read_what(capsys: pytest.CaptureFixture[str]) -> None:
    assert explained("secret-if-public", capsys, "--format=mermaid").splitlines() == [
        "flowchart LR",
        '  f0n0["web"]',
        '  f0n1(["ExecutionRole"])',
        '  f0n2[("RegistrySecret")]',
        '  f0n0 -->|"pulls with"| f0n1',
        '  f0n1 -->|"reads when IsPrivate"| f0n2',
    ]


def test_what_could_end_a_text_of_a_diagram_is_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    text = explained("loop-with-the-role-outside", capsys, "--format=mermaid")
    assert "#36;#123;" in text  # of ${Name}
    assert "{" not in text.replace("{{", "")


def test_each_file_has_its_part_of_a_diagram(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["expand", str(CASES.parents[1] / "examples"), "--format=mermaid"]) == 0
    text = capsys.readouterr().out
    assert text.count("flowchart") == 1
    assert text.count("\n  subgraph ") == text.count("\n  end\n") >= 9
