"""The function as it runs in the account: built by SAM, under AWS's runtime client."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from environments import installed
from macro.engine.template.document import Json
from runtime_api import Function, running


@pytest.fixture(scope="session")
def runtime(request: pytest.FixtureRequest) -> Path:
    """AWS's runtime client for Lambda: the directory of its Python."""
    if sys.platform != "linux":
        pytest.skip("AWS's runtime client comes with its HTTP client for Linux alone")
    return installed(request.config, "awslambdaric")


@pytest.fixture(scope="session")
def artefact(run_sam: Callable[..., subprocess.CompletedProcess[str]], project: Path) -> Path:
    """The directory that `sam build` makes of the function's code, and that goes into Lambda."""
    built = run_sam("build")
    assert built.returncode == 0, built.stdout
    (directory,) = (path for path in (project / ".aws-sam" / "build").iterdir() if path.is_dir())
    return directory


@pytest.fixture(scope="session")
def function(
    artefact: Path, runtime: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Function]:
    """The built function under AWS's runtime client."""
    handler = re.search(r"Handler: (\S+)", (artefact.parent / "template.yaml").read_text("utf-8"))
    assert handler
    output = tmp_path_factory.mktemp("function") / "log"
    with running(runtime / "python", artefact, handler[1], output) as function:
        yield function


@pytest.fixture(scope="session")
def invoke(function: Function) -> Callable[[Json], Any]:
    """A macro's event -> its response, by the built function."""

    def response(event: Json) -> Any:
        answer = function.invoke(event)
        assert answer.status == "response", answer
        return answer.body

    return response
