"""Our rules do the same in the newest cfn-lint and in the oldest that pyproject.toml admits."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree

import pytest

from environments import installed, variables
from golden_cases import template
from lint_cases import BAD, CASES, GOOD, findings, options, parsed

ROOT = Path(__file__).parents[2]
OLDEST = re.findall(r'"cfn-lint\[sarif\]>=([\d.]+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
WITHOUT_OPTIONS = [case for case in CASES if not options(case)]
EXAMPLES = sorted((ROOT / "examples").iterdir())


class CfnLint(Protocol):
    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(scope="session", params=["", *(f"=={version}" for version in OLDEST)])
def version(request: pytest.FixtureRequest) -> str:
    """A version of cfn-lint, as a requirement has it; the newest is ""."""
    wanted: str = request.param
    return wanted


@pytest.fixture(scope="session")
def cfn_lint(
    version: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> CfnLint:
    """Runs cfn-lint with our rules, in a folder of its own where `bad.yaml` has two problems."""
    programs = installed(request.config, f"cfn-lint[full]{version}")
    folder = tmp_path_factory.mktemp("lint")
    (folder / "bad.yaml").write_text(BAD, "utf-8")
    (folder / "good.yaml").write_text(GOOD, "utf-8")
    (folder / ".cfnlintrc").write_text("append_rules: [macro.lint]\n", "utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs / "cfn-lint", *arguments],
            cwd=folder,
            env={**variables(programs), "HOME": str(folder), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_there_is_an_oldest_version_and_it_is_documented() -> None:
    (oldest,) = OLDEST
    assert f"cfn-lint {oldest} is the first" in (ROOT / "docs/linting.md").read_text("utf-8")


@pytest.fixture(scope="session")
def in_one_run(version: str, cfn_lint: CfnLint) -> subprocess.CompletedProcess[str]:
    """A run on the examples and on the templates of all cases without options: most of a run is its
    start."""
    new = "Fn::GetStackOutput"  # the oldest does not know it yet
    known = [one for one in EXAMPLES if not (version and new in one.read_text("utf-8"))]
    assert len(known) > 1
    paths = [*map(template, WITHOUT_OPTIONS), *known]
    return cfn_lint("--format", "parseable", "--", *map(str, paths))


@pytest.mark.parametrize("case", WITHOUT_OPTIONS, ids=lambda case: case.name)
def test_it_finds_what_the_case_says(
    case: Path, in_one_run: subprocess.CompletedProcess[str]
) -> None:
    lines = in_one_run.stdout.splitlines()
    found = [line for line in lines if line.startswith(f"{template(case)}:")]
    assert parsed("\n".join(found)) == findings(case)


def test_it_says_nothing_else(in_one_run: subprocess.CompletedProcess[str]) -> None:
    """So it has nothing against the examples."""
    lines = sum(len(findings(case)) for case in WITHOUT_OPTIONS)
    assert len(in_one_run.stdout.splitlines()) == lines > 0
    assert (in_one_run.returncode, in_one_run.stderr) == (2 | 4, "")


@pytest.mark.parametrize(
    "case", [case for case in CASES if options(case)], ids=lambda case: case.name
)
def test_it_finds_what_the_case_says_with_its_options(case: Path, cfn_lint: CfnLint) -> None:
    run = cfn_lint("--format", "parseable", *options(case), "--", str(template(case)))
    assert (parsed(run.stdout), run.stderr) == (findings(case), "")
    assert run.returncode == (2 if any(": E" in line for line in findings(case)) else 4)


def test_the_format_json_has_rule_place_and_text(cfn_lint: CfnLint) -> None:
    found = json.loads(cfn_lint("--format", "json", "bad.yaml").stdout)
    (one,) = (one for one in found if one["Rule"]["Id"] == "EPI101")
    assert (one["Filename"], one["Level"]) == ("bad.yaml", "Error")
    assert one["Message"] == "PrivateImage has no key Grnat. Did you mean Grant?"
    assert one["Rule"]["ShortDescription"] == "PrivateImage: Unknown key"
    assert one["Location"]["Start"] == {"LineNumber": 11, "ColumnNumber": 13}
    assert one["Location"]["End"] == {"LineNumber": 11, "ColumnNumber": 18}
    assert one["Location"]["Path"][:2] == ["Resources", "Task"]


def test_the_format_pretty_counts_it(cfn_lint: CfnLint) -> None:
    output = cfn_lint("--format", "pretty", "bad.yaml").stdout
    assert re.search(r"^11:13: +EPI101 +PrivateImage has no key Grnat", output, re.MULTILINE)
    assert "found 2 errors" in output


def test_the_format_sarif_places_it(cfn_lint: CfnLint) -> None:
    (run,) = json.loads(cfn_lint("--format", "sarif", "bad.yaml").stdout)["runs"]
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {"EPI101", "EPI103"}
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert [place["region"]["startLine"] for place in places] == [10, 11]
    assert {place["artifactLocation"]["uri"] for place in places} == {"bad.yaml"}


def test_the_format_junit_has_a_test_for_each_rule(cfn_lint: CfnLint) -> None:
    output = cfn_lint("--format", "junit", "bad.yaml").stdout
    cases = {
        case.get("name", "").split()[0]: case.findall("failure")
        for case in ElementTree.fromstring(output).iter("testcase")
    }
    assert sorted(name for name, failures in cases.items() if failures) == ["EPI101", "EPI103"]
    assert "bad.yaml:11:13" in cases["EPI101"][0].get("message", "")
    assert cases["EPI102"] == []


def test_without_the_rules_it_calls_the_shorthand_wrong(cfn_lint: CfnLint) -> None:
    """What all this is for; were it no longer so, the rules would have less to do."""
    run = cfn_lint("--config-file", os.devnull, "--format", "parseable", "good.yaml")
    assert {line.split()[1] for line in parsed(run.stdout)} == {"E3002", "E3003"}
