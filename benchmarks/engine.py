"""The engine and what applies its edits, on fragments, in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks.run import Run
from benchmarks.table import Row, fraction, ratio
from benchmarks.templates import DENSE, MEGABYTE, SPARSE, bulky, generated
from benchmarks.timing import MeasurementError, Times, calls_in_turns
from macro.engine.expand import expand
from macro.engine.template.document import Json
from macro.engine.template.edits import apply

COUNTS = (1, 10, 100, 500)


def engine(run: Run) -> Iterator[Row]:
    """`expand` and `apply` against the reading and writing that Lambda's runtime does of the same
    fragment; then the time per byte at 500 resources against that at 100."""
    for every, mix in ((SPARSE, ""), (DENSE, ", every second resource a task")):
        rates: dict[int, float] = {}
        for count in COUNTS:
            ours, theirs, size = _measured(run, generated(count, every))
            rates[count] = ours.least / size
            number = f"{count} resources" if count > 1 else "1 resource"
            what = f"engine and edits, {number} of {size / 1000:.1f} kB{mix}"
            yield ratio(what, JSON, ours, theirs, "at most 0.5" if count == 500 else "")
        ours, theirs, size = _measured(run, bulky(MEGABYTE, every))
        what = f"engine and edits, 500 resources of {size / 1000:.0f} kB{mix}"
        yield ratio(what, JSON, ours, theirs, "at most 0.5")
        growth = fraction(rates[500] / rates[100])
        yield Row(f"the same per byte, 500 resources{mix}", "100 resources", growth, "at most 1")


JSON = "`json.loads` and `json.dumps` of it"


def _measured(run: Run, fragment: dict[str, Json]) -> tuple[Times, Times, int]:
    """What both sides take for a fragment, and its bytes."""
    text = json.dumps(fragment)
    if expand(fragment).problems:
        raise MeasurementError("the generated template has problems")
    ours, theirs = calls_in_turns(
        run.repeats(15),
        lambda: apply(fragment, expand(fragment).edits),
        lambda: json.dumps(json.loads(text)),
    )
    return ours, theirs, len(text)
