"""Line breaks: `\\n` while a text is worked on, and afterwards what the author's lines end with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

Splice: TypeAlias = "tuple[int, int, str]"
"""What comes in place of the text between two indices."""


def unified(text: str) -> str:
    """The text with every line break as `\\n`; lines and columns stay what they are."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def in_order(splices: Iterable[Splice]) -> list[Splice]:
    """Splices in the order of the text; those at one place keep theirs."""
    return sorted(splices, key=lambda splice: splice[:2])


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """The text with splices made that are in order and do not overlap."""
    parts: list[str] = []
    at = 0
    for start, end, new in splices:
        parts += (text[at:start], new)
        at = end
    return "".join((*parts, text[at:]))


def restored(text: str, splices: Iterable[Splice]) -> str:
    """The text with splices made that are in order; their indices are those of the unified text.

    What stays keeps its line breaks; what is new has those of the line before it.
    """
    body = unified(text)
    if body is text:
        return spliced(text, splices)
    breaks = re.findall(r"\r\n|\n|\r", text)
    passed, at = 0, 0  # line breaks and characters of the text so far
    parts: list[str] = []
    size = len(body)
    whole = (_of_whole_lines(body, splice) for splice in _joined(splices))
    for start, end, new in (*whole, (size, size, "")):
        first, *lines = body[at:start].split("\n")
        parts.append(first)
        for line in lines:
            parts += breaks[passed], line
            passed += 1
        parts.append(new.replace("\n", breaks[max(passed - 1, 0)]))
        passed += body.count("\n", start, end)
        at = end
    return "".join(parts)


def _joined(splices: Iterable[Splice]) -> list[Splice]:
    """Splices in order, as one where they touch."""
    joined: list[Splice] = []
    for start, end, new in splices:
        if joined and joined[-1][1] == start:
            first, _, before = joined.pop()
            start, new = first, before + new
        joined.append((start, end, new))
    return joined


def _of_whole_lines(text: str, splice: Splice) -> Splice:
    """The same splice so that a line before it keeps its own line break."""
    start, end, new = splice
    if text[start : start + 1] != "\n":
        return splice
    if new.startswith("\n"):
        return (start + 1, end, new[1:]) if start < end else (start + 1, start + 1, new[1:] + "\n")
    if not new and start < end and text[end : end + 1] == "\n":
        return start + 1, end + 1, ""
    return splice
