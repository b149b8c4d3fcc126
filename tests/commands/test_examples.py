"""Every shipped example expands as it is, to a template that cfn-lint has nothing against."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cfn_lint import lint_text
from macro.commands.cli import main

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").iterdir())


# The warnings that an example's own comment explains.
WARNINGS = {"shared-secrets.yaml": {"PI906"}}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_expands_to_what_cfn_lint_accepts(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["expand", str(example)])
    expanded, messages = capsys.readouterr()
    said = messages.splitlines()
    warned = {line.split(": ")[1].removesuffix(" warning") for line in said}
    assert (code, warned - WARNINGS.get(example.name, set())) == (0, set())
    matches = lint_text(expanded)
    assert [f"{match.linenumber}: {match.rule.id} {match.message}" for match in matches] == []
    if example.suffix == ".json":
        json.loads(expanded)


def test_the_readme_names_every_example() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [path.name for path in EXAMPLES if f"(examples/{path.name})" not in readme] == []


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 9
