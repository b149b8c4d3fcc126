"""Edits of a template in the sense of RFC 6902, and the one place that applies them to data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from macro.engine.template.document import Json, Path
from macro.engine.template.records import NamedTuple


class Edit(NamedTuple):
    """One operation in the sense of RFC 6902; each sees the template as the ones before it left it.

    `add` puts `value` at a key that does not exist yet, or at the end of a list (last step "-").
    `remove` takes away a member or an item, `replace` puts `value` in its stead. `move` takes the
    value at `source` (RFC 6902: "from") to a key that does not exist yet, or to the key of the list
    that holds it. `after` names the sibling behind which an added key reads best in text; it has no
    meaning in JSON.
    """

    op: Literal["add", "remove", "replace", "move"]
    path: Path
    value: Json = None
    source: Path = ()
    after: str | None = None


class Keys(NamedTuple):
    """What the keys of a tree are, where they are more than text, as cfn-lint's know their place.

    `find` gives the key of a mapping, or the index of a list, that a step of a path means; the step
    itself where the node has none. `moved` gives the key for what is taken from a key of a node to
    another key.
    """

    find: Callable[[Any, str | int], Any]
    moved: Callable[[Any, Any, Any], Any]


def apply(template: Json, edits: Iterable[Edit], keys: Keys | None = None) -> Json:
    """The template with the edits made; the given one is left as it is, and shared where untouched.

    Containers of other classes than `dict` and `list` keep theirs; `keys` is for such a tree.
    Raises LookupError or TypeError for a path that does not exist.
    """
    fresh: dict[int, Any] = {}  # the copies made so far; holding them keeps each id to one node
    root: dict[str, Any] = {"": template}

    def parent(path: Path) -> tuple[Any, Any]:
        *way, last = ("", *path)
        node: Any = root
        for step in way:
            key = keys.find(node, step) if keys else step
            below = node[key]
            if id(below) not in fresh:
                below = node[key] = _copy(below)
                fresh[id(below)] = below
            node = below
        return node, keys.find(node, last) if keys else last

    for edit in edits:
        if edit.op == "move":
            holder, source = parent(edit.source)
            key = keys.moved(holder, source, edit.path[-1]) if keys else edit.path[-1]
            value = holder.pop(source)
            node, last = parent((*edit.path[:-1], key))
        else:
            value = edit.value
            node, last = parent(edit.path)
        if edit.op == "remove":
            del node[last]
        elif last == "-":
            node.append(value)
        else:
            node[last] = value
    edited: Json = root[""]
    return edited


def _copy(node: Any) -> Any:
    if type(node) in (dict, list):
        return node.copy()
    from copy import copy  # slow to import, and for other nodes than plain data alone

    return copy(node)
