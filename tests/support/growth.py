"""How much work something is, counted rather than timed."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def without_collector() -> Iterator[None]:
    """When the collector runs depends on what ran before; here it does not, so counts are exact."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def counted(work: Callable[[], T]) -> tuple[T, int]:
    """What the work returns, and how many functions it calls."""
    count = 0

    def count_call(frame: object, kind: str, argument: object) -> None:
        nonlocal count
        count += kind in ("call", "c_call")

    with without_collector():
        sys.setprofile(count_call)
        try:
            result = work()
        finally:
            sys.setprofile(None)
    return result, count
