"""A role as written -> where its grant goes."""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from macro.engine.template.arn import InvalidValueError, in_another_account, read_arn, refuse_type
from macro.engine.template.document import Json
from macro.engine.template.intrinsics import (
    Hole,
    Text,
    attribute,
    is_text,
    literal,
    parse,
    ref,
    split,
    write,
)
from macro.engine.template.resources import Resource
from macro.engine.template.stack import PSEUDO_PARAMETERS, Known, Stack


class Inside(NamedTuple):
    """A role that the template declares, in reach of whoever names it."""

    resource: Resource


class Outside(NamedTuple):
    """A role that the template does not declare, by its name: what `AWS::IAM::Policy` takes.

    `defaults` names the parameters whose default value decided how the name is found.
    """

    name: Json
    defaults: tuple[str, ...] = ()


Role: TypeAlias = Inside | Outside


_FIX = "Write GetAtt of a role in the template, a role's ARN, or a parameter that holds one."


def read_role(value: Json, stack: Stack, user: Resource) -> Role:
    """Where the grant of a role as written in `user` (no `Fn::If`, no `AWS::NoValue`) goes.

    Raises `InvalidValueError` where it is no role, or one that no policy of this stack can be
    attached to.
    """
    if not is_text(value):
        raise InvalidValueError("PI402", "A role is text or an intrinsic function.", _FIX)
    if named := attribute(value):
        logical_id, name = named
        found = stack.resource(logical_id, user)
        if found and found.type == "AWS::IAM::Role" and name in ("", "Arn"):
            return Outside(ref(logical_id)) if found.unrolled else Inside(found)
        if found:
            refuse_type(found, name, "PI402", "role", _FIX)
    text = parse(value, user.loop_variables)
    known = stack.known(text)
    match known.text:
        case ():
            raise InvalidValueError("PI402", "The role is empty.", _FIX)
        case (str(head), *_) if head.startswith("arn:"):
            return _by_arn(text, known, stack, user)
        case (str(), *_):
            return _by_name(text, known, stack, user)
        case (Hole({"Ref": str(name)}), *_) if name in PSEUDO_PARAMETERS | user.loop_variables:
            return _by_name(text, known, stack, user)
        case (Hole(), str(tail), *_) if not re.search("[:/]", tail):
            # What follows an ARN would be part of a name; what is part of a name is no ARN.
            return _by_name(text, known, stack, user)
    return Outside(_after_role(write(text)))


def _after_role(arn: Json) -> Json:
    """The role's name where only CloudFormation knows its ARN: right for a role without path."""
    return {"Fn::Select": [1, {"Fn::Split": ["role/", arn]}]}


def _last_of(slashes: int, value: Json) -> Json:
    """What stands behind the last of so many slashes: the name without its path."""
    return {"Fn::Select": [slashes, {"Fn::Split": ["/", value]}]}


def _by_arn(text: Text, known: Known, stack: Stack, user: Resource) -> Role:
    arn = read_arn(known.text, "iam", "role", "PI402", "PI402", stack)
    value = write(text)
    if arn is None:
        return Outside(_after_role(value))
    head = arn.resource[0] if arn.resource else ""
    if isinstance(head, str) and not head.startswith("role/"):
        raise InvalidValueError("PI402", "This ARN is not a role's.", _FIX)
    if isinstance(head, str) and head.startswith("role/aws-service-role/"):
        raise InvalidValueError(
            "PI402",
            "No policy can be attached to a service-linked role.",
            "Name a role of your own as the execution role.",
        )
    if in_another_account(arn, stack):
        raise InvalidValueError(
            "PI401",
            "The role is of another account, where this stack cannot attach a policy.",
            "Let its owner grant access to the secret and write Grant: false, or use a role of"
            " this account.",
        )
    segments = split(text, "/", 64)
    if len(segments) > 1:
        return _named(segments[-1], stack, user)
    slashes = (literal(known.text) or "").count("/")
    if slashes > 1:
        return Outside(_last_of(slashes, value), known.defaults)
    return Outside(_after_role(value))


def _by_name(text: Text, known: Known, stack: Stack, user: Resource) -> Role:
    """The role of a name; a path before it, which `Roles` does not take, is left out."""
    written = "".join(part for part in known.text if isinstance(part, str))
    if not re.fullmatch(r"[\w+=,.@/-]*", written, re.ASCII):
        raise InvalidValueError(
            "PI402", "A role's name has letters, digits and +=,.@-_ only.", _FIX
        )
    slashes = (literal(known.text) or "").count("/")
    segments = split(text, "/", 64)
    if len(segments) == 1 and slashes:
        return Outside(_last_of(slashes, write(text)), known.defaults)
    role = _named(segments[-1], stack, user)
    return Outside(role.name, known.defaults) if isinstance(role, Outside) else role


def _named(name: Text, stack: Stack, user: Resource) -> Role:
    """The role of this name; where the template declares it, the grant must come after it."""
    match name:
        case (Hole({"Ref": str(logical_id)}),):
            found = stack.resource(logical_id, user)
            if found and found.type == "AWS::IAM::Role" and not found.unrolled:
                return Inside(found)
    declared = stack.with_property("AWS::IAM::Role", "RoleName", name, user)
    return Outside(ref(declared.logical_id) if declared else write(name))
