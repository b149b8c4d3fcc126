"""How a text is written around a place: indentation, lists, flow style, short tags, blank lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from yaml.nodes import MappingNode, Node, SequenceNode

from macro.text.source import Source
from macro.text.spans import Spans, is_flow, nodes_below

# Functions with a short tag: the AWS CloudFormation template reference, "Intrinsic functions".
SHORT = frozenset(
    """Ref Condition Fn::And Fn::Base64 Fn::Cidr Fn::Equals Fn::FindInMap Fn::GetAtt Fn::GetAZs
    Fn::If Fn::ImportValue Fn::Join Fn::Not Fn::Or Fn::Select Fn::Split Fn::Sub Fn::Transform
    """.split()
)


class Style(NamedTuple):
    """How the text around a place is written."""

    is_json: bool
    tags: Callable[[str], bool] = SHORT.__contains__  # whether a function has a short tag here
    step: int = 2  # the indentation of a block mapping below its key
    dash: int = 2  # the same of a block list
    unit: str = "  "  # one level's indentation in flow style that spans lines
    comma: str = ", "  # in flow style that stands in one line
    colon: str = ": "
    pad: str = ""  # within the braces of flow style that stands in one line
    spread: bool = False  # flow style spans lines
    small: bool = True  # ... but what is small stays in one line


class Styles:
    """Answers how one text is written."""

    def __init__(self, source: Source, spans: Spans) -> None:
        self.root = source.root
        self.spans = spans
        self.style = _of_text(source)

    def around(self, chain: Sequence[Node]) -> Style:
        """The style within the last of these collections, each of which stands in the one before:
        as the nearest of its siblings, or of the siblings of what it stands in."""
        step = dash = None
        for node in reversed(chain):
            for is_list, offset in self._offsets(node):
                if is_list:
                    dash = offset if dash is None else dash
                else:
                    step = offset if step is None else step
                if step is not None and dash is not None:
                    return self.style._replace(step=step, dash=dash)
        step = 2 if step is None else step
        if dash is None:
            dash = step if self._first_dash is None else self._first_dash
        return self.style._replace(step=step, dash=dash)

    def item_width(self, node: Node) -> int:
        """How far behind its dash an item of a block list begins: as its mappings do, if any."""
        spans = self.spans
        widths: dict[bool, int] = {}
        for number, item in enumerate(node.value):
            dash, start = spans.entry_start(node, number), int(item.start_mark.index)
            if spans.line_start(dash) == spans.line_start(start) and start > dash + 1:
                widths.setdefault(isinstance(item, MappingNode), start - dash)
        return widths.get(True, widths.get(False, 2))

    def is_spaced(self, chain: Sequence[Node]) -> bool:
        """Whether blank lines separate the entries of the last of these collections."""
        spans, node = self.spans, chain[-1]
        count = len(node.value)
        if count == 1:  # a section with one entry: as the sections are
            return len(chain) == 2 and len(chain[0].value) > 1 and self.is_spaced(chain[:1])
        gaps = [
            spans.text[spans.entry_end(node, number) : spans.entry_start(node, number + 1)]
            for number in range(min(count - 1, 9))
        ]
        return 2 * sum(_BLANK.search(gap) is not None for gap in gaps) > len(gaps)

    def in_flow(self, node: Node, style: Style) -> tuple[Style, str]:
        """The style within a collection in flow style, and the indentation of its entries."""
        spans = self.spans
        closing = spans.indentation(int(node.end_mark.index) - 1)
        if not node.value or self._is_line(node):
            spread = style.is_json and not node.value and style.spread
            return style._replace(spread=spread), closing + style.unit
        indent = spans.indentation(spans.entry_start(node, 0))
        unit = indent.removeprefix(closing) or style.unit
        return style._replace(unit=unit, spread=style.is_json), indent

    def separator(self, node: Node, style: Style, indent: str) -> str:
        """What stands between two entries of a collection in flow style."""
        spans = self.spans
        if len(node.value) > 1:
            gap = spans.text[spans.entry_end(node, 0) : spans.entry_start(node, 1)]
            if "#" not in gap:
                return gap
        return style.comma if self._is_line(node) else ",\n" + indent

    def _is_line(self, node: Node) -> bool:
        """Whether a flow collection's first entry stands in its bracket's line."""
        spans = self.spans
        return "\n" not in spans.text[spans.inside(node) : spans.entry_start(node, 0)]

    def _offsets(self, node: Node) -> Iterator[tuple[bool, int]]:
        """For each block collection in a block mapping: whether it is a list, and its offset."""
        if not isinstance(node, MappingNode) or is_flow(node):
            return
        spans = self.spans
        column = spans.column(spans.entry_start(node, 0))
        for _, value in node.value:
            if isinstance(value, (MappingNode, SequenceNode)) and not is_flow(value):
                start = spans.entry_start(value, 0)
                if spans.leads(start):
                    yield isinstance(value, SequenceNode), spans.column(start) - column

    @cached_property
    def _first_dash(self) -> int | None:
        """How far the first block list of the text stands behind its key; None: there is none."""
        offsets = (found for node in nodes_below(self.root) for found in self._offsets(node))
        return next((offset for is_list, offset in offsets if is_list), None)


_BLANK = re.compile(r"\n[ \t]*\n")


def _of_text(source: Source) -> Style:
    """What the whole text tells of its style."""
    text = source.body
    short = re.search(r"!(?:Ref|Sub|GetAtt|If|Join|Select|Equals|Not|FindInMap)\b", text)
    use_tags = short is not None or not re.search(r"\bFn::|\bRef['\"]?:", text)

    def tags(name: str) -> bool:
        if name in SHORT:
            return use_tags
        return name.startswith("Fn::") and f"!{name[4:]} " in text  # another tool's

    if not source.is_json:
        return Style(False, tags)
    unit = re.search(r'\{\n+([ \t]+)"', text)
    comma = re.search(r'[]}"](,[ ]*)"', text)
    colon = re.search(r'"([ \t]*:[ \t]*)', text)
    pad = re.search(r'\{([ ]*)"(?:Ref|Fn::)', text)
    return Style(
        True,
        unit=unit[1] if unit else "  ",
        comma=comma[1] if comma else ", ",
        colon=colon[1] if colon else ": ",
        pad=pad[1] if pad else "",
        spread=unit is not None,
        small=re.search(r'\{[ \t]*"[^"\n]*"[ \t]*:[^{}\n]*\}', text) is not None,
    )
