"""Files: those that a command works on, and how what it makes of them is written."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path as File
from typing import NamedTuple

from macro.commands.exit_codes import UsageError

STDIN = "-"
SUFFIXES = (".json", ".template", ".yaml", ".yml")


class Input(NamedTuple):
    """A file to work on, as its messages name it.

    `base` is the folder that its place under another one counts from. `named`: it was named
    outright, and not found in a folder, so it is there for a reason.
    """

    name: str
    base: str
    named: bool

    @property
    def shown(self) -> str:
        return "<stdin>" if self.name == STDIN else self.name


def find(arguments: Sequence[str], leave_out: str | None = None) -> list[Input]:
    """The files that arguments mean: files, folders and patterns, each file once, in stable order.

    In a folder these are the files with the name of a template, but not those in hidden folders, in
    `node_modules` and in the folder `leave_out`. Raises UsageError where there is nothing.
    """
    found: dict[str, Input] = {}
    for argument in arguments:
        for one in _of(argument, leave_out):
            found.setdefault(one.name if one.name == STDIN else os.path.realpath(one.name), one)
    return list(found.values())


def _of(argument: str, leave_out: str | None) -> Iterator[Input]:
    path = File(argument)
    if argument == STDIN:
        yield Input(STDIN, "", named=True)
    elif path.is_dir():
        yield from (Input(name, argument, named=False) for name in _below(argument, leave_out))
    elif path.exists() or not any(sign in argument for sign in "*?["):
        yield Input(argument, str(path.parent), named=True)
    else:
        yield from _matching(argument, leave_out)


def _matching(pattern: str, leave_out: str | None) -> Iterator[Input]:
    """The files that a pattern matches; `**` goes through folders."""
    parts = File(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if any(sign in part for sign in "*?["))
    base = File(*parts[:fixed])
    try:
        matches = sorted(base.glob(str(File(*parts[fixed:]))))
    except (OSError, ValueError) as error:
        raise UsageError(f"{pattern} is no pattern: {error}") from None
    files = [path for path in matches if path.is_file() and not _is_within(str(path), leave_out)]
    if not files:
        raise UsageError(f"{pattern} matches no file")
    yield from (Input(str(path), str(base), named=False) for path in files)


def _below(folder: str, leave_out: str | None) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}")

    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name != "node_modules"
            and not _is_within(os.path.join(place, name), leave_out)  # noqa: PTH118 # in a hot loop
        )
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(place, name)  # noqa: PTH118 # in a hot loop


def _is_within(name: str, folder: str | None) -> bool:
    return folder is not None and File(name).resolve().is_relative_to(File(folder).resolve())


def mirrored(inputs: Iterable[Input], folder: str) -> dict[str, str]:
    """Where each file goes below a folder, by name. Raises UsageError where two would meet."""
    targets: dict[str, str] = {}
    sources: dict[str, str] = {}
    for one in inputs:
        if one.name == STDIN:
            raise UsageError("standard input has no place in a folder: use -o")
        target = str(File(folder) / File(one.name).relative_to(one.base))
        if target in sources:
            raise UsageError(f"{sources[target]} and {one.name} would both be written to {target}")
        sources[target] = one.name
        targets[one.name] = target
    return targets


def read(name: str) -> bytes:
    """The bytes of a file, or of standard input. Raises UsageError."""
    if name == STDIN:
        return sys.stdin.buffer.read()
    try:
        return File(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None


def present(name: str) -> bytes | None:
    """The bytes of a file; None where there is none. Raises UsageError where it cannot be read."""
    return read(name) if File(name).exists() else None


def write(outputs: Iterable[tuple[str, bytes]], new_folders: bool = False) -> None:
    """Writes files, all or none: each beside its place first, and only then all into their places.

    Each keeps the mode of what was there before. `new_folders`: what is missing on the way is made.
    Raises UsageError where one cannot be written.
    """
    ready: list[tuple[File, File]] = []
    name = ""
    try:
        try:
            for name, data in outputs:
                target = File(os.path.realpath(name))
                if new_folders:
                    target.parent.mkdir(parents=True, exist_ok=True)
                if target.exists() and not target.is_file():
                    target.write_bytes(data)  # a device or a pipe: there is nothing to replace
                else:
                    ready.append((_beside(target, data), target))
            for beside, target in ready:
                name = str(target)
                beside.replace(target)
        finally:
            for beside, _ in ready:
                with contextlib.suppress(OSError):
                    beside.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{name} cannot be written: {error.strerror}") from None


def _beside(target: File, data: bytes) -> File:
    """A new file with the data, in the folder of the target and with its mode."""
    import tempfile  # slow to import, and needed here only

    mode = target.stat().st_mode if target.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(dir=target.parent)
    beside = File(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        beside.chmod(mode)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return beside


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
