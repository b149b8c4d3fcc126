"""ARNs as templates write them, and what is wrong with them."""

from __future__ import annotations

import re
from typing import NamedTuple

from macro.engine.template.document import Path
from macro.engine.template.intrinsics import Hole, Text, join, literal, split
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Stack


class InvalidValueError(Exception):
    """What is wrong with a value as written: a code, the fact and the fix, without the value."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code, self.message, self.fix = code, message, fix

    def at(self, path: Path) -> Problem:
        """The mistake as a problem of the value at the path."""
        return Problem(self.code, path, self.message, self.fix)


class Arn(NamedTuple):
    """The fields of an ARN, each a text with holes."""

    partition: Text
    service: Text
    region: Text
    account: Text
    resource: Text


def arn_of(
    service: str,
    *resource: str | Hole,
    partition: Text = (Hole({"Ref": "AWS::Partition"}),),
    region: Text = (Hole({"Ref": "AWS::Region"}),),
    account: Text = (Hole({"Ref": "AWS::AccountId"}),),
) -> Text:
    """The ARN of a resource; by default one of the stack's own account and Region."""
    return join("arn:", *partition, f":{service}:", *region, ":", *account, ":", *resource)


_GLOBAL = ("iam",)  # services whose ARNs name no Region


def read_arn(
    text: Text, service: str, what: str, malformed: str, other: str, stack: Stack
) -> Arn | None:
    """The ARN's fields, checked as far as they are literal; None where holes hide its colons.

    Raises `InvalidValueError`: with the code `malformed` for a field that no ARN has, with `other`
    for an ARN of another service, and for a wildcard or another partition than the stack's.
    """
    fix = f"Copy the ARN of the {what} from the console."
    if any(character in part for part in text if isinstance(part, str) for character in "*?"):
        message = f"A wildcard in the ARN would open more than this one {what}."
        raise InvalidValueError("PI305", message, f"Write the ARN of the one {what}.")
    fields = split(text, ":", 5)
    if len(fields) < 6:
        if literal(text) is None:
            return None
        raise InvalidValueError(malformed, f"The ARN of the {what} has too few fields.", fix)
    arn = Arn(*fields[1:])
    if literal(arn.service) not in (None, service):
        if (service, literal(arn.service)) == ("secretsmanager", "ssm"):
            raise ssm_parameter()
        raise InvalidValueError(
            other, f"This is an ARN of {literal(arn.service)}, not of a {what}.", fix
        )
    for field, pattern, name in (
        (arn.partition, r"aws(-[a-z]+)*", "partition"),
        (arn.region, "" if service in _GLOBAL else r"[a-z]+(-[a-z]+)+-\d+", "Region"),
        (arn.account, r"\d{12}", "account"),
    ):
        known = literal(field)
        if known is not None and not re.fullmatch(pattern, known, re.ASCII):
            raise InvalidValueError(
                malformed, f"The {name} in the ARN of the {what} is malformed.", fix
            )
    partition, own = literal(arn.partition), stack.context.partition
    if partition and own not in (None, partition):
        raise InvalidValueError(
            "PI307",
            f"The ARN is of the partition {partition}, the stack's Region is in {own}.",
            "Write ${AWS::Partition} with Fn::Sub, or the ARN as it is in the stack's partition.",
        )
    return arn


def in_another_account(arn: Arn, stack: Stack) -> bool:
    """Whether the ARN is known to be of another account than the stack's."""
    account = literal(arn.account)
    return None not in (account, stack.context.account) and account != stack.context.account


def ssm_parameter() -> InvalidValueError:
    """A parameter of Systems Manager stands where a secret should."""
    return InvalidValueError(
        "PI302",
        "This is a parameter of Systems Manager; registry credentials come from Secrets Manager.",
        "Store the credentials in a Secrets Manager secret and write its ARN or name.",
    )


def refuse_type(found: Resource, name: str, code: str, what: str, fix: str) -> None:
    """Raises `InvalidValueError` where `Ref` (`name` "") or `.Arn` of this resource is of another
    kind.

    Resources of other owners (`Custom::`, modules, third parties) may stand for anything.
    """
    if found.type.startswith("AWS::") and name in ("", "Arn"):
        if found.type != "AWS::CloudFormation::CustomResource":
            raise InvalidValueError(
                code, f"{found.logical_id} is an {found.type}, not a {what}.", fix
            )
