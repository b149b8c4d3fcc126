"""The containers of a template, in every place of the table: the one walk over them."""

from __future__ import annotations

from collections.abc import Iterator

from macro.engine.shorthand.places import PLACES, Place
from macro.engine.template.choices import walk
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import Json, Path
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource

PLACES_BY_TYPE: dict[str, list[Place]] = {}
for _place in PLACES:
    PLACES_BY_TYPE.setdefault(_place.resource_type, []).append(_place)


class Container(NamedTuple):
    """A container as a template writes it: `body` is at `path`, where the conditions `when` hold.

    `owner`, at `owner_path`, is the object that holds its roles, where `around` holds; containers
    of one task share it.
    """

    resource: Resource
    place: Place
    owner: dict[str, Json]
    owner_path: Path
    around: Conditions
    body: dict[str, Json]
    path: Path
    when: Conditions


def find_containers(resource: Resource) -> Iterator[Container]:
    """The containers of a resource, through every `Fn::If`; those of one owner follow each other.

    Raises nothing: what is not of the shape of a place holds no container.
    """
    if resource.type not in PLACES_BY_TYPE:
        return
    properties = resource.body.get("Properties")
    path = (*resource.path, "Properties")
    for place in PLACES_BY_TYPE[resource.type]:
        for owner_path, owner, around in walk(properties, place.owner, path, resource.when):
            if not isinstance(owner, dict):
                continue
            for at, body, when in walk(owner, place.container, owner_path, around):
                if isinstance(body, dict):
                    yield Container(resource, place, owner, owner_path, around, body, at, when)
