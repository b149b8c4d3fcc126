"""A `PrivateImage` block -> its image, its secret and its key, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from macro.engine.shorthand.image import Registries, check_image, find_registry
from macro.engine.template.choices import Fork, Leaf, forked, graft, leaves
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import NO_VALUE, Json, Path, get, intrinsic
from macro.engine.template.problems import InvalidValueError, Problem
from macro.engine.template.stack import Site, Stack

NAME = "PrivateImage"
KEYS = ("Image", "Secret", "KmsKey", "Grant")


class Pull(NamedTuple):
    """What opens an image in some world: its secret (`AWS::NoValue`: nothing, the image is public),
    the key that encrypts it (None: none is named), and whether the role is to be granted both."""

    secret: Leaf
    key: Leaf
    grant: bool


class Shorthand(NamedTuple):
    """A block as read; the paths say where the image and the secret stand as one value, if so."""

    image: Fork[Leaf] | Leaf
    image_path: Path | None
    pull: Fork[Pull] | Pull
    secret_path: Path | None


def read_shorthand(
    value: Json,
    path: Path,
    registries: Registries,
    stack: Stack,
    user: Site,
    problems: list[Problem],
) -> Shorthand:
    """The block at the path, as far as it can be read; what is wrong is added to `problems`."""
    reader = _Reader(registries, stack, user, problems, set())
    whole = forked(value, path)
    for form, _ in leaves(whole, ALWAYS):
        problems += _problems_of_form(form)
    image = graft(whole, reader.image)
    pull = graft(whole, reader.pull)
    if all(_block(form) is None for form, _ in leaves(whole, ALWAYS)):
        return Shorthand(image, path, pull, None)
    if isinstance(whole, Fork):
        return Shorthand(image, None, pull, None)
    own_secret = get(value, "Secret") is not None
    return Shorthand(image, (*path, "Image"), pull, (*path, "Secret") if own_secret else None)


class _Reader(NamedTuple):
    """Reads the forms of one block; `unusable` has the paths of images that say nothing."""

    registries: Registries
    stack: Stack
    user: Site
    problems: list[Problem]
    unusable: set[Path]

    def image(self, form: Leaf) -> Fork[Leaf] | Leaf:
        """The image of a form; what is wrong with it is told."""
        block = _block(form)
        image = form if block is None else _member(form, block, "Image")
        for leaf, _ in leaves(image, ALWAYS):
            try:
                if leaf.value in (None, NO_VALUE):
                    raise InvalidValueError(
                        "PI102",
                        "There is no image here.",
                        "Write Image: and the image's name; where there is no container either,"
                        " put Fn::If around the container.",
                    )
                check_image(leaf.value, self.stack, self.user)
            except InvalidValueError as mistake:
                self.problems.append(mistake.at(leaf.path))
                self.unusable.add(leaf.path)
        return image

    def pull(self, form: Leaf) -> Fork[Pull] | Pull:
        """What opens the image of a form: its own secret, or that of the image's registry."""
        block = _block(form)
        if block is None:
            return self._look_up(form, None, True)
        grant = block.get("Grant", True) not in (False, "false")
        key = Leaf(block["KmsKey"], (*form.path, "KmsKey")) if "KmsKey" in block else None
        if block.get("Secret", ...) in (None, NO_VALUE):
            return _nothing(form.path, grant)
        if "Secret" not in block:
            image = _member(form, block, "Image")
            return graft(image, lambda leaf: self._look_up(leaf, key, grant))
        secret = _member(form, block, "Secret")
        return graft(secret, lambda leaf: Pull(leaf, key or Leaf(None, form.path), grant))

    def _look_up(self, image: Leaf, key: Leaf | None, grant: bool) -> Fork[Pull] | Pull:
        """What opens an image by the registry table."""
        if image.path in self.unusable:
            return _nothing(image.path, grant)
        try:
            found = find_registry(image.value, self.registries, self.user)
            if found is None:
                raise InvalidValueError(
                    "PI103",
                    "No secret is named, and the registry table has no entry for this image.",
                    "Write Secret beside Image, or the registry in Metadata.PrivateImage"
                    ".Registries.",
                )
        except InvalidValueError as mistake:
            self.problems.append(mistake.at(image.path))
            return _nothing(image.path, grant)
        secret = forked(found.secret.value, found.secret.path)
        return graft(secret, lambda leaf: Pull(leaf, key or found.key, grant))


def _nothing(path: Path, grant: bool) -> Pull:
    """No secret and no key, where a problem has said why."""
    return Pull(Leaf(NO_VALUE, path), Leaf(None, path), grant)


def _block(form: Leaf) -> dict[str, Json] | None:
    """The form as a mapping of the shorthand's keys; None where it is an image."""
    return form.value if isinstance(form.value, dict) and not intrinsic(form.value) else None


def _member(form: Leaf, block: dict[str, Json], key: str) -> Fork[Leaf] | Leaf:
    return forked(block[key], (*form.path, key)) if key in block else Leaf(None, form.path)


def _problems_of_form(form: Leaf) -> Iterator[Problem]:
    """What is wrong with one form of the block, its image and secret aside."""
    block = _block(form)
    if block is None:
        return
    for key in block:
        if key not in KEYS:
            yield _unknown_key(key, (*form.path, key))
    if "Secret" in block and block["Secret"] in (None, NO_VALUE):
        message = "Secret has no value."
        fix = "Name the secret, or write Image alone, without PrivateImage, for a public image."
        yield Problem("PI103", (*form.path, "Secret"), message, fix)
    if block.get("Grant", True) not in (True, False, "true", "false"):
        message, fix = "Grant is neither true nor false.", "Write Grant: false, or leave it out."
        yield Problem("PI106", (*form.path, "Grant"), message, fix)


def _unknown_key(key: str, path: Path) -> Problem:
    """The problem of a key that does not exist, with the one that was likely meant."""
    from difflib import get_close_matches  # slow to import, and seldom needed

    folded = {name.lower(): name for name in KEYS}
    near = get_close_matches(key.lower(), folded, n=1, cutoff=0.5)
    fix = f"Did you mean {folded[near[0]]}?" if near else f"It has {', '.join(KEYS)}."
    return Problem("PI101", path, f"{NAME} has no key {key}.", fix, on_key=True)
