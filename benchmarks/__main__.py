"""`python -m benchmarks`: measures, and prints the table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import command, engine, invocation, startup
from benchmarks.run import Run
from benchmarks.table import Row, markdown
from benchmarks.timing import MeasurementError, Processes
from contract import TransformFailedError
from runtime_api import StoppedError

ROWS: dict[str, Callable[[Run], Iterator[Row]]] = {
    "engine": engine.engine,
    "import": startup.imports,
    "invocation": invocation.cold,
    "growth": command.growth,
    "medium": command.medium,
    "large": command.large,
    "small": startup.small,
    "plug-in": command.plug_in,
    "folder": command.folder,
    "memory": invocation.memory,
}


def main() -> int:
    """Prints the table. Returns 0; 1 where something that was to be measured failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--quick", action="store_true", help="with a fifth of the repeats")
    options = parser.parse_args()
    rows: list[Row] = []
    code = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = Run(folder, options.quick, Processes(folder / "bytecode"))
        for row in options.only or ROWS:
            print(f"{row} ...", file=sys.stderr)
            try:
                rows += ROWS[row](run)
            except (MeasurementError, StoppedError, TransformFailedError) as error:
                print(f"error: {row}: {error}", file=sys.stderr)
                rows.append(Row(row, "", "failed", ""))
                code = 1
    print(markdown(rows))
    return code


sys.exit(main())
