"""What commands print: problems with their places, annotations, colours, progress."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TextIO, TypeVar

from macro.text.source import LocatedProblem

T = TypeVar("T")

_LOOKS = {"red": "\x1b[31m", "green": "\x1b[32m", "cyan": "\x1b[36m", "bold": "\x1b[1m"}
_PLAIN = "\x1b[0m"


def printable(text: str) -> str:
    """A text in one line that no terminal takes for a command of its own: what is not printable
    shows as an escape. Names of files and keys of templates are anybody's."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def report(text: str) -> None:
    """Prints a line to standard error.

    Where GitHub Actions reads along, no name of a file or a key makes a workflow command of it.
    """
    line = printable(text)
    if _in_github():
        line = re.sub(r"^( *)::", r"\1\\x3a:", line).replace("##[", r"#\x23[")
    print(line, file=sys.stderr, flush=True)


def problems(name: str, found: Iterable[LocatedProblem], kind: str = "error") -> None:
    """Prints what is wrong in a file, or with `kind` "warning" what is worth a look."""
    for one in found:
        text = f"{one.message} {one.fix}"
        label = "" if kind == "error" else f"{kind}: "
        report(f"{name}:{one.line}:{one.column}: {one.code} {label}{text}")
        annotate(kind, text, file=name, line=one.line, col=one.column, title=one.code)


def annotate(kind: str, text: str, **where: str | int) -> None:
    """Puts a note on a line of a file into the view of GitHub Actions, where it runs there.

    Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    if _in_github():
        pairs = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in where.items())
        print(f"::{kind} {pairs}::{_escaped(text)}", file=sys.stderr)


def _in_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _escaped(text: str, more: str = "") -> str:
    return re.sub(f"[%{more}]", lambda found: f"%{ord(found[0]):02X}", printable(text))


def styled(text: str, look: str, stream: TextIO) -> str:
    """A text in a look ("bold", "cyan"), where a person looks at the stream."""
    return f"{_LOOKS[look]}{text}{_PLAIN}" if is_seen(stream, os.environ) else text


def coloured(diff: str, stream: TextIO) -> str:
    """A unified diff in colour, where a person looks at the stream."""
    if not is_seen(stream, os.environ):
        return diff
    return "".join(_line(line) for line in diff.splitlines(keepends=True))


def is_seen(stream: TextIO, variables: Mapping[str, str]) -> bool:
    """Whether colour is wanted; see https://no-color.org."""
    return stream.isatty() and not variables.get("NO_COLOR") and variables.get("TERM") != "dumb"


def _line(line: str) -> str:
    signs = (("+++", "bold"), ("---", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))
    look = next((look for sign, look in signs if line.startswith(sign)), None)
    shown = "\t".join(printable(part) for part in line.rstrip("\r\n").split("\t"))
    return f"{_LOOKS[look]}{shown}{_PLAIN}\n" if look else f"{shown}\n"


WIDTH = 30


def show_progress(done: int, total: int) -> None:
    """Draws a bar that grows, on a terminal; `clear_progress` takes it away."""
    if sys.stderr.isatty():
        bar = "#" * (WIDTH * done // total)
        print(f"\r[{bar:.<{WIDTH}}] {done}/{total}", end="", file=sys.stderr, flush=True)


def clear_progress() -> None:
    """Takes the bar away."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def with_progress(items: Iterable[T], total: int) -> Iterator[T]:
    """The items as they come, with a bar where they are many."""
    if total < 2 * WIDTH:
        yield from items
        return
    try:
        for done, item in enumerate(items, 1):
            show_progress(done, total)
            yield item
    finally:
        clear_progress()
