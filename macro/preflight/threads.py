"""Many pieces of work at once, whose results come as they get done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")

THREADS = 8
STALL_SECONDS = 150.0  # so long after the last result, no other is waited for


def in_threads(
    works: Sequence[Callable[[], T]], stall: float = STALL_SECONDS
) -> Iterator[tuple[int, T]]:
    """What each piece of work comes to, with its index, as they get done.

    Ends early where nothing gets done any more for `stall` seconds. The threads do not keep the
    process alive, so that neither an interrupt nor a peer that never ends waits for them.
    """
    todo: SimpleQueue[int] = SimpleQueue()
    done: SimpleQueue[tuple[int, T | BaseException]] = SimpleQueue()
    for index in range(len(works)):
        todo.put(index)

    def work() -> None:
        while True:
            try:
                index = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((index, works[index]()))
            except BaseException as error:  # noqa: BLE001 # raised where the results are taken
                done.put((index, error))

    for _ in range(min(THREADS, len(works))):
        Thread(target=work, daemon=True).start()
    for _ in works:
        try:
            index, result = done.get(timeout=stall)
        except Empty:
            return
        if isinstance(result, BaseException):
            raise result
        yield index, result
