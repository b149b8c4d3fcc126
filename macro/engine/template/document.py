"""A template as plain data: JSON values, paths into them, and intrinsic functions told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
Path: TypeAlias = tuple[str | int, ...]

NO_VALUE: Json = {"Ref": "AWS::NoValue"}


def get(node: Json, *steps: str) -> Json:
    """The value below `node` at the given keys; None where there is no such key."""
    for step in steps:
        if not isinstance(node, (dict, Mapping)):  # most are dicts, which a class tells at once
            return None
        node = node.get(step)
    return node


def section(template: Json, name: str) -> dict[str, Json]:
    """A section of the template; empty where it has none, or one that is no mapping."""
    found = get(template, name)
    return found if isinstance(found, dict) else {}


def intrinsic(node: Json) -> tuple[str, Json] | None:
    """The name and the argument of an intrinsic function: `{"Ref": ...}` or `{"Fn::...": ...}`."""
    if isinstance(node, dict) and len(node) == 1:
        ((name, argument),) = node.items()
        if name == "Ref" or name.startswith("Fn::"):
            return name, argument
    return None


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def canonical(value: Json) -> str:
    """The same text for equal values, whatever the order of their keys."""
    return _CANONICAL.encode(value)


def spelled(name: str) -> Json:
    """A name as a value: in a loop as `Fn::Sub`, since elsewhere than in a key CloudFormation looks
    for a logical id, or takes a text, with the `${Variable}` still in it.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach-example-outputs.html
    and ...-example-conditions.html, for `Fn::GetAtt`, `Ref` and the attribute `Condition`.
    """
    return {"Fn::Sub": name} if "${" in name else name
