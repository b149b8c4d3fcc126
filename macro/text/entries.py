"""What becomes of the entries of a collection in the text: what stays, what goes, what comes."""

from __future__ import annotations

from typing import cast

from yaml.nodes import MappingNode, Node

from macro.engine.template.records import NamedTuple
from macro.text.edited_tree import Branch, Member, Value
from macro.text.nodes import function, key_of
from macro.text.spans import Spans, is_flow


class Hole(NamedTuple):
    """A run of entries that are gone, by their numbers, what comes in their place, and where the
    text is that goes with them: in block style whole lines, with the break before.

    From `below` on it has the comments that are indented as being part of the last entry; from
    `rest` on, what is of the entry behind.
    """

    first: int
    last: int
    added: tuple[Member, ...]
    start: int
    below: int
    rest: int
    end: int


class Plan(NamedTuple):
    """What becomes of the entries of a collection in the text: those that stay and the holes, each
    by its (first) number, and what is added behind an entry."""

    kept: dict[int, Member]
    holes: dict[int, Hole]
    behind: dict[int, list[Member]]


def plan_of(spans: Spans, branch: Branch) -> Plan:
    """What becomes of the entries of a branch's collection in the text."""
    node = cast(Node, branch.node)
    kept = dict(branch.unseen)
    added: list[Member] = []
    for member in branch.members.values():
        if member.home is not None and member.home[0] is node and not member.moved:
            kept[member.home[1]] = member
        elif member.key not in branch.merged:
            added.append(member)
    hole_of: dict[int, int] = {}  # the first number of the hole of an entry that is gone
    last_of: dict[int, int] = {}  # the last number of a hole, by its first
    for number in range(len(node.value)):
        if number not in kept:
            first = hole_of[number] = hole_of.get(number - 1, number)
            last_of[first] = number
    # An added key comes behind the one that it names, else behind one that is gone, else at the
    # end. An added item of a list comes last.
    numbers: dict[str | None, int] = {}
    if isinstance(node, MappingNode):
        numbers = {key_of(key): number for number, (key, _) in enumerate(node.value)}
    end = min(last_of) if last_of and numbers else len(node.value) - 1
    filled: dict[int, list[Member]] = {first: [] for first in last_of}
    behind: dict[int, list[Member]] = {}
    beside: dict[str | None, list[Member]] = {}  # what is added where an added key is
    for member in added:
        number = end if member.after is None else numbers.get(member.after, end)
        is_gap = is_flow(node) and number + 1 in filled  # between commas the two are one place
        first = hole_of.get(number, number + 1 if is_gap else -1)
        place = filled[first] if first in filled else behind.setdefault(number, [])
        at = len(place)
        if member.after in beside:
            place = beside[member.after]
            at = 1 + next(i for i, other in enumerate(place) if other.key == member.after)
        place.insert(at, member)
        beside[member.key] = place
    holes = {
        first: Hole(first, last, members, *_region(spans, node, first, last, bool(members)))
        for first, last in last_of.items()
        for members in (tuple(filled[first]),)
    }
    return Plan(kept, holes, {number: place for number, place in behind.items() if place})


def keeps(spans: Spans, member: Member) -> bool:
    """Whether a member still has the value that it had in the text, perhaps changed within."""
    if member.home is None or member.foreign:
        return False
    node, number = member.home
    item = node.value[number]
    return _is_in_text(spans, member.value, item[1] if isinstance(item, tuple) else item)


def chunk(spans: Spans, member: Member) -> tuple[int, int]:
    """Where the text of a member with a home is: key, value, and the comments that are on it."""
    node, number = cast("tuple[Node, int]", member.home)
    start, end = spans.entry_start(node, number), spans.entry_end(node, number)
    comment = spans.trailing(end)
    end = comment[0] + len(comment[1]) if comment else end
    if is_flow(node) or spans.line_end(end) > end:
        return start, end
    return start, spans.past_comments(end, spans.column(start), over_blank=True)


def old_value(spans: Spans, node: Node, number: int) -> tuple[int, int]:
    """The text of a value that is replaced: in block style, if it spans lines, whole lines with the
    comments that are part of it; otherwise the comment behind it stays where it is."""
    start, end = spans.value_start(node, number), spans.entry_end(node, number)
    line_end = spans.line_end(end)
    if is_flow(node) or spans.line_end(start) == line_end:
        return start, end
    column = spans.column(spans.entry_start(node, number))
    return start, spans.past_comments(line_end, column, over_blank=True)


def _region(
    spans: Spans, node: Node, first: int, last: int, is_filled: bool
) -> tuple[int, int, int, int]:
    """Where the text of entries is that go away: the last four fields of their hole."""
    start, end = spans.entry_start(node, first), spans.entry_end(node, last)
    if is_flow(node):
        comment = None if is_filled else spans.trailing(end)
        end = comment[0] + len(comment[1]) if comment else end
        return start, end, end, end
    below = spans.line_end(end)
    rest = spans.past_comments(below, spans.column(start), over_blank=True)
    if spans.leads(start):
        return spans.break_before(start), below, rest, rest
    is_end = is_filled or last + 1 == len(node.value)
    return start, below, rest, rest if is_end else spans.entry_start(node, last + 1)


def _is_in_text(spans: Spans, value: Value, node: Node) -> bool:
    if not isinstance(value, Branch):
        return value is node
    if value.node is not node or value.alias is not None:
        return False
    if value.is_call:
        if list(value.members) != [function(node)]:
            return False
        (inner,) = value.members.values()
        return _is_in_text(spans, inner.value, node)
    return bool(value.members) and bool(node.value) and not spans.is_bare(node)
