"""The steps of action.yml, run as a runner does: bash, with their environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from environments import alone

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


# The same in an account of moto's, which has one of the example's two secrets.
IN_AN_ACCOUNT = COMMAND.replace(
    "from macro",
    """import boto3, moto
moto.mock_aws().start()
boto3.client("secretsmanager", "eu-west-1").create_secret(
    Name="registry/quay", SecretString='{"username": "reader", "password": "hunter2"}'
)
from macro""",
)


class Runner:
    """A folder with templates, and what a step leaves behind."""

    def __init__(self, folder: Path, temporary: Path | None = None) -> None:
        self.folder, self.summary = folder, folder / "summary.md"
        self.summary.touch()
        self.temporary = temporary or folder / "temp"
        self.program = self.temporary / "private-image" / "bin" / "private-image"

    def install(self, text: str) -> None:
        """Puts a program in the place of the one that the action installs."""
        self.program.parent.mkdir(parents=True, exist_ok=True)
        self.program.write_text(text, "utf-8")
        self.program.chmod(0o755)

    def run(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        given: dict[str, str] = {
            f"inputs.{key}": item.get("default", "") for key, item in ACTION["inputs"].items()
        }
        given |= {f"inputs.{key}": value for key, value in inputs.items()}
        given["github.action_path"] = str(ROOT)

        def value(expression: re.Match[str]) -> str:
            return given[expression[1]]

        environment = {
            key: re.sub(r"\$\{\{ ([\w.]+) \}\}", value, text)
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
                "RUNNER_TEMP": str(self.temporary),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "web.yaml").write_bytes(EXAMPLE.read_bytes())
    runner = Runner(tmp_path)
    runner.install(COMMAND)
    return runner


def wrong(runner: Runner) -> None:
    template = runner.folder / "stacks" / "web.yaml"
    template.write_text(
        template.read_text("utf-8").replace("Secret: registry/quay", "Secrt: registry/quay"),
        "utf-8",
    )


def test_install_gives_the_command_with_what_lint_and_verify_need(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # The environment is kept for later runs, which install nothing but the code at hand.
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    temporary = request.config.cache.mkdir(f"action-{version}")
    runner = Runner(tmp_path, temporary)
    with alone(temporary / "lock"):
        done = runner.run("Install")
        assert done.returncode == 0, done.stderr
        shutil.copy(EXAMPLE, tmp_path / "web.yaml")
        assert runner.run("Lint", templates="web.yaml").returncode == 0
        done = runner.run("Verify", templates="web.yaml")
    assert done.stderr == "error: the Region is not known: name it with --region\n"


def test_a_right_template_has_its_table_and_its_picture_in_the_summary(runner: Runner) -> None:
    done = runner.run("Expand", templates="stacks")
    assert done.returncode == 0, done.stderr
    summary = runner.summary.read_text("utf-8")
    rows = ("    ExecutionRole  (in this template)", "      reads  registry/quay  metrics")
    assert "\n".join(("", *rows, "")) in summary
    assert "\n```mermaid\nflowchart" in summary


def test_a_wrong_template_fails_with_an_annotation(runner: Runner) -> None:
    wrong(runner)
    done = runner.run("Expand", templates="stacks")
    assert done.returncode == 1
    assert "::error file=stacks/web.yaml" in done.stdout + done.stderr
    assert runner.summary.read_text("utf-8") == ""


def test_an_expansion_that_is_not_up_to_date_fails_with_its_summary(runner: Runner) -> None:
    done = runner.run("Expand", templates="stacks", expanded="expanded")
    assert done.returncode == 1
    assert "expanded/web.yaml: not up to date" in done.stderr
    assert "```mermaid" in runner.summary.read_text("utf-8")


def test_a_name_ends_no_block_of_the_summary(runner: Runner) -> None:
    template = runner.folder / "stacks" / "web.yaml"
    text = template.read_text("utf-8").replace("Name: metrics", "Name: '``` <b>'")
    template.write_text(text, "utf-8")
    assert runner.run("Expand", templates="stacks").returncode == 0
    summary = runner.summary.read_text("utf-8")
    assert "registry/quay  ``` <b>" in summary
    assert re.findall(r"^```.*$", summary, re.MULTILINE) == ["```mermaid", "```"]


def test_a_picture_that_github_does_not_draw_is_left_out(runner: Runner) -> None:
    runner.install(
        "#!/usr/bin/env bash\n"
        "case $* in *mermaid) printf 'x%.0s' {1..50001} ;; *) echo table ;; esac\n"
    )
    assert runner.run("Expand", templates="stacks").returncode == 0
    assert runner.summary.read_text("utf-8") == "## Who may read what\n\n    table\n\n"


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


def test_verify_that_passes_shows_each_result(runner: Runner) -> None:
    runner.install(IN_AN_ACCOUNT)
    options = "--region eu-west-1 -p WithMetrics=true --skip-registry quay.io"
    done = runner.run("Verify", templates="stacks", arguments=options)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = runner.summary.read_text("utf-8")
    assert re.search(r"^    passed +secret +registry/quay$", summary, re.MULTILINE)
    assert "hunter2" not in summary + done.stdout + done.stderr


def test_verify_that_fails_annotates_the_line(runner: Runner) -> None:
    runner.install(IN_AN_ACCOUNT.replace("registry/quay", "registry/other"))
    options = "--region eu-west-1 -p WithMetrics=true --skip-registry quay.io"
    done = runner.run("Verify", templates="stacks", arguments=options)
    assert done.returncode == 1
    summary = runner.summary.read_text("utf-8")
    assert re.search(r"^    failed +secret +registry/quay$", summary, re.MULTILINE)
    assert re.search(r"^::error file=stacks/web.yaml,line=\d+", done.stderr, re.MULTILINE)


def test_the_page_lists_the_inputs() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8").partition("### GitHub Action")[2]
    section = page.partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(ACTION["inputs"])
    (used,) = (
        yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    )
    assert used[0]["with"].keys() <= ACTION["inputs"].keys()


def test_no_input_is_put_into_a_script() -> None:
    # It would be run as code: https://docs.github.com/actions/security-for-github-actions
    assert [name for name, step in STEPS.items() if "${{" in step["run"]] == []
