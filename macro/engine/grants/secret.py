"""A secret and its key as written -> the credentials parameter, IAM's resources, the key's grant.

Sources:
https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html (partial ARNs),
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RepositoryCredentials.html (names),
https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html (aliases in IAM).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from macro.engine.shorthand.places import Credentials
from macro.engine.template.arn import (
    InvalidValueError,
    arn_of,
    in_another_account,
    read_arn,
    refuse_type,
    ssm_parameter,
)
from macro.engine.template.choices import When, branches
from macro.engine.template.document import NO_VALUE, Json, Path, get
from macro.engine.template.intrinsics import (
    Hole,
    Text,
    arn_attribute,
    attribute,
    is_text,
    join,
    literal,
    parse,
    split,
    write,
)
from macro.engine.template.resources import Resource
from macro.engine.template.stack import PSEUDO_PARAMETERS, Known, Stack

REGION: Json = {"Ref": "AWS::Region"}
ANY_SUFFIX = "-??????"


class Secret(NamedTuple):
    """What a secret comes to: `parameter` names it to the service, `resources` name it to IAM.

    `region` is where it lives; `declaration` its resource, where it stands in the template;
    `defaults` names the parameters whose default value decided all this. `elsewhere`: it is known
    to be of another account.
    """

    parameter: Json
    resources: tuple[Json, ...]
    region: Json
    declaration: Resource | None = None
    defaults: tuple[str, ...] = ()
    elsewhere: bool = False


class Key(NamedTuple):
    """What `kms:Decrypt` is granted on: a key, or the keys of an account that bear `alias`."""

    resource: Json
    alias: Json = None
    defaults: tuple[str, ...] = ()


def read_secret(value: Json, credentials: Credentials, stack: Stack, user: Resource) -> Secret:
    """What a secret as written in `user` (no `Fn::If`, no `AWS::NoValue`) comes to.

    Raises `InvalidValueError` where it is no secret, or one that this kind of container cannot use.
    """
    if not is_text(value):
        raise InvalidValueError("PI306", "A secret is text or an intrinsic function.", _SECRET_FIX)
    if found := _declared_secret(value, stack, user):
        return found
    text = parse(value, user.loop_variables)
    known = stack.known(text)
    _refuse_dynamic_references(known.text)
    match known.text:
        case ():
            raise InvalidValueError("PI306", "The secret is empty.", _SECRET_FIX)
        case (str(head), *_) if head.startswith("arn:"):
            return _secret_by_arn(value, text, known, credentials, stack)
        case (str(), *_):
            return _secret_by_name(value, text, known, credentials)
        case (Hole({"Ref": str(name)}), *_) if name in PSEUDO_PARAMETERS | user.loop_variables:
            return _secret_by_name(value, text, known, credentials)
        case (Hole(), str(tail), *_) if re.match(r":(?!secret:|secretsmanager:)", tail):
            raise _json_key()
    return Secret(value, (value,), _region_in(value))


_SECRET_FIX = "Write the secret's ARN, its name, or Ref to a secret in the template."


def _json_key() -> InvalidValueError:
    return InvalidValueError(
        "PI301",
        "A JSON key stands behind the secret; registry credentials take the whole secret.",
        "Leave out what follows the secret's name; the secret holds username and password.",
    )


def _region_in(arn: Json) -> Json:
    return {"Fn::Select": [3, {"Fn::Split": [":", arn]}]}


def _refuse_dynamic_references(text: Text) -> None:
    for part in text:
        if isinstance(part, Hole) and isinstance(part.value, str):
            service = part.value.split(":")[1]
            if service != "ssm":
                raise InvalidValueError(
                    "PI303",
                    f"A dynamic reference to {service} would put a secret's value here.",
                    "Name the secret itself: its ARN, its name, or Ref.",
                )


# What `Ref` gives for these is the ARN of the secret in their SecretId.
_STAND_FOR_THEIR_SECRET = frozenset(
    f"AWS::SecretsManager::{name}"
    for name in ("ResourcePolicy", "RotationSchedule", "SecretTargetAttachment")
)


def _declared_secret(value: Json, stack: Stack, user: Resource) -> Secret | None:
    """The secret that the template declares, where the value is a reference to it."""
    if not (named := attribute(value)) or not (found := stack.resource(named[0], user)):
        return None
    _, name = named
    if found.type == "AWS::SecretsManager::Secret" and name in ("", "Id"):
        return Secret(value, (value,), REGION, found)
    if found.type in _STAND_FOR_THEIR_SECRET and not name:
        behind = _declared_secret(get(found.body, "Properties", "SecretId"), stack, found)
        return Secret(value, (value,), REGION, behind.declaration if behind else None)
    if found.type == "AWS::SSM::Parameter" and not name:
        raise ssm_parameter()
    refuse_type(found, name, "PI304", "secret", _SECRET_FIX)
    return None


def _secret_by_arn(
    value: Json, text: Text, known: Known, credentials: Credentials, stack: Stack
) -> Secret:
    arn = read_arn(known.text, "secretsmanager", "secret", "PI306", "PI304", stack)
    either = (value, write(join(*text, ANY_SUFFIX)))
    if arn is None:
        return Secret(value, either, _region_in(value), defaults=known.defaults)
    kind, *rest = split(arn.resource, ":", 2)
    if literal(kind) not in (None, "secret") or (not rest and literal(kind) is not None):
        raise InvalidValueError("PI306", "The secret's ARN is malformed.", _SECRET_FIX)
    if len(rest) > 1:
        raise _json_key()
    name = rest[0] if rest else kind
    _check_name(name)
    written = read_arn(text, "secretsmanager", "secret", "PI306", "PI304", stack)
    region = _region_in(value) if written is None else write(written.region)
    elsewhere = in_another_account(arn, stack)
    ending = _ending(name)
    if ending == "partial":
        if elsewhere:
            raise InvalidValueError(
                "PI308",
                "A secret of another account is found by its full ARN only.",
                "Add the hyphen and six characters that Secrets Manager put at the ARN's end.",
            )
        if not credentials.takes_partial_arn:
            raise InvalidValueError(
                "PI309",
                "CodeBuild takes a secret's full ARN or its name, never a part of the ARN.",
                "Write the name, or add the hyphen and six characters at the ARN's end.",
            )
        return Secret(value, either[1:], region, defaults=known.defaults)
    if ending == "either" and not elsewhere:
        return Secret(value, either, region, defaults=known.defaults)
    return Secret(value, either[:1], region, elsewhere=elsewhere)


def _secret_by_name(value: Json, text: Text, known: Known, credentials: Credentials) -> Secret:
    _check_name(known.text)
    arn = arn_of("secretsmanager", "secret:", *text)
    # Secrets Manager takes an ARN that ends in a hyphen and six characters for a full one, so a
    # name that ends like that, or may, is found by its name alone.
    by_arn = credentials.builds_arn_from_name and _ending(known.text) == "partial"
    return Secret(
        write(arn) if by_arn else value,
        (write(join(*arn, ANY_SUFFIX)),),
        REGION,
        defaults=known.defaults,
    )


def _check_name(name: Text) -> None:
    """Raises where a secret cannot have this name.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html;
    the names of secrets that other services manage have an exclamation mark too.
    """
    written = "".join(part for part in name if isinstance(part, str))
    if "*" in written or "?" in written:
        raise InvalidValueError(
            "PI305", "A wildcard would open other secrets than this one.", _SECRET_FIX
        )
    if written.startswith("/aws/reference/secretsmanager/"):
        raise ssm_parameter()
    if re.search(r"[^:]:[^:]*:", written):
        raise _json_key()
    if not name or len(written) > 512 or not re.fullmatch(r"[\w/+=.@!-]*", written, re.ASCII):
        raise InvalidValueError(
            "PI306",
            "A secret's name has 1 to 512 letters, digits and /_+=.@- and nothing else.",
            _SECRET_FIX,
        )


def _ending(name: Text) -> str:
    """Whether a name as an ARN writes it is "full" (ends in the suffix that Secrets Manager adds),
    "partial" (does not), or "either" (cannot be told apart from what is written)."""
    last = name[-1]
    if isinstance(last, Hole):
        return "either"
    if found := re.search(r"-([A-Za-z0-9]{6})$", last):
        return "either" if found[1].isalpha() and found[1].islower() else "full"
    hidden = len(name) > 1 and re.fullmatch(r"[A-Za-z0-9]{0,6}", last)
    return "either" if hidden else "partial"


def read_keys(
    value: Json, path: Path, when: When, secret: Secret, stack: Stack, user: Resource
) -> Iterator[tuple[Path, When, Key | InvalidValueError]]:
    """The keys that a key as written in `user` comes to, each with its conditions.

    `secret` tells the Region of a key that is written by its id alone. A branch without a key, or
    with the key that AWS manages (which the account may use anyhow), gives nothing; for a secret of
    another account, which that key never opens, it is a mistake.
    """
    for at, leaf, holds in branches(value, path, when):
        if leaf in (None, NO_VALUE):
            if secret.elsewhere:
                yield at, holds, _foreign_key()
            continue
        try:
            if not is_text(leaf):
                raise InvalidValueError(
                    "PI310", "A key is text or an intrinsic function.", _KEY_FIX
                )
            followed = _declared_alias(leaf, stack, user)
            if followed:
                target = get(followed.body, "Properties", "TargetKeyId")
                yield from read_keys(target, at, holds, secret, stack, followed)
            elif key := _read_key(leaf, secret, stack, user):
                yield at, holds, key
            elif secret.elsewhere:
                raise _foreign_key()
        except InvalidValueError as mistake:
            yield at, holds, mistake


_KEY_FIX = "Write the key's ARN, its id, its alias (alias/name), or Ref to a key in the template."


def _foreign_key() -> InvalidValueError:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html
    return InvalidValueError(
        "PI311",
        "A secret of another account opens with a customer-managed key of that account alone.",
        "Write KmsKey: and the key's ARN, or Grant: false where the role may use it already.",
    )


def _declared_alias(value: Json, stack: Stack, user: Resource) -> Resource | None:
    """The alias that the template declares, where the value refers to it or spells its name."""
    if named := attribute(value):
        found = stack.resource(named[0], user)
        return found if found and found.type == "AWS::KMS::Alias" and not named[1] else None
    name = parse(value, user.loop_variables)
    if not name or not isinstance(name[0], str) or not name[0].startswith("alias/"):
        return None
    return stack.with_property("AWS::KMS::Alias", "AliasName", name, user)


def _read_key(value: Json, secret: Secret, stack: Stack, user: Resource) -> Key | None:
    """The key that a value (no `Fn::If`, no alias of the template) names; None: AWS's own."""
    if named := attribute(value):
        logical_id, name = named
        if found := stack.resource(logical_id, user):
            if found.type in ("AWS::KMS::Key", "AWS::KMS::ReplicaKey"):
                return Key(arn_attribute(logical_id))
            refuse_type(found, name, "PI310", "key", _KEY_FIX)
    text = parse(value, user.loop_variables)
    known = stack.known(text)
    match known.text:
        case (str(head), *_) if head.startswith("arn:"):
            return _key_by_arn(value, text, known, stack)
        case (str(head), *_) if head.startswith("alias/"):
            _check_alias(known.text)
            if literal(known.text) == "alias/aws/secretsmanager":
                return None
            if secret.elsewhere:
                raise _foreign_key()
            all_keys = arn_of("kms", "key/*", region=parse(secret.region))
            return Key(write(all_keys), write(text), known.defaults)
        case (str(only),) if re.fullmatch(_KEY_ID, only):
            if secret.elsewhere:
                raise _foreign_key()
            arn = arn_of("kms", "key/", *text, region=parse(secret.region))
            return Key(write(arn), defaults=known.defaults)
        case () | (str(), *_):
            raise InvalidValueError("PI310", "This is no key of KMS.", _KEY_FIX)
    return Key(value)


_KEY_ID = r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}|mrk-[0-9a-f]{32}"


def _check_alias(name: Text) -> None:
    written = "".join(part for part in name if isinstance(part, str))
    if "*" in written or "?" in written:
        raise InvalidValueError(
            "PI305", "A wildcard would open other keys than this one.", _KEY_FIX
        )
    if written.startswith("alias/aws/") and written != "alias/aws/secretsmanager":
        raise InvalidValueError(
            "PI310",
            "Secrets Manager cannot use the key that AWS manages for another service.",
            _KEY_FIX,
        )
    if not re.fullmatch(r"alias/[\w/-]*", written, re.ASCII) or name == ("alias/",):
        raise InvalidValueError("PI310", "This is no alias of a key.", _KEY_FIX)


def _key_by_arn(value: Json, text: Text, known: Known, stack: Stack) -> Key | None:
    arn = read_arn(known.text, "kms", "key", "PI310", "PI310", stack)
    written = read_arn(text, "kms", "key", "PI310", "PI310", stack)
    match arn and arn.resource:
        case (str(head), *_) if head.startswith("alias/"):
            assert arn
            _check_alias(arn.resource)
            if literal(arn.resource) == "alias/aws/secretsmanager":
                return None
            if written is None:
                raise InvalidValueError(
                    "PI310",
                    "IAM knows keys by ARN, not by the ARN of an alias, as this parameter has.",
                    "Give the parameter the key's ARN, or write the alias by its name: alias/name.",
                )
            all_keys = arn_of(
                "kms",
                "key/*",
                partition=written.partition,
                region=written.region,
                account=written.account,
            )
            return Key(write(all_keys), write(written.resource), known.defaults)
        case (str(key_id),) if not re.fullmatch(f"key/({_KEY_ID})", key_id):
            raise InvalidValueError("PI310", "This ARN is not a key's.", _KEY_FIX)
        case (str(head), *_) if not head.startswith("key/"):
            raise InvalidValueError("PI310", "This ARN is not a key's.", _KEY_FIX)
    return Key(value)
