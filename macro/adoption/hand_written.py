"""Hand-written credentials of private registries, in every place of the table."""

from __future__ import annotations

from collections.abc import Iterator

from macro.adoption.policies import declared, name_key, role_key
from macro.adoption.unrolled import unrolled
from macro.engine.grants.roles import NamedRole, TemplateRole, read_role
from macro.engine.grants.secret_forms import Reader
from macro.engine.grants.secret_values import Secret
from macro.engine.grants.secrets import read_secret
from macro.engine.shorthand.containers import Container, find_containers
from macro.engine.shorthand.places import PLACES, Credentials
from macro.engine.shorthand.spelling import NAME
from macro.engine.template.choices import Fork, Leaf, branches, forked, graft, leaves
from macro.engine.template.conditions import ALWAYS, Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, intrinsic
from macro.engine.template.intrinsics import is_text
from macro.engine.template.problems import InvalidValueError
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Site, Stack

MARKS = tuple(sorted({place.credentials.key for place in PLACES}))
"""What the text of a template with hand-written credentials has in it."""


class HandWritten(NamedTuple):
    """A container whose credentials are written by hand, at `path`; in a loop, that of one turn.

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

    @property
    def site(self) -> Site:
        """From where its values are read."""
        return Site(self.container.resource)


def find_hand_written(stack: Stack) -> Iterator[HandWritten]:
    """The containers of a template that have credentials, and no shorthand; those in loops once for
    each turn."""
    for resource in unrolled(stack):
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


class RoleInCase(NamedTuple):
    """A role that a container has in one case: its key (None: no policy of this stack can be
    attached to it), and its resource where the template declares it."""

    key: str | None
    resource: Resource | None
    when: Conditions


def roles_of(written: HandWritten, stack: Stack) -> list[RoleInCase]:
    """The roles of a container, as far as some deployment has them."""
    container = written.container
    role = container.owner.get(container.place.execution_role)
    found: list[RoleInCase] = []
    for _, value, when in branches(role, (), container.around):
        if value in (None, NO_VALUE) or not stack.possible(when, written.site):
            continue
        readings: list[tuple[TemplateRole | NamedRole | InvalidValueError, Conditions]]
        readings = leaves(read_role(value, when, written.site, stack), when)
        for one, holds in readings:
            if isinstance(one, InvalidValueError):
                found.append(RoleInCase(None, None, holds))
            elif resource := declared(one, written.site, stack):
                found.append(RoleInCase(role_key(resource), resource, holds))
            elif isinstance(one, NamedRole):
                found.append(RoleInCase(name_key(one.name), None, holds))
    return found


def is_declared(written: HandWritten, stack: Stack) -> bool:
    """Whether the template declares each secret of a container, and so says what its key is."""
    assert written.secret is not None
    reader = Reader(written.container.place.credentials, written.site, stack)
    for leaf, when in leaves(written.secret, written.container.when):
        if leaf.value == NO_VALUE:
            continue
        for secret, _ in leaves(read_secret(leaf.value, when, reader), when):
            if not isinstance(secret, Secret) or not secret.declarations:
                return False
    return True
