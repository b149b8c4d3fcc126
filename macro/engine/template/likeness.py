"""Whether two texts with unknown parts may come out equal in some deployment."""

from __future__ import annotations

import re
from typing import TypeAlias

from macro.engine.template.intrinsics import Text, Unknown, attribute

_Parts: TypeAlias = "list[str | Unknown]"

# What the values of some pseudo parameters look like; of all other unknown parts nothing is known.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/pseudo-parameter-reference.html
_PSEUDO = {
    "AWS::AccountId": r"\d{12}",
    "AWS::Partition": r"aws(-[a-z]+)*",
    "AWS::Region": r"[a-z]+(-[a-z]+)+-\d+",
    "AWS::StackName": r"[A-Za-z][A-Za-z0-9-]*",
}


def is_blank(text: Text) -> bool:
    """Whether nothing of a text is literal."""
    return not any(isinstance(part, str) for part in text)


def may_be_equal(one: Text, other: Text) -> bool:
    """Whether some values of the unknown parts, which may be empty, make both texts equal.

    Parts that are written alike have the same value. It takes time in proportion to the texts.
    """
    heads = _without_common_head(list(one), list(other))
    ends = heads and _without_common_head(*map(_reversed, heads))
    if not ends:
        return False
    # Each is empty now, or an unknown part begins or ends one of the two; literal is at most one.
    left, right = map(_reversed, ends)
    for literal, open_text in ((left, right), (right, left)):
        if all(isinstance(part, str) for part in literal):
            return _may_become(open_text, "".join(map(str, literal)))
    return True


def _without_common_head(one: _Parts, other: _Parts) -> tuple[_Parts, _Parts] | None:
    """The texts without what both surely begin with; None where they surely begin differently."""
    one, other = one[::-1], other[::-1]  # what is next is the last
    while one and other:
        left, right = one.pop(), other.pop()
        if left == right:
            continue
        if not (isinstance(left, str) and isinstance(right, str)):
            one.append(left)
            other.append(right)
            break
        if not (left.startswith(right) or right.startswith(left)):
            return None
        if len(left) > len(right):
            one.append(left[len(right) :])
        else:
            other.append(right[len(left) :])
    return one[::-1], other[::-1]


def _reversed(parts: _Parts) -> _Parts:
    return [part[::-1] if isinstance(part, str) else part for part in reversed(parts)]


def _may_become(parts: _Parts, literal: str) -> bool:
    """Whether parts, of which the first and the last are unknown if any is, may be this literal."""
    match parts:
        case []:
            return not literal
        case [Unknown(value)]:
            pattern = _PSEUDO.get((attribute(value) or ("", ""))[0])
            return pattern is None or re.fullmatch(pattern, literal, re.ASCII) is not None
    place = 0
    for part in parts:
        if isinstance(part, str):
            place = literal.find(part, place)
            if place < 0:
                return False
            place += len(part)
    return True
