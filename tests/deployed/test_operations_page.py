"""docs/operations.md names calls that AWS has, parameters of the template, and keys of the log."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from contract import event
from documented_commands import OPERATIONS, commands
from macro.engine.account_settings import ENVIRONMENT_BYTES, SETTINGS_VARIABLE, environment_bytes
from macro.engine.shorthand.settings import read_account_settings
from macro.text.source import parse
from runtime_api import Function

ROOT = Path(__file__).parents[2]

# What Lambda and CloudWatch Logs Insights have themselves.
OTHERS = {"level", "timestamp", "message", "type", "record"}


def queries() -> list[str]:
    """The queries of CloudWatch Logs Insights: each begins with a filter."""
    return re.findall(r"^```\n(filter .+?)```$", OPERATIONS, re.MULTILINE | re.DOTALL)


def test_aws_has_every_command_and_option() -> None:
    assert {command.operation for command in commands()} >= {
        "UpdateAlias",
        "ListVersionsByFunction",
        "GetTemplateSummary",
        "ListStackResources",
        "StartQuery",
    }


def test_two_releases_are_compared_by_their_scripts() -> None:
    """`python -m` takes the package in the current folder first: in a clone, one for both."""
    block = OPERATIONS.split("## Upgrade")[1].split("```sh")[1].split("```")[0]
    run = re.findall(r"^\.\./(\w+)/bin/(\S+) expand ", block, re.MULTILINE)
    assert run == [("now", "private-image"), ("next", "private-image")]
    assert len(re.findall(" -m macro", OPERATIONS)) == 1  # the warning itself


def test_the_table_of_parameters_is_that_of_the_template() -> None:
    template: Any = parse((ROOT / "template.yaml").read_bytes(), "template.yaml").template
    section = OPERATIONS.split("## Parameters")[1].split("## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {*template["Parameters"]}


def test_the_log_has_the_keys_that_the_page_and_its_queries_name(function: Function) -> None:
    (line,) = function.invoke(event({"Resources": {}})).log
    written = set(json.loads(line)) | OTHERS
    section = OPERATIONS.split("## The log")[1].split("CloudWatch Logs Insights")[0]
    named = {
        key
        for row in re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
        for key in re.findall(r"`(\w+)`", row)
    }
    assert named == written - {"type", "record", "logger", "requestId"}
    for query in queries():
        bare = re.sub(r'"[^"]*"', "", query)
        keys = re.findall(r"(?<![@.\w])([a-z]\w*)(?:\.\w+)*(?![\w(])", bare)
        made = set(re.findall(r"\b(?:as|into) (\w+)", bare))
        assert set(keys) - made - WORDS <= written, query


# Of the language of the queries.
WORDS = set(
    "filter fields sort desc stats by as into unnest in and count sum bin ispresent".split()
)


def test_the_settings_of_the_page_are_right() -> None:
    (text,) = re.findall(r"```yaml\n# settings.yaml\n(.*?)```", OPERATIONS, re.DOTALL)
    settings: Any = yaml.safe_load(text)
    read, problems = read_account_settings(settings)
    assert problems == ()
    assert {*read.account} == {"quay.io", "registry.example.com/team"}
    assert read.role.permissions_boundary
    assert f"{ENVIRONMENT_BYTES - environment_bytes(''):,} bytes are left" in OPERATIONS


# Prints what SAM CLI takes from a value of --parameter-overrides.
OVERRIDES = """
import json, sys
from samcli.cli.types import CfnParameterOverridesType
json.dump(CfnParameterOverridesType().convert((sys.argv[1],), None, None), sys.stdout)
"""


def test_sam_takes_the_settings_whole_as_the_page_quotes_them(sam: Path) -> None:
    (quoted,) = re.findall(r'--parameter-overrides "(Settings=.*?\))\'"', OPERATIONS)
    settings = '{"Registries":{"quay.io":{"Secret":"registry/quay","Grant":false}}}'
    given = quoted.replace("$(private-image settings settings.yaml)", settings) + "'"
    assert given == f"Settings='{settings}'"
    command = [sam / "python", "-c", OVERRIDES, given]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    assert json.loads(done.stdout) == {"Settings": settings}


def test_the_template_takes_no_longer_settings_than_lambda() -> None:
    template: Any = parse((ROOT / "template.yaml").read_bytes(), "template.yaml").template
    longest = template["Parameters"]["Settings"]["MaxLength"]
    assert environment_bytes("x" * longest) == ENVIRONMENT_BYTES
    variables = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    assert variables == {SETTINGS_VARIABLE: {"Ref": "Settings"}}


def test_the_metric_counts_outcomes_that_the_page_explains() -> None:
    template: Any = parse((ROOT / "template.yaml").read_bytes(), "template.yaml").template
    pattern = template["Resources"]["FaultMetric"]["Properties"]["FilterPattern"]
    counted = re.findall(r'\$\.outcome = "(\w+)"', pattern)
    assert counted == ["fault", "settings"]
    (row,) = re.findall(r"^\| `outcome` \|.*$", OPERATIONS, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) == {"outcome", "success", "failure", *counted}
