"""Hand-written credentials -> the edits that turn them into the shorthand."""

from __future__ import annotations

from collections.abc import Iterator

from macro.adoption.hand_written import HandWritten
from macro.engine.shorthand.spelling import NAME
from macro.engine.template.choices import Leaf, forked, leaves
from macro.engine.template.conditions import ALWAYS, Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, get
from macro.engine.template.edits import Edit
from macro.engine.template.records import NamedTuple


class Draft(NamedTuple):
    """The shorthand for hand-written credentials (of a loop: in its first turn).

    `key` is the key that the block names (None: none); `grant`: whether the role is to be granted
    the secret. `is_listed`: the registry table has the secret, and the image is all that is left.
    """

    written: HandWritten
    key: Json = None
    grant: bool = True
    is_listed: bool = False

    @property
    def path(self) -> Path:
        """Where the container is."""
        return self.written.container.path


def block_edits(draft: Draft) -> Iterator[Edit]:
    """The edits that put the shorthand in the place of the image and the credentials. Image and
    secret are moved, so that they stay as the author wrote them, and the block is where the image
    was, below its comments."""
    container = draft.written.container
    path = container.path
    block = (*path, NAME)
    if draft.is_listed:
        yield Edit("move", block, source=(*path, "Image"), after="Image")
        yield Edit("remove", draft.written.path)
    else:
        yield Edit("add", block, {}, after="Image")
        yield Edit("move", (*block, "Image"), source=(*path, "Image"))
        yield from _secret_edits(draft, block)
    for key, value in container.place.credentials.siblings:
        beside = leaves(forked(container.body.get(key), ()), ALWAYS)
        if all(leaf.value in (value, NO_VALUE) for leaf, _ in beside):
            yield Edit("remove", (*path, key))


def _secret_edits(draft: Draft, block: Path) -> Iterator[Edit]:
    """The edits that move the secret into the block, add what else it says, and take the
    credentials out."""
    container, credentials = draft.written.container, draft.written.path
    shape, secret = container.place.credentials, draft.written.secret
    is_moved = False
    if isinstance(secret, Leaf):
        yield Edit("move", (*block, "Secret"), source=secret.path)
    elif get(container.body, shape.key, shape.parameter) is not None:
        source = (*credentials, shape.parameter)
        yield Edit("move", (*block, "Secret"), source=source)
    elif secret is not None:
        is_moved = True
        yield Edit("move", (*block, "Secret"), source=credentials)
        cases: list[tuple[Leaf, Conditions]] = leaves(secret, ALWAYS)
        paths = [leaf.path[len(credentials) :] for leaf, _ in cases]
        inner = [one[: one.index(shape.parameter) + 1] for one in paths if shape.parameter in one]
        for steps in dict.fromkeys(inner):
            at = (*block, "Secret", *steps)
            yield Edit("move", at[:-1], source=at)
    if draft.key is not None:
        yield Edit("add", (*block, "KmsKey"), draft.key)
    if not draft.grant:
        yield Edit("add", (*block, "Grant"), False)
    if not is_moved:
        yield Edit("remove", credentials)


def transform_edits(template: dict[str, Json], name: str) -> Iterator[Edit]:
    """The edit that calls the macro, before all other transforms."""
    before = template.get("Transform")
    if before is None:
        keys = list(template)
        place = keys.index("Resources")
        known = [key for key in ("AWSTemplateFormatVersion", "Description") if key in keys]
        after = known[0] if known else keys[place - 1] if place else None
        exists = "Transform" in template
        yield Edit("replace" if exists else "add", ("Transform",), name, after=after)
    elif isinstance(before, list):
        if name not in before:
            yield Edit("replace", ("Transform",), [name, *before])
    elif before != name:
        yield Edit("replace", ("Transform",), [name, before])
