"""A template that is written elsewhere still finds its local files, and SAM builds from it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from macro.commands.cli import main
from macro.text.source import parse

PRIVATE = """\
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: arn:aws:iam::111122223333:role/exec
      ContainerDefinitions:
        - Name: web
          PrivateImage:
            Image: registry.example.com/team/web:1
            Secret: registry/web
"""

SAM = f"""\
Transform: [PrivateImage, AWS::Serverless-2016-10-31]
Globals:
  Function:
    Runtime: python3.13
Resources:
{PRIVATE}\
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code/   # the function's own
      Handler: app.handler
  Child:
    Type: AWS::Serverless::Application
    Properties:
      Location: nested/child.yaml
  Plain:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: nested/plain.yaml
  Far:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://s3.amazonaws.com/bucket/far.yaml
"""
CHILD = f"Transform: PrivateImage\nResources:\n{PRIVATE}"
PLAIN = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n"


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a function and nested stacks; the working directory is above it."""
    for name, text in {
        "stacks/template.yaml": SAM,
        "stacks/nested/child.yaml": CHILD,
        "stacks/nested/plain.yaml": PLAIN,
        "stacks/code/app.py": "def handler(event, context): ...\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def properties(path: Path) -> dict[str, Any]:
    template: Any = parse(path.read_bytes(), path.name).template
    return {name: body["Properties"] for name, body in template["Resources"].items()}


def test_local_paths_lead_from_the_new_place(stacks: Path) -> None:
    assert main(["expand", "stacks", "--output-dir", "build/expanded"]) == 0

    written = properties(stacks / "build/expanded/template.yaml")
    assert written["Function"]["CodeUri"] == "../../stacks/code"
    assert written["Plain"]["TemplateURL"] == "../../stacks/nested/plain.yaml"
    assert written["Far"]["TemplateURL"] == "https://s3.amazonaws.com/bucket/far.yaml"
    # The nested template with shorthand was expanded too: that one is meant.
    assert written["Child"]["Location"] == "nested/child.yaml"
    assert "RepositoryCredentials" in (stacks / "build/expanded/nested/child.yaml").read_text()
    assert "# the function's own" in (stacks / "build/expanded/template.yaml").read_text()


def test_a_nested_template_that_is_not_written_stays_where_it_is(stacks: Path) -> None:
    assert main(["expand", "stacks/template.yaml", "-o", "expanded.yaml"]) == 0
    written = properties(stacks / "expanded.yaml")
    assert written["Child"]["Location"] == "./stacks/nested/child.yaml"
    assert written["Function"]["CodeUri"] == "./stacks/code"


def test_a_nested_template_that_comes_to_stand_elsewhere_is_found_there(stacks: Path) -> None:
    paths = ["stacks/template.yaml", "stacks/nested/child.yaml"]
    assert main(["expand", *paths, "--output-dir", "out"]) == 0
    assert properties(stacks / "out/template.yaml")["Child"]["Location"] == "./child.yaml"


@pytest.mark.parametrize("arguments", [["--in-place"], ["-o", "stacks/expanded.yaml"], []])
def test_beside_its_source_nothing_moves(
    stacks: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["expand", "stacks/template.yaml", *arguments]) == 0
    written = {"--in-place": "stacks/template.yaml", "-o": "stacks/expanded.yaml"}
    text = (stacks / written[arguments[0]]).read_text() if arguments else capsys.readouterr().out
    assert "CodeUri: code/   # the function's own\n" in text
    assert "Location: nested/child.yaml\n" in text


def test_what_names_no_file_is_left_alone(stacks: Path) -> None:
    text = SAM.replace("CodeUri: code/ ", "CodeUri: elsewhere/ ").replace(
        "nested/child", "s3://b/c"
    )
    (stacks / "stacks/template.yaml").write_text(text, "utf-8")
    assert main(["expand", "stacks/template.yaml", "-o", "expanded.yaml"]) == 0
    written = properties(stacks / "expanded.yaml")
    assert written["Function"]["CodeUri"] == "elsewhere/"
    assert written["Child"]["Location"] == "s3://b/c.yaml"


MORE = """\
Metadata:
  AWS::ServerlessRepo::Application: {ReadmeUrl: code/app.py, LicenseUrl: code/app.py}
Globals:
  Function: {CodeUri: code}
Mappings:
  Fn::Transform: {Name: AWS::Include, Parameters: {Location: code/app.py}}
"""


def test_local_paths_outside_of_properties(stacks: Path) -> None:
    (stacks / "stacks/template.yaml").write_text(f"{MORE}Resources:\n{PRIVATE}", "utf-8")
    assert main(["expand", "stacks/template.yaml", "-o", "expanded.yaml"]) == 0
    template: Any = parse((stacks / "expanded.yaml").read_bytes(), "").template
    moved = "./stacks/code/app.py"
    assert template["Metadata"]["AWS::ServerlessRepo::Application"] == {
        "ReadmeUrl": moved,
        "LicenseUrl": moved,
    }
    assert template["Globals"]["Function"]["CodeUri"] == "./stacks/code"
    assert template["Mappings"]["Fn::Transform"]["Parameters"]["Location"] == moved


# The SAM CLI


def test_sam_validates_and_builds_what_was_expanded_before(
    stacks: Path, run_sam: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    assert main(["expand", "stacks", "--output-dir", "build/expanded"]) == 0
    template = str(stacks / "build/expanded/template.yaml")

    validated = run_sam("validate", "--lint", "--template", template)
    assert validated.returncode == 0, validated.stdout

    built = run_sam("build", "--template", template, "--build-dir", str(stacks / "built"))
    assert built.returncode == 0, built.stdout
    assert (stacks / "built/Function/app.py").is_file()
    nested = (stacks / "built/Child/template.yaml").read_text("utf-8")
    assert "RepositoryCredentials" in nested and "PrivateImage:" not in nested


def test_sam_packages_what_was_expanded_before(
    stacks: Path,
    emulator: Path,
    tmp_path_factory: pytest.TempPathFactory,
    run_sam: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    from emulator import HOST, Account, served

    assert main(["expand", "stacks", "--output-dir", "build/expanded"]) == 0
    with served(emulator / "ministack", tmp_path_factory.mktemp("emulator")) as server:
        account = Account(server, "111122223333")
        account.client("s3").create_bucket(
            Bucket="artefacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        packaged = run_sam(
            *("package", "--template", str(stacks / "build/expanded/template.yaml")),
            *("--s3-bucket", "artefacts", "--use-json"),
            AWS_ACCESS_KEY_ID=account.id,
            AWS_SECRET_ACCESS_KEY=server.secret_key,
            AWS_DEFAULT_REGION="eu-west-1",
            AWS_ENDPOINT_URL=f"http://{HOST}:{server.port}",
        )
    assert packaged.returncode == 0, packaged.stdout
    resources = json.loads(packaged.stdout[packaged.stdout.index("{") :])["Resources"]
    assert resources["Function"]["Properties"]["CodeUri"].startswith("s3://artefacts/")
    for nested in ("Child", "Plain"):
        location = resources[nested]["Properties"]
        assert "artefacts/" in (location.get("Location") or location["TemplateURL"])
