"""`login REGISTRY`: checks a login at its registry, then puts it into Secrets Manager."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as File
from typing import Any

from macro.commands.exit_codes import OK, PROBLEMS, UsageError
from macro.commands.output import report
from macro.engine.shorthand.image_reference import split_registry
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import REGION_CODE
from macro.preflight.aws_account import (
    MALFORMED,
    Account,
    AwsError,
    DeniedError,
    MissingError,
    connect,
    kind_of,
)
from macro.preflight.http import HttpClient, RegistryError, UntrustedError
from macro.preflight.registry_client import Login, check_login

TERMINAL = "/dev/tty"  # whom to ask, since the password comes by standard input


def login(options: argparse.Namespace) -> int:
    """Logs in as the options say; the password is read from standard input.

    Prints the secret's ARN, and what to write into a template. Returns 0; 1 where the registry or
    AWS refuses, or where nobody agrees to overwrite an existing secret. Raises UsageError, and
    AccountError where no account can be asked. No message holds an argument that may be a password.
    """
    host = _host(options.registry)
    name = _secret_name(options, host)
    _check_options(options)
    tags = _tags(options.tag)
    found = Login(options.username, _password())
    try:
        if not check_login(host, found, HttpClient(frozenset(options.plain_http))):
            report(f"warning: {host} accepts anyone, so it does not show whether the login works")
    except UntrustedError as distrust:
        return _refuse(f"{distrust.message} {_OWN_TRUST}")
    except RegistryError as refusal:
        return _refuse(f"{refusal.message} {refusal.fix}".rstrip())
    account = connect(options.profile, options.region, None)
    if account.id is None:
        return _refuse(f"AWS cannot be asked: {account.unidentified}")
    secret = _NewSecret(name, _value(found, options.pull_through_cache), options.kms_key_id, tags)
    try:
        arn = _store(account, secret, options.yes)
    except NotStoredError as trouble:
        return _refuse(str(trouble))
    if arn is None:
        return PROBLEMS
    lines = [arn, "", "In a container's PrivateImage:"]
    lines += [f"  Image: {host}/REPOSITORY:TAG", f"  Secret: {arn}"]
    lines += [f"  KmsKey: {options.kms_key_id}"] if options.kms_key_id else []
    try:
        print("\n".join(lines), flush=True)
    except OSError:
        report(f"The secret {arn} was written.")
        raise
    return OK


_OWN_TRUST = (
    "A registry without TLS needs --plain-http. One whose certificate authority is your own needs"
    " SSL_CERT_FILE here, and Fargate cannot pull from either."
)

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-rule.html
CACHE_PREFIX = "ecr-pullthroughcache/"


class NotStoredError(Exception):
    """The secret is not stored as it was asked for; the text says what was, and the fix."""


class _NewSecret(NamedTuple):
    name: str
    value: str
    key: str | None
    tags: list[dict[str, str]]


def _secret_name(options: argparse.Namespace, host: str) -> str:
    # A colon has no place in a secret's name.
    registry = host.replace(":", "-").strip("[]")
    prefix = CACHE_PREFIX if options.pull_through_cache else "registry/"
    name = str(options.secret_name or f"{prefix}{registry}")
    if not re.fullmatch(r"[\w/+=.@-]{1,512}", name, re.ASCII):
        raise UsageError("--secret-name takes letters, digits and /_+=.@- only")
    if options.pull_through_cache and not name.startswith(CACHE_PREFIX):
        raise UsageError(f"--pull-through-cache needs a --secret-name that begins {CACHE_PREFIX}")
    return name


def _check_options(options: argparse.Namespace) -> None:
    username = options.username
    if not username or ":" in username:
        raise UsageError("--username takes a name without a colon")
    if not username.isprintable():
        raise UsageError("--username takes a name in UTF-8 without control characters")
    if options.region and not REGION_CODE.fullmatch(options.region):
        raise UsageError("--region takes a Region's code, as in --region eu-west-1")


def _value(login: Login, pull_through_cache: bool) -> str:
    """What the secret holds: with ECR's key for the password too, where its cache reads it."""
    cache = {"accessToken": login.password} if pull_through_cache else {}
    return json.dumps({"username": login.username, "password": login.password, **cache})


def _host(registry: str) -> str:
    """The host of a registry as images name it."""
    is_host = re.fullmatch(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?", registry, re.ASCII)
    # To images, and so to the tasks, a word without dot and port is no host but a repository.
    if not is_host or split_registry(f"{registry}/")[0] is None:
        raise UsageError("REGISTRY is a host as images name it, such as docker.io or quay.io")
    return registry.lower()


def _tags(pairs: Sequence[str]) -> list[dict[str, str]]:
    tags = [pair.partition("=") for pair in pairs]
    if not all(name and equals for name, equals, _ in tags):
        raise UsageError("--tag takes NAME=VALUE")
    return [{"Key": name, "Value": value} for name, _, value in tags]


def _password() -> str:
    """The password: all of standard input but the end of its last line."""
    if sys.stdin is None:
        raise UsageError("there is no password on standard input")
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


def _store(account: Account, secret: _NewSecret, overwrite: bool) -> str | None:
    """Creates the secret or gives it a new version; its ARN. None: nobody agreed to the latter.

    Raises NotStoredError.
    """
    with _explained("Nothing was written."):
        arn = _existing(account, secret.name)
    if arn is None:
        return _create(account, secret)
    if not overwrite and not _agreed(f"The secret {secret.name} exists. Overwrite it?"):
        return None
    with _explained("Nothing was written.", _UNSURE):
        more: dict[str, Any] = {"KmsKeyId": secret.key} if secret.key else {}
        account.call(
            "secretsmanager", "update_secret", SecretId=arn, SecretString=secret.value, **more
        )
    if secret.tags:
        updated = f"The secret {arn} was updated"
        unsure = f"{updated}. It is not known whether it was tagged."
        with _explained(f"{updated}, but not tagged.", unsure):
            account.call("secretsmanager", "tag_resource", SecretId=arn, Tags=secret.tags)
    return arn


def _existing(account: Account, name: str) -> str | None:
    """The ARN of a secret that has the name; None: none exists. Raises NotStoredError."""
    try:
        found = account.call("secretsmanager", "describe_secret", SecretId=name)
    except MissingError:
        return None
    if "DeletedDate" in found:
        fix = f"aws secretsmanager restore-secret --region {account.region} --secret-id {name}"
        raise NotStoredError(f"The secret {name} is scheduled for deletion. Restore it: {fix}")
    return str(found["ARN"])


def _create(account: Account, secret: _NewSecret) -> str:
    more: dict[str, Any] = {"KmsKeyId": secret.key} if secret.key else {}
    if secret.tags:
        more["Tags"] = secret.tags
    with _explained("Nothing was written.", _UNSURE):
        created = account.call(
            "secretsmanager", "create_secret", Name=secret.name, SecretString=secret.value, **more
        )
        return str(created["ARN"])


_UNSURE = "It is not known whether the secret was written."


@contextmanager
def _explained(state: str, unsure: str | None = None) -> Iterator[None]:
    """Says in which state a call that fails leaves the secret: where AWS refuses it, and where no
    answer tells (None: the same), as where a signal ends the wait for it. Raises NotStoredError."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        report(unsure or state)
        raise
    except DeniedError as denied:
        raise NotStoredError(f"{state} {denied} Allow it, or ask someone who has it.") from None
    except AwsError as trouble:
        raise NotStoredError(f"{state if trouble.refused else unsure or state} {trouble}") from None
    except MALFORMED as error:
        text = f"The answer of Secrets Manager makes no sense ({kind_of(error)})."
        raise NotStoredError(f"{unsure or state} {text}") from None


def _agreed(question: str) -> bool:
    """Asks at the terminal. False: the answer is no, or there is no terminal."""
    try:
        with File(TERMINAL).open(encoding="utf-8") as terminal:
            print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
            agreed = terminal.readline().strip().lower() in ("y", "yes")
    except OSError:
        report(f"error: {question} There is no terminal to ask at: pass --yes")
        return False
    if not agreed:
        report("Nothing was written.")
    return agreed


def _refuse(text: str) -> int:
    report(f"error: {text}")
    return PROBLEMS
