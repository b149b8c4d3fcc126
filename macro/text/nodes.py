"""Text as nodes with marks, from libyaml and from JSON; and nodes as template values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from yaml import error
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from macro.engine.template.document import Json

MAX_DEPTH = 100  # of nesting; keeps every recursion, libyaml's and ours, far from the stack's end

if TYPE_CHECKING:
    Loader = Any
else:
    try:
        from yaml._yaml import CParser as Loader
    except ImportError:  # PyYAML built without libyaml: the same nodes, more slowly

        class Loader(Reader, Scanner, Parser, Composer):
            def __init__(self, stream):
                Reader.__init__(self, stream)
                Scanner.__init__(self)
                Parser.__init__(self)
                Composer.__init__(self)


class Mark(error.Mark):
    """A place in the text that libyaml did not tell: the index only."""

    def __init__(self, index: int) -> None:
        self.index = index


class Alias(Node):
    """A YAML alias where it stands; `value` is the node that it stands for."""


class TooDeepError(Exception):
    """Nesting beyond MAX_DEPTH; `index` is where it was noticed."""

    def __init__(self, index: int) -> None:
        self.index = index


def compose_yaml(text: str) -> Node | None:
    """The node of a text's one document, with an Alias in each place where the text has one; None
    for an empty text. Tags are None where the text has none.

    Raises yaml.YAMLError and TooDeepError.
    """
    loader = _Composer(text)
    try:
        root = loader.get_single_node()
    finally:
        loader.dispose()
    if root is not None and ALIAS.search(text):
        _part_aliases(root, text)
    return cast("Node | None", root)


def compose_json(text: str) -> MappingNode:
    """The nodes of a JSON object that `json.loads` takes.

    libyaml refuses JSON's surrogate pairs and long keys, and reads some numbers otherwise.
    """
    tokens = re.finditer(r'"(?:[^"\\]|\\.)*"|[\[\]{}]|[^\s\[\]{}:,"]+', text)
    closed: list[Mark] = []

    def node(token: re.Match[str]) -> Node:
        start = Mark(token.start())
        if token[0] == "{":
            pairs = [(key, node(next(tokens))) for key in nodes("}")]
            return MappingNode(_JSON, pairs, start, closed.pop(), flow_style=True)
        if token[0] == "[":
            items = list(nodes("]"))
            return SequenceNode(_JSON, items, start, closed.pop(), flow_style=True)
        style = '"' if token[0][0] == '"' else ""
        return ScalarNode(_JSON, json.loads(token[0]), start, Mark(token.end()), style)

    def nodes(closing: str) -> Iterator[Node]:
        for token in tokens:
            if token[0] == closing:
                closed.append(Mark(token.end()))
                return
            yield node(token)

    return cast(MappingNode, node(next(tokens)))


def function(node: Node) -> str | None:
    """The key that a short tag stands for (`!Sub`: "Fn::Sub"); None without such a tag.

    The tag of another tool gets a key of the same form, as in cfn-lint's decoder: a value that
    tells that something computes it.
    """
    tag = node.tag
    if tag is None or tag in _PLAIN_TAGS:
        return None
    name = str(tag).removeprefix("!")
    return name if name in ("Ref", "Condition") else f"Fn::{name}"


def key_of(key: Node) -> str | None:
    """A mapping's key: as the text that stands there, for CloudFormation takes numbers and booleans
    for text too; None where it is a list, a mapping or a function."""
    node = target_of(key)
    return node.value if isinstance(node, ScalarNode) and function(node) is None else None


def is_merge(key: Node) -> bool:
    """Whether a key is YAML's merge key, a plain `<<`."""
    return key.tag in (None, _MERGE) and key.value == "<<" and not key.style  # type: ignore[attr-defined]


def merged_entries(node: MappingNode) -> dict[str, Node]:
    """What `<<` brings into a mapping, as the AWS CLI and SAM read it (their `yamlhelper.py`, with
    PyYAML's `flatten_mapping`): of a list of mappings the first that has a key counts."""
    found: dict[str, Node] = {}
    for source in merge_sources(node):
        if isinstance(source, MappingNode):
            found |= merged_entries(source)
            found |= {str(key_of(key)): item for key, item in source.value if not is_merge(key)}
    return found


def bad_merges(node: MappingNode) -> list[Node]:
    """What `<<` cannot bring into a mapping, since it is neither a mapping nor a list of them."""
    return [source for source in merge_sources(node) if not isinstance(source, MappingNode)]


def merge_sources(node: MappingNode) -> Iterator[Node]:
    """The values of `<<` in a mapping, those that count least first."""
    for key, item in node.value:
        if is_merge(key):
            target = target_of(item)
            yield from map(
                target_of,
                reversed(target.value) if isinstance(target, SequenceNode) else (target,),
            )


def target_of(node: Node) -> Node:
    """The node that an alias stands for, and any other node itself."""
    return node.value if isinstance(node, Alias) else node


def value_of(node: Node, odd: Callable[[MappingNode], None] = lambda node: None) -> Json:
    """The template value that a node stands for, merge keys resolved.

    `odd` hears of each mapping with keys that occur twice, are no text, or merge.
    """
    kind = node.__class__  # quicker than isinstance, and this runs for every node
    tag = node.tag
    if isinstance(node, ScalarNode):
        if tag is None:
            return cast(str, node.value) if node.style else plain_scalar(node.value)
        return _tagged_scalar(node)
    if kind is Alias:
        return value_of(node.value, odd)
    value: Any
    if kind is SequenceNode:
        value = [value_of(item, odd) for item in node.value]
    else:
        value = {}
        for key, item in node.value:
            text = key.value if key.__class__ is ScalarNode and key.tag is None else key_of(key)
            value[text] = value_of(item, odd)
        if len(value) != len(node.value) or None in value or "<<" in value:
            odd(cast(MappingNode, node))
            value = _merged(node, value, odd)
    name = None if tag is None else function(node)
    return value if name is None else {name: value}


def _merged(node: Node, value: Any, odd: Callable[[MappingNode], None]) -> Any:
    if not any(is_merge(key) for key, _ in node.value):
        return value
    brought = merged_entries(cast(MappingNode, node))
    own = {key_of(key): value_of(item, odd) for key, item in node.value if not is_merge(key)}
    return {key: value_of(item, odd) for key, item in brought.items() if key not in own} | own


@lru_cache(maxsize=4096)
def plain_scalar(text: str) -> Json:
    """The value of a plain scalar: YAML 1.1 as PyYAML reads it, but dates (`2012-10-17`), base 60
    (`22:22` maps ports), a leading zero (an account id) and infinity stay text."""
    if not text or text in ("~", "null", "Null", "NULL"):
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] in "0123456789+-.":
        digits = text.replace("_", "")
        try:
            if _INT.fullmatch(text):
                return int(digits, {"0b": 2, "0x": 16}.get(digits.lstrip("+-")[:2], 10))
            if _FLOAT.fullmatch(text):
                return float(digits)
        except ValueError:  # "0x_", or more digits than Python converts
            pass
    return text


_JSON = "json"  # the tag of JSON's nodes: a scalar's `value` is what JSON says it is

_MERGE = "tag:yaml.org,2002:merge"
_PLAIN_TAGS = {"!", _JSON} | {
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge")
}
_BOOLEANS = {
    spelling: value
    for words, value in ((("true", "yes", "on"), True), (("false", "no", "off"), False))
    for word in words
    for spelling in (word, word.capitalize(), word.upper())
}
_INT = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?")

# An alias: "*" where a value can begin. The look-behind comes second so that the search is quick.
ALIAS = re.compile(r"\*(?<=[\s\[{,:]\*)[\w-]")
# From the end of one node to the alias that follows it: past indicators, comments, tags, anchors.
_TO_ALIAS = r"(?:[\s:,\[{?-]|#[^\n]*+|[!&][^\s,\[\]{}]*+)*+(\*[\w-]+)"


def _tagged_scalar(node: Node) -> Json:
    name = function(node)
    if name == "Fn::GetAtt":
        return {name: list(node.value.split(".", 1))}
    if name is not None:
        return {name: node.value}
    if node.tag == _JSON:
        return cast(Json, node.value)
    return (
        cast(str, node.value) if node.tag == "tag:yaml.org,2002:str" else plain_scalar(node.value)
    )


class _Composer(Loader):  # type: ignore[misc]
    """PyYAML's composer without its resolver, which takes longer than composing itself."""

    depth = 0

    def resolve(self, kind: object, value: object, implicit: object) -> None:
        return None

    def descend_resolver(self, parent: Node | None, index: object) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooDeepError(parent.start_mark.index if parent else 0)

    def ascend_resolver(self) -> None:
        self.depth -= 1


def _part_aliases(root: Node, text: str) -> None:
    """Put an Alias in each place where libyaml repeats the node that an alias stands for."""
    seen: set[int] = set()
    to_alias = re.compile(_TO_ALIAS)

    def place(node: Node, after: int) -> tuple[Node, int]:
        """What stands in a node's place, and where it ends."""
        if id(node) in seen:
            match = cast("re.Match[str]", to_alias.match(text, after))
            return Alias(None, node, Mark(match.start(1)), Mark(match.end())), match.end()  # type: ignore[arg-type]
        seen.add(id(node))
        if not isinstance(node, ScalarNode):
            at = node.start_mark.index
            for number, item in enumerate(node.value):
                if isinstance(node, SequenceNode):
                    node.value[number], at = place(item, at)
                else:
                    key, at = place(item[0], at)
                    value, at = place(item[1], at)
                    node.value[number] = key, value
        return node, node.end_mark.index

    place(root, 0)
