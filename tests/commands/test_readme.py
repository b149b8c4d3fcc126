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
PAGES = ("deploy.md",)
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
EXPAND = (
    "python3 -m venv .venv && .venv/bin/pip install ."
    " && .venv/bin/private-image expand examples/fargate.yaml"
)
TEST = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/python -m pytest"
COMMANDS = [EXPAND, TEST]


def test_the_diff_is_what_the_command_makes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (diff,) = [text.splitlines() for language, text in BLOCKS if language == "diff"]
    before, after = (
        "".join(f"{line[1:]}\n" for line in diff if line[0] in signs) for signs in (" -", " +")
    )
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
    pages = README + "".join((ROOT / "docs" / name).read_text("utf-8") for name in PAGES)
    commands = [
        shlex.split(line, comments=True)[1:]
        for line in pages.splitlines()
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


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_links_to_files_lead_to_files_and_headings() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
            if target.startswith("https://"):
                continue
            name, _, heading = target.partition("#")
            file = page.parent / name if name else page
            if not file.exists() or (heading and heading not in headings(file)):
                broken.append(f"{page.name}: {target}")
    assert broken == []


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


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
