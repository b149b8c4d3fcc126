"""Writes a set of files: all of them, or it says exactly which."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path as File
from types import FrameType

from macro.commands.exit_codes import UsageError
from macro.engine.template.records import NamedTuple

# Streams that are open already: to open them by name would truncate the file behind them.
_STREAM = re.compile(r"/dev/(stdin|stdout|stderr)|/(?:dev|proc/self)/fd/(\d+)")
_STREAMS = {"stdin": 0, "stdout": 1, "stderr": 2}


class _Staged(NamedTuple):
    """A new file beside the one that it is for; `through`: that one is written into instead."""

    beside: File
    target: File
    data: bytes
    through: bool


def write(outputs: Iterable[tuple[str, bytes]]) -> None:
    """Writes files, and makes the folders that are missing on the way.

    All new contents are put beside their places first; then they replace what is in these places,
    and neither Ctrl-C nor SIGTERM comes in between. Each file keeps its mode and its owner. A file
    with several hard links is written into, so that they still show the same, and so is one whose
    owner could not be kept otherwise, a device or a pipe.

    Raises UsageError where one cannot be written, which names those that were replaced before.
    """
    staged: list[_Staged] = []
    made: list[File] = []
    replaced: list[str] = []
    name = ""
    try:
        try:
            for name, data in outputs:
                if _STREAM.fullmatch(name) or _is_special(name):
                    _write_special(name, data)
                    replaced.append(name)
                    continue
                if name.endswith("/"):
                    raise IsADirectoryError(21, "Is a directory")
                target = File(os.path.realpath(name))
                made += _make_folder(target.parent)
                staged.append(_stage(target, data))
            with _undisturbed():
                for one in staged:
                    name = str(one.target)
                    _replace(one)
                    replaced.append(name)
        except BaseException:
            for folder in reversed(made):
                with contextlib.suppress(OSError):
                    folder.rmdir()  # only if it is empty
            raise
        finally:
            for one in staged:
                with contextlib.suppress(OSError):
                    one.beside.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "this is not a file's name"
        before = f". Replaced before that: {', '.join(replaced)}" if replaced else ""
        raise UsageError(f"{name} cannot be written: {why}{before}") from None


def _is_special(name: str) -> bool:
    """Whether it is a device, a pipe or the like, which nothing can replace."""
    return os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name)  # noqa: PTH110, PTH112, PTH113 # a Path raises for an impossible name


def _write_special(name: str, data: bytes) -> None:
    stream = _STREAM.fullmatch(name)
    handle = os.dup(_STREAMS.get(stream[1]) or int(stream[2] or 0)) if stream else None
    with open(name if handle is None else handle, "wb") as file:  # noqa: PTH123 # or a handle
        file.write(data)


def _make_folder(folder: File) -> list[File]:
    """Makes a folder and those above it; those that were missing."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


def _stage(target: File, data: bytes) -> _Staged:
    """Writes the data into a new file in the folder of the target, with its mode and owner."""
    if target.is_dir():
        raise IsADirectoryError(21, "Is a directory")
    before = target.stat() if target.exists() else None
    beside = target.with_name(f".private-image-{os.urandom(8).hex()}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        through = before is not None and not _is_alike(beside, before)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    return _Staged(beside, target, data, through)


def _is_alike(beside: File, before: os.stat_result) -> bool:
    """Gives a new file the mode and the owner of another; whether it can then take its place."""
    now = beside.stat()
    if before.st_nlink > 1:
        return False
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.chown(beside, before.st_uid, before.st_gid)
        except OSError:
            return False
    beside.chmod(stat.S_IMODE(before.st_mode))
    return True


def _replace(one: _Staged) -> None:
    if not one.through:
        one.beside.replace(one.target)
        return
    before = one.target.read_bytes()
    try:
        one.target.write_bytes(one.data)
    except OSError:
        with contextlib.suppress(OSError):
            one.target.write_bytes(before)
        raise


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Lets the signals that end the command wait, whichever thread they come to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if caught:
            signal.raise_signal(caught[0])
