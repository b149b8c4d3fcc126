"""AWS's SAM CLI, run as a person runs it, takes the templates and builds the package alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from macro import __version__
from macro.text.source import parse

ROOT = Path(__file__).parents[2]

# Those to deploy; examples and golden cases are linted where they are expanded.
TEMPLATES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.yaml"), *ROOT.glob("[!.]*/*.yaml")]
    if path.parent.name not in {"examples", "tests"}
    if "AWSTemplateFormatVersion" in path.read_text("utf-8")
)

# Prints the modules that the import of the handler has brought in.
IMPORT = """
import sys
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
import macro.engine.handler
brought = {name: module for name, module in sys.modules.items() if name not in before}
import json
json.dump({name: getattr(brought[name], "__file__", None) for name in brought}, sys.stdout)
"""


def contents(directory: Path) -> dict[str, bytes]:
    """The files below a directory, by their paths in it."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_there_is_a_template() -> None:
    assert "template.yaml" in TEMPLATES


# One Region of each partition: they do not have the same resource types.
@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_valid(
    template: str, region: str, run_sam: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = run_sam("validate", "--lint", "--template", template, "--region", region)
    assert done.returncode == 0, done.stdout


def test_the_published_version_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    template: Any = parse((ROOT / "template.yaml").read_bytes(), "template.yaml").template
    published = template["Metadata"]["AWS::ServerlessRepo::Application"]
    assert published["SemanticVersion"] == __version__
    assert template["Mappings"]["Macro"]["Release"]["Version"] == __version__
    assert published["SpdxLicenseId"] == project["license"]
    assert [(ROOT / published[key]).is_file() for key in ("LicenseUrl", "ReadmeUrl")] == [True] * 2


def test_the_artefact_holds_the_engine_alone(artefact: Path, project: Path) -> None:
    package = contents(project / "macro" / "engine")
    assert {"__init__.py", "expand.py", "handler.py", "grants/__init__.py"} <= package.keys()
    assert contents(artefact) == {f"macro/engine/{name}": data for name, data in package.items()}


def test_the_artefact_imports_the_standard_library_alone(artefact: Path) -> None:
    # -I and -S leave out the working directory, the environment's packages and all variables.
    command = [sys.executable, "-I", "-S", "-B", "-c", IMPORT, str(artefact)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    modules: dict[str, str | None] = json.loads(done.stdout)
    ours = {name: file for name, file in modules.items() if name.split(".")[0] == "macro"}
    assert "macro.engine.handler" in ours
    # `macro` itself is a namespace there: its __init__.py is not part of the artefact.
    assert ours["macro"] is None
    files = [Path(str(file)) for name, file in ours.items() if name != "macro"]
    assert [file for file in files if not file.is_relative_to(artefact)] == []
    others = {name.split(".")[0] for name in modules.keys() - ours.keys()}
    assert others - sys.stdlib_module_names == set()


def test_a_first_deploy_asks_nothing_and_lacks_nothing(
    artefact: Path, run_sam: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    # That is, it gets as far as its first call of AWS, which nobody answers here.
    assert artefact.exists()
    done = run_sam(
        "deploy",
        AWS_ACCESS_KEY_ID="x",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_MAX_ATTEMPTS="1",
        AWS_SECRET_ACCESS_KEY="x",
    )
    assert 'Could not connect to the endpoint URL: "http://127.0.0.1:9/"' in done.stdout
