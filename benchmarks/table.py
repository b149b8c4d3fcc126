"""What was measured, as one table."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.timing import Times


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: `reached` and `asked` are ratios or differences, `ours` and `theirs` what
    they were made from. `floor` is what would be reached if this did nothing of its own."""

    what: str
    against: str
    reached: str
    asked: str
    ours: str = ""
    theirs: str = ""
    floor: str = ""


def ratio(
    what: str, against: str, ours: Times, theirs: Times, asked: str, floor: Times | None = None
) -> Row:
    """How many times as long as the other side we take, by the least times."""
    reached = fraction(ours.least / theirs.least)
    least = fraction(floor.least / theirs.least) if floor else ""
    return Row(what, against, reached, asked, str(ours), str(theirs), least)


def fraction(value: float) -> str:
    """A ratio: `1.25`, or `1/8.0` where it is small."""
    return f"{value:.2f}" if value >= 0.4 else f"1/{1 / value:.1f}"


def markdown(rows: Iterable[Row]) -> str:
    """The table, with the date and the machine's kind above it."""
    head = Row("what", "against", "reached", "asked", "this, least (median)", "that", "floor")
    rule = Row(*["---"] * 7)
    lines = [
        f"| {row.what} | {row.against} | {row.reached} | {row.asked} | {row.floor} | {row.ours} |"
        f" {row.theirs} |"
        for row in (head, rule, *rows)
    ]
    return f"{_machine()}\n\n" + "\n".join(lines)


def _machine() -> str:
    today = datetime.now(UTC).date().isoformat()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{today}, {os.cpu_count()} cores, {platform.machine()}, {platform.system()}, {python}"
