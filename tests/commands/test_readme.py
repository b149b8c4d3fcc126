"""What the README shows is what the command does."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from macro.commands.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
EXPAND = (
    "python3 -m venv .venv && .venv/bin/pip install ."
    " && .venv/bin/private-image expand examples/fargate.yaml"
)
TEST = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/python -m pytest"
COMMANDS = [EXPAND, TEST]


def test_the_template_before_expands_to_the_template_after(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = [text for language, text in BLOCKS if language == "yaml"][:2]
    template = tmp_path / "template.yaml"
    template.write_bytes(before.encode())
    assert main(["expand", str(template)]) == 0
    assert capsys.readouterr() == (after, "")


def test_the_two_commands_stand_in_blocks_of_their_own() -> None:
    shell = [text for language, text in BLOCKS if language == "sh"]
    assert [text for text in shell if "venv" in text] == [f"{command}\n" for command in COMMANDS]


def test_ci_finds_the_two_commands_and_no_other() -> None:
    # .ci/run takes the lines with this beginning, and runs each in an environment of its own.
    found = [line for line in README.splitlines() if line.startswith("python3 -m venv ")]
    assert found == COMMANDS
    assert "grep '^python3 -m venv ' README.md" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_the_commands_that_are_shown_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shell = "".join(text for language, text in BLOCKS if language == "sh")
    commands = [
        shlex.split(line, comments=True)[1:]
        for line in shell.splitlines()
        if line.startswith("private-image expand ")
    ]
    assert len(commands) >= 7
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    for command in commands:
        assert main(command) == 0, command
    assert len(list((tmp_path / "expanded").iterdir())) == len(list((ROOT / "examples").iterdir()))


def test_the_output_that_is_shown_is_the_command_s(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    shown = [text for _, text in BLOCKS if text.startswith("$ private-image expand ")]
    assert len(shown) == 1
    command, _, output = shown[0].partition("\n")
    assert main(shlex.split(command)[2:]) == 0
    assert capsys.readouterr().out == output


def test_every_option_of_expand_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["expand", "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    page = (ROOT / "docs/cli.md").read_text("utf-8")
    assert options - set(re.findall(r"--[a-z-]+", page)) == {"--output", "--parameter"}


def test_the_diagram_of_the_page_is_the_command_s(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/cli.md").read_text("utf-8")
    (diagram,) = re.findall(r"^```mermaid\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    example = str(ROOT / "examples/conditional-sidecar.yaml")
    assert main(["expand", example, "--format", "mermaid"]) == 0
    assert capsys.readouterr().out == diagram
