"""The stack of template.yaml in an account of the emulator.

The transforms are AWS's own, as SAM CLI brings them: the emulator has the resources that they make.
It has no macros, so the resource `Macro` is left out, and the function is called as CloudFormation
would call it: by what the resource names.
"""

from __future__ import annotations

import io
import json
import subprocess
import time
import zipfile
from hashlib import sha256
from pathlib import Path

from emulator import REGION, Account, Json

SECONDS = 30
COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")

# Reads a template and parameters, prints what both transforms make of them.
TRANSFORM = """
import json, sys
from samcli.lib.cfn_language_extensions.sam_integration import expand_language_extensions
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform
sent = json.load(sys.stdin)
template = yaml_parse(sent["template"])
defaults = {name: one["Default"] for name, one in template["Parameters"].items()}
values = {**defaults, **sent["parameters"], "AWS::Region": sent["region"]}
template = expand_language_extensions(template, values, enabled=True).expanded_template
template["Resources"]["Function"]["Properties"]["CodeUri"] = sent["code"]
json.dump(transform(template, sent["parameters"], None), sys.stdout)
"""


def transformed(sam: Path, artefact: Path, parameters: dict[str, str], code: str) -> Json:
    """What the transforms make of the built template: AWS::LanguageExtensions, then SAM's own.

    `sam` is the directory of SAM CLI's programs, `code` the URI of the packaged code in S3.
    """
    sent = {
        "template": (artefact.parent / "template.yaml").read_text("utf-8"),
        "parameters": parameters,
        "code": code,
        "region": REGION,
    }
    done = subprocess.run(
        [sam / "python", "-c", TRANSFORM],
        input=json.dumps(sent),
        env={"AWS_DEFAULT_REGION": REGION, "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    return json.loads(done.stdout)


class MacroStack:
    """The stack in one account; `deploy` creates or updates it."""

    def __init__(
        self, account: Account, sam: Path, artefact: Path, name: str = "private-image"
    ) -> None:
        self.account = account
        self._sam = sam
        self._artefact = artefact
        self._name = name
        self._exists = False

    def deploy(self, parameters: dict[str, str] | None = None, code: bytes = b"") -> Json:
        """Deploys the template; comes back with the stack's outputs.

        `code` is something that is added to the code, so that it is another one. Raises
        AssertionError where the stack does not get complete.
        """
        packed = _packed(self._artefact, code)
        key = sha256(packed).hexdigest()
        s3, bucket = self.account.client("s3"), f"{self._name}-{self.account.id}"
        if not self._exists:
            location = {"LocationConstraint": REGION}
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=location)
        s3.put_object(Bucket=bucket, Key=key, Body=packed)
        uri = f"s3://{bucket}/{key}"
        template = transformed(self._sam, self._artefact, parameters or {}, uri)
        macro = template["Resources"].pop("Macro")["Properties"]
        template["Outputs"]["MacroFunctionName"] = {"Value": macro["FunctionName"]}
        return self._apply(template, parameters or {})

    def _apply(self, template: Json, parameters: dict[str, str]) -> Json:
        cloudformation = self.account.client("cloudformation")
        change = cloudformation.update_stack if self._exists else cloudformation.create_stack
        change(
            StackName=self._name,
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in parameters.items()
            ],
        )
        self._exists = True
        end = time.monotonic() + SECONDS
        while (stack := self._described())["StackStatus"].endswith("_IN_PROGRESS"):
            assert time.monotonic() < end, "The stack takes too long."
            time.sleep(0.05)
        assert stack["StackStatus"] in COMPLETE, stack.get("StackStatusReason")
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def _described(self) -> Json:
        answer = self.account.client("cloudformation").describe_stacks(StackName=self._name)
        return answer["Stacks"][0]

    def call(self, function: str, event: Json) -> Json:
        """What a function answers that is named as the resource `Macro` names it."""
        answer = self.account.client("lambda").invoke(
            FunctionName=function, Payload=json.dumps(event)
        )
        return json.load(answer["Payload"])


def _packed(artefact: Path, code: bytes) -> bytes:
    """The artefact as `sam package` uploads it: the same bytes for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(artefact.rglob("*.py")):
            archive.writestr(zipfile.ZipInfo(str(path.relative_to(artefact))), path.read_bytes())
        if code:
            archive.writestr(zipfile.ZipInfo("more"), code)
    return packed.getvalue()
