"""Entries of collections in flow style come and go, with their commas, line breaks and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from yaml.nodes import Node

from macro.engine.template.records import NamedTuple
from macro.text.entries import Hole
from macro.text.line_breaks import Splice
from macro.text.spans import Spans

_COMMA = re.compile(r"(?:\s|#[^\n]*+)*+,")
_LINE_BREAK = re.compile(r"[ \t]*\n")
_SPACE = re.compile(r"\s*+")


class Entry(NamedTuple):
    """A new entry: the comments above it, and its text."""

    above: Sequence[str]
    text: str


class Gap(NamedTuple):
    """What is between two entries of a collection: in one line, and before one with comments."""

    separator: str
    indent: str

    @property
    def line(self) -> str:
        return "\n" + self.indent

    def joined(self, entries: Sequence[Entry]) -> str:
        """New entries with what is between them."""
        parts: list[str] = []
        for number, entry in enumerate(entries):
            if number:
                parts.append("," + self.line if entry.above else self.separator)
            parts += *(comment + self.line for comment in entry.above), entry.text
        return "".join(parts)


def filled_hole(
    spans: Spans, node: Node, hole: Hole, entries: Sequence[Entry], gap: Gap
) -> Iterator[Splice]:
    """New entries in the place of others."""
    start, text = hole.start, spans.text
    new = gap.joined(entries)
    if entries[0].above and not spans.leads(start):
        start = _past_space(text, start)
        new = gap.line + new
    yield start, hole.end, new
    comment = spans.trailing(hole.end)
    if comment and hole.last + 1 == len(node.value) and "," not in text[hole.end : comment[0]]:
        yield hole.end, comment[0], gap.line


def taken_out(
    spans: Spans, node: Node, hole: Hole, comments: Sequence[str], gap: Gap
) -> Iterator[Splice]:
    """Nothing in the place of entries but comments that were in them."""
    text, end = spans.text, spans.entry_end(node, hole.last)
    comma = _COMMA.match(text, end)
    end = max(hole.end, comma.end() if comma else 0)
    lines = [comment + gap.line for comment in comments]
    start = hole.start
    if lines and not spans.leads(start):
        lines.insert(0, gap.line)
    if hole.last + 1 < len(node.value):
        end = next(_SPACE.finditer(text, end)).end()
        yield start, end, "".join(lines)
        return
    before = _COMMA.match(text, spans.entry_end(node, hole.first - 1)) if hole.first else None
    past = before.end() if before else start
    if before and not comma:
        yield past - 1, past, ""
    if not lines and (_LINE_BREAK.match(text, end) or "#" not in text[past:start]):
        start = max(past, _past_space(text, start))
    yield start, end, "".join(lines)


def added_behind(
    spans: Spans, node: Node, number: int, entries: Sequence[Entry], gap: Gap
) -> Iterator[Splice]:
    """New entries behind another one, and the comments on that."""
    text, end = spans.text, spans.entry_end(node, number)
    is_last = number + 1 == len(node.value)
    comma = _COMMA.match(text, end)
    if is_last:
        comments = spans.comments(end, int(node.end_mark.index), [])
    else:
        behind = spans.trailing(end)
        comments = [behind] if behind else []
    past = comma.end() if comma else end
    at = max([past, *(index + len(comment) for index, comment in comments)])
    new = gap.joined(entries)
    before, _, after = gap.separator.partition(",")
    if at > past or entries[0].above:
        before, after = "", gap.line
    if comma:
        yield at, at, after + new + before + ","
    elif at > past:
        yield end, end, ","
        yield at, at, after + new
    else:
        yield end, end, before + "," + after + new


def _past_space(text: str, index: int) -> int:
    """Where the white space before an index begins."""
    while index and text[index - 1].isspace():
        index -= 1
    return index
