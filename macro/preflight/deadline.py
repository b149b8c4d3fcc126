"""Work that a peer could hold up for ever, ended from outside after a time."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


class DeadlineError(Exception):
    """The work did not end in time."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """What the work returns; what it raises is raised here. Raises `DeadlineError` after a time.

    A timeout of a socket bounds each read and not their sum, and the lookup of a name has none. So
    the work is done in a thread that is left behind: it does not keep the process alive, and an
    interrupt need not wait for it.
    """
    answers: SimpleQueue[Callable[[], T]] = SimpleQueue()

    def answer() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 # raised where the answer is taken
            fault = error

            def fail() -> T:
                raise fault

            answers.put(fail)
        else:
            answers.put(lambda: result)

    Thread(target=answer, daemon=True).start()
    try:
        outcome = answers.get(timeout=seconds)
    except Empty:
        raise DeadlineError(f"The work took longer than {seconds:.0f} s.") from None
    return outcome()
