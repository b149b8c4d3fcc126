"""Statements that go -> the edits that take them out, with all that is left empty by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from macro.adoption.drafts import value_at
from macro.adoption.policies import Policies
from macro.adoption.unrolled import unrolled
from macro.engine.grants.dependencies import METADATA_KEY
from macro.engine.template.document import NO_VALUE, Json, Path, get
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import references
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Stack


def removal_edits(gone: Iterable[Path], policies: Policies, stack: Stack) -> list[Edit]:
    """The edits that take out statements, or parts of them, and the policies, lists and loops that
    are left empty. They are in an order in which each path still is what it was."""
    removed: dict[Path, None] = dict.fromkeys(gone)
    separate: set[Path] = set()
    for policy in {one.policy.path: one.policy for one in policies.statements}.values():
        own = {one.path for one in policies.statements if one.policy.path == policy.path}
        if not own <= removed.keys():
            continue
        for path in own:
            del removed[path]
        if policy.kind == "separate":
            separate.add(policy.path)
        removed[_around(policy.path, stack)] = None
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
    whole = [edit.path for edit in edits]
    left = [
        edit
        for edit in _dependency_edits(separate, stack)
        if not any(edit.path[: len(path)] == path for path in whole)
    ]
    return [*edits, *left]


def _around(path: Path, stack: Stack) -> Path:
    """The path of a resource; of the loop around it, where it makes nothing else."""
    while path[-2] == 2 and isinstance(path[-3], str):
        body = value_at(stack.template, path[:-1])
        if not isinstance(body, dict) or len(body) > 1:
            break
        path = path[:-2]
    return path


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


class NamedDependency(NamedTuple):
    """A resource that another one comes after: its logical id, and where that is written, in a list
    or alone."""

    path: Path
    logical_id: Json


def dependencies(resource: Resource) -> Iterator[NamedDependency]:
    """What a resource names in `DependsOn`, and in the list in its `Metadata` in which an expansion
    names policies."""
    path = (*resource.path, "DependsOn")
    value = resource.body.get("DependsOn")
    if isinstance(value, list):
        yield from (NamedDependency((*path, index), name) for index, name in enumerate(value))
    elif value is not None:
        yield NamedDependency(path, value)
    listed = get(resource.body, "Metadata", METADATA_KEY)
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        names = {*references(item)} - {"AWS::NoValue"}
        if len(names) == 1:
            yield NamedDependency((*resource.path, "Metadata", METADATA_KEY, index), names.pop())


def without_dependencies(body: dict[str, Json]) -> dict[str, Json]:
    """The body of a resource, but for what `dependencies` reads of it."""
    metadata = body.get("Metadata")
    if isinstance(metadata, dict):
        metadata = {key: value for key, value in metadata.items() if key != METADATA_KEY}
    return {**body, "DependsOn": None, "Metadata": metadata}


def _dependency_edits(paths: set[Path], stack: Stack) -> list[Edit]:
    """The edits that take resources out of all dependencies on them, the last of a list first."""
    resources = list(unrolled(stack))
    ids = {one.logical_id for one in resources if one.path in paths}
    named = [found for one in resources for found in dependencies(one)]
    gone = dict.fromkeys(one.path for one in named if one.logical_id in ids)
    edits: dict[Path, Edit] = {}
    for path in reversed(gone):
        at = path
        if isinstance(path[-1], int) and all(
            (*path[:-1], index) in gone for index in range(len(_listed(stack.template, path[:-1])))
        ):
            at = path[:-1]
        around = value_at(stack.template, at[:-1])
        if at[-1] == METADATA_KEY and isinstance(around, dict) and len(around) == 1:
            at = at[:-1]
        edits[at] = Edit("remove", at)
    return list(edits.values())


def _listed(template: Json, path: Path) -> list[Json]:
    found = value_at(template, path)
    return found if isinstance(found, list) else []
