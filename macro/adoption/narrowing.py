"""Which roles do nothing but pull images, so that they can be left with what that needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from macro.adoption.blocks import Draft
from macro.adoption.hand_written import HandWritten, is_declared, roles_of
from macro.adoption.policies import ROLE, role_key
from macro.adoption.unrolled import unrolled
from macro.engine.template.document import Json, Path, canonical
from macro.engine.template.intrinsics import references
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Stack

# What of a task has its execution role read other secrets, or parameters that a key encrypts.
_OTHER_SECRETS = ("Secrets", "SecretOptions", "CredentialsParameter", "EnvironmentFiles")
_TASK_ROLES = ("TaskRoleArn", "JobRoleArn")


class Narrowing(NamedTuple):
    """The roles (their keys) that are left with the secrets of their containers; of those in
    `keyed` the template says all keys, too. `is_wanted`: what is not narrowed has a reason."""

    is_wanted: bool = False
    roles: frozenset[str] = frozenset()
    keyed: frozenset[str] = frozenset()


def narrowing(drafts: Iterable[Draft], found: Iterable[HandWritten], stack: Stack) -> Narrowing:
    """What can be taken from the roles of the template. Of `found`, the containers with a draft are
    adopted."""
    adopted = {one.path: one for one in drafts}
    kept: set[str | None] = set()
    unkeyed: set[str | None] = set()
    for written in found:
        keys = {role.key for role in roles_of(written, stack)}
        draft = adopted.get(written.container.path)
        if draft is None:
            kept |= keys
        elif draft.key is None and not is_declared(written, stack):
            unkeyed |= keys
    resources = list(unrolled(stack))
    if any(resource.loops for resource in resources):
        return Narrowing(True)  # what such a resource refers to is not known
    credentials = {one.written.path for one in adopted.values()}
    exported = set(references(stack.template.get("Outputs")))
    roles = frozenset(
        role_key(role)
        for role in resources
        if role.type == ROLE
        and role_key(role) not in kept
        and role.logical_id not in exported
        and all(_only_pulls(user, role, credentials) for user in _users(role, resources))
    )
    return Narrowing(True, roles, roles - unkeyed)


def _users(role: Resource, resources: Iterable[Resource]) -> Iterator[Resource]:
    """The resources that refer to a role, or name it, other than those of IAM."""
    name = role.property("RoleName")
    for one in resources:
        if one.type.startswith("AWS::IAM"):
            continue
        by_name = isinstance(name, str) and bool(name) and name in canonical(one.body)
        if by_name or role.logical_id in set(references(one.body)):
            yield one


def _only_pulls(user: Resource, role: Resource, credentials: set[Path]) -> bool:
    """Whether a resource has the role for nothing but to pull images with these credentials."""
    if user.type == "AWS::CodeBuild::Project":
        return False
    is_task = False
    for path, value in _members(user.body.get("Properties"), (*user.path, "Properties")):
        is_adopted = any(path[: len(one)] == one for one in credentials)
        is_task = is_task or is_adopted
        if path[-1] in _OTHER_SECRETS and not is_adopted:
            return False
        if path[-1] in _TASK_ROLES and role.logical_id in set(references(value)):
            return False
    return is_task


def _members(node: Json, path: Path) -> Iterator[tuple[Path, Json]]:
    """Every key below a node, as a path, with its value."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*path, key), value
            yield from _members(value, (*path, key))
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _members(item, (*path, index))
