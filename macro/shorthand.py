"""A `PrivateImage` block -> its image, its secret and its key, or what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from macro.arn import Mistake
from macro.image import Registry, check_image, find_registry
from macro.stack import Stack
from macro.template import (
    ALWAYS,
    NO_VALUE,
    Fork,
    Json,
    Leaf,
    Path,
    Problem,
    Resource,
    forked,
    get,
    graft,
    intrinsic,
    leaves,
)

NAME = "PrivateImage"
KEYS = ("Image", "Secret", "KmsKey", "Grant")
_BLOCK_MEND = "Write an image, or a mapping with Image and Secret."


@dataclass(frozen=True, slots=True)
class Pull:
    """What opens an image in some world: its secret (`AWS::NoValue`: nothing, the image is public),
    the key that encrypts it (None: none is named), and whether the role is to be granted both."""

    secret: Leaf
    key: Leaf
    grant: bool


@dataclass(frozen=True, slots=True)
class Shorthand:
    """A block as read; the paths say where the image and the secret stand as one value, if so."""

    image: Fork[Leaf] | Leaf
    image_path: Path | None
    pull: Fork[Pull] | Pull
    secret_path: Path | None


def read_shorthand(
    value: Json,
    path: Path,
    registries: list[Registry],
    stack: Stack,
    user: Resource,
    problems: list[Problem],
) -> Shorthand | None:
    """The block at the path; None where something is wrong, which is then added to `problems`."""
    before = len(problems)
    whole = forked(value, path)
    for form, _ in leaves(whole, ALWAYS):
        problems += _problems_of_form(form)
    if len(problems) > before:
        return None

    image = graft(whole, lambda form: _member(form, "Image") if _is_block(form) else form)
    wrong: set[Path] = set()
    for leaf, _ in leaves(image, ALWAYS):
        if problem := _problem_of_image(leaf, stack, user):
            problems.append(problem)
            wrong.add(leaf.path)

    def looked_up(image: Leaf, key: Leaf | None, grant: bool) -> Pull:
        found: Registry | None = None
        if image.path not in wrong:
            try:
                found = find_registry(image.value, registries, user)
                if found is None:
                    raise Mistake(
                        "PI103",
                        "No secret is named, and the registry table has no entry for this image.",
                        "Write Secret beside Image, or the registry in Metadata.PrivateImage"
                        ".Registries.",
                    )
            except Mistake as mistake:
                problems.append(mistake.at(image.path))
        if found is None:
            return Pull(Leaf(NO_VALUE, image.path), Leaf(None, image.path), grant)
        return Pull(found.secret, key or found.key, grant)

    def pull(form: Leaf) -> Fork[Pull] | Pull:
        block = form.value
        if not isinstance(block, dict) or not _is_block(form):
            return looked_up(form, None, True)
        grant = block.get("Grant", True) not in (False, "false")
        key = Leaf(block["KmsKey"], (*form.path, "KmsKey")) if "KmsKey" in block else None
        if "Secret" not in block:
            return graft(_member(form, "Image"), lambda image: looked_up(image, key, grant))
        no_key = Leaf(None, form.path)
        return graft(_member(form, "Secret"), lambda secret: Pull(secret, key or no_key, grant))

    pulls = graft(whole, pull)
    if len(problems) > before:
        return None
    if any(_is_block(form) for form, _ in leaves(whole, ALWAYS)):
        one = not isinstance(whole, Fork)
        own_secret = one and get(value, "Secret") is not None
        return Shorthand(
            image,
            (*path, "Image") if one else None,
            pulls,
            (*path, "Secret") if own_secret else None,
        )
    return Shorthand(image, path, pulls, None)


def _is_block(form: Leaf) -> bool:
    return isinstance(form.value, dict) and not intrinsic(form.value)


def _member(form: Leaf, key: str) -> Fork[Leaf] | Leaf:
    assert isinstance(form.value, dict)
    return forked(form.value[key], (*form.path, key))


def _problems_of_form(form: Leaf) -> list[Problem]:
    """What is wrong with one form of the block, its values aside."""
    if form.value == NO_VALUE:
        message = "There is no image where PrivateImage is AWS::NoValue."
        return [Problem("PI102", form.path, message, "Put Fn::If around the image or the secret.")]
    if not isinstance(form.value, dict):
        if isinstance(form.value, str):
            return []
        message = "PrivateImage is neither an image nor a mapping."
        return [Problem("PI106", form.path, message, _BLOCK_MEND)]
    if not _is_block(form):
        return []
    problems = [
        unknown_key(key, KEYS, (*form.path, key), NAME) for key in form.value if key not in KEYS
    ]
    if form.value.get("Image") in (None, NO_VALUE):
        message = "PrivateImage has no Image."
        problems.append(Problem("PI102", form.path, message, "Write Image: and the image's name."))
    if "Secret" in form.value and form.value["Secret"] in (None, NO_VALUE):
        message = "Secret has no value."
        mend = "Name the secret, or write Image alone where the image is public."
        problems.append(Problem("PI103", (*form.path, "Secret"), message, mend))
    if form.value.get("Grant", True) not in (True, False, "true", "false"):
        message, mend = "Grant is neither true nor false.", "Write Grant: false, or leave it out."
        problems.append(Problem("PI106", (*form.path, "Grant"), message, mend))
    return problems


def unknown_key(key: str, known: tuple[str, ...], path: Path, what: str) -> Problem:
    """The problem of a key that does not exist, with the one that was likely meant."""
    from difflib import get_close_matches  # slow to import, and seldom needed

    folded = {name.lower(): name for name in known}
    near = get_close_matches(key.lower(), folded, n=1, cutoff=0.5)
    mend = f"Did you mean {folded[near[0]]}?" if near else f"It has {', '.join(known)}."
    return Problem("PI101", path, f"{what} has no key {key}.", mend, on_key=True)


def _problem_of_image(image: Leaf, stack: Stack, user: Resource) -> Problem | None:
    if image.value in (None, NO_VALUE):
        mend = "Name an image for this case too."
        return Problem("PI102", image.path, "There is no image in this case.", mend)
    try:
        check_image(image.value, stack, user)
    except Mistake as mistake:
        return mistake.at(image.path)
    return None
