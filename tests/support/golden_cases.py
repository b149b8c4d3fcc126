"""The golden cases: where they are, and what each holds."""

from __future__ import annotations

from pathlib import Path

CASES = sorted((Path(__file__).parents[1] / "cases").iterdir())


def template(case: Path) -> Path:
    (found,) = case.glob("template.*")
    return found


def expanded(case: Path) -> Path | None:
    return next(case.glob("expanded.*"), None)


EXPANDED = [case for case in CASES if expanded(case)]
