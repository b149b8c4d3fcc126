"""The changed text laid out: splices for what changes in place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TypeAlias, cast

from yaml.nodes import MappingNode, Node

from macro.engine.template.records import NamedTuple
from macro.text.changes import Changes
from macro.text.edited_tree import Branch, Member
from macro.text.emitter import Writer
from macro.text.entries import Hole, Plan, old_value
from macro.text.flow_collections import Entry, Gap, added_behind, filled_hole, taken_out
from macro.text.line_breaks import Splice
from macro.text.quotes import Quotes, unended
from macro.text.spans import Spans, is_flow
from macro.text.style import Style, Styles

Chain: TypeAlias = "tuple[Node, ...]"
"""The collections around a place, each in the one before."""

_BLANK_LINES = re.compile(r"(?:\n[ \t]*(?=\n))+")
_HEAD = re.compile(r"(?:%[^\n]*\n)*---[ \t]*(?:#[^\n]*)?")  # what may begin a YAML document
_LOOSE_LINES = re.compile(r"(?:\n[ \t]*(?:#[^\n]*)?(?=\n|\Z))+")


class Layout(NamedTuple):
    """Lays out the changes of a text in its styles."""

    changes: Changes
    styles: Styles

    @property
    def spans(self) -> Spans:
        return self.changes.spans

    def edited(self, branch: Branch, chain: Chain = ()) -> list[Splice]:
        """The splices that change a collection in the text; `chain` is what it is in."""
        if branch.is_call:
            (inner,) = branch.members.values()
            return self.edited(cast(Branch, inner.value), chain)
        node = cast(Node, branch.node)
        edit = self._flow if is_flow(node) else self._block
        return list(edit(self.changes.of(branch), (*chain, node)))

    def _writer(self, chain: Chain, style: Style) -> Writer:
        return Writer(style, Quotes(self.changes, partial(self.edited, chain=chain)))

    def _kept(self, member: Member, number: int, chain: Chain) -> list[Splice]:
        """The splices for an entry that stays, with its value or another one."""
        if self.changes.keeps(member):
            return self.edited(member.value, chain) if isinstance(member.value, Branch) else []
        replace = self._replaced_in_flow if is_flow(chain[-1]) else self._replaced_in_block
        return list(replace(member, number, chain))

    # Block style

    def _block(self, plan: Plan, chain: Chain) -> Iterator[Splice]:
        spans, node = self.spans, chain[-1]
        is_spaced = bool(plan.behind) and self.styles.is_spaced(chain)
        for number in range(len(node.value)):
            done: list[Splice] = []
            if number in plan.kept:
                done = self._kept(plan.kept[number], number, chain)
            elif number in plan.holes:
                done = list(self._filled(plan.holes[number], chain))
            yield from done
            if number in plan.behind:
                # The splices may end behind comments that are not the entry's.
                at = max([_behind(spans, node, number), *(end for _, end, _ in done)])
                if number in plan.kept:
                    yield from unended(self.changes, plan.kept[number])
                needs_blank = is_spaced and not spans.keeps_blank_lines(node.value[number])
                for member in plan.behind[number]:
                    new = "".join("\n" + line for line in self._lines(member, chain))
                    yield at, at, "\n" + new if needs_blank else new

    def _lines(self, member: Member, chain: Chain) -> list[str]:
        """A new entry of a block collection, as lines."""
        node = chain[-1]
        column = self.spans.column(self.spans.entry_start(node, 0))
        writer = self._writer(chain, self.styles.around(chain))
        if isinstance(node, MappingNode):
            return writer.entry(member, column)
        return writer.item(member, column, writer.width(member))

    def _filled(self, hole: Hole, chain: Chain) -> Iterator[Splice]:
        """What comes in place of entries put where they were."""
        spans, node = self.spans, chain[-1]
        start, end = hole.start, hole.end
        column = spans.column(spans.entry_start(node, hole.first))
        added = [self._lines(member, chain) for member in hole.added]
        lines = [line for member in added for line in member]
        inside = self.changes.left_in(node, hole, inside=True)
        if inside:
            margin = _margin_below(added[-1])
            lines += (margin + comment for comment in inside)
        comments = self.changes.left_in(node, hole)
        if not spans.leads(spans.entry_start(node, hole.first)):  # behind a dash
            margin = spans.indentation(start)
            above = [] if lines else [margin + comment for comment in comments]
            while lines and lines[0].lstrip().startswith("#"):  # these read better above the dash
                above.append(margin + lines.pop(0).lstrip())
            at = spans.line_start(start)
            yield from ((at, at, comment + "\n") for comment in above)
            comments = comments if lines else []
            lines += (" " * column + comment for comment in comments)
            yield start, end, "\n".join(lines)[column:]
            return
        lines += (" " * column + comment for comment in comments)
        new = "".join("\n" + line for line in lines)
        if start == 0 and self.spans.text[0] != "\n":  # no line break is before it
            blank = _BLANK_LINES.match(spans.text, end)
            yield start, end if new else (blank.end() if blank else end) + len("\n"), new[1:]
        elif new:
            yield start, end, new
        else:
            yield start, *_closed_up(spans, node, hole)

    def _replaced_in_block(self, member: Member, number: int, chain: Chain) -> Iterator[Splice]:
        spans, node, style = self.spans, chain[-1], self.styles.around(chain)
        start, end = old_value(spans, node, number)
        column = spans.column(spans.entry_start(node, number))
        is_item = not isinstance(node, MappingNode)
        writer = self._writer(chain, style)
        width = writer.width(member) if is_item else 0
        step, dash = (width, width) if is_item else (style.step, style.dash)
        inline, below = writer.block(member, column, step, dash)
        comments = writer.quotes.comments(member)
        if is_item and not inline and below and not comments:
            inline, below = below[0][column + width :], below[1:]
        margin = len(below[0]) - len(below[0].lstrip(" ")) if below else column + style.step
        below = [*(" " * margin + comment for comment in comments), *below]
        gap = " " * (width - 1) if is_item else " "
        yield start, end, inline and gap + inline
        if below:
            line_end = spans.line_end(end)  # behind the comment, if one stays there
            yield line_end, line_end, "".join("\n" + line for line in below)

    # Flow style

    def _flow(self, plan: Plan, chain: Chain) -> Iterator[Splice]:
        node = chain[-1]
        for number in range(len(node.value)):
            if number in plan.kept:
                yield from self._kept(plan.kept[number], number, chain)
            elif number in plan.holes:
                yield from self._filled_in_flow(plan.holes[number], chain)
            if number in plan.behind:
                style, indent = self.styles.in_flow(node, self.styles.around(chain))
                entries = self._entries(plan.behind[number], style, indent, chain)
                gap = Gap(self.styles.separator(node, style, indent), indent)
                yield from added_behind(self.spans, node, number, entries, gap)

    def _filled_in_flow(self, hole: Hole, chain: Chain) -> Iterator[Splice]:
        spans, node = self.spans, chain[-1]
        style, indent = self.styles.in_flow(node, self.styles.around(chain))
        gap = Gap(self.styles.separator(node, style, indent), indent)
        comments = self.changes.left_in(node, hole)
        if not hole.added:
            return taken_out(spans, node, hole, comments, gap)
        old = spans.text[hole.start : hole.end]
        is_line = "\n" not in old and old[-1] in "]}"  # as the new is to be
        style = style._replace(spread=style.spread and not is_line)
        first, *others = self._entries(hole.added, style, indent, chain)
        first = first._replace(above=[*first.above, *comments])
        return filled_hole(spans, node, hole, [first, *others], gap)

    def _entries(
        self, members: Sequence[Member], style: Style, indent: str, chain: Chain
    ) -> list[Entry]:
        writer = self._writer(chain, style)
        return [
            Entry(writer.quotes.comments(member, in_flow=True), writer.flow_entry(member, indent))
            for member in members
        ]

    def _replaced_in_flow(self, member: Member, number: int, chain: Chain) -> Iterator[Splice]:
        spans, node = self.spans, chain[-1]
        style, indent = self.styles.in_flow(node, self.styles.around(chain))
        writer = self._writer(chain, style)
        item = node.value[number]
        key, value = item if isinstance(item, tuple) else (None, item)
        start, end = int(value.start_mark.index), spans.entry_end(node, number)
        margin = "\n" + indent
        above = "".join(margin + text for text in writer.quotes.comments(member, in_flow=True))
        new = (above and above + margin) + writer.flow(member, indent)
        if key is not None and start == value.end_mark.index:  # a key alone, or with its colon
            colon = " " if spans.has_colon(key, value) else ": "
            start = end = spans.value_start(node, number)
            new = colon + new
        yield start, end, new


def _behind(spans: Spans, node: Node, number: int) -> int:
    """Where lines can be put behind an entry: past the comments that are indented as being part of
    it, or of the collection if it is the last."""
    column = spans.column(spans.entry_start(node, 0))
    end = spans.line_end(spans.entry_end(node, number))
    is_last = number + 1 == len(node.value)
    return spans.past_comments(end, column - 1 if is_last else column, over_blank=False)


def _margin_below(entry: Sequence[str]) -> str:
    """The indentation of what is below an entry's key, or of the key where all is in its line."""
    lines = [line for line in entry if not line.lstrip().startswith("#")]
    below = lines[1] if len(lines) > 1 else lines[0]
    return below[: len(below) - len(below.lstrip(" "))]


def _closed_up(spans: Spans, node: Node, hole: Hole) -> tuple[int, str]:
    """Where lines that go away end, and what comes in their place: of the blank lines around them
    one side's stay, and what follows does not become part of a block scalar before."""
    text, start, end = spans.text, hole.start, hole.end
    loose = _LOOSE_LINES.match(text, end)
    before = node.value[hole.first - 1] if hole.first else None
    if loose and before and spans.last_block_scalar(before):
        column = spans.column(spans.entry_start(node, hole.first))
        lines = loose[0].split("\n")
        is_part = spans.keeps_blank_lines(before)
        if is_part or any(len(line) - len(line.lstrip(" ")) > column for line in lines):
            comments = (line.lstrip() for line in lines if line.strip())
            return loose.end(), "".join("\n" + " " * column + line for line in comments)
    blank = _BLANK_LINES.match(text, end)
    if blank and blank.end() < len(text):
        is_after_blank = not text[spans.line_start(start) : start].strip()
        if is_after_blank or _HEAD.fullmatch(text, 0, start):
            return blank.end(), ""
    return end, ""
