"""Values of parameters, in each form that they are given in: options, files, the SAM CLI's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from macro.commands.exit_codes import UsageError
from macro.commands.files import read
from macro.engine.template.document import Json
from macro.text.source import MAX_BYTES

SAM_CONFIG = "samconfig.toml"

_NAME = "[A-Za-z0-9]+"


def of_options(pairs: Iterable[str]) -> dict[str, Json]:
    """The values of `-p NAME=VALUE`. Raises UsageError for another form; it holds no value."""
    return _pairs(pairs, "-p takes NAME=VALUE, as in -p Secret=registry/quay")


def of_file(name: str) -> dict[str, Json]:
    """The values in a parameter file, in any form that AWS's own commands take. Raises UsageError.

    Source: https://docs.aws.amazon.com/cli/latest/reference/cloudformation/deploy/index.html
    """
    text = _read(name)
    if text.lstrip()[:1] not in ("[", "{"):
        lines = [line.strip() for line in text.splitlines()]
        pairs = [line for line in lines if line and not line.startswith("#")]
        found = _pairs(pairs, f"{name} is neither JSON nor lines of the form Name=Value")
        return {key: str(value).strip() for key, value in found.items()}
    try:
        data = json.loads(text)
        if isinstance(data, dict) and isinstance(data.get("Parameters"), dict):
            data = data["Parameters"]
        # The AWS CLI takes an item of a list as it is; only the SAM CLI reads words in it.
        return _values(data, name, words=False)
    except json.JSONDecodeError as error:
        raise UsageError(f"{name}:{error.lineno}:{error.colno}: this is not JSON") from None
    except (ValueError, RecursionError):  # a number of 5,000 digits; 5,000 brackets
        raise UsageError(f"{name} contains more than parameters") from None


def of_sam_config(overrides: object, name: str) -> dict[str, Json]:
    """The values of `parameter_overrides` in the SAM CLI's configuration. Raises UsageError."""
    try:
        return _values(overrides, name, words=True)
    except RecursionError:
        raise UsageError(f"{name} contains more than parameters") from None


def _values(found: object, name: str, words: bool) -> dict[str, Json]:
    """Values as a mapping, a list of `ParameterKey` and `ParameterValue`, or texts Name=Value."""
    form = f"{name}: a parameter is Name=Value, or has ParameterKey and ParameterValue"
    if isinstance(found, dict):
        return {key: _value(value) for key, value in found.items() if value is not None}
    if isinstance(found, str) and words:
        return _words(found, form)
    if not isinstance(found, list):
        raise UsageError(form)
    values: dict[str, Json] = {}
    for item in found:
        if isinstance(item, str):
            values.update(_words(item, form) if words else _pairs([item], form))
        elif isinstance(item, dict) and isinstance(item.get("ParameterKey"), str):
            # Without a value it is the one of before, which only the stack knows.
            if item.get("ParameterValue") is not None:
                values[item["ParameterKey"]] = _value(item["ParameterValue"])
        else:
            raise UsageError(form)
    return values


def _value(value: object) -> str:
    """A value as CloudFormation gets it: text; a list with commas."""
    if isinstance(value, list):
        return ",".join(map(_value, value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _pairs(pairs: Iterable[str], form: str) -> dict[str, Json]:
    values: dict[str, Json] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(_NAME, name.strip()):
            raise UsageError(form)
        values[name.strip()] = value
    return values


def _words(text: str, form: str) -> dict[str, Json]:
    """Values in one text, as the SAM CLI takes them: words of the form Name=Value, or
    `ParameterKey=Name,ParameterValue=Value`, quoted as in a shell."""
    import shlex  # slow to import, and seldom needed

    try:
        words = shlex.split(text)
    except ValueError:
        raise UsageError(form) from None
    long = re.compile(rf"ParameterKey=({_NAME}),ParameterValue=(.*)", re.DOTALL)
    matches = ((word, long.fullmatch(word)) for word in words)
    return _pairs((f"{found[1]}={found[2]}" if found else word for word, found in matches), form)


def sam_config(file: str | None, environment: str | None) -> Mapping[str, object]:
    """What the SAM CLI's configuration says of `sam deploy` in an environment; nothing where
    neither is named. Raises UsageError.

    Source: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
    """
    if file is None and environment is None:
        return {}
    import tomllib  # slow to import, and needed here only

    name, environment = file or SAM_CONFIG, environment or "default"
    try:
        config = tomllib.loads(_read(name))
    except (tomllib.TOMLDecodeError, RecursionError):
        raise UsageError(f"{name} is not TOML") from None
    section = config.get(environment)
    if not isinstance(section, dict):
        raise UsageError(f"{name} has no environment {environment}")
    found: dict[str, object] = {}
    for command in ("global", "deploy"):
        parameters = section.get(command, {})
        parameters = parameters.get("parameters") if isinstance(parameters, dict) else None
        found.update(parameters if isinstance(parameters, dict) else {})
    return found


def _read(name: str) -> str:
    data = read(name)
    if len(data) > MAX_BYTES:
        raise UsageError(f"{name} is larger than all parameters of a template can be")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8") from None
