"""What becomes of each piece of a text under edit: what stays, goes, comes, and moves with what."""

from __future__ import annotations

from bisect import bisect_left
from typing import cast

from yaml.nodes import MappingNode, Node

from macro.text.edited_tree import Branch, Member, Value
from macro.text.nodes import function, is_merge, key_of
from macro.text.spans import Spans, is_flow


class Plan:
    """What becomes of the entries of a collection in the text.

    `kept` are those that stay, by number. `holes` are the runs of entries that are gone: the first
    one's number, the last one's, and what comes in their place. `behind` is what is added behind an
    entry; `tails` are comments that remain at the end of a hole, by its first number.
    """

    def __init__(self, kept: dict[int, Member], holes: dict[int, tuple[int, list[Member]]]) -> None:
        self.kept = kept
        self.holes = holes
        self.behind: dict[int, list[Member]] = {}
        self.tails: dict[int, list[str]] = {}


class Plans:
    """The plans of all collections that edits reach, once each comment has its place."""

    def __init__(self, spans: Spans, top: Branch) -> None:
        self.spans = spans
        self.top = top
        self.placed: set[int] = set()  # comments that have their place, by index
        self._plans: dict[int, Plan] = {}
        self._moved: list[tuple[int, int, Member]] = []  # the chunks of text that move

    def assign_comments(self) -> None:
        """Give each comment in text that goes away to the next piece that moves out of there, or
        leave it with what comes instead. Where nothing does, a comment goes with what it is on."""
        changed: list[Branch] = []  # collections whose text stays
        todo = [(self.top, True)]
        for branch, in_text in todo:
            if in_text and not branch.is_call:
                changed.append(branch)
            for member in branch.members.values():
                keeps = self.keeps(member) or (branch.is_call and in_text)
                if isinstance(member.value, Branch):
                    todo.append((member.value, keeps))
                if member.moved and member.home is not None and not member.foreign:
                    self._moved.append((*self.chunk(member), member))
        self._moved.sort(key=_start)
        for branch in changed:
            node, plan = cast(Node, branch.node), self.of(branch)
            for first, (last, added) in plan.holes.items():
                start, end = self.region(node, first, last, bool(added))
                left = self._leftovers(node, first, last, start, end)
                keys = node.value[first : last + 1] if isinstance(node, MappingNode) else ()
                plan.tails[first] = left if added or any(is_merge(key) for key, _ in keys) else []
            for number, member in plan.kept.items():
                if not self.keeps(member):
                    start, end = self.old_value(node, number)
                    member.comments += self._leftovers(node, number, number, start, end)

    def _leftovers(self, node: Node, first: int, last: int, start: int, end: int) -> list[str]:
        """The comments between two indices, in entries that go away, that no moving piece takes."""
        low, high = (bisect_left(self._moved, index, key=_start) for index in (start, end))
        chunks = self._moved[low:high]
        held = [(begin, stop) for begin, stop, member in chunks if self.keeps(member)]
        first_line_end = self.spans.line_end(self.spans.entry_start(node, first))
        left: list[str] = []
        for index, comment in self.spans.comments(start, end, node.value[first : last + 1]):
            if index in self.placed or any(begin <= index < stop for begin, stop in held):
                continue
            self.placed.add(index)
            takers = [member for _, stop, member in chunks if stop > index]
            if not takers and index < first_line_end:  # behind a shorthand in one line
                takers = [member for _, _, member in chunks]
            (takers[0].comments if takers else left).append(comment)
        return left

    def keeps(self, member: Member) -> bool:
        """Whether a member still has the value that it had in the text, perhaps changed within."""
        if member.home is None or member.foreign:
            return False
        node, number = member.home
        item = node.value[number]
        return self._is_in_text(member.value, item[1] if isinstance(item, tuple) else item)

    def _is_in_text(self, value: Value, node: Node) -> bool:
        if not isinstance(value, Branch):
            return value is node
        if value.node is not node or value.alias is not None:
            return False
        if value.is_call:
            if list(value.members) != [function(node)]:
                return False
            (inner,) = value.members.values()
            return self._is_in_text(inner.value, node)
        return bool(value.members) and bool(node.value) and not self.spans.is_bare(node)

    def chunk(self, member: Member) -> tuple[int, int]:
        """Where the text of a member with a home stands: key, value, and the comment behind it."""
        node, number = cast("tuple[Node, int]", member.home)
        end = self.spans.entry_end(node, number)
        comment = self.spans.trailing(end)
        if comment is not None:
            if is_flow(node) and self.keeps(member):
                self.placed.add(comment[0])  # or it would stay behind the comma, too
            end = comment[0] + len(comment[1])
        return self.spans.entry_start(node, number), end

    def of(self, branch: Branch) -> Plan:
        """The plan of a collection in the text."""
        if id(branch) in self._plans:
            return self._plans[id(branch)]
        node = cast(Node, branch.node)
        kept = dict(branch.unseen)
        added: list[Member] = []
        for member in branch.members.values():
            if member.home is not None and member.home[0] is node and not member.moved:
                kept[member.home[1]] = member
            elif member.key not in branch.merged:
                added.append(member)
        holes: dict[int, tuple[int, list[Member]]] = {}
        hole_of: dict[int, int] = {}  # the first number of the hole of an entry that is gone
        for number in range(len(node.value)):
            if number not in kept:
                first = hole_of[number] = hole_of.get(number - 1, number)
                holes[first] = number, []
        plan = self._plans[id(branch)] = Plan(kept, holes)
        # An added key stands behind the one that it names, else for one that is gone, else at the
        # end. An added item of a list comes last.
        numbers: dict[str | None, int] = {}
        if isinstance(node, MappingNode):
            numbers = {key_of(key): number for number, (key, _) in enumerate(node.value)}
        end = min(holes) if holes and numbers else len(node.value) - 1
        beside: dict[str | None, list[Member]] = {}  # what is added where an added key stands
        for member in added:
            number = end if member.after is None else numbers.get(member.after, end)
            if number in hole_of:
                place = holes[hole_of[number]][1]
            else:
                place = plan.behind.setdefault(number, [])
            at = len(place)
            if member.after in beside:
                place = beside[member.after]
                at = 1 + next(i for i, other in enumerate(place) if other.key == member.after)
            place.insert(at, member)
            beside[member.key] = place
        plan.behind = {number: place for number, place in plan.behind.items() if place}
        return plan

    def region(self, node: Node, first: int, last: int, filled: bool) -> tuple[int, int]:
        """The text of entries that go away: in block style whole lines, with the break before."""
        spans = self.spans
        start, end = spans.entry_start(node, first), spans.entry_end(node, last)
        if is_flow(node):
            return start, end
        if not spans.leads(start):  # the first entry behind a dash
            return start, spans.line_end(end) if filled else spans.entry_start(node, last + 1)
        return spans.break_before(start), spans.line_end(end)

    def old_value(self, node: Node, number: int) -> tuple[int, int]:
        """The text of a value that is replaced: in block style, if it spans lines, whole lines;
        otherwise the comment behind it stays where it is."""
        spans = self.spans
        start, end = spans.value_start(node, number), spans.entry_end(node, number)
        line_end = spans.line_end(end)
        return start, end if is_flow(node) or spans.line_end(start) == line_end else line_end


def _start(chunk: tuple[int, int, Member]) -> int:
    return chunk[0]
