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
        run.repeats(60),
        run.processes.program(sys.executable, "-c", "import macro.engine.handler"),
        run.processes.program(sys.executable, "-c", "import json, logging, re, typing"),
        run.processes.program(sys.executable, "-c", "pass"),
    )
    more, least = (f"{times.least - bare.least:.1f} ms more" for times in (ours, floor))
    what = "import of `macro.engine.handler`; the floor: of `json`, `logging`, `re` and `typing`"
    yield Row(what, BARE, more, "at most 22 ms more", str(ours), str(bare), least)


def small(run: Run) -> Iterator[Row]:
    """The command on an example, whole process; and what the modules alone cost that a command
    which reads YAML cannot do without."""
    example = ROOT / "examples" / "fargate.yaml"
    ours, floor = in_turns(
        run.repeats(60),
        run.processes.program(sys.executable, "-m", "macro", "expand", example),
        run.processes.program(sys.executable, "-c", "import argparse, json, yaml"),
    )
    what = f"`python -m macro expand` of {example.stat().st_size / 1000:.0f} kB of YAML"
    against = "import of `argparse`, `json` and `yaml`"
    yield ratio(what, against, ours, floor, "at most 1.7", floor)
