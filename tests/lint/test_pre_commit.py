"""The hooks, as pre-commit runs them: from a git repository of ours, in a project of somebody's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from environments import installed, variables
from lint_cases import BAD, GOOD
from macro.commands.cli import main

Run = Callable[..., subprocess.CompletedProcess[str]]


def run(
    *command: str | Path, cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Runs a program with nothing of the user's own configuration of git."""
    identity = {
        f"GIT_{role}_{name}": value
        for role in ("AUTHOR", "COMMITTER")
        for name, value in (("NAME", "test"), ("EMAIL", "test@example.com"))
    }
    return subprocess.run(
        command,
        cwd=cwd,
        env={**environment, **identity, "GIT_CONFIG_GLOBAL": os.devnull},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
    )


def commit_all(folder: Path, environment: Mapping[str, str]) -> str:
    """Makes a git repository of a folder; its commit."""
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "all")):
        done = run("git", *command, cwd=folder, environment=environment)
        assert done.returncode == 0, done.stdout
    head = run("git", "rev-parse", "HEAD", cwd=folder, environment=environment)
    return head.stdout.strip()


@pytest.fixture(scope="module")
def hook(
    request: pytest.FixtureRequest, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """Runs a hook on all files of a project, which are given by name."""
    programs = installed(request.config, "pre-commit")
    environment = {
        **variables(programs),
        "PRE_COMMIT_HOME": str(tmp_path_factory.mktemp("pre-commit")),
        "PIP_NO_COMPILE": "1",  # of all that cfn-lint depends on, the hooks import little
    }
    ours = tmp_path_factory.mktemp("ours") / "project"
    shutil.copytree(project, ours, ignore=shutil.ignore_patterns(".aws-sam"))
    revision = commit_all(ours, environment)

    def run_hook(name: str, *arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path_factory.mktemp("theirs")
        config = f"""\
repos:
  - repo: {ours}
    rev: {revision}
    hooks:
      - id: {name}
        args: {list(arguments)}
        files: ^stacks/
"""
        (folder / ".pre-commit-config.yaml").write_text(config, "utf-8")
        (folder / "stacks").mkdir()
        for stem, text in files.items():
            path = folder / f"stacks/{stem}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        (folder / "other.yaml").write_text("no: template\n", "utf-8")
        commit_all(folder, environment)
        pre_commit = programs / "pre-commit"
        options = ("--all-files", "--color=never")
        return run(pre_commit, "run", *options, cwd=folder, environment=environment)

    return run_hook


def test_lint_passes_what_is_right(hook: Run) -> None:
    done = hook("private-image-lint", web=GOOD, api=GOOD)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^PrivateImage lint\.+Passed$", done.stdout, re.MULTILINE)


def test_lint_tells_what_is_wrong(hook: Run) -> None:
    done = hook("private-image-lint", "--format=parseable", "--", web=GOOD, api=BAD)
    assert done.returncode == 1
    assert "\nstacks/api.yaml:11:13:11:18:EPI101:PrivateImage has no key Grnat." in done.stdout
    assert "web.yaml" not in done.stdout


def test_check_tells_what_is_wrong(hook: Run) -> None:
    assert hook("private-image-check", web=GOOD).returncode == 0
    done = hook("private-image-check", web=GOOD, api=BAD)
    assert done.returncode == 1
    assert "stacks/api.yaml:11:13: PI101 PrivateImage has no key Grnat." in done.stdout


def test_check_holds_a_folder_of_expansions_to_its_sources(
    hook: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "web.yaml").write_text(GOOD, "utf-8")
    assert main(["expand", str(tmp_path / "web.yaml")]) == 0
    expanded = capsys.readouterr().out
    arguments = ("stacks", "--output-dir", "expanded")
    # Base names are equal in the subfolders.
    files = {"a/web": GOOD, "b/web": GOOD, "../expanded/a/web": expanded}
    fresh = {**files, "../expanded/b/web": expanded}
    done = hook("private-image-check", *arguments, **fresh)
    assert done.returncode == 0, done.stdout
    done = hook("private-image-check", *arguments, **files, **{"../expanded/gone": expanded})
    assert done.returncode == 1
    assert "expanded/b/web.yaml: not up to date with stacks/b/web.yaml" in done.stdout
    assert "expanded/gone.yaml: its source does not exist" in done.stdout
    assert "expanded/a/web.yaml: " not in done.stdout
