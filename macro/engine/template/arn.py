"""ARNs as templates write them, and what is wrong with them."""

from __future__ import annotations

import re
from itertools import pairwise

from macro.engine.template.intrinsics import (
    Text,
    Unknown,
    attribute,
    join,
    literal,
    literal_parts,
    split,
)
from macro.engine.template.problems import InvalidValueError
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import PARTITIONS, Context, Site, Stack, partition_of


class Arn(NamedTuple):
    """The fields of an ARN, each a text that may have unknown parts."""

    partition: Text
    service: Text
    region: Text
    account: Text
    resource: Text


_PARTITION: Text = (Unknown({"Ref": "AWS::Partition"}),)
_REGION: Text = (Unknown({"Ref": "AWS::Region"}),)
_ACCOUNT: Text = (Unknown({"Ref": "AWS::AccountId"}),)


def arn_of(
    service: str,
    *resource: str | Unknown,
    partition: Text = _PARTITION,
    region: Text = _REGION,
    account: Text = _ACCOUNT,
) -> Text:
    """The ARN of a resource; by default one of the stack's own account and Region."""
    return join("arn:", *partition, f":{service}:", *region, ":", *account, ":", *resource)


def arn_fields(text: Text) -> Arn | None:
    """The fields of an ARN; None where unknown parts hide its colons, or it has too few."""
    fields = split(text, ":", 5)
    return Arn(*fields[1:]) if len(fields) == 6 else None


class ArnKind(NamedTuple):
    """What an ARN should be of: a service and, in words, a thing of it, with the codes of problems
    for an ARN that is malformed and for one of another service."""

    service: str
    what: str
    malformed: str
    other: str
    has_region: bool = True


SECRET_ARN = ArnKind("secretsmanager", "secret", "PI306", "PI304")
KEY_ARN = ArnKind("kms", "key", "PI310", "PI310")
ROLE_ARN = ArnKind("iam", "role", "PI402", "PI402", has_region=False)


def read_arn(text: Text, kind: ArnKind, context: Context) -> Arn | None:
    """The ARN's fields, checked as far as they are literal; None where unknown parts hide its
    colons.

    Raises `InvalidValueError` for a field that no ARN has, for an ARN of another service or of
    another partition than the stack's, and for a wildcard.
    """
    what = kind.what
    fix = f"Copy the ARN of the {what} from the console."
    if any(character in "*?" for character in literal_parts(text)):
        message = f"A wildcard in the ARN would open more than this one {what}."
        raise InvalidValueError("PI305", message, f"Write the ARN of the one {what}.")
    arn = arn_fields(text)
    if arn is None:
        if literal(text) is None:
            return None
        raise InvalidValueError(kind.malformed, f"The ARN of the {what} has too few fields.", fix)
    if literal(arn.service) not in (None, kind.service):
        if kind is SECRET_ARN and literal(arn.service) == "ssm":
            raise ssm_parameter()
        raise InvalidValueError(kind.other, f"This ARN is not a {what}'s.", fix)
    for field, pattern, name in (
        (arn.partition, r"aws(-[a-z]+)*", "partition"),
        (arn.region, r"[a-z]+(-[a-z]+)+-\d+" if kind.has_region else "", "Region"),
        (arn.account, r"\d{12}", "account"),
    ):
        known = literal(field)
        if known is not None and not re.fullmatch(pattern, known, re.ASCII):
            message = f"The {name} in the ARN of the {what} is malformed."
            raise InvalidValueError(kind.malformed, message, fix)
    if literal(arn.partition) and context.partition not in (None, literal(arn.partition)):
        raise InvalidValueError(
            "PI307",
            f"The ARN of the {what} belongs to another partition than the stack's Region.",
            "Write ${AWS::Partition} with Fn::Sub, or the ARN as it is in the stack's partition.",
        )
    own = literal(arn.partition), literal(arn.region)
    if own[0] in ("aws", *PARTITIONS.values()) and own[1] and partition_of(own[1]) != own[0]:
        message = f"The Region in the ARN of the {what} belongs to another partition than the ARN."
        raise InvalidValueError("PI307", message, fix)
    return arn


def in_another_account(arn: Arn, context: Context) -> bool:
    """Whether the ARN is known to be of another account than the stack's."""
    account = literal(arn.account)
    return None not in (account, context.account) and account != context.account


def in_own_account(arn: Arn, context: Context) -> bool:
    """Whether the ARN is known to be of the stack's own account."""
    return arn.account in (_ACCOUNT, (context.account or "\0",))


def ssm_parameter() -> InvalidValueError:
    """A parameter of Systems Manager where a secret should be."""
    return InvalidValueError(
        "PI302",
        "This is a parameter of Systems Manager; registry credentials come from Secrets Manager.",
        "Store the credentials in a Secrets Manager secret and write its ARN or name.",
    )


def refuse_arn_within(text: Text, site: Site, stack: Stack, code: str) -> None:
    """Raises `InvalidValueError` where a text goes on with the ARN of a resource of the template,
    or has alias/ before the name of an alias, which begins with it: no such thing exists."""
    for before, part in pairwise(text):
        named = attribute(part.value) if isinstance(part, Unknown) else None
        found = stack.resource(named[0], site) if named else None
        if named is None or found is None:
            continue
        fix = f"Write the reference to {found.logical_id} alone."
        if _gives_arn(found, named[1]):
            message = f"The ARN of {found.logical_id} is a part of another text here."
            raise InvalidValueError(code, message, fix)
        is_alias = found.type == "AWS::KMS::Alias" and not named[1]
        if is_alias and isinstance(before, str) and before.endswith("alias/"):
            message = f"The name of {found.logical_id} begins with alias/ itself."
            raise InvalidValueError(code, message, fix)


def _gives_arn(found: Resource, name: str) -> bool:
    """Whether `Ref` (`name` "") or an attribute of a resource is an ARN."""
    if found.type.startswith("AWS::SecretsManager::"):
        return name in ("", "Id")
    return found.type.startswith("AWS::") and name == "Arn"


def refuse_type(found: Resource, name: str, code: str, what: str, fix: str) -> None:
    """Raises `InvalidValueError` where `Ref` (`name` "") or `.Arn` of this resource is of another
    kind. Resources of other owners (`Custom::`, modules, third parties) may be anything.
    """
    if found.type.startswith("AWS::") and name in ("", "Arn"):
        if found.type != "AWS::CloudFormation::CustomResource":
            message = f"{found.logical_id} is an {found.type}, not a {what}."
            raise InvalidValueError(code, message, fix)
