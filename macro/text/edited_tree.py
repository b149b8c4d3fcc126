"""A template under edit: a tree whose pieces know where they stand in the author's text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias, cast

from yaml.nodes import MappingNode, Node, ScalarNode

from macro.engine.template.document import Json, Path
from macro.engine.template.edits import Edit
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
    """

    def __init__(
        self,
        node: Node | None,
        is_list: bool,
        members: dict[str | int, Member],
        is_call: bool = False,
        alias: Alias | None = None,
        count: int = 0,
    ) -> None:
        self.node = node
        self.is_list = is_list
        self.members = members
        self.is_call = is_call
        self.alias = alias
        self.count = count  # of the items that a list ever had: the next item's key in `members`
        self.unseen: dict[int, Member] = {}
        self.doubled: set[str] = set()
        self.merged: set[str] = set()


class DoubledKeyError(Exception):
    """An edit is to be made in a mapping in which a key occurs twice; `node` is the mapping."""

    def __init__(self, node: MappingNode) -> None:
        self.node = node


Value: TypeAlias = "Node | New | Branch"


class Member:
    """A member of a mapping or an item of a list (its `key` is "").

    `home` is the collection in the text in which it stands, and its number there; `moved` tells
    that it has left. `foreign`: the value's text belongs to an anchor elsewhere and cannot be
    changed or taken from there. `comments` come to stand before it.
    """

    def __init__(
        self,
        key: str,
        value: Value,
        home: tuple[Node, int] | None = None,
        moved: bool = False,
        foreign: bool = False,
        after: str | None = None,
    ) -> None:
        self.key = key
        self.value = value
        self.home = home
        self.moved = moved
        self.foreign = foreign
        self.after = after
        self.comments: list[str] = []


def grow(root: Node, edits: Iterable[Edit]) -> Branch:
    """The tree of a text's top mapping after the edits.

    Raises DoubledKeyError, and LookupError or TypeError for a path that does not exist.
    """
    top = Member("", root)
    opened(top)
    for edit in edits:
        if edit.op == "move":
            holder, key = _find(top, edit.source)
            taken = holder.members.pop(key)
            value, home, foreign = taken.value, taken.home, taken.foreign
        else:
            value, home, foreign = New(edit.value), None, False
        holder, key = _find(top, edit.path)
        if edit.op == "remove":
            del holder.members[key]
        elif key in holder.members:
            member = holder.members[key]
            member.value, member.foreign = value, foreign
        else:
            name = "" if holder.is_list else str(key)
            moved = edit.op == "move"
            holder.members[key] = Member(name, value, home, moved, foreign, edit.after)
            holder.count += 1
    return cast(Branch, top.value)


def opened(member: Member) -> Branch:
    """The member's value as a branch, which it becomes."""
    value = member.value
    if isinstance(value, Branch):
        return value
    alias = value if isinstance(value, Alias) else None
    node = alias.value if alias else value
    foreign = member.foreign or alias is not None
    if isinstance(node, ScalarNode):  # a short tag's: what it stands for cannot be edited in place
        node = New(value_of(node))
    if isinstance(node, New):
        branch = _fresh(node)
    else:
        name = function(node)
        branch = _collection(node, foreign)
        if name is not None:
            inner = Member(name, branch, foreign=foreign)
            branch = Branch(node, False, {name: inner}, is_call=True, count=1)
        branch.alias = alias
    member.value = branch
    return branch


def members(value: New | Branch) -> list[Member]:
    """The members of a mapping or the items of a list."""
    branch = _fresh(value) if isinstance(value, New) else value
    return list(branch.members.values())


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


def _find(top: Member, path: Path) -> tuple[Branch, str | int]:
    """The branch that holds a path's last step, and that step as a key of its members."""
    branch = opened(top)
    for step in path[:-1]:
        if step in branch.doubled:
            break
        branch = opened(branch.members[_key(branch, step)])
    if branch.doubled:
        raise DoubledKeyError(cast(MappingNode, branch.node))
    return branch, _key(branch, path[-1])


def _key(branch: Branch, step: str | int) -> str | int:
    if not branch.is_list:
        return step
    if step == "-":
        return branch.count
    return list(branch.members)[int(step)]


def _fresh(value: New) -> Branch:
    json = value.json
    if isinstance(json, list):
        items: dict[str | int, Member] = {
            number: Member("", New(item)) for number, item in enumerate(json)
        }
        return Branch(None, True, items, count=len(items))
    pairs = cast("dict[str, Json]", json)
    return Branch(None, False, {key: Member(key, New(item)) for key, item in pairs.items()})


def _collection(node: Node, foreign: bool) -> Branch:
    found: dict[str | int, Member] = {}
    if not isinstance(node, MappingNode):
        for number, value in enumerate(node.value):
            found[number] = Member("", value, (node, number), foreign=foreign)
        return Branch(node, True, found, count=len(found))
    branch = Branch(node, False, found)
    for key, value in merged_entries(node).items():
        found[key] = Member(key, value, foreign=True, after="<<")
    for number, (key_node, value) in enumerate(node.value):
        key = cast(str, key_of(key_node))
        member = Member(key, value, (node, number), foreign=foreign)
        if is_merge(key_node):
            branch.unseen[number] = member
            continue
        before = found.get(key)
        if before is not None and before.home is not None:
            branch.doubled.add(key)
            branch.unseen[before.home[1]] = before
        found[key] = member
    return branch
