"""`login REGISTRY`: checks a login at its registry, then puts it into Secrets Manager."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path as File
from typing import Any

from macro.commands.exit_codes import OK, PROBLEMS, UsageError
from macro.engine.template.stack import REGION_CODE
from macro.preflight.aws_calls import Account, AwsError, DeniedError, MissingError, connect
from macro.preflight.http import RegistryError, Wire
from macro.preflight.registry_client import Login, check_login

TERMINAL = "/dev/tty"  # whom to ask, since the password comes by standard input


def login(options: argparse.Namespace) -> int:
    """Logs in as the options say; the password is read from standard input.

    Prints the secret's ARN, and what to write into a template. Returns 0; 1 where the registry or
    AWS refuses, or where nobody agrees to overwrite what is there. Raises UsageError.
    """
    host = _host(options.registry)
    # A colon has no place in a secret's name.
    name = options.secret_name or f"registry/{host.replace(':', '-')}"
    if not re.fullmatch(r"[\w/+=.@-]{1,512}", name, re.ASCII):
        raise UsageError("--secret-name takes letters, digits and /_+=.@- only")
    if not options.username or ":" in options.username:
        raise UsageError("--username takes a name without a colon")
    if options.region and not REGION_CODE.fullmatch(options.region):
        raise UsageError("--region takes a Region's code, as in --region eu-west-1")
    tags = _tags(options.tag)
    found = Login(options.username, _password())
    try:
        if not check_login(host, found, Wire(frozenset(options.plain_http))):
            _say(f"warning: {host} lets anybody in, so it does not tell whether the login is right")
    except RegistryError as refusal:
        return _refuse(f"{refusal.message} {refusal.fix}".rstrip())
    account = connect(options.profile, options.region, None)
    try:
        arn = _store(account, name, found, options.kms_key_id, tags, options.yes)
    except DeniedError as denied:
        return _refuse(f"{denied} Allow it, or ask someone who has it.")
    except AwsError as trouble:
        return _refuse(str(trouble))
    if arn is None:
        return PROBLEMS
    print(f"{arn}\n\nIn a container's PrivateImage:")
    print(f"  Image: {host}/REPOSITORY:TAG\n  Secret: {arn}")
    if options.kms_key_id:
        print(f"  KmsKey: {options.kms_key_id}")
    return OK


def _host(registry: str) -> str:
    """The host of a registry as images name it."""
    if not re.fullmatch(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?", registry, re.ASCII):
        raise UsageError("REGISTRY is a host as images name it, such as docker.io or quay.io")
    return registry.lower()


def _tags(pairs: Sequence[str]) -> list[dict[str, str]]:
    tags = [pair.partition("=") for pair in pairs]
    if not all(name and equals for name, equals, _ in tags):
        raise UsageError("--tag takes NAME=VALUE")
    return [{"Key": name, "Value": value} for name, _, value in tags]


def _password() -> str:
    """The password: all of standard input but the end of its last line."""
    if sys.stdin.isatty():
        import getpass  # seldom needed

        password = getpass.getpass("Password: ")
    else:
        try:
            password = sys.stdin.buffer.read(1 << 16).decode("utf-8")
        except UnicodeDecodeError:
            raise UsageError("the password is not UTF-8") from None
    password = re.sub(r"\r?\n\Z", "", password)
    if not password:
        raise UsageError("there is no password on standard input")
    if len(password) > 16_384 or "\n" in password:
        raise UsageError("standard input holds more than a password")
    return password


def _store(
    account: Account,
    name: str,
    login: Login,
    key: str | None,
    tags: list[dict[str, str]],
    overwrite: bool,
) -> str | None:
    """Creates the secret or gives it a new version; its ARN. None: nobody agreed to the latter."""
    value = json.dumps({"username": login.username, "password": login.password})
    more: dict[str, Any] = {"KmsKeyId": key} if key else {}
    manager = "secretsmanager"
    try:
        there = account.call(manager, "describe_secret", SecretId=name)
    except MissingError:
        if tags:
            more["Tags"] = tags
        made = account.call(manager, "create_secret", Name=name, SecretString=value, **more)
        return str(made["ARN"])
    arn = str(there["ARN"])
    if "DeletedDate" in there:
        fix = f"aws secretsmanager restore-secret --region {account.region} --secret-id {name}"
        _say(f"error: the secret {name} is scheduled for deletion: {fix}")
        return None
    if not overwrite and not _agreed(f"The secret {name} is there. Overwrite it?"):
        return None
    account.call(manager, "update_secret", SecretId=arn, SecretString=value, **more)
    if tags:
        account.call(manager, "tag_resource", SecretId=arn, Tags=tags)
    return arn


def _agreed(question: str) -> bool:
    """Asks at the terminal. False: somebody said no, or nobody is there."""
    try:
        with File(TERMINAL).open(encoding="utf-8") as terminal:
            print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
            agreed = terminal.readline().strip().lower() in ("y", "yes")
    except OSError:
        _say(f"error: {question} There is no terminal to ask at: say --yes")
        return False
    if not agreed:
        _say("nothing was written")
    return agreed


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _refuse(text: str) -> int:
    _say(f"error: {text}")
    return PROBLEMS
