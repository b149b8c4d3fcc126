"""`ExecutionRole` of settings: how the roles that are added are created."""

from __future__ import annotations

import re
from collections.abc import Iterator

from macro.engine.shorthand.registry_table import Level, settings_problem
from macro.engine.shorthand.spelling import did_you_mean
from macro.engine.template.choices import forked, leaves
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import NO_VALUE, Json, Path, intrinsic
from macro.engine.template.intrinsics import is_text, literal, parse_text
from macro.engine.template.problems import Problem
from macro.engine.template.records import NamedTuple

ROLE_KEYS = ("PermissionsBoundary", "Path", "Tags", "ManagedPolicyArns")


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


def read_role_settings(value: Json, path: Path, level: Level) -> tuple[RoleSettings, list[Problem]]:
    """How roles are created, and what is wrong with it."""
    if value is None or value == NO_VALUE:
        return RoleSettings(), []
    if not isinstance(value, dict) or intrinsic(value):
        message = "ExecutionRole is not a mapping."
        return RoleSettings(), [
            settings_problem(path, message, f"Write {', '.join(ROLE_KEYS)} below it.")
        ]
    problems = [
        settings_problem(
            (*path, key), f"ExecutionRole has no key {key}.", did_you_mean(key, ROLE_KEYS)
        )
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
            whole = literal(parse_text(leaf.value)) if is_text(leaf.value) else ""
            yield leaf.path, whole


def _check_arn(value: Json, path: Path) -> Iterator[Problem]:
    for at, text in _texts(value, path):
        if text is not None and not re.fullmatch(
            r"arn:aws(-[a-z]+)*:iam::(\d{12}|aws):policy/[!-~]+", text, re.ASCII
        ):
            message = "This is not the ARN of a managed policy."
            fix = "Write the ARN, with Fn::Sub if it is in the stack's own account:"
            fix += " arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/name."
            yield settings_problem(at, message, fix)


def _check_path(value: Json, path: Path) -> Iterator[Problem]:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    for at, text in _texts(value, path):
        if text is not None and not (re.fullmatch("/([!-~]+/)?", text) and len(text) <= 512):
            message = "A role's path must begin and end with a slash and contain no space."
            yield settings_problem(at, message, "Write it like /workloads/.")


def _check_tags(value: Json, path: Path) -> Iterator[Problem]:
    if intrinsic(value):
        return
    fix = "Write a list of mappings with Key and Value."
    if not isinstance(value, list):
        yield settings_problem(path, "Tags is not a list.", fix)
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
            yield settings_problem(at, "A tag must have a Key and a Value, both of them text.", fix)
        elif str(tag["Key"]).lower().startswith("aws:"):
            yield settings_problem(
                at, "Tag keys that begin with aws: are reserved for AWS.", "Rename it."
            )
        elif tag["Key"] in keys:
            yield settings_problem(at, "Another tag has the same key.", "Keep one of the two.")
        else:
            keys.append(tag["Key"])


def _check_arns(value: Json, path: Path) -> Iterator[Problem]:
    # A list that only CloudFormation knows cannot be put together with the policy beside it.
    for leaf, _ in leaves(forked(value, path), ALWAYS):
        if isinstance(leaf.value, list):
            for index, item in enumerate(leaf.value):
                yield from _check_arn(item, (*leaf.path, index))
        elif leaf.value != NO_VALUE:
            message = "ManagedPolicyArns is not written as a list."
            fix = "Write a list of the policies' ARNs, each as text or an intrinsic function."
            yield settings_problem(leaf.path, message, fix)


_CHECKS = {
    "PermissionsBoundary": _check_arn,
    "Path": _check_path,
    "Tags": _check_tags,
    "ManagedPolicyArns": _check_arns,
}
