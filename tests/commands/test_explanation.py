"""What an expansion does, in words: each container, each permission, and why it stands where."""

from __future__ import annotations

from pathlib import Path

import pytest

from macro.commands.cli import main

CASES = Path(__file__).parents[1] / "cases"
HERE = "in that role's own Policies, so that the role has it before anything can start"


def explained(case: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines for a golden case, without the file's name."""
    template = next((CASES / case).glob("template.*"))
    options = CASES / case / "options.txt"
    arguments = options.read_text("utf-8").split() if options.exists() else []
    assert main(["expand", str(template), "--explain", *arguments]) == 0
    return capsys.readouterr().out.replace(f"{template}:", "").splitlines()


IMAGE = "registry.example.com/team/web:1"
ALIAS = "decrypt with the keys that have the alias alias/registry"

LINES = {
    "place-ecs-task-definition": [
        f"20:13: Task pulls {IMAGE}.4.2 with !Ref RegistrySecret",
        f"20:13: ExecutionRole may read !Ref RegistrySecret for Task: {HERE}",
    ],
    "key-alias": [
        f"21:13: Task pulls {IMAGE} with secret registry/web",
        f"21:13: ExecutionRole may read secret registry/web-?????? and {ALIAS} for Task: {HERE}",
    ],
    "secret-if-public": [
        f"27:13: Task pulls {IMAGE} with !Ref RegistrySecret (where IsPrivate; else nothing)",
        f"27:13: ExecutionRole may read !Ref RegistrySecret for Task, where IsPrivate: {HERE}",
    ],
    "nothing-to-do": [],
}


@pytest.mark.parametrize(("case", "lines"), LINES.items())
def test_a_line_for_each_container_and_each_permission(
    case: str, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert explained(case, capsys) == lines


@pytest.mark.parametrize(
    ("case", "where"),
    [
        ("role-absent", "in a role that is added, since none is named"),
        ("role-arn", "for which it waits, since the role is outside of this template"),
        ("role-whose-policies-are-fn-if", "the role's own Policies are an intrinsic function"),
        ("loop-with-the-role-outside", "it needs the loop's variable, which the role does not"),
        (
            "circle-through-the-key-policy",
            "the secret, its key or the container's resource",
        ),
    ],
)
def test_why_a_permission_stands_where_it_does(
    case: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert where in explained(case, capsys)[-1]


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


def test_what_needs_no_grant_has_no_line_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = explained("grant-false", capsys)
    assert " pulls " in line
