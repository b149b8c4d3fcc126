"""A `PrivateImage` block -> its image, its secret and its key, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from macro.engine.shorthand.containers import Container
from macro.engine.shorthand.images import ImageFlaw, find_entry, find_flaw
from macro.engine.shorthand.logins import is_login, login_problem
from macro.engine.shorthand.registry_table import Level, is_granted
from macro.engine.shorthand.settings import Settings
from macro.engine.shorthand.spelling import NAME, did_you_mean, nearest
from macro.engine.template.choices import Fork, Leaf, forked, graft, leaves
from macro.engine.template.conditions import ALWAYS, Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, get, intrinsic
from macro.engine.template.intrinsics import is_text, literal_parts, parse_text
from macro.engine.template.problems import InvalidValueError, Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import Site, Stack

__all__ = ["BLOCK_KEYS", "NAME", "Access", "Shorthand", "problems_beside", "read_shorthand"]

BLOCK_KEYS = ("Image", "Secret", "KmsKey", "Grant")


class Access(NamedTuple):
    """What opens an image in some case: its secret (`AWS::NoValue`: nothing, the image is public),
    the key that encrypts it (None: none is named), and whether the role is to be granted both.

    `level` says which settings it comes from; None: from the block. `problem`: why it has none.
    """

    secret: Leaf
    key: Leaf
    grant: bool
    level: Level | None = None
    problem: Problem | None = None

    def reported(self, problem: Problem) -> Problem:
        """A problem of the secret or the key; one of the account's settings, which have no place in
        the template, says so."""
        if self.level != "account" or problem.path != self.secret.path:
            return problem
        return problem._replace(message=f"In the account's settings: {problem.message}")


class Shorthand(NamedTuple):
    """A block as read, as far as it can be, and what is wrong with it.

    The paths say where the image and the secret are as one value, if so.
    """

    image: Fork[Leaf] | Leaf
    image_path: Path | None
    access: Fork[Access] | Access
    secret_path: Path | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


class BlockReader(NamedTuple):
    """Where a block is read: on a container, in one turn of the loops around it."""

    container: Container
    site: Site
    settings: Settings
    stack: Stack


def read_shorthand(value: Json, path: Path, reader: BlockReader) -> Shorthand:
    """The block at the path, as far as it can be read."""
    whole = graft(forked(value, path), _form)
    forms = [form for form, _ in leaves(whole, ALWAYS)]
    image = graft(whole, _image)
    images = leaves(image, reader.container.when)
    access = graft(whole, lambda form: _access(form, reader))
    problems = [problem for form in forms for problem in _problems_of_form(form)]
    always = reader.container.when
    missing = [(leaf, when != always) for leaf, when in images if _is_missing(leaf)]
    if missing and not _keys_beside(reader.container.body):
        problems += _problems_of_images(missing, forms)
    problems += [one.problem for one, _ in leaves(access, ALWAYS) if one.problem]
    warnings: list[Problem] = []
    for at, flaw in _flaws(images, access, reader):
        if flaw.certain:
            problems.append(flaw.error.at(at))
        else:
            warnings.append(_doubt(at, flaw))
    image_path: Path | None = None
    secret_path: Path | None = None
    if all(form.block is None for form in forms):
        image_path = path
    elif not isinstance(whole, Fork):
        image_path = (*path, "Image")
        secret_path = (*path, "Secret") if get(value, "Secret") is not None else None
    return Shorthand(image, image_path, access, secret_path, tuple(problems), tuple(warnings))


class _Form(NamedTuple):
    """The shorthand in one case: a mapping with its keys or, where that is None, an image."""

    value: Json
    path: Path
    block: dict[str, Json] | None


def _form(leaf: Leaf) -> _Form:
    value, path = leaf
    return _Form(value, path, value if isinstance(value, dict) and not intrinsic(value) else None)


def _member(form: _Form, block: dict[str, Json], key: str) -> Fork[Leaf] | Leaf:
    return forked(block[key], (*form.path, key)) if key in block else Leaf(None, form.path)


def _image(form: _Form) -> Fork[Leaf] | Leaf:
    """The image of a form."""
    if form.block is None:
        return Leaf(form.value, form.path)
    return _member(form, form.block, "Image")


def _access(form: _Form, reader: BlockReader) -> Fork[Access] | Access:
    """What opens the image of a form: its own secret, or that of the image's registry."""
    block = form.block
    if block is None:
        return _looked_up(Leaf(form.value, form.path), form, reader)
    if "Secret" not in block:
        return graft(_image(form), lambda image: _looked_up(image, form, reader))
    if block["Secret"] == NO_VALUE and form.path[-2:-1] == ("Fn::If",):
        return _none(form.path)  # as AWS::NoValue in a branch of Secret: there the image is public
    if block["Secret"] in (None, NO_VALUE):
        message = "Secret has no value."
        fix = "Name the secret, or write Image alone, without PrivateImage, for a public image."
        return _none(form.path, Problem("PI103", (*form.path, "Secret"), message, fix))
    key = Leaf(None, form.path)
    if _optional(block, "KmsKey") is not None:
        key = Leaf(block["KmsKey"], (*form.path, "KmsKey"))

    def own(secret: Leaf) -> Access:
        if _is_login(secret.value, reader):
            return _none(secret.path, login_problem(secret.path))
        return Access(secret, key, is_granted(block))

    return graft(_member(form, block, "Secret"), own)


def _looked_up(image: Leaf, form: _Form, reader: BlockReader) -> Fork[Access] | Access:
    """What opens the image of a form by the registry tables."""
    block = form.block or {}
    when = reader.container.when
    flaw = _flaw(image, when, reader)
    if _is_missing(image) or (flaw and flaw.certain and not flaw.takes_no_secret):
        return _none(image.path)  # the image's own problem says why
    try:
        found = find_entry(image.value, reader.settings, when, reader.site, reader.stack)
    except InvalidValueError as error:
        return _none(image.path, error.at(image.path))
    if found is None:
        if "Secret" in [*_meant(block), *_keys_beside(reader.container.body)]:
            return _none(image.path)  # the problem of that key says why
        if flaw and flaw.certain:
            return _none(image.path, flaw.error.at(image.path))
        message = "No secret is named, and the registry table has no entry for this image."
        fix = "Write Secret beside Image, or the registry in Metadata.PrivateImage.Registries."
        return _none(image.path, Problem("PI103", image.path, message, fix))
    # What the account's settings name has no place in the template: it has that of the image.
    secret, key = (
        leaf if found.level == "template" else Leaf(leaf.value, image.path)
        for leaf in (found.secret, found.key)
    )
    if _optional(block, "KmsKey") is not None:
        key = Leaf(block["KmsKey"], (*form.path, "KmsKey"))
    grant = found.grant if _optional(block, "Grant") is None else is_granted(block)
    return graft(
        forked(secret.value, secret.path), lambda leaf: Access(leaf, key, grant, found.level)
    )


def _none(path: Path, problem: Problem | None = None) -> Access:
    """No secret and no key, where a problem says why."""
    return Access(Leaf(NO_VALUE, path), Leaf(None, path), True, problem=problem)


def _optional(block: dict[str, Json], key: str) -> Json:
    """The value of a key that need not be written; `AWS::NoValue` is as if it were not."""
    value = block.get(key)
    return None if value == NO_VALUE else value


def _is_login(secret: Json, reader: BlockReader) -> bool:
    """Whether a secret as written, or what is known of it, is the login itself."""
    if isinstance(secret, str) and "{" not in secret:
        return False
    if not is_text(secret):
        return is_login(secret)
    text = parse_text(secret, reader.site.loop_variables)
    known = reader.stack.known(text, reader.site, ALWAYS).texts
    return is_login(secret) or any(is_login(literal_parts(one)) for one in known)


# What is wrong with an image


def _is_missing(image: Leaf) -> bool:
    return image.value is None or image.value == NO_VALUE


def _flaw(image: Leaf, when: Conditions, reader: BlockReader) -> ImageFlaw | None:
    """What is wrong with one image of the block where `when` holds; nothing where it has none."""
    if _is_missing(image):
        return None
    service = reader.container.place.service
    return find_flaw(image.value, reader.site, reader.stack, service, when)


def _flaws(
    images: Iterable[tuple[Leaf, Conditions]], access: Fork[Access] | Access, reader: BlockReader
) -> list[tuple[Path, ImageFlaw]]:
    """What is wrong with the images that some stack can have, each with the image's path.

    An image that takes no secret is right where it gets none.
    """
    found: list[tuple[Path, ImageFlaw]] = []
    for leaf, when in images:
        flaw = _flaw(leaf, when, reader)
        if flaw and flaw.takes_no_secret:
            opened = [holds for one, holds in leaves(access, when) if one.secret.value != NO_VALUE]
            flaw = flaw if any(_possible(holds, reader) for holds in opened) else None
            if flaw and when != reader.container.when:
                fix = "Write Ref AWS::NoValue as Secret for this case."
                error = InvalidValueError(flaw.error.code, flaw.error.message, fix)
                flaw = flaw._replace(error=error)
        if flaw and _possible(when, reader):
            found.append((leaf.path, flaw))
    return found


def _possible(when: Conditions, reader: BlockReader) -> bool:
    return reader.stack.reached(when, reader.site)


def _doubt(path: Path, flaw: ImageFlaw) -> Problem:
    """The warning of an image that only some values of a parameter or mapping make wrong."""
    message = f"Some values of this image are wrong. {flaw.error.message}"
    return Problem("PI910", path, message, flaw.error.fix)


# What is wrong with the keys


def _problems_of_form(form: _Form) -> list[Problem]:
    """What is wrong with one form of the block, its image and secret aside."""
    block = form.block
    if block is None:
        return []
    problems = [
        Problem(
            "PI101",
            (*form.path, key),
            f"{NAME} has no key {key}.",
            did_you_mean(key, BLOCK_KEYS),
            on_key=True,
        )
        for key in block
        if key not in BLOCK_KEYS
    ]
    if _optional(block, "Grant") not in (None, True, False, "true", "false"):
        message, fix = "Grant is neither true nor false.", "Write Grant: false, or leave it out."
        problems.append(Problem("PI106", (*form.path, "Grant"), message, fix))
    return problems


def _meant(block: dict[str, Json]) -> list[str | None]:
    """The keys that the block's unknown keys were likely meant to be."""
    return [nearest(key, BLOCK_KEYS) for key in block if key not in BLOCK_KEYS]


def _problems_of_images(
    missing: Iterable[tuple[Leaf, bool]], forms: Iterable[_Form]
) -> Iterator[Problem]:
    """The problem of each branch without an image, unless a key was likely meant to be it. A leaf
    has with it whether it is one case of several."""
    meant = [key for form in forms for key in _meant(form.block or {})]
    for leaf, is_case in missing:
        if "Image" not in meant:
            message = "There is no image here."
            fix = "Write Image with the image's name."
            if is_case:
                fix = "Write Image with the image's name for this case. If this case has no"
                fix += " container, put Fn::If around the container."
            yield Problem("PI102", leaf.path, message, fix)


def problems_beside(container: Container) -> Iterator[Problem]:
    """The problems of keys beside a block: those that belong in it, and those that it writes."""
    body, path, shape = container.body, container.path, container.place.credentials
    if inner := _keys_beside(body):
        keys, fix = " and ".join(inner), f"Indent {' and '.join(inner)} under {NAME}."
        if _is_empty(body):
            message = f"{NAME} is empty, and {keys} {'are' if inner[1:] else 'is'} beside it."
            yield Problem("PI102", (*path, NAME), message, fix, on_key=True)
        else:
            message = f"{keys} {'have' if inner[1:] else 'has'} no effect beside {NAME}."
            yield Problem("PI104", (*path, inner[0]), message, fix, on_key=True)
    taken = [key for key in ("Image", shape.key) if key in body and key not in inner]
    taken += [key for key, value in shape.siblings if body.get(key, value) != value]
    for key in taken:
        message = f"{key} is beside {NAME}, which writes it."
        fix = f"Leave out {key}, or write both by hand without {NAME}."
        yield Problem("PI104", (*path, key), message, fix, on_key=True)


def _keys_beside(body: dict[str, Json]) -> list[str]:
    """The keys of a block that are beside it, on the container."""
    if NAME not in body or body.keys().isdisjoint(BLOCK_KEYS):
        return []
    return [key for key in BLOCK_KEYS if key in body and (key != "Image" or _is_empty(body))]


def _is_empty(body: dict[str, Json]) -> bool:
    """Whether a container's block has nothing in it."""
    return body[NAME] is None or body[NAME] == {}
