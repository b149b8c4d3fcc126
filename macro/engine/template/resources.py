"""The resources that a template declares, those in `Fn::ForEach` included."""

from __future__ import annotations

from collections.abc import Iterator

from macro.engine.template.conditions import ALWAYS, Conditions
from macro.engine.template.document import Json, Path, get
from macro.engine.template.loops import LOOP, Loop, Turn, fill, read_loop
from macro.engine.template.problems import InvalidValueError
from macro.engine.template.records import NamedTuple


class Resource(NamedTuple):
    """A resource as the template declares it; in a loop, `logical_id` still holds `${Variable}`.

    `turn` is not empty where this is one turn of a loop: `logical_id` and `body` are filled in,
    while `path` is that of the whole loop's resource.
    """

    path: Path
    logical_id: str
    type: str
    body: dict[str, Json]
    loops: tuple[Loop, ...]
    turn: Turn = ()

    @property
    def when(self) -> Conditions:
        """The condition under which the resource exists, as far as `has_plain_condition`."""
        if "Condition" in self.body:
            match self.body["Condition"]:
                case str(condition) | {"Fn::Sub": str(condition)}:
                    return Conditions({(condition, True)})
        return ALWAYS

    @property
    def has_plain_condition(self) -> bool:
        """Whether `when` says all: the resource's condition is named by text or `Fn::Sub`."""
        return "Condition" not in self.body or bool(self.when)

    @property
    def loop_variables(self) -> frozenset[str]:
        return frozenset(loop.variable for loop in self.loops)

    @property
    def properties(self) -> Json:
        """All properties as written."""
        return self.body.get("Properties")

    def property(self, name: str) -> Json:
        """A property's value as written; None where it has none."""
        return get(self.body, "Properties", name)

    def in_turn(self, logical_id: str, turn: Turn) -> Resource:
        """The resource as one turn of its loops makes it."""
        body = fill(self.body, turn)
        assert isinstance(body, dict)
        return Resource(self.path, logical_id, self.type, body, (), turn)


def completed_by(node: Json) -> str | None:
    """The key of a mapping by which CloudFormation adds others to it: a loop or `Fn::Transform`."""
    keys = node if isinstance(node, dict) else ()
    return next((key for key in keys if key.startswith((LOOP, "Fn::Transform"))), None)


def unseen(key: str, logical_id: str, fix: str) -> InvalidValueError:
    """A key that a resource may have by a loop or `Fn::Transform`."""
    message = f"A loop or Fn::Transform may write the {key} of {logical_id}, which cannot be seen."
    return InvalidValueError("PI410", message, fix)


def resources(template: Json) -> Iterator[Resource]:
    """Every resource that the template declares, those in the bodies of `Fn::ForEach` included."""
    yield from _resources(get(template, "Resources"), ("Resources",), ())


def _resources(section: Json, path: Path, loops: tuple[Loop, ...]) -> Iterator[Resource]:
    if not isinstance(section, dict):
        return
    for key, body in section.items():
        if found := read_loop(key, body, (*path, key)):
            loop, inner = found
            yield from _resources(inner, loop.body, (*loops, loop))
        elif isinstance(body, dict):
            kind = body.get("Type")
            yield Resource((*path, key), key, kind if isinstance(kind, str) else "", body, loops)
