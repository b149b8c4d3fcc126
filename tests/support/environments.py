"""Programs that the tests run as people do, each in an environment of its own."""

from __future__ import annotations

import fcntl
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def environment(directory: Path, requirement: str) -> Path:
    """The directory of the programs that come with a package, which is installed if it is not yet.

    These packages bind the versions of what the project needs too (`ministack` of botocore,
    `aws-sam-cli` of many), so none of them can stand beside it. Raises CalledProcessError where
    the package index cannot be reached and the package has not been installed before.
    """
    programs = directory / "bin"
    with alone(directory.with_name(f"{directory.name}.lock")):
        installed = directory / "installed"
        if not installed.exists():
            venv.create(directory, clear=True, with_pip=True)
            subprocess.run(
                [programs / "python", "-m", "pip", "install", "--quiet", requirement], check=True
            )
            installed.touch()
    return programs


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Waits until no other process of the tests is in here for the same lock."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
