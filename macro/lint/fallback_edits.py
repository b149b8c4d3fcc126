"""What takes the place of an expansion where the shorthand has problems, so that cfn-lint can look
at the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from macro.engine.shorthand.block import NAME
from macro.engine.shorthand.containers import find_containers
from macro.engine.shorthand.macro_calls import SNIPPET, leave, take_out
from macro.engine.template.document import Json, Path, get
from macro.engine.template.edits import Edit
from macro.engine.template.problems import Problem
from macro.engine.template.resources import resources


def fallback_edits(template: dict[str, Json], problems: Sequence[Problem]) -> Iterator[Edit]:
    """The edits of a template with problems: each container gets an image, as it is written where
    that can be found, and nothing of the macro's is left."""
    misspelt = {problem.path for problem in problems if problem.code == "PI101"}
    for at, container in _containers(template):
        names = [key for key in container if key == NAME or (*at, key) in misspelt]
        image = get(container, NAME, "Image")
        calls = list(take_out(container.get(SNIPPET), (*at, SNIPPET)))
        if (names or calls) and "Image" not in container:
            if image is not None:
                yield Edit("move", (*at, "Image"), source=(*at, NAME, "Image"))
            else:
                yield Edit("add", (*at, "Image"), "image")
        yield from (Edit("remove", (*at, key)) for key in names)
        yield from calls
    for problem in problems:
        if problem.code == "PI105" and problem.path[-1] in (NAME, SNIPPET):
            yield Edit("remove", problem.path)
    yield from leave(template)


def _containers(template: dict[str, Json]) -> Iterator[tuple[Path, dict[str, Json]]]:
    for resource in resources(template):
        for container in find_containers(resource):
            yield container.path, container.body
