"""Programs that the tests run as people do, each in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path


def environment(directory: Path, requirement: str) -> Path:
    """The directory of the programs that come with a package, which is installed if it is not yet.

    These packages bind the versions of what the project needs too (`ministack` of botocore,
    `aws-sam-cli` of many), so none of them can stand beside it. Raises CalledProcessError where
    the package index cannot be reached and the package has not been installed before.
    """
    programs = directory / ("Scripts" if sys.platform == "win32" else "bin")
    installed = directory / "installed"
    if not installed.exists():
        venv.create(directory, clear=True, with_pip=True)
        subprocess.run(
            [programs / "python", "-m", "pip", "install", "--quiet", requirement], check=True
        )
        installed.touch()
    return programs
