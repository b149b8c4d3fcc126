"""Settings: which secret opens which registry, and how roles are created; at two levels.

A template has its own in `Metadata.PrivateImage`; the account's are given to the macro when it is
deployed, and to commands. What is nearer to a container wins: its block, the template, the account.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from macro.engine.shorthand.image_reference import (
    DOCKER_HUB,
    DOCKER_HUB_NAMES,
    is_host,
    is_repository,
    split_registry,
)
from macro.engine.shorthand.spelling import NAME, did_you_mean, is_near_name
from macro.engine.template.choices import Leaf, forked, leaves
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import NO_VALUE, Json, Path, get, intrinsic
from macro.engine.template.intrinsics import Unknown, is_text, literal, parse
from macro.engine.template.problems import Problem
from macro.engine.template.stack import PSEUDO_PARAMETERS

Level: TypeAlias = Literal["template", "account"]

SECTION: Path = ("Metadata", NAME)
KEYS = ("Registries", "ExecutionRole")
ENTRY_KEYS = ("Secret", "KmsKey", "Grant")
ROLE_KEYS = ("PermissionsBoundary", "Path", "Tags", "ManagedPolicyArns")


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


class Setting(NamedTuple):
    """A value of the settings, where it is in the template (the account's: ()), and its level."""

    value: Json
    path: Path
    level: Level


class RoleSettings(NamedTuple):
    """How the roles that are added are created, by the names of `AWS::IAM::Role`; None: not set.

    `managed_policy_arns` go beside the policy for task execution.
    """

    permissions_boundary: Setting | None = None
    path: Setting | None = None
    tags: Setting | None = None
    managed_policy_arns: Setting | None = None


class Settings(NamedTuple):
    """Settings as they hold: the registry tables of both levels, and how roles are created."""

    template: RegistryTable = {}  # noqa: RUF012  # nothing changes it
    account: RegistryTable = {}  # noqa: RUF012
    role: RoleSettings = RoleSettings()

    @property
    def tables(self) -> tuple[RegistryTable, RegistryTable]:
        """The registry tables, the nearest first."""
        return self.template, self.account


def read_settings(template: Json, account: Json) -> tuple[Settings, tuple[Problem, ...]]:
    """The settings that hold in a template: its own, and behind them the account's (None: none).

    Returns them as far as they can be read, with what is wrong at either level.
    """
    own, problems = _read(get(template, "Metadata", NAME), "template")
    metadata = get(template, "Metadata")
    near = [key for key in metadata if is_near_name(key)] if isinstance(metadata, dict) else []
    misspelt = tuple(
        _problem(("Metadata", key), f"Settings have no effect in {key}.", f"Did you mean {NAME}?")
        for key in near
        if not set(KEYS).isdisjoint(_keys(get(metadata, key)))
    )
    behind, account_problems = read_account_settings(account)
    merged = Settings(
        own.template,
        behind.account,
        RoleSettings(*(near or far for near, far in zip(own.role, behind.role, strict=True))),
    )
    return merged, (*misspelt, *problems, *account_problems)


def read_account_settings(account: Json) -> tuple[Settings, tuple[Problem, ...]]:
    """The account's settings, and what is wrong with them; None: there are none.

    Their problems have no place in a template: their path is (), and they name the key.
    """
    return _read(account, "account")


def _read(section: Json, level: Level) -> tuple[Settings, tuple[Problem, ...]]:
    if section is None:
        return Settings(), ()
    at: Path = SECTION if level == "template" else ()
    table, table_problems = _read_table(get(section, "Registries"), (*at, "Registries"), level)
    role, role_problems = _read_role(get(section, "ExecutionRole"), (*at, "ExecutionRole"), level)
    problems = [*_problems_of_section(section, at), *table_problems, *role_problems]
    if level == "account":
        problems += _references(section, ())
        problems = [_of_account(problem) for problem in problems]
    tables = (table, {}) if level == "template" else ({}, table)
    return Settings(*tables, role), tuple(problems)


def _of_account(problem: Problem) -> Problem:
    key = ".".join(str(step) for step in problem.path)
    where = f"In the account's settings, at {key}: " if key else "In the account's settings: "
    return problem._replace(path=(), message=where + problem.message, on_key=False)


def _problem(path: Path, message: str, fix: str) -> Problem:
    return Problem("PI107", path, message, fix, on_key=True)


def _problems_of_section(section: Json, path: Path) -> Iterator[Problem]:
    fix = f"Write a mapping with {' and '.join(KEYS)}."
    if not isinstance(section, dict) or intrinsic(section):
        yield _problem(path, "The settings are no mapping.", fix)
        return
    for key in section:
        if key not in KEYS:
            yield _problem(
                (*path, key), f"The settings have no key {key}.", did_you_mean(key, KEYS)
            )


def _keys(node: Json) -> list[str]:
    return list(node) if isinstance(node, dict) else []


# Registries

_TABLE_FIX = (
    "Write Registries: with a line for each registry, such as quay.io: secret, or"
    " quay.io: {Secret: secret, KmsKey: key, Grant: false}."
)


def _read_table(table: Json, path: Path, level: Level) -> tuple[RegistryTable, list[Problem]]:
    """The entries of a registry table, and what is wrong with it."""
    if table is None:
        return {}, []
    if not isinstance(table, dict) or intrinsic(table):
        message = "Registries is no mapping of registries to secrets."
        return {}, [_problem(path, message, _TABLE_FIX)]
    entries: RegistryTable = {}
    problems: list[Problem] = []
    for name, value in table.items():
        at = (*path, name)
        wrong = [*_problems_of_entry(value, at)]
        prefix = _prefix(name)
        if prefix is None:
            message = "This is no registry: a host name, and a path where only a part is meant."
            fix = "Write it as in an image, without scheme, tag and digest."
            problems.append(_problem(at, message, fix))
            continue
        if prefix in entries:
            message = "Another entry is for the same registry and path."
            wrong.append(_problem(at, message, "Keep one of the two."))
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
            message = "An entry is a secret, or a mapping of Secret, KmsKey and Grant."
            yield _problem(path, message, _TABLE_FIX)
            return
        for key in ("Secret", "KmsKey"):
            for leaf, _ in leaves(forked(value.get(key, ""), (*path, key)), ALWAYS):
                if not is_text(leaf.value):
                    message = f"{key} is neither a text nor an intrinsic function."
                    yield _problem(leaf.path, message, _TABLE_FIX)
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


# A login where a secret's name belongs

_LOGIN_KEYS = frozenset(("username", "user", "password", "auth", "auths", "token"))


def is_login(value: Json) -> bool:
    """Whether a value is the login itself rather than a secret that holds it: a mapping with a
    password, or a text that looks like one as JSON. The value is never shown."""
    if isinstance(value, dict):
        call = intrinsic(value)
        if call and call[0] == "Fn::ToJsonString":
            return is_login(call[1])
        if not call:
            return not _LOGIN_KEYS.isdisjoint(key.lower() for key in value)
    text = "".join(part for part in parse(value) if isinstance(part, str))
    return text.lstrip().startswith("{") and any(f'"{key}"' in text.lower() for key in _LOGIN_KEYS)


def login_problem(path: Path) -> Problem:
    """The problem of a login at the path, without any of it."""
    return Problem(
        "PI312",
        path,
        "This is the login itself, which everyone who sees the template could read.",
        "Store username and password in a Secrets Manager secret, and write the secret's name.",
    )


# ExecutionRole


def _read_role(value: Json, path: Path, level: Level) -> tuple[RoleSettings, list[Problem]]:
    """How roles are created, and what is wrong with it."""
    if value is None or value == NO_VALUE:
        return RoleSettings(), []
    if not isinstance(value, dict) or intrinsic(value):
        message = "ExecutionRole is no mapping."
        return RoleSettings(), [_problem(path, message, f"Write {', '.join(ROLE_KEYS)} below it.")]
    problems = [
        _problem((*path, key), f"ExecutionRole has no key {key}.", did_you_mean(key, ROLE_KEYS))
        for key in value
        if key not in ROLE_KEYS
    ]
    found: list[Setting | None] = []
    for key in ROLE_KEYS:
        own = value.get(key)
        at = (*path, key)
        wrong = [] if own in (None, NO_VALUE) else [*_CHECKS[key](own, at)]
        problems += wrong
        usable = own not in (None, NO_VALUE) and not wrong
        found.append(Setting(own, at if level == "template" else (), level) if usable else None)
    return RoleSettings(*found), problems


def _texts(value: Json, path: Path) -> Iterator[tuple[Path, str | None]]:
    """The texts that a value may be, through `Fn::If`, where they are literal; else None."""
    for leaf, _ in leaves(forked(value, path), ALWAYS):
        if leaf.value != NO_VALUE:
            whole = literal(parse(leaf.value)) if is_text(leaf.value) else ""
            yield leaf.path, whole


def _check_arn(value: Json, path: Path) -> Iterator[Problem]:
    for at, text in _texts(value, path):
        if text is not None and not re.fullmatch(
            r"arn:aws(-[a-z]+)*:iam::(\d{12}|aws):policy/[!-~]+", text, re.ASCII
        ):
            message = "This is no ARN of a managed policy."
            fix = "Write the ARN, with Fn::Sub where it is of the stack's own account:"
            fix += " arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/name."
            yield _problem(at, message, fix)


def _check_path(value: Json, path: Path) -> Iterator[Problem]:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    for at, text in _texts(value, path):
        if text is not None and not (re.fullmatch("/([!-~]+/)?", text) and len(text) <= 512):
            message = "A role's path begins and ends with a slash and has no space in it."
            yield _problem(at, message, "Write it like /workloads/.")


def _check_tags(value: Json, path: Path) -> Iterator[Problem]:
    if intrinsic(value):
        return
    fix = "Write a list of mappings with Key and Value."
    if not isinstance(value, list):
        yield _problem(path, "Tags is no list.", fix)
        return
    keys: list[Json] = []
    for index, tag in enumerate(value):
        at = (*path, index)
        if intrinsic(tag):
            continue
        if (
            not isinstance(tag, dict)
            or tag.keys() != {"Key", "Value"}
            or not all(is_text(text) for text in tag.values())
        ):
            yield _problem(at, "A tag has a Key and a Value, and both are texts.", fix)
        elif str(tag["Key"]).lower().startswith("aws:"):
            yield _problem(at, "Keys of tags that begin with aws: are AWS's own.", "Rename it.")
        elif tag["Key"] in keys:
            yield _problem(at, "Another tag has the same key.", "Keep one of the two.")
        else:
            keys.append(tag["Key"])


def _check_arns(value: Json, path: Path) -> Iterator[Problem]:
    if intrinsic(value):
        return
    if not isinstance(value, list):
        message = "ManagedPolicyArns is no list."
        yield _problem(path, message, "Write a list of the policies' ARNs.")
        return
    for index, item in enumerate(value):
        yield from _check_arn(item, (*path, index))


_CHECKS = {
    "PermissionsBoundary": _check_arn,
    "Path": _check_path,
    "Tags": _check_tags,
    "ManagedPolicyArns": _check_arns,
}


# What the account's settings may not hold


def _references(node: Json, path: Path) -> Iterator[Problem]:
    """A problem for each intrinsic function below that needs a template: a reference to anything
    but a pseudo parameter, a condition, a mapping."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _references(item, (*path, index))
    elif isinstance(node, dict):
        if _needs_a_template(node):
            message = "This refers to what a template declares, and the account has no template."
            fix = "Write the name or the ARN, or refer to pseudo parameters such as AWS::AccountId."
            yield Problem("PI110", path, message, fix)
            return
        for key, item in node.items():
            yield from _references(item, (*path, key))


def _needs_a_template(node: dict[str, Json]) -> bool:
    match intrinsic(node):
        case ("Ref", name):
            return not isinstance(name, str) or name not in PSEUDO_PARAMETERS
        case ("Fn::GetAtt" | "Fn::If" | "Fn::FindInMap" | "Fn::Transform", _):
            return True
        case ("Fn::Sub", _):
            values = [part.value for part in parse(node) if isinstance(part, Unknown)]
            return any(
                value != node and isinstance(value, dict) and _needs_a_template(value)
                for value in values
            )
    return "Condition" in node
