"""How a text is written around a place: indentation, lists, flow style, short tags, blank lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from yaml.nodes import CollectionNode, MappingNode, Node, SequenceNode

from macro.engine.template.records import NamedTuple
from macro.text.nodes import function
from macro.text.source import Source
from macro.text.spans import Spans, is_flow

# Functions with a short tag: the AWS CloudFormation template reference, "Intrinsic functions".
SHORT = frozenset(
    """Ref Condition Fn::And Fn::Base64 Fn::Cidr Fn::Equals Fn::FindInMap Fn::GetAtt Fn::GetAZs
    Fn::If Fn::ImportValue Fn::Join Fn::Not Fn::Or Fn::Select Fn::Split Fn::Sub Fn::Transform
    """.split()
)


class Widths(NamedTuple):
    """How far behind its dash an item of a block list begins: a mapping, or anything else."""

    mapping: int = 2
    other: int = 2


class Style(NamedTuple):
    """How the text around a place is written."""

    is_json: bool
    tags: Callable[[str], bool] = SHORT.__contains__  # whether a function has a short tag here
    step: int = 2  # the indentation of a block mapping below its key
    dash: int = 2  # the same of a block list
    widths: Widths = Widths()
    unit: str = "  "  # one level's indentation in flow style that spans lines
    comma: str = ", "  # in flow style that stands in one line
    colon: str = ": "
    pad: str = ""  # within the braces of flow style that stands in one line
    spread: bool = False  # flow style spans lines
    small: bool = True  # ... but what is small stays in one line


class Styles(NamedTuple):
    """How a text is written: `style` throughout, and `dash` is how far most of its block lists are
    indented below their keys; None: it has none."""

    spans: Spans
    style: Style
    dash: int | None

    def around(self, chain: Sequence[Node]) -> Style:
        """The style within the last of these collections, each of which is in the one before.

        Mappings are indented as the nearest of its siblings, or of the siblings of what it is in;
        so are lists, if there are any within its resource, and otherwise as most of the text.
        """
        if self.style.is_json:
            return self.style
        spans = self.spans
        steps = (_offsets(spans, node, MappingNode) for node in reversed(chain))
        step = next((offset for offsets in steps for offset in offsets), 2)
        lists = (_commonest(_offsets(spans, node, SequenceNode)) for node in reversed(chain[2:]))
        dash = next((offset for offset in lists if offset is not None), self.dash)
        widths = _widths(_item_widths(spans, chain[-1])) or self.style.widths
        return self.style._replace(step=step, dash=step if dash is None else dash, widths=widths)

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
            indent = closing + style.unit
            if len(node.value) > 1 and "\n" in self._gap(node):
                indent = spans.indentation(spans.entry_start(node, 1))
            return style._replace(spread=spread), indent
        indent = spans.indentation(spans.entry_start(node, 0))
        unit = indent.removeprefix(closing) or style.unit
        return style._replace(unit=unit, spread=style.is_json), indent

    def separator(self, node: Node, style: Style, indent: str) -> str:
        """What stands between two entries of a collection in flow style."""
        if len(node.value) > 1 and "#" not in self._gap(node):
            return self._gap(node)
        return style.comma if self._is_line(node) else ",\n" + indent

    def _gap(self, node: Node) -> str:
        """What is between the first two entries of a collection."""
        spans = self.spans
        return spans.text[spans.entry_end(node, 0) : spans.entry_start(node, 1)]

    def _is_line(self, node: Node) -> bool:
        """Whether a flow collection's first entry stands in its bracket's line."""
        spans = self.spans
        return "\n" not in spans.text[spans.inside(node) : spans.entry_start(node, 0)]


def styles_of(source: Source, spans: Spans) -> Styles:
    """How a text is written; of its block lists the first few hundred tell."""
    style = _of_text(source)
    if source.is_json:
        return Styles(spans, style, None)
    lists = list(islice(_block_lists(source.root), _ENOUGH))
    found = (_offset(spans, key, node) for key, node in lists if key is not None)
    dash = _commonest(offset for offset in found if offset is not None)
    firsts = (islice(_item_widths(spans, node), 1) for _, node in lists)
    widths = _widths(width for first in firsts for width in first)
    return Styles(spans, style._replace(widths=widths or Widths()), dash)


def _block_lists(root: Node) -> Iterator[tuple[Node | None, SequenceNode]]:
    """The lists in block style in a node, in the text's order, each with its key, if it has one."""
    todo: list[tuple[Node | None, Node]] = [(None, root)]
    while todo:
        key, node = todo.pop()
        if not isinstance(node, CollectionNode) or node.flow_style:
            continue
        if isinstance(node, SequenceNode):
            yield key, node
            todo += [(None, item) for item in reversed(node.value)]
        else:
            todo += reversed(node.value)


def _offsets(spans: Spans, node: Node, kind: type[CollectionNode]) -> Iterator[int]:
    """How far each block collection of a kind in a block mapping is indented."""
    if isinstance(node, MappingNode) and not is_flow(node):
        for key, value in node.value:
            offset = _offset(spans, key, value) if isinstance(value, kind) else None
            if offset is not None:
                yield offset


def _offset(spans: Spans, key: Node, value: CollectionNode) -> int | None:
    """How far a block collection is indented below its key; None for one in flow style, and where a
    tag or an anchor has a line of its own between them."""
    if is_flow(value) or not value.value:
        return None
    start, first = int(value.start_mark.index), spans.entry_start(value, 0)
    is_apart = spans.line_start(start) > key.end_mark.index and spans.line_end(start) < first
    if is_apart or not spans.leads(first):
        return None
    return spans.column(first) - spans.column(key.start_mark.index)


def _item_widths(spans: Spans, node: Node) -> Iterator[tuple[bool, int]]:
    """For each item of a block list: whether it is a mapping, and how far behind its dash."""
    if isinstance(node, SequenceNode) and not is_flow(node):
        for number, item in enumerate(node.value):
            dash, start = spans.entry_start(node, number), int(item.start_mark.index)
            if spans.line_start(dash) == spans.line_start(start) and start > dash + 1:
                is_mapping = isinstance(item, MappingNode) and not is_flow(item)
                yield is_mapping and function(item) is None, start - dash


def _widths(found: Iterable[tuple[bool, int]]) -> Widths | None:
    """The commonest widths of mappings and of others, either for both; None: there is neither."""
    widths = list(found)
    mapping, other = (_commonest(w for kind, w in widths if kind is k) for k in (True, False))
    either = other if mapping is None else mapping
    if either is None:
        return None
    return Widths(either, either if other is None else other)


def _commonest(values: Iterable[int]) -> int | None:
    """The value that occurs most often, the first of several; None: there are none."""
    counts = Counter(values)
    return max(counts, key=counts.__getitem__, default=None)


_ENOUGH = 300
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
