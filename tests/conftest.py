"""Fixtures that several rooms of tests share, and the order of the files of tests.

What a fixture needs is imported within it, so that a room's tests need only what they use.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from environments import alone, installed, variables

if TYPE_CHECKING:
    from emulator import Account, Server

ROOT = Path(__file__).parents[1]

# These files have few tests that take long. They begin first, so that no core waits for them last.
FIRST = ("test_laws.py", "test_adoption_laws.py", "test_image_pulls.py", "test_cdk.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in FIRST)


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_known_of_a_deployment() -> Iterator[None]:
    """What the machine says of Region, account and profile, or of GitHub, counts nowhere."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.delenv("GITHUB_ACTIONS", raising=False)
        yield


@pytest.fixture(scope="session")
def sam(request: pytest.FixtureRequest) -> Path:
    """AWS's SAM CLI: the directory of its programs."""
    return installed(request.config, "aws-sam-cli")


@pytest.fixture(scope="session")
def emulator(request: pytest.FixtureRequest) -> Path:
    """An emulator of AWS that enforces IAM: the directory of its programs."""
    return installed(request.config, "ministack")


@pytest.fixture(scope="module")
def server(emulator: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The emulator, running. Each account in it is a new one."""
    from emulator import served

    with served(emulator / "ministack", tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="module")
def account_ids() -> Iterator[str]:
    return map(str, count(111122223333))


@pytest.fixture
def account(server: Server, account_ids: Iterator[str], models_once: None) -> Account:
    """An account of the emulator in which nobody has made anything."""
    from emulator import Account

    return Account(server, next(account_ids))


@pytest.fixture(scope="session")
def models_once() -> Iterator[None]:
    """The models of AWS's services are read once: botocore reads them anew for every session."""
    from botocore import session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", cache(session.create_loader))
        yield


@pytest.fixture
def moto_account(models_once: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account of moto in eu-west-1, in which nobody has made anything, and its credentials."""
    from moto import mock_aws

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        yield


@pytest.fixture(scope="session")
def registry_program(request: pytest.FixtureRequest) -> str:
    """A real registry of images: its program."""
    import registry_server

    folder = request.config.cache.mkdir("docker-registry")
    with alone(folder.with_name("docker-registry.lock")):
        return registry_server.program(folder)


@pytest.fixture(scope="module")
def registry(registry_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry without images that asks for a password: its host and port."""
    from registry_server import basic

    with basic(registry_program, tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's files, in which a program may write."""
    copy = tmp_path_factory.mktemp("project")
    for name in _files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return copy


def _files() -> list[Path]:
    """What git has or would take; where it is not there, what is not hidden and no bytecode."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        names = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
        hidden = re.compile(r"\.|__pycache__$")
        names = [name for name in names if not any(hidden.match(part) for part in name.parts)]
    else:
        names = [Path(name) for name in listed.stdout.split("\0") if name]
    return [name for name in names if (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def run_sam(
    sam: Path, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs SAM CLI in the copy of the project, as someone without credentials.

    Takes the command's arguments, and by name what else is to stand in its environment.
    """
    environment = {
        **variables(sam),
        "AWS_DEFAULT_REGION": "us-east-1",
        "HOME": str(tmp_path_factory.mktemp("home")),
        # SAM wants a Python on the PATH, of any version: there are no requirements to install.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "SAM_CLI_TELEMETRY": "0",
    }

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sam / "sam", *arguments],
            cwd=project,
            env={**environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )

    return run
