"""The steps of action.yml, run as a runner does: bash, with their environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION: Any = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
EXAMPLE = ROOT / "examples" / "conditional-sidecar.yaml"

# The command as the action installs it, from the code at hand.
COMMAND = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from macro.commands.cli import main
sys.exit(main())
"""


class Runner:
    """A folder with templates, and what a step leaves behind."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.summary = folder, folder / "summary.md"
        self.summary.touch()
        program = folder / "temp" / "private-image" / "bin" / "private-image"
        program.parent.mkdir(parents=True)
        program.write_text(COMMAND, "utf-8")
        program.chmod(0o755)

    def run(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        given: dict[str, str] = {
            key: item.get("default", "") for key, item in ACTION["inputs"].items()
        } | inputs

        def value(expression: re.Match[str]) -> str:
            return given[expression[1]]

        environment = {
            key: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", value, text)
            for key, text in STEPS[name]["env"].items()
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[name]["run"]],
            cwd=self.folder,
            env=os.environ
            | environment
            | {
                "GITHUB_ACTIONS": "true",
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "RUNNER_TEMP": str(self.folder / "temp"),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "web.yaml").write_bytes(EXAMPLE.read_bytes())
    return Runner(tmp_path)


def wrong(runner: Runner) -> None:
    template = runner.folder / "stacks" / "web.yaml"
    template.write_text(
        template.read_text("utf-8").replace("Secret: registry/quay", "Secrt: registry/quay"),
        "utf-8",
    )


def test_a_right_template_has_its_picture_in_the_summary(runner: Runner) -> None:
    done = runner.run("Expand", templates="stacks")
    assert done.returncode == 0, done.stderr
    assert "```mermaid\nflowchart" in runner.summary.read_text("utf-8")


def test_a_wrong_template_fails_with_an_annotation(runner: Runner) -> None:
    wrong(runner)
    done = runner.run("Expand", templates="stacks")
    assert done.returncode == 1
    assert "::error file=stacks/web.yaml" in done.stdout + done.stderr


def test_an_expansion_that_is_not_up_to_date_fails(runner: Runner) -> None:
    assert runner.run("Expand", templates="stacks", expanded="expanded").returncode == 1


def test_lint_passes_what_is_right_and_annotates_what_is_wrong(runner: Runner) -> None:
    assert runner.run("Lint", templates="stacks").returncode == 0
    wrong(runner)
    done = runner.run("Lint", templates="stacks")
    assert done.returncode
    assert re.search(
        r"^::error file=stacks/web.yaml,line=\d+,col=\d+,title=EPI101::", done.stdout, re.MULTILINE
    )


def test_verify_needs_no_more_than_the_template_to_report_what_is_wrong(runner: Runner) -> None:
    wrong(runner)
    done = runner.run("Verify", templates="stacks", arguments="--region eu-west-1")
    assert done.returncode
    assert "## Can the tasks pull?" in runner.summary.read_text("utf-8")


def test_no_input_is_put_into_a_script() -> None:
    # It would be run as code: https://docs.github.com/actions/security-for-github-actions
    assert [name for name, step in STEPS.items() if "${{" in step["run"]] == []
