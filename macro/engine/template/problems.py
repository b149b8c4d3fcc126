"""What is wrong at a place in a template, and how to fix it."""

from __future__ import annotations

from macro.engine.template.document import Path
from macro.engine.template.records import NamedTuple


class Problem(NamedTuple):
    """What is wrong at a place in a template, and the fix.

    `code` is stable and listed in docs/problems.md. `on_key` says that the key at `path` is what is
    wrong rather than its value.
    """

    code: str
    path: Path
    message: str
    fix: str
    on_key: bool = False

    def __str__(self) -> str:
        return f"{self.message} {self.fix}"


class InvalidValueError(Exception):
    """What is wrong with a value as written: a code, the fact and the fix, without the value."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code, self.message, self.fix = code, message, fix

    def at(self, path: Path) -> Problem:
        """The mistake as a problem of the value at the path."""
        return Problem(self.code, path, self.message, self.fix)


class Caution(NamedTuple):
    """What may be wrong with a value as written, where only a deployment decides: a warning that
    has no place yet."""

    code: str
    message: str
    fix: str

    def at(self, path: Path) -> Problem:
        """The warning, of the value at the path."""
        return Problem(self.code, path, self.message, self.fix)
