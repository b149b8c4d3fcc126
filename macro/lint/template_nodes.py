"""cfn-lint's tree of a template, whose nodes know their place in the text, under our edits."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from cfnlint.decode.mark import Mark
from cfnlint.decode.node import dict_node, list_node, str_node

from macro.engine.expand import Expansion
from macro.engine.grants.permissions import Policy
from macro.engine.grants.roles import TemplateRole
from macro.engine.shorthand.block import NAME
from macro.engine.shorthand.macro_calls import SNIPPET
from macro.engine.template.document import Json, Path, canonical
from macro.engine.template.edits import Edit

Span: TypeAlias = tuple[int, int, int, int]
"""Line and column where something begins, and where it ends; all from 0, as cfn-lint counts."""

TOP: Span = (0, 0, 0, 1)


def plain(node: Any) -> Json:
    """The tree as the engine takes it: every key is text, also where YAML reads a number."""
    if isinstance(node, dict):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(item) for item in node]
    value: Json = node if isinstance(node, str | int | float | None) else str(node)
    return value


def span(root: Any, path: Path, on_key: bool = False) -> Span:
    """Where the value at a path stands, or its key.

    A value without a place of its own (a number, or none) stands where its key does, and so does
    the nearest value above what is not in the tree.
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


def edited(root: Any, edits: Iterable[tuple[Edit, Any]]) -> Any:
    """The tree with the edits made, each with its value as a node; the given tree is left as it is.

    What `apply` of macro.engine does for plain data; here every node keeps its place and
    the key of what is moved is where its old key was.
    """
    fresh: dict[int, Any] = {}  # the copies made so far; holding them keeps each id to one node
    top = dict_node({"": root}, Mark(0, 0), Mark(0, 0))

    def parent(path: Path) -> tuple[Any, Any]:
        node = top
        for step in ("", *path[:-1]):
            key = _key(node, step)
            below = node[key]
            if id(below) not in fresh:
                below = copy.copy(below)
                fresh[id(below)] = below
                node[key] = below
            node = below
        last = path[-1]
        key = _key(node, last)
        return node, last if key is None else key

    for edit, value in edits:
        key = edit.path[-1]
        if edit.op == "move":
            node, last = parent(edit.source)
            place = _of_key(node, last)
            value = node.pop(last)
            key = text(str(key), place) if place else key
        node, last = parent(edit.path)
        if edit.op == "remove":
            del node[last]
        elif last == "-":
            node.append(value)
        else:
            node[last if last in node else key] = value  # a key that is there keeps its place
    return top[""]


def node_of(value: Json, place: Span, places: Mapping[str, Span]) -> Any:
    """A value as nodes that all stand at one place, but for those that `places` has a place for, by
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
    """A text that stands at a place."""
    return str_node(value, Mark(*place[:2]), Mark(*place[2:]))


def placed_edits(root: Any, template: Json, expansion: Expansion) -> list[tuple[Edit, Any]]:
    """The edits of an expansion, with what they add standing at the shorthand that asks for it."""
    causes = _Causes(root, template, expansion)
    return [causes.place(edit) for edit in expansion.edits]


class _Causes:
    """Knows for each edit which shorthand it is for.

    An edit is for the container in or around which it is made; or for the policy that it writes,
    and so for the first container that asks for this policy. What a policy allows is for the key of
    the block that asks for just that.
    """

    def __init__(self, root: Any, template: Json, expansion: Expansion) -> None:
        self.root = root
        self.blocks: dict[Path, Path] = {
            pulled.path: (*pulled.path, NAME if NAME in _at(template, pulled.path) else SNIPPET)
            for pulled in expansion.containers
        }
        self.first = min(self.blocks.values(), key=self.span, default=())
        self.added: dict[str | int, Policy] = {}
        self.of_roles: dict[Path, list[Policy]] = {}
        for placed in expansion.policies:
            policy = placed.policy
            for served, block in zip(policy.served, policy.paths, strict=True):
                self.blocks.setdefault(served.path, block)
            if isinstance(policy.role, TemplateRole) and placed.kind == "role":
                self.of_roles.setdefault(policy.role.resource.path, []).append(policy)
            else:
                self.added[placed.logical_id] = policy

    def span(self, path: Path) -> Span:
        return span(self.root, path, on_key=True)

    def place(self, edit: Edit) -> tuple[Edit, Any]:
        """The edit and its value, with the key that it adds and that value where they belong."""
        policies = self._policies(edit)
        place = self.span(policies[0].paths[0] if policies else self._asking(edit))
        places: dict[str, Span] = {}
        for policy in policies:
            places[canonical(policy.document)] = self.span(policy.paths[0])
            for grant in policy.grants:
                key = "KmsKey" if grant.permission.action.startswith("kms:") else "Secret"
                for value in (grant.permission.resource, grant.permission.alias):
                    places.setdefault(canonical(value), self.span((*grant.path, key)))
        *way, last = edit.path
        if isinstance(last, str):
            edit = edit._replace(path=(*way, text(last, place)))
        return edit, node_of(edit.value, place, places)

    def _policies(self, edit: Edit) -> list[Policy]:
        """The policies that an edit writes."""
        if edit.path[-1] in self.added:
            return [self.added[edit.path[-1]]]
        above = (edit.path[:length] for length in range(len(edit.path)))
        return next((self.of_roles[path] for path in above if path in self.of_roles), [])

    def _asking(self, edit: Edit) -> Path:
        """What asks for an edit other than of a policy: a block, or the key of it that changes."""
        above = (edit.path[:length] for length in range(len(edit.path), 0, -1))
        block = next((self.blocks[path] for path in above if path in self.blocks), self.first)
        return edit.path if edit.path[: len(block)] == block else block


def _at(template: Json, path: Path) -> Any:
    node: Any = template
    for step in path:
        node = node[step]
    return node


def _key(node: Any, step: str | int) -> Any:
    """The key or the index of a node that a step means; None: there is none."""
    if isinstance(node, dict):
        return step if step in node else next((key for key in node if str(key) == step), None)
    if isinstance(node, list) and isinstance(step, int) and 0 <= step < len(node):
        return step
    return None


def _of_key(node: Any, key: Any) -> Span | None:
    """Where a key of a mapping stands."""
    found = next((one for one in node if one == key), None) if isinstance(node, dict) else None
    return _marked(found)


def _marked(node: Any) -> Span | None:
    if not hasattr(node, "start_mark"):
        return None
    start, end = node.start_mark, node.end_mark
    return start.line, start.column, end.line, end.column
