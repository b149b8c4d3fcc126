"""Hand-written credentials of private registries, in every place of the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from macro.engine.shorthand.containers import Container, find_containers
from macro.engine.shorthand.places import Credentials
from macro.engine.shorthand.spelling import NAME
from macro.engine.template.choices import Fork, Leaf, forked, graft, leaves
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import NO_VALUE, Json, Path, intrinsic
from macro.engine.template.intrinsics import is_text
from macro.engine.template.stack import Stack


class HandWritten(NamedTuple):
    """A container whose credentials are written by hand, at `path`.

    `secret` is what the credentials name in every case, `AWS::NoValue` where there are none; None:
    they are not of the form that the resource type takes, so nothing is known of them.
    """

    container: Container
    path: Path
    secret: Fork[Leaf] | Leaf | None

    @property
    def images(self) -> Fork[Leaf] | Leaf:
        """The image in every case; None as a value where the container has none."""
        body, path = self.container.body, self.container.path
        return forked(body.get("Image"), (*path, "Image"))


def find_hand_written(stack: Stack) -> Iterator[HandWritten]:
    """The containers of a template that have credentials, and no shorthand."""
    for resource in stack.resources:
        for container in find_containers(resource):
            shape = container.place.credentials
            if shape.key not in container.body or NAME in container.body:
                continue
            path = (*container.path, shape.key)
            yield HandWritten(container, path, _secret(container.body[shape.key], path, shape))


def _secret(value: Json, path: Path, shape: Credentials) -> Fork[Leaf] | Leaf | None:
    """The secret of credentials as a tree of the same cases."""
    whole = forked(value, path)
    if not all(_is_of_form(leaf.value, shape) for leaf, _ in leaves(whole, ALWAYS)):
        return None

    def named(leaf: Leaf) -> Fork[Leaf] | Leaf:
        if leaf.value == NO_VALUE or not isinstance(leaf.value, dict):
            return leaf
        return forked(leaf.value[shape.parameter], (*leaf.path, shape.parameter))

    return graft(whole, named)


def _is_of_form(value: Json, shape: Credentials) -> bool:
    """Whether credentials name a secret as the resource type takes it, or are `AWS::NoValue`."""
    if value == NO_VALUE:
        return True
    if not isinstance(value, dict) or intrinsic(value):
        return False
    constants = dict(shape.constants)
    secret = forked(value.get(shape.parameter), ())
    return value == {shape.parameter: value.get(shape.parameter), **constants} and all(
        leaf.value == NO_VALUE or is_text(leaf.value) for leaf, _ in leaves(secret, ALWAYS)
    )
