"""Shorthand that is where no container is, or is misspelt: found, and the right place named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from macro.engine.shorthand.block import BLOCK_KEYS, NAME
from macro.engine.shorthand.containers import PLACES_BY_TYPE, Container
from macro.engine.shorthand.macro_calls import SNIPPET, Macro, find_calls
from macro.engine.shorthand.places import PLACES
from macro.engine.shorthand.settings import SETTINGS_KEYS
from macro.engine.shorthand.spelling import is_near_name
from macro.engine.template.document import Json, Path, get, intrinsic
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Stack

# Types that run images, by how they begin: there a container could be meant in any depth. In other
# types of AWS it could on the resource and at the top of its properties; what is below is theirs.
_RUN_IMAGES = (
    "AWS::AppRunner::Service",
    "AWS::Batch::",
    "AWS::BedrockAgentCore::Harness",
    "AWS::BedrockAgentCore::Runtime",
    "AWS::CodeBuild::",
    "AWS::ECS::",
    "AWS::EMRServerless::Application",
    "AWS::GameLift::ContainerGroupDefinition",
    "AWS::IoTAnalytics::Dataset",
    "AWS::Lambda::Function",
    "AWS::Lightsail::Container",
    "AWS::SageMaker::InferenceComponent",
    "AWS::SageMaker::Model",
    "AWS::SageMaker::ProcessingJob",
    "AWS::Serverless::Function",
)
_IN_SMALL_LETTERS = tuple(begin.lower() for begin in _RUN_IMAGES)  # a type may be misspelt

# In those types, the properties that are maps whose keys an author names, or free documents; on the
# left the beginning of the types. tests/engine/test_misplaced.py holds this to the resource schemas
# that cfn-lint ships.
_FREE_MAPS = {
    "AWS::": """
        AdditionalParams AdvertisedScopeMapping Annotations AssumeRolePolicyDocument AwsIam
        CapacityTags CustomParameters CustomerMetadataProperties CustomDetails DockerLabels
        DriverOpts EnvironmentVariables Events FilterPolicy Headers HookDetails InputSchema Labels
        Limits ModelPackageGroupPolicy Options Parameters Pattern Requests RouteSettings Tags
        Variables WorkerTypeSpecifications
    """,
    "AWS::EMRServerless::": "Properties",
    "AWS::SageMaker::": "Environment Metadata",
}

# The patterns of this module are compiled where they are used: most templates need none.
_THIRD_PARTY = r"(?!(?i:aws)::)\w+::|AWS::CloudFormation::CustomResource$"

# Where a text is read as the containers or the template that it holds; in small letters.
_AS_TEXT = frozenset(
    step.lower()
    for step in ("Properties", "TemplateBody", *(s for p in PLACES for s in p.owner + p.container))
)

# What a resource has beside its properties with names of the author's.
_FREE_ATTRIBUTES = ("Connectors", "Metadata")

_IN_TEXT = rf"\b{NAME}[\"']?\s*:"
_CALL_IN_TEXT = (
    rf"Transform[\"']?\s*:(?:[\s\[\],\"'-]|AWS::\w+|Name[\"']?\s*:)*{NAME}\b(?![\"']?\s*:)"
)

_FIX = "Write it on a container; settings belong in Metadata.PrivateImage."


def misspelt(container: Container) -> Iterator[Problem]:
    """The problems of a container's keys that were meant to be `PrivateImage`."""
    for key, value in container.body.items():
        if key in (NAME, SNIPPET):
            continue
        if is_near_name(key) or (isinstance(value, dict) and _is_whole_block(value)):
            message = f"A container has no key {key}."
            path = (*container.path, key)
            yield Problem("PI101", path, message, f"Did you mean {NAME}?", on_key=True)


def misspelt_above(resource: Resource) -> Iterator[Problem]:
    """The problems of keys that were meant to be `PrivateImage` and are above the containers: on
    a resource that has some, or at the top of its properties."""
    if resource.type not in PLACES_BY_TYPE:
        return
    for body, path in (
        (resource.body, resource.path),
        (resource.properties, (*resource.path, "Properties")),
    ):
        for key in body if isinstance(body, dict) else ():
            if is_near_name(key):
                message = f"{key} has no effect here."
                fix = f"Did you mean {NAME}? Write it on {_nearest(resource.type)}."
                yield Problem("PI101", (*path, key), message, fix, on_key=True)


def misplaced(stack: Stack, found: set[Path], macro: Macro) -> Iterator[Problem]:
    """The problems of all shorthand but that on the containers at the paths in `found`."""
    template = stack.template
    if _count(template) == len(found) + (get(template, "Metadata", NAME) is not None):
        return
    for section, body in template.items():
        if section == NAME:
            yield _problem((NAME,), _FIX)
        elif section == "Resources":
            yield from _in_resources(body, (section,), found, macro)
        elif section not in ("Metadata", "Transform", SNIPPET):
            yield from _in_section(section, body)


def _count(template: Json) -> int:
    """How many mappings have a key like the shorthand's or call some macro, and how many texts have
    its name in them; this is all that most templates cost, so it keeps no paths."""
    count = 0
    level: list[Any] = [template]
    while level:
        below: list[Any] = []
        for node in level:
            if type(node) is dict:
                if NAME in node or SNIPPET in node:
                    count += 1
                below += node.values()
            else:
                below += node
        level = []
        for value in below:
            if type(value) is str:
                if NAME in value and value != NAME:
                    count += 1
            elif type(value) is dict or type(value) is list:
                level.append(value)
    return count


def _in_resources(section: Json, path: Path, found: set[Path], macro: Macro) -> Iterator[Problem]:
    """The problems of misplaced shorthand in resources, loops over them included."""
    if not isinstance(section, dict):
        return
    for key, body in section.items():
        at = (*path, key)
        if key.startswith("Fn::ForEach::"):
            match body:
                case [str(), _, dict(inner)]:
                    yield from _in_resources(inner, (*at, 2), found, macro)
                case _:
                    fix = "Write the loop as a list of its variable, its collection, and a mapping"
                    fix += " of resources."
                    yield from (_problem(one, fix) for one in _everywhere(body, at, "", macro))
        elif not isinstance(body, dict):
            fix = "Write the resource as a mapping with Type and Properties."
            yield from (_problem(one, fix) for one in _everywhere(body, at, "", macro))
        else:
            kind = body.get("Type")
            kind = kind if isinstance(kind, str) else ""
            for one in _in_resource(body, at, kind, macro):
                if one[:-1] not in found:
                    yield _problem(one, _fix(one, kind))


def _in_resource(body: dict[str, Json], path: Path, kind: str, macro: Macro) -> Iterator[Path]:
    """The paths of what means the shorthand in a resource."""
    metadata = body.get("Metadata")
    if NAME in body:
        yield (*path, NAME)
    if isinstance(metadata, dict) and _is_shorthand(metadata.get(NAME)):
        yield (*path, "Metadata", NAME)
    properties, at = body.get("Properties"), (*path, "Properties")
    if re.match(_THIRD_PARTY, kind):
        return
    for key, value in body.items():
        if key not in (NAME, "Properties", *_FREE_ATTRIBUTES):
            yield from _everywhere(value, (*path, key), kind, macro)
    if kind.lower().startswith(_IN_SMALL_LETTERS) or not kind.startswith("AWS::"):
        yield from _everywhere(properties, at, kind, macro)
    elif isinstance(properties, dict):
        if NAME in properties:
            yield (*at, NAME)
        if SNIPPET in properties and find_calls(properties[SNIPPET], at, macro):
            yield (*at, SNIPPET)
        if "TemplateBody" in properties:
            below = (*at, "TemplateBody")
            yield from _everywhere(properties["TemplateBody"], below, kind, macro)


def _everywhere(node: Json, path: Path, kind: str, macro: Macro) -> Iterator[Path]:
    """The paths of all below a node that means the shorthand or calls the macro, but what is under
    a name of the author's own."""
    free = _free_maps(kind)
    todo: list[tuple[Json, Path, bool, bool]] = [
        (node, path, False, str(path[-1]).lower() in _AS_TEXT)
    ]
    while todo:
        node, path, own, as_text = todo.pop()
        if isinstance(node, str):
            if as_text and re.search(_IN_TEXT, node) and not re.search(_CALL_IN_TEXT, node):
                yield path
        elif isinstance(node, list):
            # The second argument of Fn::Sub has the author's names.
            own = path[-1] == "Fn::Sub"
            todo += [(item, (*path, index), own, as_text) for index, item in enumerate(node)]
        elif isinstance(node, dict):
            if as_text and any(macro.is_called(call) for call in _transforms(node)):
                continue  # a template of its own, whose macro is called where it is deployed
            if NAME in node and (not own or _is_shorthand(node[NAME])):
                yield (*path, NAME)
            elif SNIPPET in node and find_calls(node[SNIPPET], path, macro):
                yield (*path, SNIPPET)
            if own:
                continue
            for key, value in node.items():
                if key == "Fn::ToJsonString" and not as_text:
                    continue  # data of the author's
                if key != NAME or not _is_shorthand(value):
                    text = key.lower() in _AS_TEXT or (as_text and key.startswith("Fn::"))
                    todo.append((value, (*path, key), key in free, text))


def _transforms(node: dict[str, Json]) -> list[Json]:
    transform = node.get("Transform")
    return transform if isinstance(transform, list) else [transform]


def _free_maps(kind: str) -> frozenset[str]:
    """The properties of a type that have keys of the author's."""
    return frozenset(
        name
        for begin, names in _FREE_MAPS.items()
        if kind.startswith(begin)
        for name in names.split()
    )


_NAMED_BY_AUTHORS = ("Conditions", "Hooks", "Outputs", "Parameters", "Resources", "Rules")


def _in_section(section: str, body: Json) -> Iterator[Problem]:
    """The problems of shorthand in a section other than Resources; the names of what the section
    declares, and those in a mapping, are the author's."""
    names = 3 if section == "Mappings" else 1 if section in _NAMED_BY_AUTHORS else 0
    todo: list[tuple[Json, Path, int]] = [(body, (section,), names)]
    free = _free_maps("AWS::")
    while todo:
        node, path, names = todo.pop()
        if isinstance(node, list):
            loop = str(path[-1]).startswith("Fn::ForEach::")
            inner = 1 if loop or path[-1] == "Fn::Sub" else 0
            todo += [(item, (*path, index), inner) for index, item in enumerate(node)]
        elif isinstance(node, dict):
            if NAME in node and (not names or _is_whole_block(node[NAME])):
                yield _problem((*path, NAME), _FIX)
            todo += [
                (value, (*path, key), 1 if key in free else max(names - 1, 0))
                for key, value in node.items()
                if key != "Fn::ToJsonString"
            ]


def _is_whole_block(value: Json) -> bool:
    """Whether a value has what no other mapping has than a block: an image and its secret."""
    return isinstance(value, dict) and "Image" in value and len(value.keys() & set(BLOCK_KEYS)) > 1


def _is_shorthand(value: Json) -> bool:
    """Whether a value, under a name that may be the author's own, is a block or settings."""
    if not isinstance(value, dict) or intrinsic(value):
        return False
    return not value.keys().isdisjoint((*BLOCK_KEYS, *SETTINGS_KEYS))


def _fix(path: Path, kind: str) -> str:
    """How to correct what is misplaced at a path in a resource of a type."""
    if "TemplateBody" in path:
        return f"Expand that template on its own, or write Transform: {NAME} in it."
    if path[-1] not in (NAME, SNIPPET):
        return "Write the containers as a list, not as text."
    return f"Write it on {_nearest(kind)}."


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
    on_key = path[-1] in (NAME, SNIPPET)
    return Problem("PI105", path, f"{NAME} has no effect here.", fix, on_key=on_key)
