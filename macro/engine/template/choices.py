"""Values that `Fn::If` chooses between, and the conditions under which each is the one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from macro.engine.template.document import Json, Path, intrinsic

When: TypeAlias = "frozenset[tuple[str, bool]] | None"
"""The conditions that must hold, each by name with the value it must have; None: they contradict
each other, so no stack ever gets there."""

ALWAYS: frozenset[tuple[str, bool]] = frozenset()


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
