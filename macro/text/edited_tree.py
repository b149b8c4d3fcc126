"""A template under edit: a tree whose pieces know where they are in the author's text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias, cast

from yaml.nodes import MappingNode, Node, ScalarNode

from macro.engine.template.document import Json, Path
from macro.engine.template.edits import Edit
from macro.engine.template.records import NamedTuple
from macro.text.nodes import Alias, function, is_merge, key_of, merged_entries, value_of


class New(NamedTuple):
    """A value that the text does not hold."""

    json: Json


class Branch:
    """A mapping or a list that an edit reached into; what it reached is a branch, too.

    `node` is the collection in the text that it was, None for a new one. A short tag's value is a
    mapping with one member, whose value is a branch of the same node (`is_call` tells the two
    apart). `alias` is the alias through which the node was reached.

    `unseen` are entries of the text that are no members, by number: merge keys, and all but the
    last where a key occurs twice (which `doubled` has). What a merge key brings is a member without
    a home; `merged` are the keys of those that need no text, since a merge key still brings them.

    Only `grow` changes a branch, while it makes one.
    """

    def __init__(
        self,
        node: Node | None,
        is_list: bool,
        members: dict[str | int, Member],
        is_call: bool = False,
        alias: Alias | None = None,
        unseen: dict[int, Member] | None = None,
        doubled: frozenset[str] = frozenset(),
        merged: frozenset[str | int] = frozenset(),
    ) -> None:
        self.node = node
        self.is_list = is_list
        self.members = members
        self.is_call = is_call
        self.alias = alias
        self.unseen = unseen or {}
        self.doubled = doubled
        self.merged = merged

    def settled(
        self,
        members: dict[str | int, Member],
        unseen: dict[int, Member],
        merged: frozenset[str | int],
    ) -> Branch:
        """The same with other members and entries."""
        of_node = self.node, self.is_list, members, self.is_call, self.alias
        return Branch(*of_node, unseen, self.doubled, merged)


class DoubledKeyError(Exception):
    """An edit is to be made in a mapping in which a key occurs twice; `node` is the mapping."""

    def __init__(self, node: MappingNode) -> None:
        self.node = node


Value: TypeAlias = "Node | New | Branch"


class Member(NamedTuple):
    """A member of a mapping or an item of a list (its `key` is "").

    `home` is the collection in the text in which it is, and its number there; `moved`: it has left.
    `foreign`: the value's text belongs to an anchor elsewhere and cannot be changed or taken from
    there. `after` names the key behind which an added one reads best.
    """

    key: str
    value: Value
    home: tuple[Node, int] | None = None
    moved: bool = False
    foreign: bool = False
    after: str | None = None


def grow(root: Node, edits: Iterable[Edit]) -> Branch:
    """The tree of a text's top mapping after the edits.

    Raises DoubledKeyError, and LookupError or TypeError for a path that does not exist.
    """
    top = branch_of(Member("", root))
    models: list[tuple[Branch, Branch]] = []
    for edit in edits:
        *_, (holder, key) = way = list(_way(top, edit.source if edit.op == "move" else edit.path))
        if edit.op == "remove":
            del holder.members[key]
            continue
        value, home, foreign = cast("Value", New(edit.value)), None, False
        if edit.op == "move":
            taken = holder.members.pop(key)
            value, home, foreign = taken.value, taken.home, taken.foreign
            source, way = way, list(_way(top, edit.path))
            models += _models(source, way[:-1])
        holder, key = way[-1]
        # What moves to a key brings the spelling of its own; an item stays where it is in its list.
        if key in holder.members and (edit.op != "move" or holder.is_list):
            holder.members[key] = holder.members[key]._replace(value=value, foreign=foreign)
        else:
            name = "" if holder.is_list else str(key)
            moved = edit.op == "move"
            holder.members[key] = Member(name, value, home, moved, foreign, edit.after)
    if models:
        present = {id(branch) for branch in _branches(top)}
        for new, model in models:
            if id(model) not in present:
                new.members.update(_modelled(new, model))
    return top


def branch_of(member: Member) -> Branch:
    """A member's value as a branch; what cannot be edited in the text is as if it were new."""
    value = member.value
    if isinstance(value, Branch):
        return value
    alias = value if isinstance(value, Alias) else None
    node = alias.value if alias else value
    foreign = member.foreign or alias is not None
    if isinstance(node, ScalarNode):  # a short tag's: what it stands for cannot be edited in place
        node = New(value_of(node))
    if isinstance(node, New):
        return Branch(None, isinstance(node.json, list), _fresh(node.json), alias=alias)
    name = function(node)
    if name is None:
        return _collection(node, foreign, alias)
    inner = Member(name, _collection(node, foreign, None), foreign=foreign)
    return Branch(node, False, {name: inner}, is_call=True, alias=alias)


def members(value: New | Branch) -> list[Member]:
    """The members of a mapping or the items of a list."""
    return list((value.members if isinstance(value, Branch) else _fresh(value.json)).values())


def is_list(value: New | Branch) -> bool:
    """Whether a collection is a list."""
    return isinstance(value.json, list) if isinstance(value, New) else value.is_list


def is_collection(value: Value) -> bool:
    """Whether a value is a mapping or a list that is no longer as the text has it."""
    return isinstance(value, Branch) or (
        isinstance(value, New) and isinstance(value.json, (dict, list))
    )


def json_of(value: Value) -> Json:
    """The template value of a piece of the tree."""
    if isinstance(value, New):
        return value.json
    if isinstance(value, Branch):
        if value.is_list:
            return [json_of(member.value) for member in value.members.values()]
        return {member.key: json_of(member.value) for member in value.members.values()}
    return value_of(value)


def _way(top: Branch, path: Path) -> Iterator[tuple[Branch, str | int]]:
    """The branches on the way down a path, which become branches as it goes, each with the key of
    its members that the path's step means."""
    branch = top
    for step in path[:-1]:
        if step in branch.doubled:
            break
        key = _key(branch, step)
        yield branch, key
        below = branch_of(branch.members[key])
        branch.members[key] = branch.members[key]._replace(value=below)
        branch = below
    if branch.doubled:
        raise DoubledKeyError(cast(MappingNode, branch.node))
    yield branch, _key(branch, path[-1])


def _key(branch: Branch, step: str | int) -> str | int:
    if not branch.is_list:
        return step
    if step == "-":
        return max(map(int, branch.members), default=-1) + 1
    return list(branch.members)[int(step)]


def _fresh(json: Json) -> dict[str | int, Member]:
    if isinstance(json, list):
        return {number: Member("", New(item)) for number, item in enumerate(json)}
    return {key: Member(key, New(item)) for key, item in cast("dict[str, Json]", json).items()}


def _collection(node: Node, foreign: bool, alias: Alias | None) -> Branch:
    found: dict[str | int, Member] = {}
    if not isinstance(node, MappingNode):
        for number, value in enumerate(node.value):
            found[number] = Member("", value, (node, number), foreign=foreign)
        return Branch(node, True, found, alias=alias)
    unseen: dict[int, Member] = {}
    doubled: set[str] = set()
    for key, value in merged_entries(node).items():
        found[key] = Member(key, value, foreign=True, after="<<")
    for number, (key_node, value) in enumerate(node.value):
        key = cast(str, key_of(key_node))
        member = Member(key, value, (node, number), foreign=foreign)
        if is_merge(key_node):
            unseen[number] = member
            continue
        before = found.get(key)
        if before is not None and before.home is not None:
            doubled.add(key)
            unseen[before.home[1]] = before
        found[key] = member
    return Branch(node, False, found, alias=alias, unseen=unseen, doubled=frozenset(doubled))


# A new value that takes the place of an author's, as the credentials that are to be an `Fn::If`
# take that of a secret which is one: what both have is kept as the author wrote it.

_Way: TypeAlias = "list[tuple[Branch, str | int]]"


def _models(source: _Way, target: _Way) -> Iterator[tuple[Branch, Branch]]:
    """The new branches on the way to what moved, each with that of the text in the same place of
    the value that it moved out of."""
    for (model, step), (new, key) in zip(reversed(source), reversed(target), strict=False):
        if step != key or new.node is not None or model.node is None:
            break
        yield new, model


def _modelled(new: Branch, model: Branch) -> Iterator[tuple[str | int, Member]]:
    """The members of a new branch that are the model's, with their text."""
    for key, member in new.members.items():
        own = model.members.get(key)
        if own is None or own.foreign or member.home is not None:
            continue
        if isinstance(member.value, Branch):
            yield key, member._replace(home=own.home)  # whose key is the author's
        elif isinstance(own.value, Node) and value_of(own.value) == json_of(member.value):
            yield key, own._replace(moved=True)


def _branches(branch: Branch) -> Iterator[Branch]:
    yield branch
    for member in branch.members.values():
        if isinstance(member.value, Branch):
            yield from _branches(member.value)
