"""Help, shell completion and what the package says of itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cfnlint.config import CliArgs

from macro.commands.arguments import LINT_FORMATS, LINT_LEVELS, SHELLS, parser
from macro.commands.cli import main

ROOT = Path(__file__).parents[2]
COMMANDS = ("expand", "adopt", "verify", "login", "lint", "settings", "completion")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(autouse=True)
def _a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The help, which ends the command, as argparse does but for lint."""
    if arguments == ("lint",):
        assert main(["lint", "--help"]) == 0
    else:
        with pytest.raises(SystemExit, match="0"):
            main([*arguments, "--help"])
    return capsys.readouterr().out


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(re.findall(r"^    (\w+)(?: |$)", shown(capsys), re.MULTILINE)) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, command)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    options, examples = text.split("\nexamples:\n")
    assert len(re.findall(rf"\bprivate-image {command} ", examples)) >= 2
    without = [
        entry
        for entry in re.split(r"\n  (?=-)", options)[1:]
        if "default:" not in entry and not entry.startswith("-h")
    ]
    assert without == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_parser_of_one_command_says_what_that_of_all_does(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = []
    for only in (command, None, "expnd"):
        with pytest.raises(SystemExit, match="0"):
            parser(only).parse_args([command, "--help"])
        texts.append(capsys.readouterr().out)
    assert len(set(texts)) == 1
    other = COMMANDS[COMMANDS.index(command) - 1]
    with pytest.raises(SystemExit, match="2"):
        parser(command).parse_args([other, "--help"])


def test_help_of_lint_needs_no_cfn_lint() -> None:
    program = "import sys\nsys.modules['cfnlint'] = None\nfrom macro.commands.cli import main\n"
    command = [sys.executable, "-c", f"{program}sys.exit(main(['lint', '--help']))"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"\n  private-image lint ", done.stdout)) >= 2
    assert "pip install 'private-image-macro[lint]'" in done.stdout


def test_help_of_lint_shows_options_that_cfn_lint_has(capsys: pytest.CaptureFixture[str]) -> None:
    own = CliArgs([]).parser.format_help()
    ours = shown(capsys, "lint").partition("\nexamples:")[0]
    options = re.findall(r"(?<=[ ,])--?[a-z][a-z-]*", ours)
    assert len(options) > 10
    others = [one for one in options if not re.search(rf"(?<=[ ,]){one}\b", own)]
    assert others == ["--settings"]  # ours
    assert f"{{{','.join(LINT_FORMATS)}}}" in own
    assert f"{{{','.join(LINT_LEVELS)}}}" in own


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_of_every_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "private-image" in script and "output-dir" in script


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["private-image", "ver"], {"verify"}),
        (["private-image", "expand", "--output"], {"--output", "--output-dir"}),
        (["private-image", "login", "--passw"], {"--password-stdin"}),
        (["private-image", "lint", "--reg"], {"--regions"}),
    ],
)
def test_bash_completes(
    typed: list[str], expected: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    words = " ".join(f"'{word}'" for word in typed)
    script = f"""{capsys.readouterr().out}
COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}
function=$(complete -p private-image | sed -n 's/.*-F \\([^ ]*\\).*/\\1/p')
$function private-image '{typed[-1]}' '{typed[-2]}'
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, text=True)
    assert {word.strip() for word in done.stdout.splitlines()} == expected


@pytest.mark.parametrize("command", ["expand", "verify", "settings"])
def test_an_unknown_option_is_reported_with_the_options_of_the_command(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([command, "template.yaml", "--outputdir", "x"])
    error = capsys.readouterr().err
    assert error.startswith(f"usage: private-image {command} ")
    assert error.endswith(
        f"private-image {command}: error: unrecognized arguments: --outputdir x\n"
    )


def test_expand_without_a_file_is_reported_with_its_options(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["expand"])
    error = capsys.readouterr().err
    assert error.startswith("usage: private-image expand ")
    assert error.endswith("private-image expand: error: name a FILE\n")


def test_the_script_is_the_command() -> None:
    assert PROJECT["scripts"] == {"private-image": "macro.commands.cli:main"}
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    assert set(re.findall(r"entry: (\S+)", hooks)) == {"private-image"}


def test_the_package_names_its_authors_and_has_types() -> None:
    assert PROJECT["authors"]
    assert (ROOT / "macro/py.typed").exists()
