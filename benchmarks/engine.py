"""The engine and what applies its edits, on fragments, in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.run import Run
from benchmarks.table import Row, fraction, ratio
from benchmarks.templates import DENSE, MEGABYTE, MOST, SPARSE, bulky, generated
from benchmarks.timing import MeasurementError, Times, calls_in_turns
from macro.engine.expand import expand
from macro.engine.template.document import Json
from macro.engine.template.edits import apply

COUNTS = (1, 10, 100, MOST)


def engine(run: Run) -> Iterator[Row]:
    """`expand` and `apply` against the reading and writing that Lambda's runtime does of the same
    fragment; then the time per byte at 500 resources against that at 100. The floor is a walk that
    looks at each value of the fragment once."""
    for every, mix, asked, asked_large in (
        (SPARSE, "", "at most 1.0", "at most 0.4"),
        (DENSE, ", every second resource a task", "at most 2.5", "at most 1.0"),
    ):
        rates: dict[int, float] = {}
        for count in COUNTS:
            ours, theirs, floor, size = _measured(run, generated(count, every))
            rates[count] = ours.least / size
            number = f"{count} resources" if count > 1 else "1 resource"
            what = f"engine and edits, {number} of {size / 1000:.1f} kB{mix}"
            yield ratio(what, JSON, ours, theirs, asked if count == MOST else "", floor)
        ours, theirs, floor, size = _measured(run, bulky(MEGABYTE, every))
        what = f"engine and edits, {MOST} resources of {size / 1000:.0f} kB{mix}"
        yield ratio(what, JSON, ours, theirs, asked_large, floor)
        growth = fraction(rates[MOST] / rates[100])
        what = f"the same per byte, {MOST} resources{mix}"
        yield Row(what, "100 resources", growth, "at most 1")
    yield _one_more(run)


JSON = "`json.loads` and `json.dumps` of it"


def _one_more(run: Run) -> Row:
    """What one more private container costs: what makes a dense template take longer than one that
    has as many resources."""
    dense, sparse = generated(MOST, DENSE), generated(MOST, SPARSE)
    more, fewer = calls_in_turns(
        run.repeats(40),
        lambda: apply(dense, expand(dense).edits),
        lambda: apply(sparse, expand(sparse).edits),
    )
    containers = MOST // DENSE - MOST // SPARSE
    each = (more.least - fewer.least) * 1000 / containers
    what = f"one more private container, of {containers}"
    return Row(what, "", f"{each:.0f} µs", "at most 40 µs", str(more), str(fewer))


def _measured(run: Run, fragment: dict[str, Json]) -> tuple[Times, Times, Times, int]:
    """What we, the other side and the floor take for a fragment, and its bytes."""
    text = json.dumps(fragment)
    if expand(fragment).problems:
        raise MeasurementError("the generated template has problems")
    ours, theirs, floor = calls_in_turns(
        run.repeats(40),
        lambda: apply(fragment, expand(fragment).edits),
        lambda: json.dumps(json.loads(text)),
        lambda: _walk(fragment),
    )
    return ours, theirs, floor, len(text)


def _walk(fragment: dict[str, Json]) -> int:
    """Looks at each value once, and counts those that are text."""
    count = 0
    todo: list[Any] = [fragment]
    while todo:
        node = todo.pop()
        for value in node.values() if type(node) is dict else node:
            if type(value) is str:
                count += 1
            elif type(value) is dict or type(value) is list:
                todo.append(value)
    return count
