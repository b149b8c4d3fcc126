"""A block as read -> the edits that put image and credentials on its container."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from macro.engine.shorthand.block import Shorthand
from macro.engine.shorthand.places import Place
from macro.engine.template.choices import Fork, choice, graft, leaves, written
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import NO_VALUE, Json, Path
from macro.engine.template.edits import Edit


def container_edits(
    short: Shorthand,
    parameters: Fork[Json] | Json,
    container: dict[str, Json],
    path: Path,
    place: Place,
    block: Path,
) -> Iterator[Edit]:
    """The edits of one container, whose shorthand stands at `block`.

    `parameters` is what the credentials take in every world; `AWS::NoValue` there: the image is
    public, and the credentials themselves are left out.
    """
    shape = place.credentials
    if short.image_path:
        yield Edit("move", (*path, "Image"), source=short.image_path)
    else:
        yield Edit("add", (*path, "Image"), written(graft(short.image, lambda leaf: leaf.value)))
    if parameters != NO_VALUE:
        target = (*path, shape.key)
        if short.secret_path:
            yield from _replaced(short, parameters)
            moves: list[Edit] = []
            yield Edit(
                "add", target, _skeleton(parameters, short.secret_path, target, place, moves)
            )
            # The last first: what is moved out of a list lets the items behind it slip.
            yield from reversed(moves)
        else:

            def in_full(private: Fork[Json] | Json) -> Json:
                return {shape.parameter: written(private), **dict(shape.constants)}

            yield Edit("add", target, _where_private(parameters, in_full))
        for key, value in shape.siblings:
            if key not in container:
                there = _where_private(parameters, _always(value))
                yield Edit("add", (*path, key), there)
    if short.image_path != block:
        yield Edit("remove", block)


def _may_be_public(tree: Fork[Json] | Json) -> bool:
    return any(value == NO_VALUE for value, _ in leaves(tree, ALWAYS))


def _skeleton(
    tree: Fork[Json] | Json, source: Path, target: Path, place: Place, moves: list[Edit]
) -> Json:
    """The credentials without the secrets; `moves` gets what brings them from `source` below."""
    if isinstance(tree, Fork) and _may_be_public(tree):
        then, otherwise = (
            _skeleton(side, (*source, "Fn::If", i), (*target, "Fn::If", i), place, moves)
            for i, side in ((1, tree.then), (2, tree.otherwise))
        )
        return choice(tree.condition, then, otherwise)
    if tree == NO_VALUE:
        return NO_VALUE
    moves.append(Edit("move", (*target, place.credentials.parameter), source=source))
    return dict(place.credentials.constants)


def _replaced(short: Shorthand, parameters: Fork[Json] | Json) -> Iterator[Edit]:
    """What puts the credentials parameter in the place of a secret that it differs from."""
    pulls = [pull.secret for pull, _ in leaves(short.access, ALWAYS)]
    values = [value for value, _ in leaves(parameters, ALWAYS)]
    for secret, value in zip(pulls, values, strict=True):
        if secret.value != value:
            yield Edit("replace", secret.path, value)


def _where_private(tree: Fork[Json] | Json, shape: Callable[[Fork[Json] | Json], Json]) -> Json:
    """What `shape` makes of the parts of the tree that are private throughout."""
    if not _may_be_public(tree):
        return shape(tree)
    if isinstance(tree, Fork):
        then, otherwise = _where_private(tree.then, shape), _where_private(tree.otherwise, shape)
        return choice(tree.condition, then, otherwise)
    return NO_VALUE


def _always(value: Json) -> Callable[[Fork[Json] | Json], Json]:
    return lambda _: value
