"""An image as written -> what is wrong with it, and the entry of the registry table that opens it.

A value that a parameter or a mapping decides is judged by all that it can be.
"""

from __future__ import annotations

import re

from macro.engine.shorthand.image_reference import (
    DOCKER_HUB,
    is_ecr,
    read_image_reference,
    split_registry,
)
from macro.engine.shorthand.registry_table import RegistryEntry, lookup_name
from macro.engine.shorthand.settings import Settings
from macro.engine.template.choices import chosen, leaves
from macro.engine.template.conditions import ALWAYS, Conditions
from macro.engine.template.document import Json
from macro.engine.template.intrinsics import Text, Unknown, attribute, is_text, literal, parse_text
from macro.engine.template.problems import InvalidValueError
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import Site, Stack


class ImageFlaw(NamedTuple):
    """What is wrong with an image. `certain`: with all values that it can have, not with some.

    `takes_no_secret`: it is an image all the same, and right where no secret goes with it.
    """

    error: InvalidValueError
    certain: bool
    takes_no_secret: bool


def find_flaw(
    image: Json, site: Site, stack: Stack, service: str, when: Conditions = ALWAYS
) -> ImageFlaw | None:
    """What is wrong with an image (no `Fn::If`, no `AWS::NoValue`) that a service is to pull where
    `when` holds."""
    if not is_text(image):
        fix = "Write registry/repository:tag or registry/repository@digest."
        error = InvalidValueError("PI202", "An image must be text or an intrinsic function.", fix)
        return ImageFlaw(error, certain=True, takes_no_secret=False)
    flaws = [_flaw(text, site, stack, service) for text in _values_of(image, when, site, stack)]
    found = [flaw for flaw in flaws if flaw]
    return found[0]._replace(certain=len(found) == len(flaws)) if found else None


def _flaw(text: Text, site: Site, stack: Stack, service: str) -> ImageFlaw | None:
    """What is wrong with one value of an image, as far as it is known."""
    if (plain := literal(text)) and service != "codebuild" and _is_right(plain):
        return None
    head = text[0] if text and isinstance(text[0], str) else ""
    known = "".join([part if isinstance(part, str) else "x" for part in text])
    registry, _ = split_registry(known if "/" in known or literal(text) else f"{known}/")
    in_ecr = registry is not None and is_ecr(registry)
    unknown = [part for part in text if isinstance(part, Unknown)]
    if in_ecr or any(_is_repository(part, site, stack) for part in unknown):
        error = InvalidValueError(
            "PI201",
            "The image is in Amazon ECR, which uses the role's own permissions and no secret.",
            "Write it as Image, without PrivateImage.",
        )
        return ImageFlaw(error, certain=True, takes_no_secret=True)
    if service == "codebuild" and head.startswith("aws/codebuild/"):
        # https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectEnvironment.html
        error = InvalidValueError(
            "PI204",
            "CodeBuild's own images take no credentials.",
            "Write it as Image, without PrivateImage.",
        )
        return ImageFlaw(error, certain=True, takes_no_secret=True)
    try:
        _check_reference(text, known)
    except InvalidValueError as error:
        return ImageFlaw(error, certain=True, takes_no_secret=False)
    return None


def _is_right(image: str) -> bool:
    """Whether a literal image is one, and not in Amazon ECR."""
    try:
        return not read_image_reference(image).in_ecr
    except InvalidValueError:
        return False


def _check_reference(text: Text, known: str) -> None:
    """Raises `InvalidValueError` where no value of the unknown parts makes this an image."""
    if literal(text) is not None or "://" in known or re.search(r"\s", known):
        read_image_reference(known)
    elif isinstance(text[0], str) and "/" in text[0] and _has_capitals(text[0]):
        read_image_reference("Image")
    elif isinstance(text[0], str) and (version := _version(text[0])) and ":" in version[1:]:
        # The tag is complete, and what follows it begins another.
        read_image_reference("image:tag:tag")


def _has_capitals(head: str) -> bool:
    """Whether the literal head of an image has a capital in its repository."""
    repository = re.split("[:@]", split_registry(head)[1], maxsplit=1)[0]
    return repository != repository.lower()


def _version(head: str) -> str:
    """The tag of the literal head of an image, with its colon; empty: it does not get so far."""
    _, path = split_registry(head)
    return "" if "@" in path else "".join(path.partition(":")[1:])


def _is_repository(part: Unknown, site: Site, stack: Stack) -> bool:
    named = attribute(part.value)
    found = stack.resource(named[0], site) if named else None
    return found is not None and found.type in (
        "AWS::ECR::Repository",
        "AWS::ECR::PublicRepository",
    )


def _values_of(image: Json, when: Conditions, site: Site, stack: Stack) -> list[Text]:
    """The values that an image can have where `when` holds, each as far as it is known."""
    if isinstance(image, str) and "{" not in image:
        return [(image,)] if image else [()]
    tree = chosen(image)
    if tree is None:
        return [(Unknown(image),)]
    found: list[Text] = []
    values: list[tuple[Json, Conditions]] = leaves(tree, when)
    for value, holds in values:
        text = parse_text(value, site.loop_variables)
        possible = stack.known(text, site, holds)
        # With a default in place of a value another one may be deployed.
        found += [*possible.texts, text] if possible.defaults else possible.texts
    return list(dict.fromkeys(found))


def find_entry(
    image: Json, settings: Settings, when: Conditions, site: Site, stack: Stack
) -> RegistryEntry | None:
    """The entry with the longest prefix of the image's registry and path, in the nearest table that
    has one; None: there is none.

    Raises `InvalidValueError` where what is known of the image does not decide which entry it is.
    """
    found = [_entry_of(text, settings) for text in _values_of(image, when, site, stack)]
    if any(entry != found[0] for entry in found):
        raise _unknown_registry("its values are of more than one entry of the registry table")
    return found[0] if found else None


def _entry_of(text: Text, settings: Settings) -> RegistryEntry | None:
    name, whole = _name(text)
    for table in settings.tables:
        # The literal head may end amid a path segment: only what a slash closes is sure.
        prefix = name if whole else name.rpartition("/")[0]
        while prefix and prefix not in table:
            prefix = prefix.rpartition("/")[0]
        best = table.get(prefix)
        if not whole and any(
            f"{entry.prefix}/".startswith(name) and entry is not best for entry in table.values()
        ):
            raise _unknown_registry("more than one entry of the registry table may match it")
        if best:
            return best
    return None


def _name(text: Text) -> tuple[str, bool]:
    """The registry and path of an image as far as they are literal, and whether that is all."""
    head = text[0] if text and isinstance(text[0], str) else ""
    whole = literal(text) is not None
    slash_later = any("/" in part for part in text[1:] if isinstance(part, str))
    if "/" not in head and not whole and (slash_later or not re.search("[:@]", head)):
        raise _unknown_registry("its registry is not known")
    host, path = split_registry(head)
    path, *version = re.split("[:@]", path, maxsplit=1)
    whole = whole or bool(version)
    if host in (None, DOCKER_HUB, "index.docker.io") and whole and "/" not in path:
        path = f"library/{path}"
    return f"{lookup_name(host or DOCKER_HUB, '')}/{path}", whole


def _unknown_registry(why: str) -> InvalidValueError:
    return InvalidValueError(
        "PI203",
        f"The secret of this image cannot be looked up: {why}.",
        "Write Secret beside Image, or the registry as literal text.",
    )
