"""Aliases and merge keys under edit: what no longer means what is intended is written out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import cast

from yaml.nodes import MappingNode, Node, SequenceNode

from macro.engine.template.document import Json, canonical
from macro.engine.template.records import NamedTuple
from macro.text.edited_tree import Branch, Member, New, Value, branch_of, json_of
from macro.text.nodes import Alias, function, is_merge, value_of
from macro.text.spans import nodes_below

Keeps = Callable[[Member], bool]
"""Whether a member still has the value that it had in the text, perhaps changed within."""


class _Meanings(NamedTuple):
    """`after` has what nodes with anchors come to mean, as canonical text and by their ids; `lost`
    the ids of the aliases that are to be written out, and `around` of all that holds such an alias.
    """

    after: dict[int, str]
    lost: frozenset[int]
    around: frozenset[int]

    def is_of(self, alias: Alias, value: Json) -> bool:
        return self.after.get(id(alias.value)) == canonical(value)


def settled(root: Node, top: Branch, keeps: Keeps, has_aliases: bool, write_out: bool) -> Branch:
    """An edited tree with the aliases written out that would no longer mean what is intended: their
    anchor is gone, or the node that has it has come to mean something else. The others stay
    aliases; where one was edited to the same effect as its node, the edit of the node is enough.

    What a merge key no longer brings as intended gets a key of its own beside it; where it would
    bring too much, all that it brought is written out in its place.

    `write_out`: write out all of them, for an anchor may have moved behind its alias.
    """
    nodes = nodes_below(root) if has_aliases else ()
    aliases = [node for node in nodes if isinstance(node, Alias)]
    before = {id(alias.value): canonical(value_of(alias)) for alias in aliases}
    after = {} if write_out else dict(_meanings(top, before, keeps))
    lost = frozenset(
        id(alias) for alias in aliases if after.get(id(alias.value)) != before[id(alias.value)]
    )
    around = frozenset(_around(root, lost)) if lost else lost
    value = _settled(Member("", top), _Meanings(after, lost, around)).value
    return cast(Branch, value)


def _meanings(value: Value, before: dict[int, str], keeps: Keeps) -> Iterator[tuple[int, str]]:
    """What the nodes with anchors that stay in the text come to mean."""
    if isinstance(value, Branch):
        if value.node is not None and id(value.node) in before:
            yield id(value.node), canonical(json_of(value))
        for member in (*value.members.values(), *value.unseen.values()):
            if value.is_call or keeps(member):
                yield from _meanings(member.value, before, keeps)
    elif isinstance(value, Node):
        yield from (
            (id(node), before[id(node)]) for node in nodes_below(value) if id(node) in before
        )


def _around(node: Node, lost: frozenset[int]) -> Iterator[int]:
    parts = node.value if isinstance(node, (MappingNode, SequenceNode)) else ()
    nodes = (part for item in parts for part in (item if isinstance(item, tuple) else (item,)))
    below = [found for part in nodes for found in _around(part, lost)]
    yield from below
    if below or id(node) in lost:
        yield id(node)


def _settled(member: Member, meanings: _Meanings) -> Member:
    value = member.value
    if isinstance(value, Alias):
        lost = id(value) in meanings.lost
        return member._replace(value=New(value_of(value))) if lost else member
    if isinstance(value, Branch):
        if value.alias is not None and meanings.is_of(value.alias, json_of(value)):
            return member._replace(value=value.alias)
    elif isinstance(value, New) or member.foreign or id(value) not in meanings.around:
        return member
    branch = branch_of(member)
    merges = _merges(branch)
    members = {key: _settled(inner, meanings) for key, inner in branch.members.items()}
    unseen = {
        number: inner if number in merges else _settled(inner, meanings)
        for number, inner in branch.unseen.items()
    }
    merged: frozenset[str | int] = frozenset()
    if merges:
        brought = _brought(cast(MappingNode, branch.node), meanings)
        if brought is None or not brought.keys() <= members.keys():
            unseen = {number: inner for number, inner in unseen.items() if number not in merges}
        else:
            merged = frozenset(
                key
                for key, inner in members.items()
                if inner.home is None
                and key in brought
                and canonical(brought[str(key)]) == canonical(json_of(inner.value))
            )
    return member._replace(value=branch.settled(members, unseen, merged))


def _merges(branch: Branch) -> frozenset[str | int]:
    """The numbers of the merge keys in a mapping of the text."""
    if branch.is_call or not isinstance(branch.node, MappingNode):
        return frozenset()
    keys = branch.node.value
    return frozenset(number for number in branch.unseen if is_merge(keys[number][0]))


def _brought(node: MappingNode, meanings: _Meanings) -> dict[str, Json] | None:
    """What the merge keys of a mapping come to bring; None: they can no longer be used."""
    found: dict[str, Json] = {}
    for key, item in node.value:
        if is_merge(key):
            is_list = isinstance(item, SequenceNode)
            for source in reversed(item.value) if is_list else (item,):
                brought = _meaning(source, meanings)
                for value in reversed(brought) if isinstance(brought, list) else (brought,):
                    if not isinstance(value, dict):
                        return None
                    found |= value
    return found


def _meaning(node: Node, meanings: _Meanings) -> Json:
    if id(node) in meanings.around:
        is_useful = isinstance(node, Alias) and id(node.value) in meanings.after
        return json.loads(meanings.after[id(node.value)]) if is_useful else None
    target = node.value if isinstance(node, Alias) else node
    return None if function(target) else value_of(node)
