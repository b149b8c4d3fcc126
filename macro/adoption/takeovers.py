"""Statements that an expansion makes needless -> the edits that take them out of the template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from macro.adoption.access import DECRYPT, Access, Pair, Statement, is_covered, pairs_of
from macro.adoption.patterns import action_covers, covers
from macro.engine.template.document import NO_VALUE, Json, Path
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import references
from macro.engine.template.problems import Problem
from macro.engine.template.stack import Stack

_FAMILIES = ("secretsmanager:", "kms:")


class Takeover(NamedTuple):
    """The statements that go, as edits, and notes on those that stay."""

    edits: tuple[Edit, ...] = ()
    notes: tuple[Problem, ...] = ()


def take_over(
    access: Access,
    granted: Mapping[str, list[Pair]],
    narrowed: frozenset[str],
    stack: Stack,
) -> Takeover:
    """What becomes needless of the statements of roles that are `granted` secrets and keys; the
    wildcards of the roles in `narrowed` go, too. All is by the roles' identities."""
    by_path: dict[Path, list[Statement]] = {}
    for statement in access.statements:
        by_path.setdefault(statement.path, []).append(statement)
    gone: list[Path] = []
    notes: list[Problem] = []
    whole: set[Path] = set()
    for path, alike in by_path.items():
        if not _concerns(alike, granted, stack):
            continue
        reason = _obstacle(alike[0], stack)
        if reason:
            notes.append(_note(path, reason))
            continue
        pairs = [(one.policy.holder, pair) for one in alike for pair in pairs_of(one, stack)]
        kept = {
            pair.path: (holder, pair)
            for holder, pair in pairs
            if not _is_needless(pair, holder, alike[0], granted, narrowed, stack)
        }
        resources = dict.fromkeys(at for at, _, _ in alike[0].resources())
        if not kept:
            gone.append(path)
            whole.add(path)
            continue
        notes += [
            _note(at, _why(pair, granted[holder]))
            for at, (holder, pair) in kept.items()
            if holder in granted
        ]
        gone += [at for at in resources if at not in kept and isinstance(at[-1], int)]
    return Takeover(tuple(_edits(gone, whole, by_path, stack)), tuple(notes))


def _concerns(alike: list[Statement], granted: Mapping[str, list[Pair]], stack: Stack) -> bool:
    """Whether a statement allows what one of its roles is granted, or lets it use a key."""
    return any(
        action_covers(pair.action, DECRYPT)
        or any(action_covers(pair.action, one.action) and _is_alike(pair, one) for one in given)
        for statement in alike
        if statement.is_plain and (given := granted.get(statement.policy.holder))
        for pair in pairs_of(statement, stack)
    )


def _is_alike(one: Pair, other: Pair) -> bool:
    """Whether the resource of one pair takes in that of another."""
    return covers(one.resource, other.resource) or covers(other.resource, one.resource)


def _obstacle(statement: Statement, stack: Stack) -> str | None:
    """Why a statement cannot go, whatever it allows."""
    policy = statement.policy
    if policy.kind == "managed":
        return "it is in a managed policy, which others may use"
    if not policy.only_roles:
        return "its policy is on users or groups, too"
    if policy.kind == "separate" and _is_referenced(policy.carrier.logical_id, stack):
        return "its policy is referred to elsewhere"
    return None


def _is_referenced(logical_id: str, stack: Stack) -> bool:
    """Whether anything but `DependsOn` names a resource."""
    rest = {key: value for key, value in stack.template.items() if key != "Resources"}
    bodies = [{**one.body, "DependsOn": None} for one in stack.resources]
    return logical_id in set(references([rest, *bodies]))


def _is_needless(
    pair: Pair,
    holder: str,
    statement: Statement,
    granted: Mapping[str, list[Pair]],
    narrowed: frozenset[str],
    stack: Stack,
) -> bool:
    given = granted.get(holder, [])
    if is_covered(pair, given, stack):
        return True
    if holder not in narrowed or not all(
        action.lower().startswith(_FAMILIES) for action in statement.actions
    ):
        return False
    if pair.action.lower().startswith("secretsmanager:"):
        return True
    keys = [one for one in given if one.action.startswith("kms:")]
    return any(covers(one.resource, pair.resource) for one in keys)


def _why(pair: Pair, given: Iterable[Pair]) -> str:
    """Why a resource of a statement stays."""
    alike = [one for one in given if action_covers(one.action, pair.action)]
    named = [one for one in given if covers(one.resource, pair.resource)]
    if not named and action_covers(pair.action, DECRYPT):
        return "it allows a key that no secret of the containers is known to have"
    if not named:
        return "it allows more than the secrets and keys of the containers"
    if not alike:
        return f"it allows {pair.action}, which the containers do not need"
    if all(one.condition not in (None, pair.condition) for one in named if one in alike):
        return "it allows the key outside of Secrets Manager, too"
    return "it holds also where no container needs it"


def _note(path: Path, reason: str) -> Problem:
    message = f"This statement stays: {reason}."
    return Problem("PI652", path, message, "Take it out by hand if nothing else needs it.")


# Edits


def _edits(
    gone: list[Path], whole: set[Path], by_path: Mapping[Path, list[Statement]], stack: Stack
) -> list[Edit]:
    """The edits that take out statements, and the policies and lists that are left empty."""
    removed: dict[Path, None] = dict.fromkeys(gone)
    policies = {one.policy.path: one.policy for alike in by_path.values() for one in alike}
    resources: set[str] = set()
    for at, policy in policies.items():
        own = [path for path, alike in by_path.items() if alike[0].policy.path == at]
        if not all(path in whole for path in own):
            continue
        for path in own:
            del removed[path]
        removed[at] = None
        if policy.kind == "separate":
            resources.add(policy.carrier.logical_id)
    outermost = dict.fromkeys(_climbed(path, stack.template) for path in removed)
    edits = [
        Edit("replace", path, NO_VALUE) if path[-2] == "Fn::If" else Edit("remove", path)
        for path in _lists_emptied(list(outermost), stack.template)
    ]
    edits.sort(
        key=lambda edit: [
            (isinstance(step, int), step if isinstance(step, int) else 0, str(step))
            for step in edit.path
        ],
        reverse=True,
    )
    # What is in a resource that goes is not there any more when its turn comes.
    dependencies = _without_dependencies(resources, stack)
    left = (one for one in dependencies if one.path[:2] not in {edit.path for edit in edits})
    return [*edits, *left]


def value_at(template: Json, path: Path) -> Json:
    """The value at a path of the template."""
    node = template
    for step in path:
        node = node[step]  # type: ignore[index]
    return node


def _climbed(path: Path, template: Json) -> Path:
    """The path of what goes: a branch of `Fn::If` beside `AWS::NoValue` takes it along."""
    while path[-2] == "Fn::If" and isinstance(path[-1], int):
        if value_at(template, (*path[:-1], 3 - path[-1])) != NO_VALUE:
            break
        path = path[:-2]
    return path


def _lists_emptied(paths: list[Path], template: Json) -> Iterator[Path]:
    """The paths of what goes, where lists whose items all go are one."""
    by_list: dict[Path, list[Path]] = {}
    for path in paths:
        if isinstance(path[-1], int) and path[-2] != "Fn::If":
            by_list.setdefault(path[:-1], []).append(path)
        else:
            yield path
    for at, items in by_list.items():
        held = value_at(template, at)
        if at[-1] == "Policies" and isinstance(held, list) and len(held) == len(items):
            yield at
        else:
            yield from items


def _without_dependencies(logical_ids: set[str], stack: Stack) -> Iterator[Edit]:
    """The edits that take resources out of every `DependsOn`."""
    for resource in stack.resources:
        named = resource.body.get("DependsOn")
        path = (*resource.path, "DependsOn")
        listed = named if isinstance(named, list) else [named]
        gone = [index for index, name in enumerate(listed) if name in logical_ids]
        if len(gone) == len(listed):
            yield Edit("remove", path)
        else:
            yield from (Edit("remove", (*path, index)) for index in reversed(gone))
