"""Golden cases: tests/cases/<behaviour>/ holds a template and what the command makes of it.

`template.yaml` (or .json) explains itself in its first comment. `options.txt` has the command's
options, one a line. `expanded.yaml` is what comes out; without it the template has problems.
`stderr.txt` has what is said besides, without the file's name.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cfnlint.api import lint

from cfn_lint import lint_text
from golden_cases import CASES, EXPANDED, expanded, template
from macro.commands.cli import main
from macro.engine.expand import expand
from macro.text.rewrite import rewrite
from macro.text.source import parse


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_command_writes_what_the_case_says(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = case / "options.txt"
    said = case / "stderr.txt"
    golden = expanded(case)
    output = tmp_path / "output"
    arguments = options.read_text("utf-8").split() if options.exists() else []

    status = main(["expand", *arguments, str(template(case)), "-o", str(output)])

    errors = capsys.readouterr().err.replace(f"{template(case)}:", "")
    assert errors == (said.read_text("utf-8") if said.exists() else "")
    assert status == (0 if golden else 1)
    assert (output.read_bytes() if output.exists() else None) == (
        golden.read_bytes() if golden else None
    )


@pytest.mark.parametrize("case", EXPANDED, ids=lambda case: case.name)
def test_a_second_pass_changes_nothing(case: Path) -> None:
    golden = expanded(case)
    assert golden
    source = parse(golden.read_bytes(), golden.name)

    expansion = expand(source.template)

    assert (expansion.edits, expansion.problems) == ((), ())
    assert rewrite(source, expansion.edits).encode() == golden.read_bytes()


@pytest.mark.parametrize("case", EXPANDED, ids=lambda case: case.name)
def test_cfn_lint_finds_no_error_in_what_comes_out(case: Path) -> None:
    golden = expanded(case)
    assert golden
    matches = lint_text(golden.read_bytes().decode("utf-8-sig"), "--regions", "us-east-1")
    assert [str(match) for match in matches if match.rule.id.startswith("E")] == []


def test_rules_that_are_loaded_once_find_what_new_ones_do() -> None:
    good = "Resources: {Topic: {Type: AWS::SNS::Topic}}"
    bad = "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: []}}}"
    found = [[str(match) for match in lint_text(text)] for text in (good, bad, good, bad)]
    new = [str(match) for match in lint(bad)]
    assert found == [[], new, [], new]
    assert new != []


def test_each_case_explains_itself() -> None:
    unexplained = [
        case.name
        for case in CASES
        if template(case).suffix == ".yaml"
        and not template(case).read_text("utf-8-sig").startswith("# ")
    ]
    assert unexplained == []
