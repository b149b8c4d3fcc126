"""What commands say: problems and warnings with their places, differences, progress."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TextIO, TypeVar

from macro.commands.file_expansion import Outcome
from macro.text.source import LocatedProblem

T = TypeVar("T")

_RED, _GREEN, _CYAN, _BOLD, _PLAIN = ("\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[1m", "\x1b[0m")


def problems(name: str, told: Iterable[LocatedProblem], kind: str = "error") -> None:
    """Says what is wrong in a file, or with `kind` "warning" what is worth a look."""
    for one in told:
        what = f"{one.code} {kind + ': ' if kind != 'error' else ''}{one.message} {one.fix}"
        print(f"{name}:{one.line}:{one.column}: {what}", file=sys.stderr)
        text = f"{one.message} {one.fix}"
        annotate(kind, text, file=name, line=one.line, col=one.column, title=one.code)


def stale(name: str, place: str | None) -> None:
    """Says that what is in a file's place is not its expansion."""
    file = place or name
    what = f"not up to date with {name}; expand it again"
    text = "not expanded" if file == name else what
    print(f"{file}: {text}", file=sys.stderr)
    annotate("error", text, file=file, title="PrivateImage")


def annotate(kind: str, text: str, **where: str | int) -> None:
    """Puts a note on a line of a file into the view of GitHub Actions, where it runs there.

    Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    if os.environ.get("GITHUB_ACTIONS") == "true":
        pairs = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in where.items())
        print(f"::{kind} {pairs}::{_escaped(text)}", file=sys.stderr)


def _escaped(text: str, more: str = "") -> str:
    return re.sub(f"[%\r\n{more}]", lambda found: f"%{ord(found[0]):02X}", text)


def coloured(diff: str, stream: TextIO) -> str:
    """A unified diff in colour, where a person looks at the stream."""
    if not _is_seen(stream, os.environ):
        return diff
    return "".join(_line(line) for line in diff.splitlines(keepends=True))


def _is_seen(stream: TextIO, variables: Mapping[str, str]) -> bool:
    """Whether colour is wanted; see https://no-color.org."""
    return stream.isatty() and not variables.get("NO_COLOR") and variables.get("TERM") != "dumb"


def _line(line: str) -> str:
    looks = (("+++", _BOLD), ("---", _BOLD), ("@@", _CYAN), ("+", _GREEN), ("-", _RED))
    look = next((look for sign, look in looks if line.startswith(sign)), None)
    return f"{look}{line.removesuffix(chr(10))}{_PLAIN}\n" if look else line


def as_json(outcomes: Iterable[Outcome]) -> str:
    """What has come of the files, as data: those that were named, or have shorthand or problems."""
    files = [
        {
            "file": one.input.shown,
            "place": one.place,
            "stale": one.stale,
            **(one.data or {}),
            "problems": [problem._asdict() for problem in one.problems],
            "warnings": [note._asdict() for note in one.warnings],
        }
        for one in outcomes
        if one.input.named or (one.data and one.data["edits"]) or one.problems
    ]
    return json.dumps({"files": files}, indent=2) + "\n"


WIDTH = 30


def with_progress(items: Iterable[T], total: int) -> Iterator[T]:
    """The items as they come, with a bar that grows on a terminal."""
    if total < 2 * WIDTH or not sys.stderr.isatty():
        yield from items
        return
    try:
        for done, item in enumerate(items, 1):
            full = WIDTH * done // total
            bar = "#" * full + "." * (WIDTH - full)
            print(f"\r[{bar}] {done}/{total}", end="", file=sys.stderr, flush=True)
            yield item
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def counted(number: int, what: str) -> str:
    """A number of things: "1 file", "2 files"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
