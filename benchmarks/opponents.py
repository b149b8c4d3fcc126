"""What PrivateImage is measured against, installed into `benchmarks/.cache` on the first run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT
from environments import environment

CACHE = ROOT / "benchmarks" / ".cache"


class UnavailableError(Exception):
    """An opponent cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package from pip: `label` has its version, and `programs` is the folder of its Python."""

    label: str
    programs: Path


def package(name: str) -> Package:
    """The package in an environment of its own, of the same Python. Raises UnavailableError."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    try:
        programs = environment(CACHE / f"{name}-{python}", name)
    except (OSError, subprocess.CalledProcessError):
        raise UnavailableError(f"pip could not install {name}") from None
    code = f"from importlib.metadata import version; print(version({name!r}))"
    answer = subprocess.run(
        [programs / "python", "-c", code], capture_output=True, check=True, text=True
    )
    return Package(f"{name} {answer.stdout.strip()}", programs)


@dataclass(frozen=True, slots=True)
class Node:
    """A package from npm, node's own program, and the folder where it finds the package."""

    version: str
    program: Path
    modules: Path


def node(name: str, *peers: str) -> Node:
    """The package with those that it needs beside it. Raises UnavailableError."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        raise UnavailableError("there is no node with npm")
    modules = CACHE / "npm" / "node_modules"
    described = modules / name / "package.json"
    if not described.exists():
        modules.mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--prefix", str(modules.parent), "--ignore-scripts"]
        done = subprocess.run([*install, name, *peers], capture_output=True, check=False)
        if done.returncode:
            raise UnavailableError(f"npm could not install {name}")
    version = json.loads(described.read_text("utf-8"))["version"]
    return Node(version, Path(program), modules)
