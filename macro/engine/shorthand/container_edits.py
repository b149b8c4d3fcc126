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
) -> list[Edit]:
    """The edits of one container, whose shorthand is at `block`.

    `parameters` is what the credentials take in every case; `AWS::NoValue` there: the image is
    public, and the credentials themselves are left out.
    """
    if short.image_path:
        edits = [Edit("move", (*path, "Image"), source=short.image_path)]
    else:
        image = written(graft(short.image, lambda leaf: leaf.value))
        edits = [Edit("add", (*path, "Image"), image)]
    if parameters != NO_VALUE:
        edits += _credentials(short, parameters, path, place)
        for key, value in place.credentials.siblings:
            if key not in container:
                sibling = _where_private(parameters, _always(value))
                edits.append(Edit("add", (*path, key), sibling))
    if short.image_path != block:
        edits.append(Edit("remove", block))
    return edits


def _credentials(
    short: Shorthand, parameters: Fork[Json] | Json, path: Path, place: Place
) -> list[Edit]:
    """The edits that write the credentials themselves: a secret of the block's own moves there."""
    shape = place.credentials
    target = (*path, shape.key)
    if not short.secret_path:

        def in_full(private: Fork[Json] | Json) -> Json:
            return {shape.parameter: written(private), **dict(shape.constants)}

        return [Edit("add", target, _where_private(parameters, in_full))]
    skeleton = _where_private(parameters, lambda _: dict(shape.constants))
    moves = [
        Edit("move", (*target, *below, shape.parameter), source=(*short.secret_path, *below))
        for below in _private_parts(parameters, ())
    ]
    return [
        *_replaced(short, parameters),
        Edit("add", target, skeleton),
        # The last first: what is moved out of a list lets the items behind it slip.
        *reversed(moves),
    ]


def _may_be_public(tree: Fork[Json] | Json) -> bool:
    if isinstance(tree, Fork):
        return _may_be_public(tree.then) or _may_be_public(tree.otherwise)
    return tree == NO_VALUE


def _private_parts(tree: Fork[Json] | Json, path: Path) -> Iterator[Path]:
    """The paths of the parts of the tree that are private throughout."""
    if not _may_be_public(tree):
        yield path
    elif isinstance(tree, Fork):
        yield from _private_parts(tree.then, (*path, "Fn::If", 1))
        yield from _private_parts(tree.otherwise, (*path, "Fn::If", 2))


def _replaced(short: Shorthand, parameters: Fork[Json] | Json) -> list[Edit]:
    """What puts the credentials parameter in the place of a secret that it differs from."""
    cases = zip(leaves(short.access, ALWAYS), leaves(parameters, ALWAYS), strict=True)
    return [
        Edit("replace", access.secret.path, value)
        for (access, _), (value, _) in cases
        if access.secret.value != value
    ]


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
