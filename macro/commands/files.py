"""The files that a command works on: files, folders and patterns, found and read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from macro.commands.exit_codes import UsageError
from macro.engine.template.records import NamedTuple
from macro.text.source import MAX_BYTES

if TYPE_CHECKING:
    from pathlib import Path as File  # slow to import: one named file does not wait for it

STDIN = "-"  # and standard output, where something is written
SUFFIXES = (".json", ".template", ".yaml", ".yml")


class Input(NamedTuple):
    """A file to work on.

    `base` is the folder that its place under another one counts from. `named`: it was named
    outright rather than found in a folder, so it is meant.
    """

    name: str
    base: str
    named: bool

    @property
    def shown(self) -> str:
        """The name as messages have it."""
        return "<stdin>" if self.name == STDIN else self.name

    @property
    def real(self) -> str:
        """The name that all names of the same file share."""
        return STDIN if self.name == STDIN else os.path.realpath(self.name)


def find(arguments: Sequence[str]) -> list[Input]:
    """The files that arguments mean: files, folders and patterns, each file once, in stable order.

    In a folder these are the files with the name of a template. Neither a folder nor a pattern
    leads into hidden folders or `node_modules`. Raises UsageError where there is nothing.
    """
    found: dict[str, Input] = {}
    for argument in arguments:
        for one in _of(argument):
            found.setdefault(one.real, one)
    return list(found.values())


def _of(argument: str) -> Iterator[Input]:
    if not argument:
        raise UsageError("FILE is empty: name a template or a folder")
    if argument == STDIN:
        yield Input(STDIN, "", named=True)
    elif os.path.isdir(argument):  # noqa: PTH112 # a Path raises for an impossible name
        yield from (Input(name, argument, named=False) for name in below(argument))
    elif os.path.exists(argument) or not _is_pattern(argument):  # noqa: PTH110
        base = os.path.dirname(argument.rstrip("/")) or "."  # noqa: PTH120 # as above
        yield Input(argument, base, named=True)
    else:
        yield from _matching(argument)


def _matching(pattern: str) -> Iterator[Input]:
    """The files that a pattern matches; `**` goes through folders."""
    base, rest = _split(pattern)
    files = _matched(base, rest)
    if not files:
        raise UsageError(f"{pattern} matches no file")
    yield from (Input(name, str(base), named=False) for name in files)


def _split(pattern: str) -> tuple[File, File]:
    """The folder that a pattern begins with, and the pattern in it."""
    from pathlib import Path as File

    parts = File(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if _is_pattern(part))
    return File(*parts[:fixed]), File(*parts[fixed:])


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _matched(base: File, pattern: File) -> list[str]:
    """The files in a folder that a pattern matches. Raises UsageError."""
    leaves_out = not any(map(_is_left_out, pattern.parts))
    try:
        return [
            str(path)
            for path in sorted(base.glob(str(pattern)))
            if path.is_file()
            and not (leaves_out and any(map(_is_left_out, path.relative_to(base).parts)))
        ]
    except (OSError, ValueError) as error:
        raise UsageError(f"{base / pattern} is not a pattern: {error}") from None


def expansions(argument: str, folder: str) -> Iterator[str]:
    """The files in a folder where expansions of what an argument means may be: of a source that
    was there before too, where it is a folder or a pattern."""
    if not os.path.isdir(folder):  # noqa: PTH112 # as above
        return
    if os.path.isdir(argument):  # noqa: PTH112
        yield from below(folder)
    elif not os.path.exists(argument) and _is_pattern(argument):  # noqa: PTH110
        from pathlib import Path as File

        yield from _matched(File(folder), _split(argument)[1])


def below(folder: str) -> Iterator[str]:
    """The files with the name of a template in a folder, at any depth. Raises UsageError."""

    def unreadable(error: OSError) -> None:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}")

    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not _is_left_out(name))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(place, name).removeprefix("./")  # noqa: PTH118 # in a hot loop


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name == "node_modules"


def mirrored(inputs: Iterable[Input], folder: str) -> dict[Input, str]:
    """Where each file goes below a folder. Raises UsageError where two would meet.

    What is found in a place that another file goes to was written there by an earlier run: it is no
    source, and is left out.
    """
    from pathlib import Path as File

    targets: dict[Input, str] = {}
    sources: dict[str, Input] = {}
    for one in sorted(inputs, key=lambda one: (not one.named, len(one.real))):
        if one.name == STDIN:
            raise UsageError("standard input has no place in a folder: use -o")
        before = sources.get(one.real)
        if before and not one.named:
            continue
        target = str(File(folder) / os.path.relpath(one.name, one.base or "."))
        other = sources.setdefault(os.path.realpath(target), one)
        if other != one:
            raise UsageError(f"{other.name} and {one.name} would both be written to {target}")
        targets[one] = target
    return {one: targets[one] for one in inputs if one in targets}


def read(name: str) -> bytes:
    """The bytes of a file, or of standard input. Raises UsageError.

    Of what is larger than any template it reads just enough to be found too large.
    """
    try:
        if name == STDIN:
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with open(name, "rb") as file:  # noqa: PTH123
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None
    except ValueError:  # a null byte in the name
        raise UsageError(f"{name} cannot be read: No such file or directory") from None


def present(name: str) -> bytes | None:
    """The bytes of a file; None where there is none. Raises UsageError where it cannot be read."""
    return read(name) if os.path.exists(name) else None  # noqa: PTH110 # as above


def places(targets: Mapping[Input, str]) -> dict[str, str]:
    """Where each file goes, by its real name."""
    return {one.real: target for one, target in targets.items()}
