"""What is wrong at a place in a template, and how to fix it."""

from __future__ import annotations

from typing import NamedTuple

from macro.engine.template.document import Path


class Problem(NamedTuple):
    """What is wrong at a place in a template, and the fix.

    `code` is stable and stands in docs/problems.md. `on_key` says that the key at `path` is what is
    wrong rather than its value.
    """

    code: str
    path: Path
    message: str
    fix: str
    on_key: bool = False

    def __str__(self) -> str:
        return f"{self.message} {self.fix}"
