"""The AWS CLI's commands in docs/operations.md, as the calls that they make."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import boto3
from botocore import xform_name

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")

# Options of the AWS CLI itself, which are no parameters of a call.
_GLOBAL = ("--output", "--query")


class Command(NamedTuple):
    """A call of AWS: `options` has its parameters, by the names of the API."""

    service: str
    operation: str
    options: dict[str, str]


def commands() -> Iterator[Command]:
    """All of them. Raises KeyError for a command or an option that AWS does not have."""
    session = boto3.Session(region_name="eu-west-1")
    for line in _lines():
        service, name, *words = shlex.split(line)
        model = session.client(service).meta.service_model
        operation = {xform_name(one, "-"): one for one in model.operation_names}[name]
        shape = model.operation_model(operation).input_shape
        names = {f"--{xform_name(one, '-')}": one for one in (shape.members if shape else ())}
        given = dict(zip(words[::2], words[1::2], strict=True))
        options = {names[key]: value for key, value in given.items() if key not in _GLOBAL}
        yield Command(service, operation, options)


def _lines() -> list[str]:
    """What stands behind `aws`: in blocks of code, in code within text, in `$(...)`."""
    joined = re.sub(r"\\\n\s*", "", OPERATIONS)
    return re.findall(
        r"(?<![\w/])aws ([a-z]+ [a-z-]+(?: (?:'[^']*'|\"[^\"]*\"|[^`)\n'\"])*)?)", joined
    )
