"""docs/problems.md lists the codes that the code has, and golden cases show them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs/problems.md").read_text("utf-8")
LISTED = re.findall(r"^\| (PI\d{3}) \|", TABLE, re.MULTILINE)

# Their texts are hostile or large: other tests make them, of text/ and of commands/. PI110 is of
# the account's settings, outside of a template: tests/engine/test_settings.py shows it.
NOT_AS_CASES = {"PI001", "PI005", "PI006", "PI110", "PI504"}
# They are about credentials written by hand: tests/adoption and tests/lint show them.
NOT_AS_CASES |= {code for code in LISTED if code.startswith("PI6")}


def codes(paths: list[Path], pattern: str) -> set[str]:
    return {code for path in paths for code in re.findall(pattern, path.read_text("utf-8"))}


def test_every_code_is_listed_once() -> None:
    used = codes([*(ROOT / "macro").rglob("*.py")], r'"(PI\d{3})"')
    assert sorted(used) == LISTED


def test_every_code_has_a_golden_case() -> None:
    shown = codes([*(ROOT / "tests/cases").glob("*/stderr.txt")], r": (PI\d{3}) ")
    assert shown == set(LISTED) - NOT_AS_CASES
