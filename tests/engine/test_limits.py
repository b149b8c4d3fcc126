"""Each known limit of docs/limits.md is a problem or a warning, and never silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "limits.md").read_text("utf-8")
ROWS = re.findall(r"^\| .+? \| (?:warning )?(PI\d{3}) \| .+? \|$", PAGE, re.MULTILINE)

# A golden case for each: tests/commands/test_golden_cases.py holds it to its output.
CASES = {
    "PI406": "problem-loop-reference-that-is-not-known",
    "PI408": "problem-loop-whose-turns-differ",
    "PI405": "problem-loop-with-ampersand",
    "PI409": "problem-loop-condition-find-in-map",
    "PI407": "problem-role-dynamic-reference",
    "PI401": "problem-role-of-another-account",
    "PI404": "problem-circle",
    "PI410": "problem-role-that-a-loop-writes",
    "PI308": "problem-secret-of-another-account-without-suffix",
    "PI311": "problem-secret-of-another-account-without-its-key",
    "PI302": "problem-secret-of-ssm",
    "PI309": "problem-codebuild-partial-arn",
    "PI314": "problem-secret-values-of-different-forms",
    "PI315": "problem-secret-of-too-many-cases",
    "PI203": "problem-image-of-unknown-registry",
    "PI906": "secret-import",
    "PI912": "secret-name-that-parameters-decide",
    "PI914": "key-policy-without-the-account",
    "PI915": "arns-of-two-partitions",
    "PI903": "secret-parameter-default",
    "PI109": "problem-fn-transform-without-grant-false",
    "PI501": "problem-too-many-resources",
    "PI503": "problem-inline-policies-too-long",
}


def test_every_limit_has_a_case_and_every_case_a_limit() -> None:
    assert sorted(ROWS) == sorted(CASES)


@pytest.mark.parametrize(("code", "case"), CASES.items())
def test_a_limit_is_reported(code: str, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    from macro.commands.cli import main

    folder = ROOT / "tests" / "cases" / case
    options = folder / "options.txt"
    given = options.read_text("utf-8").split() if options.exists() else []
    exit_code = main(["expand", str(folder / "template.yaml"), *given])
    output, messages = capsys.readouterr()
    warned = f"| warning {code} |" in PAGE
    assert f": {code} {'warning: ' if warned else ''}" in messages
    assert (exit_code, bool(output)) == ((0, True) if warned else (1, False))
