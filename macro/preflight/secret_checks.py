"""Checks in the account: the secret and what is in it, and its key."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from macro.engine.grants.permissions import Permission
from macro.preflight.aws_account import Account, AwsError, DeniedError, MissingError, kind_of
from macro.preflight.findings import Finding, failed, unanswered, unknown
from macro.preflight.registry_client import Login

READ, DECRYPT = "secretsmanager:GetSecretValue", "kms:Decrypt"


@dataclass(frozen=True, slots=True)
class StoredSecret:
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


def fetch_secret(account: Account, secret_id: str) -> StoredSecret:
    """Looks a secret up by its ARN, partial ARN or name, and reads its current version."""
    fields = secret_id.split(":")
    by_arn = len(fields) > 6
    region = fields[3] if by_arn else account.region
    elsewhere = by_arn and fields[4] != account.id
    try:
        described = account.call("secretsmanager", "describe_secret", region, SecretId=secret_id)
    except MissingError:
        finding = _no_secret(account, secret_id, region)
        return StoredSecret(finding, region, elsewhere, unseen=_NO_SECRET)
    except DeniedError as denied:
        # Whoever may read a secret need not be allowed to describe it.
        finding, login = _read(account, secret_id, region)
        if finding.status == "passed" and not login:
            finding = unanswered(denied)
        return StoredSecret(finding, region, elsewhere, unseen=unanswered(denied), login=login)
    except AwsError as trouble:
        return StoredSecret(unanswered(trouble), region, elsewhere, unseen=unanswered(trouble))
    arn, key = described["ARN"], described.get("KmsKeyId")
    if "DeletedDate" in described:
        message = f"It is scheduled for deletion on {described['DeletedDate']:%Y-%m-%d}."
        fix = f"aws secretsmanager restore-secret --region {region} --secret-id {arn}"
        return StoredSecret(failed(message, fix), region, elsewhere, arn, key)
    finding, login = _read(account, arn, region)
    if described.get("OwningService") and finding.status == "passed":
        finding = Finding("passed", f"{finding.message}; {described['OwningService']} manages it")
    return StoredSecret(finding, region, elsewhere, arn, key, login=login)


def _no_secret(account: Account, secret_id: str, region: str) -> Finding:
    message = f"The secret does not exist in {region}."
    fix = "Check the name and the Region; a secret of another Region is found by its full ARN."
    if found := re.fullmatch(r"arn:.*:secret:(.+)-[A-Za-z0-9]{6}", secret_id):
        try:
            account.call("secretsmanager", "describe_secret", region, SecretId=found[1])
        except AwsError:
            return failed(message, fix)
        message = "A secret of this name exists, but its ARN ends differently."
        fix = "It was deleted and created again: write its present ARN, or its name."
    return failed(message, fix)


def _read(account: Account, secret_id: str, region: str) -> tuple[Finding, Login | None]:
    """What is in the current version; no message says anything of it but what is missing."""
    try:
        value = account.call("secretsmanager", "get_secret_value", region, SecretId=secret_id)
    except MissingError:
        return failed("It has no current version.", "Store the login in it."), None
    except DeniedError as denied:
        return unanswered(denied), None
    except AwsError as trouble:
        if trouble.code == "DecryptionFailure":
            return failed("Its key does not decrypt it.", "Check that the key is enabled."), None
        if trouble.code.startswith("InvalidRequest"):
            message = "Its current version cannot be read."
            fix = "Check that it is not scheduled for deletion, and that its key can be used."
            return failed(message, fix), None
        return unanswered(trouble), None
    if "SecretBinary" in value:
        return failed("It holds binary data.", _SHAPE), None
    return _login_in(value["SecretString"])


def _login_in(text: str) -> tuple[Finding, Login | None]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return failed("It holds plain text and no JSON.", _SHAPE), None
    if not isinstance(found, dict):
        return failed("It holds JSON, but no object.", _SHAPE), None
    if found.get("username") and found.get("accessToken") and "password" not in found:
        message = "It is a secret for ECR's pull-through cache: username and accessToken."
        return failed(message, _PULL_THROUGH), None
    wrong = [
        f"{key} is {'empty' if found.get(key) == '' else 'no text' if key in found else 'missing'}"
        for key in ("username", "password")
        if not isinstance(found.get(key), str) or not found[key]
    ]
    if wrong:
        return failed(f"In its JSON {' and '.join(wrong)}.", _SHAPE), None
    try:
        (found["username"] + found["password"]).encode()
    except UnicodeEncodeError as error:
        message = f"Its username or password holds half a character ({kind_of(error)})."
        return unknown(message, "Write both into the secret again."), None
    message = "readable, with a username and a password"
    return Finding("passed", message), Login(found["username"], found["password"])


# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html
_SHAPE = (
    'It must hold {"username": "...", "password": "..."} and nothing around it; private-image'
    " login writes that."
)
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-secret.html
_PULL_THROUGH = (
    "Add the key password, which ECS reads; private-image login --pull-through-cache writes a"
    " secret that serves both."
)
_NO_SECRET = unknown("The secret does not exist.")


def check_key(
    account: Account, secret: StoredSecret, grant: Sequence[Permission] | None
) -> Finding:
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
        message = "The secret's key does not exist."
        return failed(message, "Encrypt the secret with another key, and store its value again.")
    except AwsError as trouble:
        return unanswered(trouble)
    if key["KeyState"] != "Enabled":
        fix = "Enable it, or encrypt the secret with another key and store its value again."
        return failed(f"The secret's key is in the state {key['KeyState']}.", fix)
    if key["KeyManager"] == "AWS":
        return _managed_by_aws(secret)
    try:
        granted = grant is None or _grants(account, grant, key["Arn"], secret.region)
    except AwsError as trouble:
        return unanswered(trouble)
    if not granted:
        message = "The secret has a customer-managed key, and no kms:Decrypt is granted on it."
        return failed(message, f"Write KmsKey: {key['Arn']}")
    return Finding("passed", "customer-managed and enabled" + (", granted" if grant else ""))


def _managed_by_aws(secret: StoredSecret) -> Finding:
    if secret.elsewhere:
        # https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html
        message = "A secret of another account must have a customer-managed key; this has AWS's."
        fix = "Ask its owner to encrypt it with a key of their own that the role may use."
        return failed(message, fix)
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
    except MissingError:
        return False
    return bool(found == key)
