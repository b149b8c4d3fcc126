"""Programs that the tests run as people do, each in an environment of its own."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def installed(config: pytest.Config, requirement: str) -> Path:
    """The directory of the programs that come with a package; it is in an environment of its own,
    which pytest's cache keeps for later runs.

    These packages pin the versions of what the project needs too (`ministack` of botocore,
    `aws-sam-cli` of many), so none of them can be in the environment of the tests. Raises
    CalledProcessError where the package index cannot be reached and the package has not been
    installed before.
    """
    name = f"{requirement}-{sys.version_info.major}.{sys.version_info.minor}"
    return environment(config.cache.mkdir(name), requirement)


def environment(directory: Path, requirement: str) -> Path:
    """The directory of the programs that come with a package, installed into a directory of its
    own; raises as `installed` does."""
    directory.mkdir(parents=True, exist_ok=True)
    programs = directory / "bin"
    with alone(directory.with_name(f"{directory.name}.lock")):
        done = directory / "installed"
        if not done.exists():
            venv.create(directory, clear=True, symlinks=True)
            _install(programs / "python", requirement)
            done.touch()
    return programs


def _install(python: Path, requirement: str) -> None:
    """Installs by uv, which takes a tenth of the time; or else by pip, where uv is not installed or
    finds no package index, since it does not read pip's configuration."""
    uv = [sys.executable, "-m", "uv", "pip", "install", "--python", str(python), requirement]
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    pip += ["install", "--quiet", "--no-compile", requirement]
    if subprocess.run(uv, capture_output=True, check=False).returncode != 0:
        subprocess.run(pip, check=True)


def variables(programs: Path) -> dict[str, str]:
    """The environment in which these programs run: nothing of the user's that they would heed.

    They start many times, so their bytecode is kept, beside them and not in the project's tree.
    """
    heeded = ("AWS_", "GIT_", "SAM_", "PRE_COMMIT_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(heeded)}
    return {**kept, "PYTHONPYCACHEPREFIX": str(programs.with_name("bytecode"))}


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Waits until no other process of the tests is in here for the same lock."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
