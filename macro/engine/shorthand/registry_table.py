"""The registry table of settings: which secret opens which registry and path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from macro.engine.shorthand.image_reference import (
    DOCKER_HUB,
    DOCKER_HUB_NAMES,
    is_host,
    is_repository,
    split_registry,
)
from macro.engine.shorthand.logins import is_login, login_problem
from macro.engine.template.choices import Leaf, forked, leaves
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import NO_VALUE, Json, Path, get, intrinsic
from macro.engine.template.intrinsics import is_text
from macro.engine.template.problems import Problem
from macro.engine.template.records import NamedTuple

Level: TypeAlias = Literal["template", "account"]

ENTRY_KEYS = ("Secret", "KmsKey", "Grant")


class RegistryEntry(NamedTuple):
    """An entry of the registry table: the registry and path that it is for, and what opens them.

    `prefix` is written as images are looked up. The paths of an account's entry are ().
    """

    prefix: str
    secret: Leaf
    key: Leaf
    grant: bool
    level: Level


RegistryTable: TypeAlias = dict[str, RegistryEntry]
"""The entries of one level, by prefix."""


def settings_problem(path: Path, message: str, fix: str) -> Problem:
    """What is wrong with settings, at one of their keys."""
    return Problem("PI107", path, message, fix, on_key=True)


_TABLE_FIX = (
    "Write Registries: with a line for each registry, such as quay.io: secret, or"
    " quay.io: {Secret: secret, KmsKey: key, Grant: false}."
)


def read_table(table: Json, path: Path, level: Level) -> tuple[RegistryTable, list[Problem]]:
    """The entries of a registry table, and what is wrong with it."""
    if table is None:
        return {}, []
    if not isinstance(table, dict) or intrinsic(table):
        message = "Registries is not a mapping of registries to secrets."
        return {}, [settings_problem(path, message, _TABLE_FIX)]
    entries: RegistryTable = {}
    problems: list[Problem] = []
    for name, value in table.items():
        at = (*path, name)
        wrong = [*_problems_of_entry(value, at)]
        prefix = _prefix(name)
        if prefix is None:
            message = "This is not a registry: a host name, and a path if only part of it is meant."
            fix = "Write it as in an image, without a scheme, tag or digest."
            problems.append(settings_problem(at, message, fix))
            continue
        if prefix in entries:
            message = "Another entry is for the same registry and path."
            wrong.append(settings_problem(at, message, "Keep one of the two."))
        problems += wrong
        # Where an entry is wrong, its images are not: they find one that opens nothing.
        entries[prefix] = _entry(prefix, NO_VALUE if wrong else value, at, level)
    return entries, problems


def _problems_of_entry(value: Json, path: Path) -> Iterator[Problem]:
    if is_login(value) or is_login(get(value, "Secret")):
        yield login_problem(path)
    elif not (isinstance(value, str) or intrinsic(value)):
        if (
            not isinstance(value, dict)
            or not value.keys() <= {*ENTRY_KEYS}
            or (value.get("Secret") is None)
        ):
            message = "An entry must be a secret, or a mapping of Secret, KmsKey and Grant."
            yield settings_problem(path, message, _TABLE_FIX)
            return
        for key in ("Secret", "KmsKey"):
            for leaf, _ in leaves(forked(value.get(key, ""), (*path, key)), ALWAYS):
                if not is_text(leaf.value):
                    message = f"{key} is neither a text nor an intrinsic function."
                    yield settings_problem(leaf.path, message, _TABLE_FIX)
        if value.get("Grant", True) not in (True, False, "true", "false"):
            message, fix = (
                "Grant is neither true nor false.",
                "Write Grant: false, or leave it out.",
            )
            yield Problem("PI106", (*path, "Grant"), message, fix)


def _entry(prefix: str, value: Json, path: Path, level: Level) -> RegistryEntry:
    """The entry of a value that has no problem."""

    def leaf(value: Json, at: Path) -> Leaf:
        return Leaf(value, at if level == "template" else ())

    if isinstance(value, dict) and not intrinsic(value):
        secret = leaf(value["Secret"], (*path, "Secret"))
        key = leaf(value.get("KmsKey"), (*path, "KmsKey"))
        return RegistryEntry(prefix, secret, key, is_granted(value), level)
    return RegistryEntry(prefix, leaf(value, path), leaf(None, path), True, level)


def is_granted(mapping: dict[str, Json]) -> bool:
    """Whether a block or an entry lets a grant be added: `Grant` is not `false`."""
    return mapping.get("Grant", True) not in (False, "false")


def _prefix(name: str) -> str | None:
    """A table's key as images are looked up: registry and path, of Docker Hub `docker.io`."""
    name = name.rstrip("/")
    host, path = split_registry(f"{name}/")
    if host is None:
        host = DOCKER_HUB
    path = path.rstrip("/")
    if not name or not is_host(host) or (path and not is_repository(path)):
        return None
    return lookup_name(host, path)


def lookup_name(host: str, path: str) -> str:
    """Registry and path as the table has them: all names of Docker Hub are docker.io there."""
    host = host.lower()
    return (DOCKER_HUB if host in DOCKER_HUB_NAMES else host) + (f"/{path}" if path else "")
