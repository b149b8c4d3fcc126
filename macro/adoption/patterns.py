"""Resources and actions as statements of IAM name them: which of them match the same.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json
from macro.engine.template.intrinsics import (
    Text,
    Unknown,
    attribute,
    join,
    literal_parts,
    parse_text,
    split,
)
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import Site, Stack

_PARTITION = Unknown({"Ref": "AWS::Partition"})
_REGION = Unknown({"Ref": "AWS::Region"})
_ACCOUNT = Unknown({"Ref": "AWS::AccountId"})
_SUFFIX = Unknown({"Ref": "AWS::URLSuffix"})

SERVICES = {
    "AWS::SecretsManager::Secret": "secretsmanager",
    "AWS::KMS::Key": "kms",
    "AWS::KMS::ReplicaKey": "kms",
}
"""The service whose actions a reference to a resource of the template is for, by its type."""


def pattern_of(value: Json, when: Conditions, site: Site, stack: Stack) -> Text:
    """A resource as a statement names it, as far as it is known, so that what means the same is
    equal: the partition of an ARN is one, and a reference is written in one way."""
    text = parse_text(value, site.loop_variables)
    possible = stack.known(text, site, when)
    if len(possible.texts) == 1 and not possible.defaults:
        text = possible.texts[0]
    text = join(*(_one_reference(part, site, stack) for part in text))
    if text and isinstance(text[0], str):
        if found := re.match(r"arn:aws(?:-[a-z]+)*:", text[0]):
            text = join("arn:", _PARTITION, ":", text[0][found.end() :], *text[1:])
    match text:
        case ("arn:", part, ":kms:", *_, Unknown() as last) if part == _PARTITION:
            return _key_of(text, last, site, stack)
    return text


def _one_reference(part: str | Unknown, site: Site, stack: Stack) -> str | Unknown:
    if isinstance(part, str) or (named := attribute(part.value)) is None:
        return part
    logical_id, name = named
    found = stack.resource(logical_id, site)
    if found and found.type == "AWS::SecretsManager::Secret" and name == "Id":
        name = ""
    if not name:
        return Unknown({"Ref": logical_id})
    return Unknown({"Fn::GetAtt": [logical_id, name]})


def _key_of(text: Text, last: Unknown, site: Site, stack: Stack) -> Text:
    """An ARN that is spelled out with `Ref` to a key of the template is the key's own."""
    named = attribute(last.value)
    found = stack.resource(named[0], site) if named and not named[1] else None
    before = text[-2]
    if found and found.type in SERVICES and isinstance(before, str) and before.endswith(":key/"):
        return (Unknown({"Fn::GetAtt": [found.logical_id, "Arn"]}),)
    return text


def service_of(pattern: Text, site: Site, stack: Stack) -> str | None:
    """The service whose resources a pattern is for; None: it may be any."""
    match pattern:
        case (Unknown(value),) if named := attribute(value):
            found = stack.resource(named[0], site)
            return SERVICES.get(found.type) if found else None
        case ("arn:", part, str(rest), *_) if part == _PARTITION:
            service = rest.removeprefix(":").partition(":")
            return service[0] if service[1] and not set(service[0]) & set("*?") else None
    return None


class DeclaredArn(NamedTuple):
    """The ARN of a secret or key that the template declares, as far as it is known. `is_generated`:
    CloudFormation makes up the name, which has the logical id in it and no slash."""

    arn: Text
    is_generated: bool


def named_by(text: Text, site: Site, stack: Stack) -> DeclaredArn | None:
    """The template's secret or key that a text refers to; None: it refers to none."""
    if len(text) != 1 or isinstance(text[0], str) or not (named := attribute(text[0].value)):
        return None
    found = stack.resource(named[0], site)
    service = SERVICES.get(found.type) if found else None
    if found is None or service is None:
        return None
    place = ("arn:", _PARTITION, f":{service}:", _REGION, ":", _ACCOUNT)
    if service == "kms":
        return DeclaredArn(join(*place, ":key/", *text), False)
    name = found.property("Name")
    if name in (None, NO_VALUE):
        own: Text = (Unknown({"Ref": "AWS::StackName"}), found.logical_id)
    else:
        own = pattern_of(name, found.when, Site(found), stack)
    return DeclaredArn(join(*place, ":secret:", *own, "-", *text), name in (None, NO_VALUE))


Symbol: TypeAlias = str | Unknown


def _symbols(pattern: Text) -> list[Symbol]:
    """The characters and the unknown parts of a pattern."""
    return [one for part in pattern for one in (part if isinstance(part, str) else (part,))]


def covers(wide: Text, narrow: Text) -> bool:
    """Whether all that a pattern matches another one matches too, whatever is not known."""

    def fits(one: Symbol, other: Symbol) -> bool:
        return one == other or (one == "?" and isinstance(other, str) and other != "*")

    mine, theirs = _symbols(wide), _symbols(narrow)
    if "*" not in mine:  # most have none
        return len(mine) == len(theirs) and all(map(fits, mine, theirs))
    return _reaches(mine, theirs, fits, lambda one: one == "*", None)


def may_meet(one: Text, other: Text) -> bool:
    """Whether two patterns may match the same: false only where it is known that they do not."""
    fields = [split(text, ":", 5) for text in (one, other)]
    if all(len(found) == 6 and not _has_star(found[:5]) for found in fields):
        return all(_may_meet(*pair) for pair in zip(*fields, strict=True))
    return _may_meet(one, other)


def has_slash(pattern: Text) -> bool:
    """Whether the last field of an ARN has a slash in it for sure."""
    return "/" in literal_parts(split(pattern, ":", -1)[-1])


def _has_star(fields: Iterable[Text]) -> bool:
    return any("*" in literal_parts(field) for field in fields)


def _may_meet(one: Text, other: Text) -> bool:
    def fits(left: Symbol, right: Symbol) -> bool:
        return left == right or "?" in (left, right)

    def is_open(symbol: Symbol) -> bool:
        return symbol == "*" or isinstance(symbol, Unknown)

    return _reaches(_symbols(one), _symbols(other), fits, is_open, is_open)


def _reaches(
    left: Sequence[Symbol],
    right: Sequence[Symbol],
    fits: Callable[[Symbol, Symbol], bool],
    open_left: Callable[[Symbol], bool],
    open_right: Callable[[Symbol], bool] | None,
) -> bool:
    """Whether both sequences can be read to their ends side by side; an open symbol takes up any
    number of the other's."""
    rows = [[False] * (len(right) + 1) for _ in range(len(left) + 1)]
    rows[0][0] = True
    for i, row in enumerate(rows):
        for j in range(len(right) + 1):
            if row[j]:
                continue
            if i and open_left(left[i - 1]):
                row[j] = rows[i - 1][j] or (j > 0 and row[j - 1])
            if not row[j] and j and open_right and open_right(right[j - 1]):
                row[j] = row[j - 1] or (i > 0 and rows[i - 1][j])
            if not row[j] and i and j and fits(left[i - 1], right[j - 1]):
                row[j] = rows[i - 1][j - 1]
    return rows[-1][-1]


def action_covers(wide: str, narrow: str) -> bool:
    """Whether an action as one statement writes it takes in another; case does not count."""
    return covers((wide.lower(),), (narrow.lower(),))


def in_one_partition(via: Text) -> Text:
    """A host name whose end is that of the stack's partition, written in one way."""
    if via and isinstance(via[-1], str) and via[-1].endswith(".amazonaws.com"):
        return join(*via[:-1], via[-1].removesuffix("amazonaws.com"), _SUFFIX)
    return via
