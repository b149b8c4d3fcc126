"""What it takes to begin: the import in Lambda, and the command on a small file."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks import ROOT
from benchmarks.run import Run
from benchmarks.table import Row, ratio
from benchmarks.timing import in_turns

BARE = "bare Python, `python -c pass`"


def imports(run: Run) -> Iterator[Row]:
    """A process that imports the handler and ends, against one that ends at once; and what the
    modules alone cost that no macro can do without."""
    ours, floor, bare = in_turns(
        run.repeats(40),
        run.processes.program(sys.executable, "-c", "import macro.engine.handler"),
        run.processes.program(sys.executable, "-c", "import json, re, typing"),
        run.processes.program(sys.executable, "-c", "pass"),
    )
    for what, times, asked in (
        ("import of `macro.engine.handler`", ours, "at most 15 ms more"),
        ("the floor: import of `json`, `re` and `typing`", floor, ""),
    ):
        more = f"{times.least - bare.least:.1f} ms more"
        yield Row(what, BARE, more, asked, str(times), str(bare))


def small(run: Run) -> Iterator[Row]:
    """The command on an example, whole process; and what the modules alone cost that a command
    which reads YAML cannot do without."""
    example = ROOT / "examples" / "fargate.yaml"
    ours, floor, bare = in_turns(
        run.repeats(25),
        run.processes.program(sys.executable, "-m", "macro", "expand", example),
        run.processes.program(sys.executable, "-c", "import argparse, json, yaml"),
        run.processes.program(sys.executable, "-c", "pass"),
    )
    what = f"`python -m macro expand` of {example.stat().st_size / 1000:.0f} kB of YAML"
    yield ratio(what, BARE, ours, bare, "at most 4")
    yield ratio("the floor: import of `argparse`, `json` and `yaml`", BARE, floor, bare, "")
