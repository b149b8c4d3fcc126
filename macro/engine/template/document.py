"""A template as plain data: JSON values, paths into them, and intrinsic functions told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
Path: TypeAlias = tuple[str | int, ...]


def get(node: Json, *steps: str) -> Json:
    """The value below `node` at the given keys; None where there is no such key."""
    for step in steps:
        if not isinstance(node, Mapping):
            return None
        node = node.get(step)
    return node


def intrinsic(node: Json) -> tuple[str, Json] | None:
    """The name and the argument of an intrinsic function: `{"Ref": ...}` or `{"Fn::...": ...}`."""
    if isinstance(node, dict) and len(node) == 1:
        ((name, argument),) = node.items()
        if name == "Ref" or name.startswith("Fn::"):
            return name, argument
    return None


NO_VALUE: Json = {"Ref": "AWS::NoValue"}


def spelled(name: str) -> Json:
    """A name as a value: in a loop as `Fn::Sub`, since elsewhere than in a key CloudFormation looks
    for a logical id, or takes a text, with the `${Variable}` still in it.

    Source: https://github.com/aws-cloudformation/cfn-language-discussion/blob/main/RFCs/0009-Fn%3A%3AForEach.md
    """
    return {"Fn::Sub": name} if "${" in name else name


def choice(condition: str, then: Json, otherwise: Json) -> Json:
    """`Fn::If`."""
    return {"Fn::If": [condition, then, otherwise]}
