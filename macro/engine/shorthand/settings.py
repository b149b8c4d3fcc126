"""Settings: which secret opens which registry, and how roles are created; at two levels.

A template has its own in `Metadata.PrivateImage`; the account's are given to the macro when it is
deployed, and to commands. What is nearer to a container wins: its block, the template, the account.
"""

from __future__ import annotations

from collections.abc import Iterator

from macro.engine.shorthand.registry_table import (
    Level,
    RegistryTable,
    read_table,
    settings_problem,
)
from macro.engine.shorthand.role_settings import RoleSettings, read_role_settings
from macro.engine.shorthand.spelling import NAME, did_you_mean, is_near_name
from macro.engine.template.document import Json, Path, get, intrinsic
from macro.engine.template.intrinsics import Unknown, parse_text
from macro.engine.template.problems import Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import PSEUDO_PARAMETERS

SECTION: Path = ("Metadata", NAME)
SETTINGS_KEYS = ("Registries", "ExecutionRole")


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
        settings_problem(
            ("Metadata", key), f"Settings have no effect in {key}.", f"Did you mean {NAME}?"
        )
        for key in near
        if not set(SETTINGS_KEYS).isdisjoint(_keys(get(metadata, key)))
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
    table, table_problems = read_table(get(section, "Registries"), (*at, "Registries"), level)
    role, role_problems = read_role_settings(
        get(section, "ExecutionRole"), (*at, "ExecutionRole"), level
    )
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


def _problems_of_section(section: Json, path: Path) -> Iterator[Problem]:
    fix = f"Write a mapping with {' and '.join(SETTINGS_KEYS)}."
    if not isinstance(section, dict) or intrinsic(section):
        yield settings_problem(path, "The settings are not a mapping.", fix)
        return
    for key in section:
        if key not in SETTINGS_KEYS:
            yield settings_problem(
                (*path, key), f"The settings have no key {key}.", did_you_mean(key, SETTINGS_KEYS)
            )


def _keys(node: Json) -> list[str]:
    return list(node) if isinstance(node, dict) else []


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
            values = [part.value for part in parse_text(node) if isinstance(part, Unknown)]
            return any(
                value != node and isinstance(value, dict) and _needs_a_template(value)
                for value in values
            )
    return "Condition" in node
