"""A template as data: edits, problems, the walk through `Fn::If` and `Fn::ForEach`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
Path: TypeAlias = tuple[str | int, ...]

When: TypeAlias = "frozenset[tuple[str, bool]] | None"
"""The conditions that must hold, each by name with the value it must have; None: they contradict
each other, so no stack ever gets there."""

ALWAYS: frozenset[tuple[str, bool]] = frozenset()


class Problem(NamedTuple):
    """What is wrong at a place in a template, and the mend.

    `code` is stable and stands in docs/problems.md. `on_key` says that the key at `path` is what is
    wrong rather than its value.
    """

    code: str
    path: Path
    message: str
    mend: str
    on_key: bool = False

    def __str__(self) -> str:
        return f"{self.message} {self.mend}"


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


def get(node: Json, *steps: str) -> Json:
    """The value below `node` at the given keys; None where there is no such key."""
    for step in steps:
        if not isinstance(node, Mapping):
            return None
        node = node.get(step)
    return node


def intrinsic(node: Json) -> tuple[str, Json] | None:
    """The name and the argument of an intrinsic function: `{"Ref": ...}` or `{"Fn::...": ...}`."""
    if isinstance(node, dict) and len(node) == 1:
        ((name, argument),) = node.items()
        if name == "Ref" or name.startswith("Fn::"):
            return name, argument
    return None


NO_VALUE: Json = {"Ref": "AWS::NoValue"}


def spelled(name: str) -> Json:
    """A name as a value: in a loop as `Fn::Sub`, since elsewhere than in a key CloudFormation looks
    for a logical id, or takes a text, with the `${Variable}` still in it.

    Source: https://github.com/aws-cloudformation/cfn-language-discussion/blob/main/RFCs/0009-Fn%3A%3AForEach.md
    """
    return {"Fn::Sub": name} if "${" in name else name


def choice(condition: str, then: Json, otherwise: Json) -> Json:
    """`Fn::If`."""
    return {"Fn::If": [condition, then, otherwise]}


def both(when: When, name: str, value: bool) -> When:
    """The conditions `when` and, beside them, that the condition `name` has this value."""
    if when is None or (name, not value) in when:
        return None
    return when | {(name, value)}


S = TypeVar("S")
T = TypeVar("T")


class Leaf(NamedTuple):
    """A value as written, and where."""

    value: Json
    path: Path


class Fork(NamedTuple, Generic[T]):
    """An `Fn::If` over values of any kind: one where the condition holds, another where not."""

    condition: str
    then: Fork[T] | T
    otherwise: Fork[T] | T


def forked(node: Json, path: Path) -> Fork[Leaf] | Leaf:
    """A value as a tree: through `Fn::If` to any depth."""
    match intrinsic(node):
        case ("Fn::If", [str(condition), then, otherwise]):
            return Fork(
                condition,
                forked(then, (*path, "Fn::If", 1)),
                forked(otherwise, (*path, "Fn::If", 2)),
            )
    return Leaf(node, path)


def graft(tree: Fork[T] | T, grow: Callable[[T], Fork[S] | S]) -> Fork[S] | S:
    """The tree with something grown from each leaf; branches that come out equal become one."""
    if not isinstance(tree, Fork):
        return grow(tree)
    then, otherwise = graft(tree.then, grow), graft(tree.otherwise, grow)
    return then if then == otherwise else Fork(tree.condition, then, otherwise)


def leaves(tree: Fork[T] | T, when: When) -> Iterator[tuple[T, When]]:
    """Every value of the tree with the conditions under which it is the one."""
    if isinstance(tree, Fork):
        yield from leaves(tree.then, both(when, tree.condition, True))
        yield from leaves(tree.otherwise, both(when, tree.condition, False))
    else:
        yield tree, when


def branches(node: Json, path: Path, when: When) -> Iterator[tuple[Path, Json, When]]:
    """Every value that `node` may take, through `Fn::If` to any depth, with its conditions."""
    for leaf, holds in leaves(forked(node, path), when):
        yield leaf.path, leaf.value, holds


def walk(
    node: Json, steps: tuple[str, ...], path: Path, when: When
) -> Iterator[tuple[Path, Json, When]]:
    """Every value below `node` at the steps (a key, or "*": each item), through `Fn::If`."""
    for at, value, holds in branches(node, path, when):
        if not steps:
            yield at, value, holds
        elif steps[0] == "*":
            if isinstance(value, list):
                for index, item in enumerate(value):
                    yield from walk(item, steps[1:], (*at, index), holds)
        elif isinstance(value, dict) and steps[0] in value:
            yield from walk(value[steps[0]], steps[1:], (*at, steps[0]), holds)


class Loop(NamedTuple):
    """An `Fn::ForEach`: its key's path, its loop variable and what it runs over."""

    path: Path
    variable: str
    collection: Json

    @property
    def body(self) -> Path:
        """Where the resources of one turn of the loop stand."""
        return (*self.path, 2)


class Resource(NamedTuple):
    """A resource as the template declares it; in a loop, `logical_id` still holds `${Variable}`.

    `unrolled`: it is one turn of a loop, with the loop's variables filled in; `path` is the loop's.
    """

    path: Path
    logical_id: str
    type: str
    body: dict[str, Json]
    loops: tuple[Loop, ...]
    unrolled: bool = False

    @property
    def when(self) -> frozenset[tuple[str, bool]]:
        """The condition under which the resource exists."""
        match self.body.get("Condition"):
            case str(condition) | {"Fn::Sub": str(condition)}:
                return frozenset({(condition, True)})
        return ALWAYS

    @property
    def loop_variables(self) -> frozenset[str]:
        return frozenset(loop.variable for loop in self.loops)


def resources(template: Json) -> Iterator[Resource]:
    """Every resource that the template declares, those in the bodies of `Fn::ForEach` included."""
    yield from _resources(get(template, "Resources"), ("Resources",), ())


def _resources(section: Json, path: Path, loops: tuple[Loop, ...]) -> Iterator[Resource]:
    if not isinstance(section, dict):
        return
    for key, body in section.items():
        if key.startswith("Fn::ForEach::"):
            match body:
                case [str(variable), collection, inner]:
                    loop = Loop((*path, key), variable, collection)
                    yield from _resources(inner, loop.body, (*loops, loop))
        elif isinstance(body, dict):
            kind = body.get("Type")
            yield Resource((*path, key), key, kind if isinstance(kind, str) else "", body, loops)
