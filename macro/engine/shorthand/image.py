"""An image as written -> what is wrong with it, and its entry in the registry table."""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from macro.engine.template.choices import Leaf
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import Json, Path, get, intrinsic
from macro.engine.template.intrinsics import Text, Unknown, attribute, is_text, literal, parse
from macro.engine.template.problems import InvalidValueError, Problem
from macro.engine.template.stack import Site, Stack

_FIX = "Write registry/repository:tag or registry/repository@digest."

# https://github.com/distribution/reference: what Docker and ECS take for an image reference.
_HOST = r"(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]+(?=:)|\[[0-9a-fA-F:]+\])(:\d+)?"
_COMPONENT = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"{_COMPONENT}(/{_COMPONENT})*"
_REFERENCE = re.compile(
    rf"({_HOST}/)?{_REPOSITORY}(:\w[\w.-]{{0,127}})?(@[A-Za-z][A-Za-z0-9]*([+._-][A-Za-z0-9]+)*:[0-9a-fA-F]{{32,}})?",
    re.ASCII,
)
_IS_HOST = re.compile(r"localhost$|.*[.:]")

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html, with FIPS and dual-stack.
_ECR = re.compile(
    r"[^/]*\.dkr[.-]ecr(-fips)?\.[^/]*(/|$)|(public\.ecr\.aws|ecr-public\.[^/]*)(/|$)"
)

_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "hub.docker.com"})


def check_image(value: Json, stack: Stack, user: Site) -> None:
    """Raises `InvalidValueError` for an image (no `Fn::If`) that is malformed or in ECR."""
    if not is_text(value):
        raise InvalidValueError("PI202", "An image is text or an intrinsic function.", _FIX)
    text = parse(value, user.loop_variables)
    known = stack.known(text, user, ALWAYS).texts[0]
    spelled = "".join(part if isinstance(part, str) else "x" for part in known)
    if _ECR.match(spelled) or any(_is_repository(part, stack, user) for part in text):
        raise InvalidValueError(
            "PI201",
            "The image is in Amazon ECR, which the role's own permissions open, not a secret.",
            "Write it as Image, without PrivateImage.",
        )
    if "://" in spelled:
        raise InvalidValueError("PI202", "An image reference has no scheme such as https://.", _FIX)
    if not known or re.search(r"\s", spelled):
        raise InvalidValueError("PI202", "The image reference is empty or has a space in it.", _FIX)
    if literal(known) is not None and not _REFERENCE.fullmatch(spelled):
        raise InvalidValueError(
            "PI202", "This is no image reference; a repository is lower case.", _FIX
        )


def _is_repository(part: str | Unknown, stack: Stack, user: Site) -> bool:
    named = attribute(part.value) if isinstance(part, Unknown) else None
    found = stack.resource(named[0], user) if named else None
    return found is not None and found.type in (
        "AWS::ECR::Repository",
        "AWS::ECR::PublicRepository",
    )


class Registry(NamedTuple):
    """An entry of the table: the registry and path that it is for, its secret and its key."""

    prefix: str
    secret: Leaf
    key: Leaf


_TABLE = ("Metadata", "PrivateImage", "Registries")
_TABLE_FIX = (
    "Write Registries: with a line for each registry, such as quay.io: secret, or"
    " quay.io: {Secret: secret, KmsKey: key}."
)


Registries: TypeAlias = dict[str, Registry]
"""The table: its entries by prefix."""


def read_registries(template: Json) -> tuple[Registries, list[Problem]]:
    """The template's registry table, and what is wrong with it."""
    section = get(template, *_TABLE[:2])
    registries: Registries = {}
    problems: list[Problem] = []

    def wrong(path: Path, message: str, fix: str = _TABLE_FIX) -> None:
        problems.append(Problem("PI107", path, message, fix, on_key=True))

    if section is None:
        return registries, problems
    if not isinstance(section, dict):
        wrong(_TABLE[:2], "Metadata.PrivateImage is no mapping.")
        return registries, problems
    for key in section.keys() - {"Registries"}:
        wrong((*_TABLE[:2], key), f"Metadata.PrivateImage has no key {key}.")
    table = section.get("Registries", {})
    if not isinstance(table, dict) or intrinsic(table):
        wrong(_TABLE, "Registries is no mapping of registries to secrets.")
        return registries, problems
    for name, entry in table.items():
        path = (*_TABLE, name)
        prefix = _prefix(name)
        if prefix is None:
            message = "This is no registry: a host name, and a path where only a part is meant."
            wrong(path, message, "Write it as in an image, without scheme, tag and digest.")
        elif isinstance(entry, str) or intrinsic(entry):
            found = Registry(prefix, Leaf(entry, path), Leaf(None, path))
            registries.setdefault(prefix, found)
        elif isinstance(entry, dict) and "Secret" in entry and entry.keys() <= {"Secret", "KmsKey"}:
            secret = Leaf(entry["Secret"], (*path, "Secret"))
            found = Registry(prefix, secret, Leaf(entry.get("KmsKey"), (*path, "KmsKey")))
            registries.setdefault(prefix, found)
        else:
            wrong(path, "A registry's entry is a secret, or a mapping of Secret and KmsKey.")
    return registries, problems


def _prefix(name: str) -> str | None:
    """A table's key as images are looked up: registry and path, of Docker Hub `docker.io`."""
    host, _, path = name.rstrip("/").partition("/")
    if not _IS_HOST.match(host):
        host, path = "docker.io", name.rstrip("/")
    if not re.fullmatch(_HOST, host, re.ASCII) and not re.fullmatch(r"[\w.-]+:\d+", host, re.ASCII):
        return None
    if path and not re.fullmatch(_REPOSITORY, path):
        return None
    host = host.lower()
    return ("docker.io" if host in _DOCKER_HUB else host) + (f"/{path}" if path else "")


def find_registry(image: Json, registries: Registries, user: Site) -> Registry | None:
    """The entry with the longest prefix of the image's registry and path; None: there is none.

    Raises `InvalidValueError` where what is literal of the image does not tell which entry it is.
    """
    text = parse(image, user.loop_variables)
    name, whole = _repository(text)
    # The literal head may end amid a path segment: only what a slash closes is sure.
    prefix = name if whole else name.rpartition("/")[0]
    while prefix and prefix not in registries:
        prefix = prefix.rpartition("/")[0]
    best = registries.get(prefix)
    if not whole and any(
        f"{entry.prefix}/".startswith(name) and entry is not best for entry in registries.values()
    ):
        raise _unknown_registry("more than one entry of the registry table may match it")
    return best


def _repository(text: Text) -> tuple[str, bool]:
    """The registry and path of an image as far as they are literal, and whether that is all."""
    head = text[0] if text and isinstance(text[0], str) else ""
    whole = len(text) == 1 and head != ""
    host, slash, path = head.partition("/")
    if not slash:
        if not whole and any("/" in part for part in text[1:] if isinstance(part, str)):
            raise _unknown_registry("the registry's part of it is not literal text")
        if not head or (not whole and ":" not in head and "@" not in head):
            raise _unknown_registry("the registry's part of it is not literal text")
        host, path = "docker.io", head
    elif not _IS_HOST.match(host):
        host, path = "docker.io", head
    host = "docker.io" if host.lower() in _DOCKER_HUB else host.lower()
    path, *version = re.split("[:@]", path, maxsplit=1)
    whole = whole or bool(version)
    if host == "docker.io" and whole and "/" not in path:
        path = f"library/{path}"
    return f"{host}/{path}", whole


def _unknown_registry(why: str) -> InvalidValueError:
    return InvalidValueError(
        "PI203",
        f"The secret of this image cannot be looked up: {why}.",
        "Write Secret beside Image, or the registry as literal text.",
    )
