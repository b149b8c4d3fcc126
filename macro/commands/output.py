"""What commands print: problems with their places, annotations, colours, progress."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TextIO, TypeVar

from macro.text.source import LocatedProblem

T = TypeVar("T")

_LOOKS = {
    "red": "\x1b[31m",
    "green": "\x1b[32m",
    "yellow": "\x1b[33m",
    "cyan": "\x1b[36m",
    "bold": "\x1b[1m",
}
_PLAIN = "\x1b[0m"


def printable(text: str) -> str:
    """A text in one line that no terminal takes for a command of its own: what is not printable
    shows as an escape. Names of files and keys of templates are anybody's."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def report(text: str) -> None:
    """Prints a line to standard error, with what is not printable as escapes."""
    _print_to_stderr(no_command(printable(text)))


def _print_to_stderr(line: str) -> None:
    """Prints a line that is lost where nothing can be written there: the exit code remains."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        drop(sys.stderr)


def drop(stream: TextIO) -> None:
    """Sends nowhere what Python would still write to a stream, on exit at the latest."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def no_command(line: str) -> str:
    """A line of which, where GitHub Actions reads along, no name of a file or a key makes a
    workflow command."""
    if not _in_github():
        return line
    return re.sub(r"^( *)::", r"\1\\x3a:", line).replace("##[", r"#\x23[")


def as_json(data: object) -> str:
    """Data for a program; what it holds makes no workflow command either."""
    text = json.dumps(data, indent=2)
    return text.replace("##[", r"#\u0023[") if _in_github() else text


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
        _print_to_stderr(f"::{kind} {pairs}::{_escaped(text)}")


def _in_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _escaped(text: str, more: str = "") -> str:
    return re.sub(f"[%{more}]", lambda found: f"%{ord(found[0]):02X}", printable(text))


def styled(text: str, look: str, stream: TextIO) -> str:
    """A text in a look ("bold", "red"), where a person looks at the stream."""
    return f"{_LOOKS[look]}{text}{_PLAIN}" if _is_coloured(stream) else text


def shown_diff(diff: str, stream: TextIO) -> str:
    """A unified diff, on a terminal without raw control characters, and in colour where that is
    wanted."""
    if not stream.isatty():
        return diff
    return "".join(_line(line, stream) for line in diff.splitlines(keepends=True))


def _is_coloured(stream: TextIO) -> bool:
    """Whether colour is wanted; see https://no-color.org."""
    names = os.environ
    return stream.isatty() and not names.get("NO_COLOR") and names.get("TERM") != "dumb"


def _line(line: str, stream: TextIO) -> str:
    signs = (("+++", "bold"), ("---", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))
    look = next((look for sign, look in signs if line.startswith(sign)), None)
    shown = "\t".join(printable(part) for part in line.rstrip("\r\n").split("\t"))
    return f"{styled(shown, look, stream) if look else shown}\n"


TERMINAL_WIDTH = 30


def with_progress(items: Iterable[T], total: int, least: int = 2 * TERMINAL_WIDTH) -> Iterator[T]:
    """The items as they come, with a bar that grows on a terminal, where they are many."""
    if total < least or not sys.stderr.isatty():
        yield from items
        return
    try:
        for done, item in enumerate(items, 1):
            bar = "#" * (TERMINAL_WIDTH * done // total)
            print(
                f"\r[{bar:.<{TERMINAL_WIDTH}}] {done}/{total}", end="", file=sys.stderr, flush=True
            )
            yield item
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
