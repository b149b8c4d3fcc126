"""Work that a peer could hold up for ever, ended from outside after a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from macro.preflight.threads import in_threads

T = TypeVar("T")


class DeadlineError(Exception):
    """The work did not end in time."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """What the work returns; what it raises is raised here. Raises `DeadlineError` after a time.

    A timeout of a socket bounds each read and not their sum, and the lookup of a name has none. So
    the work is done in a thread that is left behind.
    """
    for _, result in in_threads([work], seconds):
        return result
    raise DeadlineError(f"The work took longer than {seconds:.0f} s.")
