"""The order in which CloudFormation creates resources: nothing added may make it circular."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from typing import TypeAlias

from macro.engine.template.document import Path
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Stack

Node: TypeAlias = "Path | str"
"""A resource, by its path; or a policy, by a name of its own."""


class Order:
    """The dependencies of a template and those added to it.

    `wished` has all that may be added, from a node to those that would have to come before it. With
    all of it most templates are not circular yet, and then none of it is looked into any further:
    a dependency can make it circular only if both its ends are in one of the groups of nodes that
    would depend on each other.
    """

    def __init__(self, stack: Stack, wished: Mapping[Node, Collection[Node]]) -> None:
        self._stack = stack
        self._wished = wished
        self._added: dict[Node, dict[Path, None]] = {}

    def add(self, resource: Path, targets: Iterable[Resource]) -> None:
        """Lets a resource depend on the targets."""
        added = self._added.setdefault(resource, {})
        added.update((target.path, None) for target in targets)

    def allows(self, resources: Collection[Path], targets: Collection[Resource]) -> bool:
        """Whether all of these resources could depend on all the targets: none of the targets
        depends on one of them."""
        if not targets:
            return True
        groups = {self._groups[path] for path in resources if path in self._groups}
        near = [target.path for target in targets if self._groups[target.path] in groups]
        return self._reached(near, groups).isdisjoint(resources)

    def _reached(self, starts: Iterable[Path], groups: Collection[int]) -> set[Node]:
        """What these resources are and depend on, as far as it is in the groups."""
        seen: set[Node] = set(starts)
        todo = list(seen)
        while todo:
            node = todo.pop()
            for other in (*self._declared(node), *self._added.get(node, ())):
                if other not in seen and self._groups.get(other) in groups:
                    seen.add(other)
                    todo.append(other)
        return seen

    @cached_property
    def _groups(self) -> dict[Node, int]:
        starts = (node for nodes in self._wished.values() for node in nodes)
        return groups_of(starts, lambda node: [*self._declared(node), *self._wished.get(node, ())])

    @cached_property
    def _resources(self) -> dict[Node, Resource]:
        return {resource.path: resource for resource in self._stack.resources}

    def _declared(self, node: Node) -> list[Path]:
        """What the template itself lets come before a node."""
        resource = self._resources.get(node)
        return [other.path for other in self._stack.dependencies(resource)] if resource else []


def groups_of(starts: Iterable[Node], before: Callable[[Node], Iterable[Node]]) -> dict[Node, int]:
    """The number of its group for each node that is reached: those of one group all reach each
    other. Each node is gone through once.

    Source: https://en.wikipedia.org/wiki/Tarjan%27s_strongly_connected_components_algorithm
    """
    found: dict[Node, int] = {}  # in the order in which they are reached
    lowest: dict[Node, int] = {}  # the first found that a node reaches, among those without a group
    groups: dict[Node, int] = {}
    waiting: list[Node] = []
    for start in starts:
        if start in found:
            continue
        found[start] = lowest[start] = len(found)
        waiting.append(start)
        todo = [(start, iter(before(start)))]
        while todo:
            node, others = todo[-1]
            for other in others:
                if other not in found:
                    found[other] = lowest[other] = len(found)
                    waiting.append(other)
                    todo.append((other, iter(before(other))))
                    break
                if other not in groups:
                    lowest[node] = min(lowest[node], found[other])
            else:
                todo.pop()
                if todo:
                    user = todo[-1][0]
                    lowest[user] = min(lowest[user], lowest[node])
                if lowest[node] == found[node]:
                    while node not in groups:
                        groups[waiting.pop()] = found[node]
    return groups
