"""Checks in the account: the secret and what is in it, and its key."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from macro.engine.grants.permissions import Permission
from macro.preflight.aws_calls import Account, AwsError, DeniedError, MissingError
from macro.preflight.registry_client import Login

READ, DECRYPT = "secretsmanager:GetSecretValue", "kms:Decrypt"

Status = Literal["passed", "failed", "not checked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has come to, and the fix where there is one."""

    status: Status
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret as it is in the account.

    `key` is its customer-managed key as Secrets Manager names it, None for AWS's own. `unseen` says
    why ARN and key are not known, where they are not. `login` is what its current version holds,
    where that could be read. `elsewhere`: it is another account's.
    """

    finding: Finding
    region: str
    elsewhere: bool
    arn: str = ""
    key: str | None = None
    unseen: Finding | None = None
    login: Login | None = field(default=None, repr=False)


def failed(message: str, fix: str = "") -> Finding:
    return Finding("failed", message, fix)


def unknown(message: str, fix: str = "") -> Finding:
    return Finding("not checked", message, fix)


def untold(trouble: AwsError) -> Finding:
    """A call that failed: nothing is known."""
    fix = (
        f"Allow {trouble.action}, or ask someone who has it."
        if isinstance(trouble, DeniedError)
        else ""
    )
    return unknown(str(trouble), fix)


def read_secret(account: Account, secret_id: str) -> Secret:
    """Looks a secret up by its ARN, partial ARN or name, and reads its current version."""
    fields = secret_id.split(":")
    by_arn = len(fields) > 6
    region = fields[3] if by_arn else account.region
    elsewhere = by_arn and fields[4] != account.id
    try:
        described = account.call("secretsmanager", "describe_secret", region, SecretId=secret_id)
    except MissingError:
        finding = _no_secret(account, secret_id, region)
        return Secret(finding, region, elsewhere, unseen=unknown("The secret is not there."))
    except DeniedError as denied:
        # Whoever may read a secret need not be allowed to describe it.
        finding, login = _read(account, secret_id, region)
        if finding.status == "passed" and not login:
            finding = untold(denied)
        return Secret(finding, region, elsewhere, unseen=untold(denied), login=login)
    except AwsError as trouble:
        return Secret(untold(trouble), region, elsewhere, unseen=untold(trouble))
    arn, key = described["ARN"], described.get("KmsKeyId")
    if "DeletedDate" in described:
        message = f"It is scheduled for deletion on {described['DeletedDate']:%Y-%m-%d}."
        fix = f"aws secretsmanager restore-secret --region {region} --secret-id {arn}"
        return Secret(failed(message, fix), region, elsewhere, arn, key)
    finding, login = _read(account, arn, region)
    if described.get("OwningService") and finding.status == "passed":
        finding = Finding("passed", f"{finding.message}; {described['OwningService']} manages it")
    return Secret(finding, region, elsewhere, arn, key, login=login)


def _no_secret(account: Account, secret_id: str, region: str) -> Finding:
    message = f"There is no such secret in {region}."
    fix = "Check the name and the Region; a secret of another Region is found by its full ARN."
    if found := re.fullmatch(r"arn:.*:secret:(.+)-[A-Za-z0-9]{6}", secret_id):
        try:
            account.call("secretsmanager", "describe_secret", region, SecretId=found[1])
        except AwsError:
            return failed(message, fix)
        message = "There is a secret of this name, but with another ending of its ARN."
        fix = "It was deleted and made anew: write its ARN of now, or its name."
    return failed(message, fix)


def _read(account: Account, secret_id: str, region: str) -> tuple[Finding, Login | None]:
    """What is in the current version; no message says anything of it but what is missing."""
    try:
        value = account.call("secretsmanager", "get_secret_value", region, SecretId=secret_id)
    except MissingError:
        return failed("It has no current version.", "Put the login into it."), None
    except DeniedError as denied:
        return untold(denied), None
    except AwsError as trouble:
        if trouble.code == "DecryptionFailure":
            return failed("Its key does not decrypt it.", "Check that the key is enabled."), None
        if trouble.code.startswith("InvalidRequest"):
            message = "Its current version cannot be read."
            fix = "Check that it is not scheduled for deletion, and its key usable from here."
            return failed(message, fix), None
        return untold(trouble), None
    if "SecretString" not in value:
        return failed("It holds binary data.", _SHAPE), None
    try:
        login = json.loads(value["SecretString"])
    except (ValueError, RecursionError):
        return failed("It holds plain text and no JSON.", _SHAPE), None
    if not isinstance(login, dict):
        return failed("It holds JSON, but no object.", _SHAPE), None
    wrong = [
        f"{key} is {'empty' if login.get(key) == '' else 'no text' if key in login else 'missing'}"
        for key in ("username", "password")
        if not isinstance(login.get(key), str) or not login[key]
    ]
    if wrong:
        return failed(f"In its JSON {' and '.join(wrong)}.", _SHAPE), None
    message = "readable; username and password are there"
    return Finding("passed", message), Login(login["username"], login["password"])


# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html
_SHAPE = (
    'It must hold {"username": "...", "password": "..."} and nothing around it; python -m macro'
    " login writes that."
)


def check_key(account: Account, secret: Secret, grant: Sequence[Permission] | None) -> Finding:
    """Whether the key of a secret can be used, and is granted where it must be.

    `grant` is what the role gets; None: the author vouches for the role, or writes its policies.
    """
    if secret.unseen:
        return secret.unseen
    if secret.key is None:
        return _managed_by_aws(secret)
    try:
        key = account.call("kms", "describe_key", secret.region, KeyId=secret.key)["KeyMetadata"]
    except MissingError:
        message = "The secret's key is not there."
        return failed(message, "Give the secret another key and put its value again.")
    except AwsError as trouble:
        return untold(trouble)
    if key["KeyState"] != "Enabled":
        fix = "Enable it, or give the secret another key and put its value again."
        return failed(f"The secret's key is in the state {key['KeyState']}.", fix)
    if key["KeyManager"] == "AWS":
        return _managed_by_aws(secret)
    if grant is not None and not _grants(account, grant, key["Arn"], secret.region):
        message = "The secret has a customer-managed key, and no kms:Decrypt is granted on it."
        return failed(message, f"Write KmsKey: {key['Arn']}")
    return Finding("passed", "customer-managed and enabled" + (", granted" if grant else ""))


def _managed_by_aws(secret: Secret) -> Finding:
    if secret.elsewhere:
        # https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html
        message = "A secret of another account must have a customer-managed key; this has AWS's."
        return failed(message, "Its owner must give it a key of their own and let you use that.")
    return Finding("passed", "AWS manages it; it needs no grant")


def _grants(account: Account, grant: Sequence[Permission], key: str, region: str) -> bool:
    for permission in grant:
        if permission.action == DECRYPT:
            if permission.alias is None and permission.resource == key:
                return True
            if permission.alias and _is_alias_of(account, str(permission.alias), key, region):
                return True
    return False


def _is_alias_of(account: Account, alias: str, key: str, region: str) -> bool:
    try:
        found = account.call("kms", "describe_key", region, KeyId=alias)["KeyMetadata"]["Arn"]
    except AwsError:
        return False
    return bool(found == key)
