"""What becomes of a text under edit: of its collections, and of the comments in what goes away."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TypeAlias, cast

from yaml.nodes import MappingNode, Node

from macro.engine.template.records import NamedTuple
from macro.text.edited_tree import Branch, Member, New, Value, json_of
from macro.text.entries import Hole, Plan, chunk, keeps, old_value, plan_of
from macro.text.nodes import is_merge
from macro.text.spans import Spans
from macro.text.style import SHORT

CommentPlace: TypeAlias = "int | tuple[int, int, bool]"
"""Whose a comment comes to be: a member's, by its id, or a hole's: its node's id, its number, and
whether it is part of what comes there."""


class Changes(NamedTuple):
    """What becomes of a text: the plans of its collections, by the ids of their branches, and where
    the comments go that are in text which goes away. `carried` are those that move with the text
    they are on, by index."""

    spans: Spans
    plans: dict[int, Plan]
    comments: dict[CommentPlace, list[str]]
    carried: frozenset[int]

    def of(self, branch: Branch) -> Plan:
        """The plan of a collection in the text."""
        return self.plans[id(branch)]

    def above(self, member: Member) -> list[str]:
        """The comments that come to be above a member."""
        return self.comments.get(id(member), [])

    def left_in(self, node: Node, hole: Hole, inside: bool = False) -> list[str]:
        """The comments that stay where a hole is, or inside of what comes there."""
        return self.comments.get((id(node), hole.first, inside), [])

    def keeps(self, member: Member) -> bool:
        """Whether a member still has the value that it had in the text, perhaps changed within."""
        return keeps(self.spans, member)


def changes_of(spans: Spans, top: Branch) -> Changes:
    """What becomes of a text whose top mapping is to be this one.

    A comment in text that goes away goes with the next piece that moves out of there, else with the
    last one that does; where none does, with what comes instead, and otherwise with what it is on.
    """
    branches = list(_branches(spans, top))
    plans = {id(branch): plan_of(spans, branch) for branch, _ in branches if _is_collection(branch)}
    moved = sorted(
        (
            (*chunk(spans, member), member)
            for branch, in_text in branches
            for member in branch.members.values()
            if member.home is not None and not member.foreign
            if member.moved or (not in_text and keeps(spans, member))
        ),
        key=_start,
    )
    places: dict[int, tuple[str, CommentPlace | None]] = {}
    carried: set[int] = set()
    for branch, in_text in branches:
        if not in_text or not _is_collection(branch):
            continue
        node, plan = cast(Node, branch.node), plans[id(branch)]
        for region in _regions(spans, node, plan):
            low, high = (bisect_left(moved, at, key=_start) for at in (region.start, region.end))
            chunks = moved[low:high]
            entries = node.value[region.first : region.last + 1]
            held = [(begin, stop) for begin, stop, member in chunks if keeps(spans, member)]
            for index, comment in spans.comments(region.start, region.end, entries):
                if any(begin <= index < stop for begin, stop in held):
                    carried.add(index)
                else:
                    movers = [(stop, id(member)) for _, stop, member in chunks]
                    places.setdefault(index, (comment, region.place(index, movers)))
    comments: dict[CommentPlace, list[str]] = {}
    for comment, place in places.values():
        if place is not None:
            comments.setdefault(place, []).append(comment)
    return Changes(spans, plans, comments, frozenset(carried))


class _Region(NamedTuple):
    """Text of entries that goes away, and whose the comments in it are that move with nothing.

    Those in the first line are of all that comes instead.
    """

    first: int
    last: int
    start: int
    end: int
    first_line: int
    instead: CommentPlace | None
    hole: Hole | None = None
    node: int = 0

    def place(self, index: int, movers: Sequence[tuple[int, int]]) -> CommentPlace | None:
        """Whose a comment is; of what moves, `movers` has the end and the id."""
        added = self.hole.added if self.hole else ()
        if self.hole and index >= self.hole.rest:
            return self.node, self.first, False
        if self.hole and index >= self.hole.below and added and _is_block(added[-1].value):
            return self.node, self.first, True
        if added and self.instead is not None and index < self.first_line:
            return self.instead
        takers = [member for stop, member in movers if stop > index]
        if takers:
            return takers[0]
        if not movers or self.hole is None:
            return self.instead
        last = movers[0 if index < self.first_line else -1][1]
        return next((id(member) for member in added if _holds(member, last)), last)


def _regions(spans: Spans, node: Node, plan: Plan) -> Iterator[_Region]:
    for hole in plan.holes.values():
        first, last, added, start, _, _, end = hole
        line = spans.line_end(spans.entry_start(node, first))
        keys = node.value[first : last + 1] if isinstance(node, MappingNode) else ()
        if any(is_merge(key) for key, _ in keys):  # what comes instead is not what they are on
            yield _Region(first, last, start, end, line, (id(node), first, False))
            continue
        # What is only to be read behind an entry does not come instead of it.
        instead = next((id(member) for member in added if member.after is None), None)
        yield _Region(first, last, start, end, line, instead, hole, id(node))
    for number, member in plan.kept.items():
        if not keeps(spans, member):
            start, end = old_value(spans, node, number)
            line = spans.line_end(spans.entry_start(node, number))
            yield _Region(number, number, start, end, line, id(member))


def _holds(member: Member, part: int) -> bool:
    """Whether a member is another one, given by its id, or holds it."""
    if id(member) == part:
        return True
    value = member.value
    return isinstance(value, Branch) and any(_holds(m, part) for m in value.members.values())


def _start(chunk: tuple[int, int, Member]) -> int:
    return chunk[0]


def _is_collection(branch: Branch) -> bool:
    return branch.node is not None and not branch.is_call


def _branches(spans: Spans, top: Branch) -> Iterator[tuple[Branch, bool]]:
    """All branches, and whether the text of each stays."""
    todo = [(top, True)]
    for branch, in_text in todo:
        yield branch, in_text
        for member in branch.members.values():
            if isinstance(member.value, Branch):
                stays = keeps(spans, member) or (branch.is_call and in_text)
                todo.append((member.value, stays))


def _is_block(value: Value) -> bool:
    """Whether a new value is written in lines of its own below its key."""
    if isinstance(value, Node) or not (isinstance(value, (New, Branch)) and json_of(value)):
        return False
    json = json_of(value)
    return isinstance(json, list) or (isinstance(json, dict) and not json.keys() & SHORT)
