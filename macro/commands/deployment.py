"""What is known of the deployment: values of parameters, Region, account and AWS profile."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Mapping, Sequence

from macro.commands import parameter_values
from macro.commands.exit_codes import UsageError
from macro.commands.settings_file import read_settings_file
from macro.engine.template.document import Json
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import ACCOUNT_ID, REGION_CODE, Context


class Given(NamedTuple):
    """What a command was given to know the deployment by; each later one outweighs those before.

    `config` is a configuration file of the SAM CLI and `environment` the one in it; `files` are
    parameter files; `pairs` are of the form Name=Value. `settings` is a file with those of the
    account, `macro_name` what the macro is registered as there.
    """

    config: str | None = None
    environment: str | None = None
    files: Sequence[str] = ()
    pairs: Sequence[str] = ()
    region: str | None = None
    account: str | None = None
    profile: str | None = None
    settings: str | None = None
    macro_name: str | None = None


def given(options: argparse.Namespace) -> Given:
    """What the options of a command give."""
    return Given(
        options.config_file,
        options.config_env,
        options.parameter_file,
        options.parameter,
        options.region,
        options.account,
        options.profile,
        options.settings,
        options.macro_name,
    )


def context(given: Given, variables: Mapping[str, str] = os.environ) -> Context:
    """What is known of the deployment. Nothing is asked of AWS.

    Raises UsageError for what cannot be read or is not what it should be; no message holds a value.
    """
    config = parameter_values.sam_config(given.config, given.environment)
    name = given.config or parameter_values.SAM_CONFIG
    overrides = config.get("parameter_overrides", [])
    parameters: dict[str, Json] = parameter_values.of_sam_config(overrides, name)
    for file in given.files:
        parameters.update(parameter_values.of_file(file))
    parameters.update(parameter_values.of_options(given.pairs))
    profile = _profile(given.profile, variables)
    region = _region(given.region, variables, profile, {f"region in {name}": config.get("region")})
    account = _account(given.account, variables, profile)
    settings = None if given.settings is None else read_settings_file(given.settings)
    if given.macro_name is not None and not re.fullmatch(MACRO_NAME, given.macro_name):
        raise UsageError("--macro-name is not the name of a macro: letters and digits only")
    return Context(parameters, region, account, settings, given.macro_name)


# As template.yaml has it for the parameter MacroName.
MACRO_NAME = "[A-Za-z][A-Za-z0-9]{0,63}"


def check_parameter_names(pairs: Iterable[str], declared: Iterable[str]) -> None:
    """Raises UsageError for a misspelt parameter of `-p`: one that no template declares."""
    unknown = sorted({pair.partition("=")[0] for pair in pairs} - set(declared))
    if unknown:
        raise UsageError(f"no template has a parameter {', '.join(unknown)}")


class _Profile(NamedTuple):
    """What a profile in AWS's configuration file says, and where."""

    source: str = "the profile"
    region: str | None = None
    account: str | None = None


def _region(
    option: str | None,
    variables: Mapping[str, str],
    profile: _Profile,
    config: Mapping[str, object],
) -> str | None:
    found: dict[str, object] = {
        "--region": option,
        **config,
        **{name: variables.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")},
        f"region in {profile.source}": profile.region,
    }
    for source, value in found.items():
        if isinstance(value, str) and value:
            if not REGION_CODE.fullmatch(value):
                raise UsageError(f"{source} is not a Region's code, such as eu-west-1")
            return value
    return None


def _account(option: str | None, variables: Mapping[str, str], profile: _Profile) -> str | None:
    found = {
        "--account": option,
        "AWS_ACCOUNT_ID": variables.get("AWS_ACCOUNT_ID"),
        f"the account in {profile.source}": profile.account,
    }
    for source, value in found.items():
        if value:
            if not ACCOUNT_ID.fullmatch(value):
                raise UsageError(f"{source} is not an account's id of twelve digits")
            return value
    return None


def _profile(name: str | None, variables: Mapping[str, str]) -> _Profile:
    """What the profile of this name says, or else the one that a variable names, or the default.

    Raises UsageError where one is named that neither of AWS's files has.
    Source: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
    """
    sources = {"--profile": name, **{key: variables.get(key) for key in _PROFILES}}
    source, named = next((pair for pair in sources.items() if pair[1]), ("", None))
    title = named or "default"
    config = _sections(variables, "AWS_CONFIG_FILE", "~/.aws/config")
    found = {_title(section): values for section, values in config.items()}
    credentials = _sections(variables, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    if named and title not in found and title not in credentials:
        raise UsageError(f"the profile {named} does not exist; it is named by {source}")
    values = {**found.get(title, {}), **credentials.get(title, {})}
    account = values.get("aws_account_id") or values.get("sso_account_id")
    return _Profile(f"the profile {title}", values.get("region"), account)


# In the order of boto3, so that the Region is of the same profile as the credentials.
_PROFILES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")


def _title(section: str) -> str:
    """The profile that a section of the configuration file is for; "" where it is for none."""
    kind, _, rest = section.partition(" ")
    return rest.strip().strip("\"'") if kind == "profile" else section * (section == "default")


def _sections(
    variables: Mapping[str, str], variable: str, default: str
) -> Mapping[str, Mapping[str, str]]:
    """The sections of one of AWS's files; none where it cannot be read, as AWS's CLI reports."""
    path = variables.get(variable) or default
    with_home = os.path.expanduser(path)  # noqa: PTH111 # a Path raises where there is no home
    if not os.path.isfile(with_home):  # noqa: PTH113 # the same
        return {}
    import configparser  # slow to import, and needed only where there is a file

    config = configparser.RawConfigParser(strict=False, default_section="")
    try:
        config.read(with_home, "utf-8")
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    return {section: dict(config.items(section)) for section in config.sections()}
