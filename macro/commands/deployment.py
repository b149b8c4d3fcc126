"""The values of parameters, and the stack's Region and account: from options, files, profiles."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as File
from typing import NamedTuple

from macro.commands.exit_codes import UsageError
from macro.engine.template.document import Json
from macro.engine.template.stack import ACCOUNT_ID, REGION_CODE, Context


class Given(NamedTuple):
    """What the command was given to know the deployment by; each later one outweighs those before.

    `config` is a configuration file of the SAM CLI and `environment` the one in it; `files` are
    parameter files; `pairs` are of the form Name=Value.
    """

    config: str | None = None
    environment: str | None = None
    files: Sequence[str] = ()
    pairs: Sequence[str] = ()
    region: str | None = None
    account: str | None = None
    profile: str | None = None


def given(options: argparse.Namespace) -> Given:
    """What the options of a command say of the deployment."""
    return Given(
        options.config_file,
        options.config_env,
        options.parameter_file,
        options.parameter,
        options.region,
        options.account,
        options.profile,
    )


def context(said: Given, variables: Mapping[str, str] = os.environ) -> Context:
    """What is known of the deployment. Nothing is asked of AWS.

    Raises UsageError for what cannot be read or is not what it should be; no message holds a value.
    """
    parameters: dict[str, Json] = {}
    config = _sam(said)
    overrides = config.get("parameter_overrides", [])
    parameters.update(_overrides(overrides, said.config or SAM_CONFIG))
    for name in said.files:
        parameters.update(_of_file(name))
    for pair in said.pairs:
        parameters.update(_pairs([pair], "-p takes NAME=VALUE, as in -p Secret=registry/quay"))
    profile = _profile(said.profile or variables.get("AWS_PROFILE", "default"), variables)
    region = said.region or _text(config.get("region")) or _first(variables, *_REGIONS)
    account = said.account or _first(variables, "AWS_ACCOUNT_ID")
    region, account = region or profile.region, account or profile.account
    if region and not REGION_CODE.fullmatch(region):
        raise UsageError("--region takes a Region's code, as in --region eu-west-1")
    if account and not ACCOUNT_ID.fullmatch(account):
        raise UsageError("--account takes an account's twelve digits")
    return Context(parameters, region, account)


_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


def _first(variables: Mapping[str, str], *names: str) -> str | None:
    return next((variables[name] for name in names if variables.get(name)), None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _read(name: str) -> str:
    try:
        return File(name).read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8") from None


# Parameter files


def _of_file(name: str) -> dict[str, Json]:
    """The values in a parameter file, in any form that AWS's own commands take.

    Source: https://docs.aws.amazon.com/cli/latest/reference/cloudformation/deploy/index.html
    """
    text = _read(name)
    if text.lstrip()[:1] not in ("[", "{"):
        lines = [line.strip() for line in text.splitlines()]
        pairs = [line for line in lines if line and not line.startswith("#")]
        return _pairs(pairs, f"{name} is neither JSON nor lines of the form Name=Value")
    try:
        found = json.loads(text)
    except ValueError as error:
        where = f"{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else "1"
        raise UsageError(f"{name}:{where}: this is not JSON") from None
    if isinstance(found, dict) and isinstance(found.get("Parameters"), dict):
        found = found["Parameters"]
    return _overrides(found, name)


def _overrides(found: object, name: str) -> dict[str, Json]:
    """Values as a mapping, a list of `ParameterKey` and `ParameterValue`, or texts Name=Value."""
    form = f"{name}: a parameter is Name=Value, or has ParameterKey and ParameterValue"
    if isinstance(found, dict):
        return {key: _value(value) for key, value in found.items() if value is not None}
    if isinstance(found, str):
        return _words(found, form)
    if not isinstance(found, list):
        raise UsageError(form)
    values: dict[str, Json] = {}
    for item in found:
        if isinstance(item, str):
            values.update(_words(item, form))
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
        if not equals or not re.fullmatch("[A-Za-z0-9]+", name.strip()):
            raise UsageError(form)
        values[name.strip()] = value.strip() if form.endswith("Name=Value") else value
    return values


def _words(text: str, form: str) -> dict[str, Json]:
    """Values in one text, as the SAM CLI takes them: words of the form Name=Value, or
    `ParameterKey=Name,ParameterValue=Value`, quoted as in a shell."""
    import shlex  # slow to import, and seldom needed

    try:
        words = shlex.split(text)
    except ValueError:
        raise UsageError(form) from None
    long = re.compile(r"ParameterKey=([A-Za-z0-9]+),ParameterValue=(.*)", re.DOTALL)
    matches = ((word, long.fullmatch(word)) for word in words)
    return _pairs((f"{found[1]}={found[2]}" if found else word for word, found in matches), form)


# The SAM CLI's configuration

SAM_CONFIG = "samconfig.toml"


def _sam(said: Given) -> dict[str, object]:
    """What the SAM CLI's configuration says of `sam deploy` in an environment.

    Source: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
    """
    if said.config is None and said.environment is None:
        return {}
    import tomllib  # slow to import, and needed here only

    name, environment = said.config or SAM_CONFIG, said.environment or "default"
    try:
        config = tomllib.loads(_read(name))
    except tomllib.TOMLDecodeError:
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


# Profiles


class _Profile(NamedTuple):
    region: str | None = None
    account: str | None = None


def _profile(name: str, variables: Mapping[str, str]) -> _Profile:
    """What a profile in AWS's configuration file says of Region and account.

    Source: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
    """
    path = variables.get("AWS_CONFIG_FILE") or os.path.expanduser("~/.aws/config")  # noqa: PTH111 # a Path would take the text for its own
    if not os.path.isfile(path):  # noqa: PTH113 # the same
        return _Profile()
    import configparser  # slow to import, and needed only where there is a file

    config = configparser.RawConfigParser(strict=False)
    try:
        config.read(path, "utf-8")
    except (OSError, UnicodeDecodeError, configparser.Error):
        return _Profile()  # what AWS's own commands say of it is theirs to say
    section = name if name == "default" else f"profile {name}"
    if not config.has_section(section):
        return _Profile()
    own = dict(config.items(section))
    role = re.match(r"arn:[^:]+:iam::(\d{12}):", own.get("role_arn", ""))
    account = own.get("aws_account_id") or (role[1] if role else own.get("sso_account_id"))
    return _Profile(own.get("region"), account)
