"""How much work something is, counted rather than timed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from cProfile import Profile
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def without_collector() -> Iterator[None]:
    """When the collector runs depends on what ran before; here it does not, so counts are exact."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def counted(work: Callable[[], T]) -> tuple[T, int]:
    """What the work returns, and how many functions it calls."""
    profile = Profile()
    with without_collector():
        result = profile.runcall(work)
    return result, sum(entry.callcount for entry in profile.getstats())
