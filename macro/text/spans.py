"""Where things stand in the author's text: lines, entries of collections, comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from macro.text.nodes import Alias

Comment: TypeAlias = "tuple[int, str]"  # its index in the text, and its text from the "#" on

_PROPERTIES = re.compile(r"(?:[!&]\S*\s+|#[^\n]*+\s*)*+")  # tag and anchor before a collection
_HEADER = re.compile(r"(?<!\S)[|>][-+0-9]*(?!\S)")
_INDICATOR = re.compile(r"(?:\s|#[^\n]*+)*+([-:])")
_COMMENT = re.compile(r"[!&*][^\s,\[\]{}]*+|(#[^\n]*+)")  # a tag may hold a "#"
_BELOW = re.compile(r"\n( *)#[^\n]*")
_BELOW_BLANK = re.compile(r"(?:\n[ \t]*)*\n( *)#[^\n]*")
_TRAILING = re.compile(r"[ \t]*,?(?:(?<=,)|[ \t])[ \t]*(#[^\n]*)")


def is_flow(node: Node) -> bool:
    """Whether a node is a collection in flow style."""
    return isinstance(node, CollectionNode) and bool(node.flow_style)


def nodes_below(node: Node) -> Iterator[Node]:
    """A node and all below it, in the text's order; an alias is not followed."""
    yield node
    if isinstance(node, CollectionNode):
        for item in node.value:
            for part in item if isinstance(item, tuple) else (item,):
                yield from nodes_below(part)


class Spans:
    """Answers where things stand in one text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def line_start(self, index: int) -> int:
        """Where the line that holds an index begins."""
        return self.text.rfind("\n", 0, index) + 1

    def line_end(self, index: int) -> int:
        """Where the line that holds an index ends, before its line break."""
        end = self.text.find("\n", index)
        return len(self.text) if end < 0 else end

    def break_before(self, index: int) -> int:
        """Where the line break before the line that holds an index begins; 0 in the first line."""
        return max(self.line_start(index) - 1, 0)

    def column(self, index: int) -> int:
        """How far an index is from the beginning of its line."""
        return index - self.line_start(index)

    def indentation(self, index: int) -> str:
        """The white space that begins the line that holds an index."""
        start = self.line_start(index)
        match = re.compile(r"[ \t]*").match(self.text, start)
        return match[0] if match else ""

    def leads(self, index: int) -> bool:
        """Whether only white space stands before an index in its line."""
        return not self.text[self.line_start(index) : index].strip(" \t")

    def inside(self, node: Node) -> int:
        """Where a collection's entries begin: past its tag, its anchor, and its bracket."""
        start = self._past_properties(node)
        return start + 1 if is_flow(node) else start

    def is_bare(self, node: Node) -> bool:
        """Whether a mapping has no braces though it stands in flow style, as in `[a: 1]`."""
        if not isinstance(node, MappingNode) or not is_flow(node):
            return False
        return self.text[self._past_properties(node)] != "{"

    def _past_properties(self, node: Node) -> int:
        match = _PROPERTIES.match(self.text, node.start_mark.index)
        return match.end() if match else int(node.start_mark.index)

    def entry_start(self, node: Node, number: int) -> int:
        """Where an entry begins: its key, or a block list's dash."""
        if isinstance(node, MappingNode):
            start = node.value[number][0].start_mark.index
            before = self.text[self.line_start(start) : start].rstrip(" \t")
            return self.line_start(start) + len(before) - 1 if before.endswith("?") else start
        if is_flow(node):
            return int(node.value[number].start_mark.index)
        after = self.entry_end(node, number - 1) if number else self.inside(node)
        match = _INDICATOR.match(self.text, after)
        return match.start(1) if match else after

    def entry_end(self, node: Node, number: int) -> int:
        """Where an entry's content ends."""
        if isinstance(node, SequenceNode):
            return self.end(node.value[number])
        key, value = node.value[number]
        if value.start_mark.index == value.end_mark.index and not self.has_colon(key, value):
            return int(key.end_mark.index)
        return self.end(value)

    def has_colon(self, key: Node, value: Node) -> bool:
        """Whether a mapping's entry has its ":"; `{a, b}` and `? a` have none."""
        return ":" in self.text[key.end_mark.index : value.start_mark.index]

    def value_start(self, node: Node, number: int) -> int:
        """Where an entry's value may begin: behind its ":" or its dash."""
        if isinstance(node, MappingNode):
            match = _INDICATOR.match(self.text, node.value[number][0].end_mark.index)
            return match.end() if match else self.entry_end(node, number)
        return self.entry_start(node, number) + 1

    def end(self, node: Node) -> int:
        """Where a value's content ends: before the blank lines and the comments that libyaml counts
        to a block collection or a block scalar."""
        end = int(node.end_mark.index)
        if isinstance(node, Alias):
            return end
        if isinstance(node, ScalarNode):
            if node.style not in ("|", ">"):
                return end
            if self.keeps_blank_lines(node):
                return self.break_before(end) if self.text[end - 1] == "\n" else end
            start = node.start_mark.index
            return start + len(self.text[start:end].rstrip("\n"))
        if is_flow(node) or not node.value:
            return end
        return self.entry_end(node, len(node.value) - 1)

    def last_block_scalar(self, entry: Node | tuple[Node, Node]) -> ScalarNode | None:
        """The block scalar with which a value or a mapping's entry ends; None if there is none."""
        node = entry[1] if isinstance(entry, tuple) else entry
        if isinstance(node, ScalarNode):
            return node if node.style in ("|", ">") else None
        if isinstance(node, Alias) or not node.value:
            return None
        return self.last_block_scalar(node.value[-1])

    def header(self, node: ScalarNode) -> tuple[int, int]:
        """Where a block scalar's "|" or ">" with its indicators begins and ends."""
        match = _HEADER.search(self.text, node.start_mark.index)
        return match.span() if match else (node.start_mark.index, node.start_mark.index)

    def keeps_blank_lines(self, entry: Node | tuple[Node, Node]) -> bool:
        """Whether the blank lines behind a value or a mapping's entry are part of it (`|+`)."""
        scalar = self.last_block_scalar(entry)
        if scalar is None:
            return False
        start, end = self.header(scalar)
        return "+" in self.text[start:end]

    def trailing(self, end: int) -> Comment | None:
        """The comment behind what ends at an index, in its line; a comma may stand between."""
        match = _TRAILING.match(self.text, end)
        return (match.start(1), match[1]) if match else None

    def past_comments(self, end: int, column: int, over_blank: bool) -> int:
        """Past the lines of comments below an end of a line that are indented by more than so much,
        and thereby part of what ends there; over blank lines, too, or not."""
        line = _BELOW_BLANK if over_blank else _BELOW
        while (comment := line.match(self.text, end)) and len(comment[1]) > column:
            end = comment.end()
        return end

    def comments(
        self, start: int, end: int, entries: Iterable[Node | tuple[Node, Node]]
    ) -> list[Comment]:
        """The comments between two indices; `entries` are what else stands there, in order."""
        found: list[Comment] = []
        at = start
        for low, high in (*self._opaque(entries), (end, end)):
            if low >= at:
                matches = _COMMENT.finditer(self.text, at, min(low, end))
                found += ((match.start(1), match[1]) for match in matches if match[1])
            at = max(at, high)
        return found

    def _opaque(self, entries: Iterable[Node | tuple[Node, Node]]) -> Iterator[tuple[int, int]]:
        """The spans in which a "#" begins no comment."""
        parts = (entry if isinstance(entry, tuple) else (entry,) for entry in entries)
        for node in (below for pair in parts for part in pair for below in nodes_below(part)):
            start, end = int(node.start_mark.index), int(node.end_mark.index)
            if isinstance(node, ScalarNode) and node.style in ("|", ">"):
                yield min(self.line_end(start), end), end  # its first line may have a comment
            elif not isinstance(node, CollectionNode):
                yield start, end
