"""How a text is written around a place: indentation, lists, flow style, short tags, blank lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from yaml.nodes import CollectionNode, MappingNode, Node, SequenceNode

from macro.text.nodes import Alias, function
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


class Styles:
    """Answers how one text is written."""

    def __init__(self, source: Source, spans: Spans) -> None:
        self.root = source.root
        self.spans = spans
        self.style = _of_text(source)

    def around(self, chain: Sequence[Node]) -> Style:
        """The style within the last of these collections, each of which is in the one before.

        Mappings are indented as the nearest of its siblings, or of the siblings of what it is in;
        so are lists, if there are any within its resource, and otherwise as most of the text.
        """
        if self.style.is_json:
            return self.style
        steps = (self._offsets(node, MappingNode) for node in reversed(chain))
        step = next((offset for offsets in steps for offset in offsets), 2)
        lists = (_commonest(self._offsets(node, SequenceNode)) for node in reversed(chain[2:]))
        dash = next((offset for offset in lists if offset is not None), self._lists.dash)
        return self.style._replace(
            step=step,
            dash=step if dash is None else dash,
            widths=_widths(self._item_widths(chain[-1])) or self._lists.widths,
        )

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

    def _offsets(self, node: Node, kind: type[CollectionNode]) -> Iterator[int]:
        """How far each block collection of a kind in a block mapping is indented."""
        if isinstance(node, MappingNode) and not is_flow(node):
            for key, value in node.value:
                offset = self._offset(key, value) if isinstance(value, kind) else None
                if offset is not None:
                    yield offset

    def _offset(self, key: Node, value: CollectionNode) -> int | None:
        """How far a block collection is indented below its key; None for one in flow style, and
        where a tag or an anchor has a line of its own between them."""
        if value.flow_style or not value.value or isinstance(key, Alias):
            return None
        start, column, spans = value.start_mark, int(key.start_mark.column), self.spans
        if spans.text[start.index] not in "!&":
            return int(start.column) - column if spans.leads(start.index) else None
        first = spans.entry_start(value, 0)
        if start.line == key.end_mark.line or spans.line_start(first) <= start.index:
            return spans.column(first) - column
        return None

    def _item_widths(self, node: Node) -> Iterator[tuple[bool, int]]:
        """For each item of a block list: whether it is a mapping, and how far behind its dash."""
        if not isinstance(node, SequenceNode) or is_flow(node):
            return
        spans = self.spans
        for number, item in enumerate(node.value):
            dash, start = spans.entry_start(node, number), int(item.start_mark.index)
            if spans.line_start(dash) == spans.line_start(start) and start > dash + 1:
                yield _is_mapping(item), start - dash

    @cached_property
    def _lists(self) -> _Lists:
        """How most block lists of the text are written."""
        offsets: list[int] = []
        widths: list[tuple[bool, int]] = []
        todo: list[CollectionNode] = [self.root]
        for node in todo:
            for entry in node.value:
                key, value = entry if isinstance(entry, tuple) else (None, entry)
                if not isinstance(value, CollectionNode) or value.flow_style:
                    continue
                todo.append(value)
                if isinstance(value, SequenceNode) and key is not None:
                    offset = self._offset(key, value)
                    offsets += [] if offset is None else [offset]
                if isinstance(value, SequenceNode) and value.value:
                    dash, item = value.start_mark, value.value[0]
                    is_tagged = self.spans.text[dash.index] != "-"
                    if (
                        not (is_tagged or isinstance(item, Alias))
                        and item.start_mark.line == dash.line
                    ):
                        widths.append((_is_mapping(item), item.start_mark.column - dash.column))
        common = ((kind, _commonest(w for k, w in widths if k == kind)) for kind in (True, False))
        return _Lists(
            _commonest(offsets),
            _widths((kind, width) for kind, width in common if width is not None) or Widths(),
        )


class _Lists(NamedTuple):
    """How most block lists of a text are written; `dash` is None where there are none."""

    dash: int | None
    widths: Widths


def _widths(found: Iterable[tuple[bool, int]]) -> Widths | None:
    """The first width of mappings and of other items, either for both; None: there is neither."""
    first = dict(reversed(list(found)))
    if not first:
        return None
    either = next(iter(first.values()))
    return Widths(first.get(True, either), first.get(False, either))


def _is_mapping(node: Node) -> bool:
    """Whether a node is a block mapping without a tag."""
    return isinstance(node, MappingNode) and not is_flow(node) and function(node) is None


def _commonest(values: Iterable[int]) -> int | None:
    """The value that occurs most often, the first of several; None: there are none."""
    counts = Counter(values).most_common(1)
    return counts[0][0] if counts else None


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
