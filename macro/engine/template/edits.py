"""Edits of a template in the sense of RFC 6902, and the one place that applies them to data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from macro.engine.template.document import Json, Path


class Edit(NamedTuple):
    """One operation in the sense of RFC 6902; each sees the template as the ones before it left it.

    `add` puts `value` at a key that is not there yet, or at the end of a list (last step "-").
    `remove` takes away a member or an item, `replace` puts `value` in its stead. `move` takes the
    value at `source` (RFC 6902: "from") to a key that is not there yet. `after` names the sibling
    behind which an added key reads best in text; it has no meaning in JSON.
    """

    op: Literal["add", "remove", "replace", "move"]
    path: Path
    value: Json = None
    source: Path = ()
    after: str | None = None


def apply(template: Json, edits: Iterable[Edit]) -> Json:
    """The template with the edits made; the given one is left as it is, and shared where untouched.

    Raises LookupError or TypeError for a path that is not there.
    """
    fresh: dict[int, Json] = {}  # the copies made so far; holding them keeps each id to one node

    def own(node: Any) -> Any:
        if isinstance(node, (dict, list)):
            node = node.copy()
            fresh[id(node)] = node
        return node

    root: dict[str, Any] = {"": template}

    def parent(path: Path) -> tuple[Any, str | int]:
        *way, last = ("", *path)
        node: Any = root
        for step in way:
            below = node[step]
            if id(below) not in fresh:
                below = node[step] = own(below)
            node = below
        return node, last

    for edit in edits:
        value = edit.value
        if edit.op == "move":
            node, last = parent(edit.source)
            value = node.pop(last)
        node, last = parent(edit.path)
        if edit.op == "remove":
            del node[last]
        elif last == "-":
            node.append(value)
        else:
            node[last] = value
    moved: Json = root[""]
    return moved
