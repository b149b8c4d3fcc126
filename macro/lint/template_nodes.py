"""cfn-lint's tree of a template, whose nodes know their place in the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from cfnlint.decode.mark import Mark
from cfnlint.decode.node import dict_node, list_node, str_node

from macro.engine.template.document import Json, Path, canonical
from macro.engine.template.edits import Keys

Span: TypeAlias = tuple[int, int, int, int]
"""Line and column where something begins, and where it ends; all from 0, as cfn-lint counts."""

TOP: Span = (0, 0, 0, 1)


def plain_template(node: Any) -> Json:
    """The tree as the engine takes it: every key is text, also where YAML reads a number."""
    if isinstance(node, dict):
        return {str(key): plain_template(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain_template(item) for item in node]
    value: Json = node if isinstance(node, str | int | float | None) else str(node)
    return value


def span(root: Any, path: Path, on_key: bool = False) -> Span:
    """Where the value at a path is, or its key.

    A value without a place of its own (a number, or none) is where its key is, and so is the
    nearest value above what is not in the tree.
    """
    above, last, node = None, None, root
    place = _marked(root) or TOP
    for step in path:
        key = _key(node, step)
        if key is None:
            on_key = True
            break
        above, last, node = node, key, node[key]
        place = _marked(node) or _of_key(above, last) or place
    return (_of_key(above, last) if on_key else None) or place


def node_of(value: Json, place: Span, places: Mapping[str, Span]) -> Any:
    """A value as nodes that are all at one place, but for those that `places` has a place for, by
    their canonical text."""
    if places and isinstance(value, dict | str):
        place = places.get(canonical(value), place)
    start, end = Mark(*place[:2]), Mark(*place[2:])
    if isinstance(value, dict):
        node = dict_node({}, start, end)
        for key, item in value.items():
            below = node_of(item, place, places)
            node[text(key, _marked(below) or place)] = below
        return node
    if isinstance(value, list):
        return list_node([node_of(item, place, places) for item in value], start, end)
    return text(value, place) if isinstance(value, str) else value


def text(value: str, place: Span) -> Any:
    """A text that is at a place."""
    return str_node(value, Mark(*place[:2]), Mark(*place[2:]))


def _key(node: Any, step: str | int) -> Any:
    """The key or the index of a node that a step means; None where the node has none."""
    if isinstance(node, dict):
        return step if step in node else next((key for key in node if str(key) == step), None)
    if isinstance(node, list) and isinstance(step, int) and 0 <= step < len(node):
        return step
    return None


def _find(node: Any, step: str | int) -> Any:
    key = _key(node, step)
    return step if key is None else key


def _of_key(node: Any, key: Any) -> Span | None:
    """Where a key of a mapping is."""
    found = next((one for one in node if one == key), None) if isinstance(node, dict) else None
    return _marked(found)


def _moved(node: Any, source: Any, key: Any) -> Any:
    place = _of_key(node, source)
    return text(str(key), place) if place else key


def _marked(node: Any) -> Span | None:
    if not hasattr(node, "start_mark"):
        return None
    start, end = node.start_mark, node.end_mark
    return start.line, start.column, end.line, end.column


NODE_KEYS = Keys(_find, _moved)
"""For `apply`: edits take keys as text, and the key of what is moved is where its old key was."""
