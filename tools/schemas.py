"""JSON schemas of the shorthand and the settings, from the table of places and the settings' keys.

python -m tools.schemas schema
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TypeAlias

from macro.engine.shorthand.block import BLOCK_KEYS
from macro.engine.shorthand.places import PLACES, Place
from macro.engine.shorthand.registry_table import ENTRY_KEYS
from macro.engine.shorthand.role_settings import ROLE_KEYS
from macro.engine.shorthand.settings import SETTINGS_KEYS
from macro.engine.shorthand.spelling import NAME

Schema: TypeAlias = dict[str, Any]

_DRAFT = "http://json-schema.org/draft-07/schema#"

_DESCRIPTIONS = {
    "Image": "The image: text or any intrinsic function.",
    "Secret": "The Secrets Manager secret: full ARN, partial ARN, name, or an intrinsic function.",
    "KmsKey": "The customer-managed key of the secret: ARN, id, alias, or an intrinsic function.",
    "Grant": "false: the role can already read the secret; add no policy.",
    "Registries": "Which secret opens which registry.",
    "ExecutionRole": "How the roles that PrivateImage creates look.",
    "PermissionsBoundary": "The ARN of a managed policy.",
    "Path": "The path of the roles, such as /workloads/.",
    "Tags": "A list of mappings with Key and Value.",
    "ManagedPolicyArns": "Policies beside the one for task execution.",
}

# Editors read !Ref and its like as what is behind the tag, so an intrinsic function may look like
# text, a list or a mapping.
_INTRINSIC: Schema = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "patternProperties": {"^(Ref|Condition|Fn::.+)$": {}},
    "additionalProperties": False,
}
_VALUE: Schema = {"anyOf": [{"type": ["string", "array"]}, {"$ref": "#/definitions/intrinsic"}]}
_MEMBERS: dict[str, Schema] = {
    "KmsKey": {"anyOf": [*_VALUE["anyOf"], {"type": "null"}]},
    "Grant": {
        "anyOf": [{"enum": [True, False, "true", "false"]}, {"$ref": "#/definitions/intrinsic"}]
    },
}


def shorthand_schema() -> Schema:
    """The schema of a template, as far as it holds `PrivateImage`: all else is let through."""
    block: Schema = {
        "anyOf": [
            {"type": ["string", "array"]},
            {"$ref": "#/definitions/intrinsic"},
            _mapping(BLOCK_KEYS, ["Image"]),
        ]
    }
    types: dict[str, list[Place]] = {place.resource_type: [] for place in PLACES}
    for place in PLACES:
        types[place.resource_type].append(place)
    conditions = [
        {
            "if": {"properties": {"Type": {"const": name}}, "required": ["Type"]},
            "then": {"properties": {"Properties": _merged(places)}},
        }
        for name, places in types.items()
    ]
    settings = settings_schema()
    return {
        "$schema": _DRAFT,
        "title": "A CloudFormation template with PrivateImage",
        "type": "object",
        "properties": {
            "Metadata": {"properties": {NAME: {"$ref": "#/definitions/settings"}}},
            "Resources": {"additionalProperties": {"allOf": conditions}},
        },
        "definitions": {
            **settings.pop("definitions"),
            "block": block,
            "container": {"properties": {NAME: {"$ref": "#/definitions/block"}}},
            "settings": {key: settings[key] for key in settings if key not in ("$schema", "title")},
        },
    }


def settings_schema() -> Schema:
    """The schema of settings, which are one mapping at both levels."""
    entry = {"anyOf": [*_VALUE["anyOf"], _mapping(ENTRY_KEYS, ["Secret"])]}
    members = {
        "Registries": {"type": "object", "additionalProperties": entry},
        "ExecutionRole": _mapping(ROLE_KEYS, []),
    }
    return {
        "$schema": _DRAFT,
        "title": "PrivateImage's settings",
        "type": "object",
        "properties": {
            key: {"description": _DESCRIPTIONS[key], **members[key]} for key in SETTINGS_KEYS
        },
        "additionalProperties": False,
        "definitions": {"intrinsic": _INTRINSIC},
    }


def _mapping(keys: tuple[str, ...], required: list[str]) -> Schema:
    return {
        "type": "object",
        "properties": {
            key: {"description": _DESCRIPTIONS[key], **_MEMBERS.get(key, _VALUE)} for key in keys
        },
        "required": required,
        "additionalProperties": False,
    }


def _merged(places: list[Place]) -> Schema:
    """A schema of `Properties` that leads to the containers of all these places."""
    root: Schema = {}
    for place in places:
        node = root
        for step in (*place.owner, *place.container):
            if step == "*":
                node = node.setdefault("items", {})
            else:
                node = node.setdefault("properties", {}).setdefault(step, {})
        node["$ref"] = "#/definitions/container"
    return root


SCHEMAS = {"template.schema.json": shorthand_schema, "settings.schema.json": settings_schema}


def written(name: str) -> str:
    """A schema as its file has it."""
    return json.dumps(SCHEMAS[name](), indent=2) + "\n"


if __name__ == "__main__":
    for file in SCHEMAS:
        (Path(sys.argv[1]) / file).write_text(written(file), "utf-8")
