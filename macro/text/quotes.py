"""The author's text for use in another place: a key, an entry, or a value of what moves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias, cast

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from macro.engine.template.records import NamedTuple
from macro.text.changes import Changes
from macro.text.edited_tree import Branch, Member, Value
from macro.text.entries import chunk
from macro.text.line_breaks import Splice, in_order, spliced
from macro.text.nodes import Alias, key_of
from macro.text.spans import Spans, is_flow

Lines: TypeAlias = "tuple[str, list[str]]"
"""What follows a key or a dash in its line, and the lines after it, indented."""

_ANCHOR = re.compile(r"^(!\S+ +)?&\S+ +")


class _Value(NamedTuple):
    """A value's text, where it was, and the comment behind it."""

    start: int
    end: int
    text: str
    comment: str = ""


class Quotes(NamedTuple):
    """Quotes what the text has of a member, with the edits within it.

    `edited` gives the splices that change a collection in the text.
    """

    changes: Changes
    edited: Callable[[Branch], list[Splice]]

    def key(self, member: Member, in_flow: bool = False) -> str | None:
        """The author's spelling of a key; None if there is none that can be used."""
        if member.home is None or not isinstance(member.home[0], MappingNode):
            return None
        if in_flow and not is_flow(member.home[0]):
            return None
        key = member.home[0].value[member.home[1]][0]
        if isinstance(key, Alias) or key_of(key) != member.key:
            return None
        return self.changes.spans.text[key.start_mark.index : key.end_mark.index]

    def entry(self, member: Member, column: int, key: str) -> list[str] | None:
        """A key, spelled like this, and its value, as lines at a column; None if the text of the
        value cannot be used there."""
        if member.home is None or not isinstance(member.home[0], MappingNode):
            return None
        node, number = member.home
        old = node.value[number][0]
        start = self.changes.spans.entry_start(node, number)
        if old.start_mark.index != start or isinstance(old, Alias):
            return None
        found = self._rest(member, int(old.end_mark.index), column - self._column(start))
        return found and [" " * column + key + found[0], *found[1]]

    def item(self, member: Member, column: int, width: int) -> list[str] | None:
        """An item of a block list, as lines, with its value so far behind its dash; None if the
        text of the value cannot be used there."""
        if member.home is None or not isinstance(member.home[0], SequenceNode):
            return None
        node, number = member.home
        value, spans = node.value[number], self.changes.spans
        start, end = int(value.start_mark.index), int(value.end_mark.index)
        if start == end or spans.line_start(start) > spans.entry_start(node, number):
            return None
        found = self._rest(member, start, column + width - self._column(start))
        return found and [f"{' ' * column}-{' ' * (width - 1)}{found[0]}", *found[1]]

    def _rest(self, member: Member, start: int, shift: int) -> Lines | None:
        """The lines of a block collection's entry from an index on, indented by so much more."""
        changes, (node, number) = self.changes, cast("tuple[Node, int]", member.home)
        if not changes.keeps(member) or is_flow(node):
            return None
        if changes.spans.keeps_blank_lines(node.value[number]):  # there may be others elsewhere
            return None
        splices = [*unended(changes, member), *self._inner(member)]
        rest = _cut(changes.spans.text, start, chunk(changes.spans, member)[1], splices)
        first, *below = rest.split("\n")
        return first, _shifted(below, shift)

    def _column(self, index: int) -> int:
        return self.changes.spans.column(index)

    def value(self, member: Member, column: int) -> Lines | None:
        """A value below a column, with the comment behind it; None if its text cannot be used."""
        found = self._value(member, in_flow=False)
        if found is None:
            return None
        text = found.text + (f"  {found.comment}" if found.comment else "")
        first, *below = text.split("\n")
        return first, _shifted(below, column - len(self.changes.spans.indentation(found.start)))

    def flow(self, member: Member, indent: str) -> str | None:
        """A value in flow style, at an indentation; None if its text cannot be used."""
        found = self._value(member, in_flow=True)
        if found is None:
            return None
        old = self.changes.spans.indentation(found.start)
        first, *below = found.text.split("\n")
        lines = (indent + line[len(old) :] if line.startswith(old) else line for line in below)
        return "\n".join((first, *lines))

    def comments(self, member: Member, in_flow: bool = False) -> list[str]:
        """The comments that come to be above a member whose entry is not quoted as a whole."""
        above = self.changes.above(member)
        if not self.changes.keeps(member):
            return above
        changes, spans = self.changes, self.changes.spans
        found = self._value(member, in_flow)
        if found is None:
            quoted = [chunk(spans, part) for part in _parts(member.value) if changes.keeps(part)]
        else:
            quoted = [(found.start, found.end if in_flow else spans.line_end(found.end))]
        home, number = cast("tuple[Node, int]", member.home)
        inner = spans.comments(*chunk(spans, member), [home.value[number]])
        moved = ((index, text) for index, text in inner if index in changes.carried)
        outer = (
            text for index, text in moved if not any(start <= index < end for start, end in quoted)
        )
        return [*above, *outer]

    def _value(self, member: Member, in_flow: bool) -> _Value | None:
        changes, spans, value = self.changes, self.changes.spans, member.value
        node = value.node if isinstance(value, Branch) else value
        if not isinstance(node, Node):
            return None
        start, end = int(node.start_mark.index), spans.end(node)
        text = spans.text[start:end]
        if member.foreign or (isinstance(value, Branch) and value.alias is not None):
            text = _ANCHOR.sub(r"\1", text)  # which stays where the value's text is
            is_copy = isinstance(value, Node) and not re.search(r"[\n&*#]", text)
            can_be_used = is_copy and _fits(spans, node, text, in_flow)
            return _Value(start, end, text) if can_be_used else None
        if not changes.keeps(member):
            return None
        home = cast("tuple[Node, int]", member.home)[0]
        if not _fits(spans, node, text, in_flow and not is_flow(home)):
            return None
        behind = spans.trailing(end)
        comment = behind[1] if behind and behind[0] in changes.carried else ""
        return _Value(start, end, _cut(spans.text, start, end, self._inner(member)), comment)

    def _inner(self, member: Member) -> list[Splice]:
        return self.edited(member.value) if isinstance(member.value, Branch) else []


def _parts(value: Value) -> list[Member]:
    """What an edited value is made of, each part of which is quoted by itself."""
    if not isinstance(value, Branch):
        return []
    found = list(value.members.values())
    return _parts(found[0].value) if value.is_call else found


def unended(changes: Changes, member: Member) -> list[Splice]:
    """What keeps a value that ends in a block scalar when something comes to be behind it, if the
    text ends there without a line break: `|` becomes `|-`."""
    spans, last = changes.spans, member.value
    if not changes.keeps(member):
        return []
    while isinstance(last, Branch):
        if last.is_call:
            (inner,) = last.members.values()
        else:
            plan, end = changes.of(last), len(cast(Node, last.node).value) - 1
            if end not in plan.kept or plan.behind or not changes.keeps(plan.kept[end]):
                return []
            inner = plan.kept[end]
        last = inner.value
    block = spans.last_block_scalar(last) if isinstance(last, Node) else None
    if block is None or spans.end(block) < len(spans.text) or spans.text[-1] == "\n":
        return []
    start, end = spans.header(block)
    return [(start, end, re.sub("[-+]", "", spans.text[start:end]) + "-")]


def _fits(spans: Spans, node: Node, text: str, to_flow: bool) -> bool:
    """Whether a value's text means the same elsewhere, or in flow style if it comes there."""
    if isinstance(node, Alias):
        return True
    if not isinstance(node, ScalarNode):
        return is_flow(node) and not spans.is_bare(node)
    if node.style in ("|", ">"):
        return False
    if node.style:
        return True
    return bool(node.value) and not re.search(r"\n|[,\[\]{}]|:$" if to_flow else r"\n", text)


def _cut(text: str, start: int, end: int, splices: Iterable[Splice]) -> str:
    """The text between two indices with splices made that lie within, or at its end."""
    inner = (
        (min(low, end) - start, min(high, end) - start, new) for low, high, new in in_order(splices)
    )
    return spliced(text[start:end], inner)


def _shifted(lines: Iterable[str], by: int) -> list[str]:
    """Lines indented by so much more, or less."""
    if by >= 0:
        return [" " * by + line if line else line for line in lines]
    return [re.sub(f"^ {{0,{-by}}}", "", line) for line in lines]
