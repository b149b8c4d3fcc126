"""The changed text laid out: splices for what changes in place, and pieces for what moves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast

from yaml.nodes import MappingNode, Node, ScalarNode

from macro.text.aliases import settle
from macro.text.changes import Plan, Plans
from macro.text.edited_tree import Branch, Member
from macro.text.emitter import Lines, Pieces, Writer, scalar
from macro.text.flow_collections import Part, joined
from macro.text.line_breaks import Splice, in_order, spliced
from macro.text.nodes import Alias, key_of
from macro.text.source import Source
from macro.text.spans import Spans, is_flow
from macro.text.style import Style, Styles


class Layout:
    """Lays out the changed text of one source.

    `write_out`: writes out every alias, not only those that must be (see aliases.settle).
    """

    def __init__(self, source: Source, top: Branch, has_aliases: bool, write_out: bool) -> None:
        self.top = top
        self.text = source.body
        self.spans = Spans(self.text)
        self.styles = Styles(source, self.spans)
        self.plans = Plans(self.spans, top)
        settle(source.root, top, self.plans.keeps, has_aliases, write_out)
        self.plans.assign_comments()
        self._pieces = Pieces(self._raw_entry, self._raw_value, self._raw_flow)
        self._chain: list[Node] = []  # the collections around the place at work
        found: list[Splice] = []
        self._edit(top, found)
        self.splices = in_order(found)

    def _style(self) -> Style:
        return self.styles.around(self._chain)

    def _writer(self, style: Style | None = None) -> Writer:
        return Writer(style or self._style(), self._pieces)

    def _edit(self, branch: Branch, out: list[Splice]) -> None:
        """The splices that change a collection in the text."""
        if branch.is_call:
            (inner,) = branch.members.values()
            self._edit(cast(Branch, inner.value), out)
            return
        node = cast(Node, branch.node)
        self._chain.append(node)
        if is_flow(node):
            self._edit_flow(node, self.plans.of(branch), out)
        else:
            self._edit_block(node, self.plans.of(branch), out)
        self._chain.pop()

    def _edit_member(self, member: Member, node: Node, number: int, out: list[Splice]) -> None:
        """The splices for an entry that stays, with its value or another one."""
        if self.plans.keeps(member):
            if isinstance(member.value, Branch):
                self._edit(member.value, out)
        elif is_flow(node):
            self._replace_in_flow(member, node, number, out)
        else:
            self._replace_in_block(member, node, number, out)

    # Block style

    def _edit_block(self, node: Node, plan: Plan, out: list[Splice]) -> None:
        spans = self.spans
        is_spaced = bool(plan.behind) and self.styles.is_spaced(self._chain)
        for number in range(len(node.value)):
            done = len(out)
            if number in plan.kept:
                self._edit_member(plan.kept[number], node, number, out)
            elif number in plan.holes:
                self._fill(node, number, plan, out)
            if number in plan.behind:
                inner = (end for _, end, _ in out[done:])  # may be past comments that we are not
                at = max(self._behind(node, number), *inner, 0)
                if number in plan.kept:
                    out += self._unended(plan.kept[number])
                needs_blank = is_spaced and not spans.keeps_blank_lines(node.value[number])
                for member in plan.behind[number]:
                    new = "".join("\n" + line for line in self._lines(member, node))
                    out.append((at, at, "\n" + new if needs_blank else new))

    def _lines(self, member: Member, node: Node) -> list[str]:
        """A new entry of a block collection, as lines."""
        column = self.spans.column(self.spans.entry_start(node, 0))
        if isinstance(node, MappingNode):
            return self._writer().entry(member, column)
        writer = self._writer()
        return writer.item(member, column, writer.width(member))

    def _fill(self, node: Node, first: int, plan: Plan, out: list[Splice]) -> None:
        """Put what comes in place of entries where they were."""
        spans = self.spans
        last, added = plan.holes[first]
        tails = plan.tails.get(first, [])
        column = spans.column(spans.entry_start(node, 0))
        lines = [line for member in added for line in self._lines(member, node)]
        start, end = self.plans.region(node, first, last, bool(lines))
        at_dash = not spans.leads(spans.entry_start(node, first))
        if at_dash and not lines:
            heads = tails
        else:
            heads = []
            lines += (" " * column + comment for comment in tails)
        if at_dash:
            while lines and lines[0].lstrip().startswith("#"):  # these read better above the dash
                heads = [*heads, lines.pop(0).lstrip()]
            above, margin = spans.line_start(start), spans.indentation(start)
            out.extend((above, above, margin + comment + "\n") for comment in heads)
            out.append((start, end, "\n".join(lines)[column:]))
            return
        new = "".join("\n" + line for line in lines)
        if spans.line_start(spans.entry_start(node, first)) == 0:  # no line break is before it
            new = new.removeprefix("\n")
            if not new:
                blank = _BLANK_LINES.match(self.text, end)
                end = (blank.end() if blank else end) + len("\n")
        elif not new:
            end, new = self._closed_up(node, first, start, end)
        out.append((start, end, new))

    def _closed_up(self, node: Node, first: int, start: int, end: int) -> tuple[int, str]:
        """Where lines that go away end, and what comes in their place: of the blank lines around
        them one side's stay, and what follows does not become part of a block scalar before."""
        spans, text = self.spans, self.text
        loose = _LOOSE_LINES.match(text, end)
        if loose and first > 0 and spans.last_block_scalar(node.value[first - 1]):
            column = spans.column(spans.entry_start(node, first))
            lines = loose[0].split("\n")
            is_part = spans.keeps_blank_lines(node.value[first - 1])
            if is_part or any(len(line) - len(line.lstrip(" ")) > column for line in lines):
                comments = (line.lstrip() for line in lines if line.strip())
                return loose.end(), "".join("\n" + " " * column + line for line in comments)
        blank = _BLANK_LINES.match(text, end)
        if blank and blank.end() < len(text):
            is_after_blank = not text[spans.line_start(start) : start].strip()
            if is_after_blank or _HEAD.fullmatch(text, 0, start):
                return blank.end(), ""
        return end, ""

    def _behind(self, node: Node, number: int) -> int:
        """Where lines can be put behind an entry: past the comments that are indented as being part
        of it, or of the collection if it is the last."""
        column = self.spans.column(self.spans.entry_start(node, 0))
        at = self.spans.line_end(self.spans.entry_end(node, number))
        least = column if number + 1 == len(node.value) else column + 1
        while True:
            comment = _COMMENT_LINE.match(self.text, at)
            if comment is None or len(comment[1]) < least:
                return at
            at = comment.end()

    def _unended(self, member: Member) -> list[Splice]:
        """What keeps a value that ends in a block scalar when something comes to stand behind it,
        if the text ends there without a line break: `|` becomes `|-`."""
        if not self.plans.keeps(member):
            return []
        last = member.value
        while isinstance(last, Branch):
            if last.is_call:
                (inner,) = last.members.values()
            else:
                plan, end = self.plans.of(last), len(cast(Node, last.node).value) - 1
                if end not in plan.kept or plan.behind or not self.plans.keeps(plan.kept[end]):
                    return []
                inner = plan.kept[end]
            last = inner.value
        block = self.spans.last_block_scalar(last) if isinstance(last, Node) else None
        if block is None or self.spans.end(block) < len(self.text) or self.text[-1] == "\n":
            return []
        start, end = self.spans.header(block)
        return [(start, end, re.sub("[-+]", "", self.text[start:end]) + "-")]

    def _replace_in_block(self, member: Member, node: Node, number: int, out: list[Splice]) -> None:
        spans, style = self.spans, self._style()
        start, end = self.plans.old_value(node, number)
        column = spans.column(spans.entry_start(node, number))
        is_item = not isinstance(node, MappingNode)
        writer = self._writer(style)
        width = writer.width(member) if is_item else 0
        step, dash = (width, width) if is_item else (style.step, style.dash)
        inline, below = writer.block(member, column, step, dash)
        if is_item and not inline and below and not member.comments:
            inline, below = below[0][column + width :], below[1:]
        margin = len(below[0]) - len(below[0].lstrip(" ")) if below else column + style.step
        below = [*(" " * margin + comment for comment in member.comments), *below]
        gap = " " * (width - 1) if is_item else " "
        out.append((start, end, inline and gap + inline))
        if below:
            line_end = spans.line_end(end)  # behind the comment, if one stays there
            out.append((line_end, line_end, "".join("\n" + line for line in below)))

    # Flow style

    def _replace_in_flow(self, member: Member, node: Node, number: int, out: list[Splice]) -> None:
        spans = self.spans
        style, indent = self.styles.in_flow(node, self._style())
        new = self._writer(style).flow(member, indent)
        new = "".join("\n" + comment + "\n" for comment in member.comments) + new
        item = node.value[number]
        key, value = item if isinstance(item, tuple) else (None, item)
        start, end = int(value.start_mark.index), spans.entry_end(node, number)
        if key is not None and start == value.end_mark.index:  # a key alone, or with its colon
            colon = " " if spans.has_colon(key, value) else ": "
            start = end = spans.value_start(node, number)
            new = colon + new
        out.append((start, end, new))

    def _edit_flow(self, node: Node, plan: Plan, out: list[Splice]) -> None:
        if not plan.holes and not plan.behind:
            for number, member in plan.kept.items():
                self._edit_member(member, node, number, out)
            return
        spans, text = self.spans, self.text
        style, indent = self.styles.in_flow(node, self._style())
        opened, closed = spans.inside(node), int(node.end_mark.index) - 1
        count = len(node.value)
        starts = [*(spans.entry_start(node, number) for number in range(count)), closed]
        ends = [spans.entry_end(node, number) for number in range(count)]
        parts: list[Part] = []
        waiting: list[str] = []  # comments for the next part

        def add(member: Member, style: Style) -> None:
            new = self._writer(style).flow_entry(member, indent)
            parts.append(Part([*waiting, *member.comments], new))
            waiting.clear()

        for number in range(count):
            is_kept, added = number in plan.kept, plan.behind.get(number, [])
            if is_kept:
                inner: list[Splice] = []
                self._edit_member(plan.kept[number], node, number, inner)
                parts.append(Part([*waiting], self._cut(starts[number], ends[number], inner)))
                waiting.clear()
                if not added and number + 1 not in plan.holes:
                    parts[-1].gap = text[ends[number] : starts[number + 1]]
                    continue
            elif number in plan.holes:
                last, new = plan.holes[number]
                old = text[starts[number] : ends[last]]
                is_line = "\n" not in old and old[-1] in "]}"  # as the new is to be
                for member in new:
                    add(member, style._replace(spread=style.spread and not is_line))
                waiting += plan.tails.get(number, [])
            trailing = spans.trailing(ends[number]) if is_kept else None
            for comment in spans.comments(ends[number], starts[number + 1], []):
                if comment == trailing and comment[0] not in self.plans.placed:
                    gap = text[ends[number] : comment[0]]
                    parts[-1].tail = gap[len(gap.rstrip()) :] + comment[1]
                elif comment[0] not in self.plans.placed:
                    waiting.append(comment[1])
            for member in added:
                add(member, style)
        separator = self.styles.separator(node, style, indent)
        opening, closing = text[opened : starts[0]], text[ends[-1] : closed]
        new_text = joined(parts, waiting, opening, closing, separator, indent)
        out.append((opened, closed, new_text))

    def _cut(self, start: int, end: int, splices: list[Splice]) -> str:
        """The text between two indices with splices made that lie within, or at its end."""
        inner = (
            (min(low, end) - start, min(high, end) - start, new)
            for low, high, new in in_order(splices)
        )
        return spliced(self.text[start:end], inner)

    # Pieces of the text for another place (see spell.Pieces)

    def _raw_entry(self, member: Member, column: int) -> list[str] | None:
        if not self.plans.keeps(member) or member.home is None:
            return None
        node, number = member.home
        spans = self.spans
        if not isinstance(node, MappingNode) or is_flow(node):
            return None
        if spans.keeps_blank_lines(node.value[number]):  # there may be others where it comes to
            return None
        key = node.value[number][0]
        start = int(key.start_mark.index)
        if spans.entry_start(node, number) != start or isinstance(key, Alias):
            return None
        splices = self._unended(member)
        if isinstance(member.value, Branch):
            self._edit(member.value, splices)
        name = scalar(member.key, self._style(), flow=False)
        if key_of(key) == member.key:
            name = self.text[start : key.end_mark.index]
        rest = self._cut(int(key.end_mark.index), self.plans.chunk(member)[1], splices)
        first, *below = rest.split("\n")
        return [" " * column + name + first, *_shifted(below, column - spans.column(start))]

    def _raw_value(self, member: Member, column: int) -> Lines | None:
        found = self._portable(member, to_flow=False)
        if found is None:
            return None
        start, text, comment = found
        first, *below = (text + (f"  {comment}" if comment else "")).split("\n")
        return first, _shifted(below, column - len(self.spans.indentation(start)))

    def _raw_flow(self, member: Member, indent: str) -> str | None:
        found = self._portable(member, to_flow=True)
        if found is None:
            return None
        start, text, comment = found
        member.comments += [comment] if comment else []
        old = self.spans.indentation(start)
        first, *below = text.split("\n")
        lines = (indent + line[len(old) :] if line.startswith(old) else line for line in below)
        return "\n".join((first, *lines))

    def _portable(self, member: Member, to_flow: bool) -> tuple[int, str, str] | None:
        """Where a value's text starts, the text, and the comment behind it, if that text can stand
        elsewhere; otherwise None, and the comments in it are then the member's."""
        value = member.value
        node = value.node if isinstance(value, Branch) else value
        if not isinstance(node, Node):
            return None
        start, end = int(node.start_mark.index), self.spans.end(node)
        text = self.text[start:end]
        if member.foreign or (isinstance(value, Branch) and value.alias is not None):
            text = _ANCHOR.sub(r"\1", text)  # which stays where the value's text stands
            is_copy = isinstance(value, Node) and not re.search(r"[\n&*#]", text)
            return (start, text, "") if is_copy and self._fits(node, text, to_flow) else None
        if not self.plans.keeps(member):
            return None
        home, number = cast("tuple[Node, int]", member.home)
        low, high = self.plans.chunk(member)
        if not self._fits(node, text, to_flow and not is_flow(home)):
            if member.moved:
                comments = self.spans.comments(low, high, [home.value[number]])
                member.comments += [comment for _, comment in comments]
            return None
        splices: list[Splice] = []
        if isinstance(value, Branch):
            self._edit(value, splices)
        trailing = self.spans.trailing(end) if member.moved else None
        return start, self._cut(start, end, splices), trailing[1] if trailing else ""

    def _fits(self, node: Node, text: str, to_flow: bool) -> bool:
        """Whether a value's text means the same elsewhere, or in flow style if it comes there."""
        if isinstance(node, Alias):
            return True
        if not isinstance(node, ScalarNode):
            return is_flow(node) and not self.spans.is_bare(node)
        if node.style in ("|", ">"):
            return False
        if node.style:
            return True
        return bool(node.value) and not re.search(r"\n|[,\[\]{}]|:$" if to_flow else r"\n", text)


_ANCHOR = re.compile(r"^(!\S+ +)?&\S+ +")
_BLANK_LINES = re.compile(r"(?:\n[ \t]*(?=\n))+")
_COMMENT_LINE = re.compile(r"\n( *)#[^\n]*")
_HEAD = re.compile(r"(?:%[^\n]*\n)*---[ \t]*(?:#[^\n]*)?")  # what may begin a YAML document
_LOOSE_LINES = re.compile(r"(?:\n[ \t]*(?:#[^\n]*)?(?=\n|\Z))+")


def _shifted(lines: Iterable[str], by: int) -> list[str]:
    """Lines indented by so much more, or less."""
    if by >= 0:
        return [" " * by + line if line else line for line in lines]
    return [re.sub(f"^ {{0,{-by}}}", "", line) for line in lines]
