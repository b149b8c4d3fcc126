"""SARIF: valid by its schema, with a rule and a page for every code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from email.message import Message
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Schema

from macro.commands.cli import main
from macro.engine.problem_codes import CODES, TEXT_CODES

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests/cases"


def log(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> dict[str, Any]:
    """The one run of what the command prints."""
    assert main(["expand", *arguments, "--format", "sarif"]) == code
    out = capsys.readouterr().out
    Schema.model_validate_json(out)
    run: dict[str, Any] = json.loads(out)["runs"][0]
    return run


def test_problems_and_warnings_with_their_places(capsys: pytest.CaptureFixture[str]) -> None:
    template = CASES / "problem-unknown-key/template.yaml"
    run = log(capsys, str(template), code=1)
    found = run["results"][0]
    assert (found["ruleId"], found["level"]) == ("PI101", "error")
    (place,) = found["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == str(template)
    expected = (CASES / "problem-unknown-key/stderr.txt").read_text("utf-8").splitlines()
    region = place["physicalLocation"]["region"]
    at = f"{region['startLine']}:{region['startColumn']}: {found['ruleId']} "
    assert f"{at}{found['message']['text']}" in expected
    assert run["invocations"][0]["executionSuccessful"] is True


@pytest.mark.parametrize("case", ["problem-all-at-once", "problem-text-tab", "nothing-to-do"])
def test_every_line_that_is_printed_is_a_result(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    template = next((CASES / case).glob("template.*"))
    said = CASES / case / "stderr.txt"
    lines = said.read_text("utf-8").splitlines() if said.exists() else []
    run = log(capsys, str(template), code=1 if lines else 0)
    assert len(run["results"]) == len(lines)


ADDRESS = "https://git.example.com/team/private-image"


def named(name: str) -> Message:
    """The metadata of a package that names its repository."""
    assert name == "private-image-macro"
    package = Message()
    package["Project-URL"] = f"Documentation, {ADDRESS}/tree/main/docs"
    package["Project-URL"] = f"Homepage, {ADDRESS}"
    return package


def test_every_code_has_a_rule_whose_page_exists(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("macro.commands.sarif.metadata", named)
    run = log(capsys, str(CASES / "nothing-to-do/template.yaml"), code=0)
    assert run["tool"]["driver"]["informationUri"] == ADDRESS
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules if rule["id"].startswith("PI")] == [*TEXT_CODES, *CODES]
    for rule in rules:
        assert rule["shortDescription"]["text"] and rule["fullDescription"]["text"]
        linked = rule["helpUri"].removeprefix(f"{ADDRESS}/blob/main/")
        assert f"See {linked} in" in rule["help"]["text"]
        page, _, section = linked.partition("#")
        parts = (ROOT / page).read_text("utf-8").split("\n## ")
        titled = {part.splitlines()[0].lower().replace(" ", "-"): part for part in parts}
        problems = page == "docs/problems.md"
        assert f"| {rule['id']} |" in titled[section] if problems else titled[section]


def unnamed(_: str) -> Message:
    """The metadata of a package without an address."""
    return Message()


def uninstalled(_: str) -> Message:
    raise PackageNotFoundError


@pytest.mark.parametrize("package", [unnamed, uninstalled])
def test_without_an_address_nothing_is_linked(
    package: Callable[[str], Message],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("macro.commands.sarif.metadata", package)
    driver = log(capsys, str(CASES / "nothing-to-do/template.yaml"), code=0)["tool"]["driver"]
    assert [rule for rule in driver["rules"] if "helpUri" in rule] == []
    assert "informationUri" not in driver


def test_the_words_of_texts_are_those_of_the_page() -> None:
    table = (ROOT / "docs/problems.md").read_text("utf-8")
    rows = re.findall(r"^\| (PI\d{3}) \| (.*?) \| (.*?) \|$", table, re.MULTILINE)
    listed = {code: (what, why) for code, what, why in rows if code in TEXT_CODES}
    assert listed == TEXT_CODES


def test_an_expansion_that_is_not_up_to_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (CASES / "role-arn/template.yaml").read_text("utf-8")
    (tmp_path / "a b.yaml").write_text(text, "utf-8")
    run = log(capsys, "a b.yaml", "-o", "out/x.yaml", "--check", code=1)
    (found,) = run["results"]
    assert found["ruleId"] == "stale-expansion"
    assert found["locations"][0]["physicalLocation"] == {"artifactLocation": {"uri": "out/x.yaml"}}


def test_a_file_that_cannot_be_read_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    run = log(capsys, "nowhere.yaml", code=2)
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is False
    (notice,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "nowhere.yaml cannot be read" in notice["message"]["text"]
