"""The resources that a template declares, those in `Fn::ForEach` included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from macro.engine.template.choices import ALWAYS
from macro.engine.template.document import Json, Path, get


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
