"""Two sides timed in turns: calls in this process, or processes from start to end."""

from __future__ import annotations

import gc
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeAlias

from benchmarks import ROOT

Side: TypeAlias = Callable[[], float]
"""What runs one side once, and gives the seconds that it took."""

SAMPLE = 0.02  # seconds: a call is repeated until it takes that long


class MeasurementError(Exception):
    """What was to be measured went wrong; the text says how."""


@dataclass(frozen=True, slots=True)
class Times:
    """What one side took, in milliseconds."""

    least: float
    median: float

    def __str__(self) -> str:
        return f"{_rounded(self.least)} ms ({_rounded(self.median)})"


def _rounded(value: float) -> str:
    """A number with three digits that count."""
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def in_turns(repeats: int, *sides: Side) -> list[Times]:
    """What each side takes, run in turns; the first turn does not count."""
    taken: list[list[float]] = [[] for _ in sides]
    for turn in range(repeats + 1):
        for side, times in zip(sides, taken, strict=True):
            seconds = side()
            if turn:
                times.append(seconds * 1000)
    return [Times(min(times), median(times)) for times in taken]


def calls_in_turns(repeats: int, *sides: Callable[[], object]) -> list[Times]:
    """What one call of each side takes. Garbage is collected before each sample, and within it as
    Python does by itself: so it is in Lambda."""
    counts = [_calls_in_a_sample(side) for side in sides]
    taken: list[list[float]] = [[] for _ in sides]
    for _ in range(repeats):
        for side, count, times in zip(sides, counts, taken, strict=True):
            gc.collect()
            start = perf_counter()
            for _ in range(count):
                side()
            times.append((perf_counter() - start) * 1000 / count)
    return [Times(min(times), median(times)) for times in taken]


def _calls_in_a_sample(side: Callable[[], object]) -> int:
    side()  # what is done once only
    start = perf_counter()
    side()
    return max(1, int(SAMPLE / (perf_counter() - start)))


class Processes:
    """Runs programs in the project's folder, all with the same variables: without those of Python
    and AWS, and with bytecode kept in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._variables = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "AWS_"))
        } | {"PYTHONPYCACHEPREFIX": str(directory), "PYTHONNOUSERSITE": "1"}

    def program(self, *command: str | Path, **variables: str) -> Side:
        """What runs a program to its end. That raises MeasurementError where it ends with an
        error."""
        return partial(self._run, command, variables)

    def _run(self, command: Sequence[str | Path], variables: Mapping[str, str]) -> float:
        with tempfile.TemporaryFile() as errors:
            start = perf_counter()
            code = subprocess.run(
                command,
                cwd=ROOT,
                env={**self._variables, **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                check=False,
            ).returncode
            taken = perf_counter() - start
            if code:
                errors.seek(0)
                said = errors.read().decode("utf-8", "replace").strip()
                raise MeasurementError(f"{Path(command[0]).name} ended with {code}: {said[-500:]}")
        return taken
