"""What all measurements of one run share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import Processes


@dataclass(frozen=True, slots=True)
class Run:
    """`quick`: fewer repeats. `folder` is there for as long as the run lasts."""

    folder: Path
    quick: bool
    processes: Processes

    def repeats(self, number: int) -> int:
        return max(1, number // 5) if self.quick else number

    def file(self, name: str, text: str) -> Path:
        """A file with this text."""
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path
