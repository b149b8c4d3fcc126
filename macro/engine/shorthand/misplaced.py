"""Shorthand that stands where no container is: found, and the nearest right place named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from macro.engine.shorthand.block import KEYS, NAME
from macro.engine.shorthand.macro_calls import SNIPPET, find_calls
from macro.engine.shorthand.places import PLACES
from macro.engine.template.document import Json, Path
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Stack

# Maps whose keys are the author's own, so that PrivateImage is a name there like any other.
_FREE_KEYS = frozenset(
    "DockerLabels DriverOpts Environment Labels Metadata Options Parameters Tags Variables".split()
)
_FREE_TYPES = ("Custom::", "AWS::CloudFormation::CustomResource", "AWS::CloudFormation::Macro")


def misplaced(stack: Stack, found: set[Path]) -> Iterator[Problem]:
    """The problems of all shorthand but that on the containers at the paths in `found`."""
    if NAME in stack.template:
        fix = "Write it on a container; the registry table is Metadata.PrivateImage."
        yield _problem((NAME,), fix)
    if _count(stack.template["Resources"]) == len(found):
        return
    for resource in stack.resources:
        if not resource.type.startswith(_FREE_TYPES):
            for path in _holders(resource):
                if path[:-1] not in found:
                    yield _problem(path, f"Write it on {_nearest(resource.type)}.")


def _count(section: Json) -> int:
    """How many mappings below have a key like the shorthand's, or call some macro; this is all that
    most templates cost, so it keeps no paths."""
    count = 0
    level: list[Any] = [section]
    while level:
        count += sum([NAME in node or SNIPPET in node for node in level if type(node) is dict])
        level = [
            value
            for node in level
            for value in (node.values() if type(node) is dict else node)
            if type(value) is dict or type(value) is list
        ]
    return count


def _holders(resource: Resource) -> Iterator[Path]:
    """The paths of all keys in a resource that mean the shorthand or call the macro."""
    todo: list[tuple[Json, Path, bool]] = [(resource.body, resource.path, False)]
    while todo:
        node, path, free = todo.pop()
        if isinstance(node, dict):
            if NAME in node and (not free or _is_block(node[NAME])):
                yield (*path, NAME)
            elif SNIPPET in node and find_calls(node[SNIPPET], path):
                yield (*path, SNIPPET)
            todo += [(value, (*path, key), key in _FREE_KEYS) for key, value in node.items()]
        elif isinstance(node, list):
            variables = path[-1] == "Fn::Sub"
            todo += [(item, (*path, index), variables) for index, item in enumerate(node)]


def _is_block(value: Json) -> bool:
    return isinstance(value, dict) and not value.keys().isdisjoint(KEYS)


def _nearest(kind: str) -> str:
    """The places of this type, of its service, or else of the type that most people mean."""
    service = kind.rpartition("::")[0]
    rows = [row for row in PLACES if row.resource_type == kind]
    rows = rows or [row for row in PLACES if row.resource_type.startswith(f"{service}::")]
    first = (rows or PLACES)[0].resource_type
    places = [
        ".".join([*row.owner, *row.container]).replace(".*", "[]")
        for row in rows or PLACES
        if row.resource_type == first
    ]
    return f"{' or '.join(places)} of an {first}"


def _problem(path: Path, fix: str) -> Problem:
    return Problem("PI105", path, "PrivateImage has no effect here.", fix, on_key=True)
