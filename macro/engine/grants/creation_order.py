"""The order in which CloudFormation creates resources: nothing added may make it circular."""

from __future__ import annotations

from collections.abc import Iterable

from macro.engine.template.document import Path
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Stack


class Order:
    """The dependencies of a template and those added to it.

    Dependencies are added only to the resources of `growing`, given by path; of all others it is
    enough to know which of these they reach, so each is walked through once.
    """

    def __init__(self, stack: Stack, growing: Iterable[Path]) -> None:
        self._stack = stack
        self._growing = frozenset(growing)
        self._reached: dict[Path, frozenset[Path]] = {}
        self._added: dict[Path, frozenset[Path]] = {}

    def add(self, resource: Path, targets: Iterable[Resource]) -> None:
        """Lets the growing resource depend on the targets."""
        self._added[resource] = self._added.get(resource, frozenset()) | self._needed(targets)

    def allows(self, resources: Iterable[Path], targets: Iterable[Resource]) -> bool:
        """Whether all of these growing resources could depend on all the targets: none of the
        targets depends on one of them."""
        return self._reached_from(self._needed(targets)).isdisjoint(resources)

    def _needed(self, targets: Iterable[Resource]) -> frozenset[Path]:
        return frozenset[Path]().union(*(self._reach(target) for target in targets))

    def _reached_from(self, needed: Iterable[Path]) -> set[Path]:
        """The growing resources that must come before, those needed and what was added to them."""
        seen = set(needed)
        todo = list(seen)
        while todo:
            if further := self._added.get(todo.pop()):
                fresh = further - seen
                seen |= fresh
                todo += fresh
        return seen

    def _reach(self, start: Resource) -> frozenset[Path]:
        """The growing resources that `start` is or depends on, however far off.

        What a resource depends on is answered before the resource itself, so that each is gone
        through once; only one that depends on itself, which CloudFormation refuses, is walked from
        anew.
        """
        todo = [(start, False)]
        entered: set[Path] = set()
        while todo:
            resource, answered = todo.pop()
            path = resource.path
            if path in self._reached:
                continue
            others = self._stack.dependencies(resource)
            if not answered and path not in entered:
                entered.add(path)
                todo.append((resource, True))
                todo += [(other, False) for other in others if other.path not in self._reached]
            elif answered:
                known = [self._reached.get(other.path) for other in others]
                self._reached[path] = (
                    self._walked(resource)
                    if None in known
                    else (self._growing & {path}).union(*filter(None, known))
                )
        return self._reached[start.path]

    def _walked(self, start: Resource) -> frozenset[Path]:
        """The same, found without what is known of others."""
        seen = {start.path}
        todo = [start]
        while todo:
            for other in self._stack.dependencies(todo.pop()):
                if other.path not in seen:
                    seen.add(other.path)
                    todo.append(other)
        return self._growing & seen
