"""Values that `Fn::If` chooses between, and the conditions under which each is the one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, intrinsic
from macro.engine.template.records import NamedTuple

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


def choice(condition: str, then: Json, otherwise: Json) -> Json:
    """`Fn::If`."""
    return {"Fn::If": [condition, then, otherwise]}


def written(tree: Fork[Json] | Json) -> Json:
    """A tree of values as one value: forks become `Fn::If`."""
    if isinstance(tree, Fork):
        return choice(tree.condition, written(tree.then), written(tree.otherwise))
    return tree


def forked(node: Json, path: Path) -> Fork[Leaf] | Leaf:
    """A value as a tree: through `Fn::If` to any depth."""
    if isinstance(node, dict) and "Fn::If" in node:
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


def leaves(tree: Fork[T] | T, when: Conditions) -> list[tuple[T, Conditions]]:
    """Every value of the tree with the conditions under which it is the one."""
    if not isinstance(tree, Fork):
        return [(tree, when)]
    found: list[tuple[T, Conditions]] = []
    todo: list[tuple[Fork[T] | T, Conditions]] = [(tree, when)]
    while todo:
        node, holds = todo.pop()
        if isinstance(node, Fork):
            todo.append((node.otherwise, holds.also(node.condition, False)))
            todo.append((node.then, holds.also(node.condition, True)))
        else:
            found.append((node, holds))
    return found


def branches(node: Json, path: Path, when: Conditions) -> list[tuple[Path, Json, Conditions]]:
    """Every value that `node` may take, through `Fn::If` to any depth, with its conditions; they
    may contradict each other."""
    if not isinstance(node, dict) or "Fn::If" not in node:
        return [(path, node, when)]
    found: list[tuple[Leaf, Conditions]] = leaves(forked(node, path), when)
    return [(leaf.path, leaf.value, holds) for leaf, holds in found]


def walk(
    node: Json, steps: tuple[str, ...], path: Path, when: Conditions
) -> list[tuple[Path, Json, Conditions]]:
    """Every value below `node` at the steps (a key, or "*": each item), through `Fn::If`."""
    found = branches(node, path, when)
    for step in steps:
        found = [
            branch
            for at, value, holds in found
            for key, below in _at(step, value)
            for branch in branches(below, (*at, key), holds)
        ]
    return found


def _at(step: str, value: Json) -> Iterable[tuple[str | int, Json]]:
    """The members of a value that a step leads to."""
    if step == "*":
        return enumerate(value) if isinstance(value, list) else ()
    return [(step, value[step])] if isinstance(value, dict) and step in value else ()


MOST_CHOICES = 32
"""How many cases of one value are told apart; beyond, it counts as not known."""


def chosen(value: Json) -> Fork[Json] | Json | None:
    """A value as a tree where `Fn::If` is inside of another function: each leaf has one branch of
    each. None where there are more than MOST_CHOICES."""
    tree, count = _chosen(value, MOST_CHOICES)
    return tree if count <= MOST_CHOICES else None


def _chosen(value: Json, room: int) -> tuple[Fork[Json] | Json, int]:
    condition = _first_condition(value)
    if condition is None:
        return value, 1
    if room < 2:
        return value, MOST_CHOICES + 1
    then, count = _chosen(_taken(value, condition, 1), room - 1)
    otherwise, more = _chosen(_taken(value, condition, 2), room - count)
    return Fork(condition, then, otherwise), count + more


def _first_condition(value: Json) -> str | None:
    """The condition of an `Fn::If` at or within a value."""
    todo = [value]
    while todo:
        node = todo.pop()
        match intrinsic(node):
            case ("Fn::If", [str(condition), _, _]):
                return condition
        if isinstance(node, dict):
            todo += node.values()
        elif isinstance(node, list):
            todo += node
    return None


def _taken(value: Json, condition: str, branch: int) -> Json:
    """The value with every `Fn::If` over this condition replaced by one of its branches; an item
    of a list that becomes `AWS::NoValue` goes."""
    match intrinsic(value):
        case ("Fn::If", [str(name), *_] as argument) if name == condition and len(argument) == 3:
            return _taken(argument[branch], condition, branch)
    if isinstance(value, list):
        items = [_taken(item, condition, branch) for item in value]
        return [item for item in items if item != NO_VALUE]
    if isinstance(value, dict):
        return {key: _taken(item, condition, branch) for key, item in value.items()}
    return value
