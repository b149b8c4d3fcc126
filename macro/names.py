"""Names for what is added: logical ids, conditions and policies that meet none that is there."""

from __future__ import annotations

import re

from macro.grants import Holds
from macro.stack import Stack, id_pattern
from macro.template import Json, Loop, get

_VARIABLE = re.compile(r"[$&]\{(\w+)\}")


class Names:
    """The logical ids that a template has, and those given out beside them."""

    def __init__(self, stack: Stack) -> None:
        sections = ("Parameters", "Conditions", "Mappings", "Resources")
        self._taken: set[str] = {resource.logical_id for resource in stack.resources}
        for section in sections:
            found = get(stack.template, section)
            self._taken |= found.keys() if isinstance(found, dict) else set()
        self._patterns = [id_pattern(name) for name in self._taken if _VARIABLE.search(name)]

    def take(self, name: str) -> str:
        """The name, or the first with a number behind it that no other has, now or unrolled."""
        free, number = name, 1
        while self._is_taken(free):
            number += 1
            free = f"{name}{number}"
        self._taken.add(free)
        if _VARIABLE.search(free):
            self._patterns.append(id_pattern(free))
        return free

    def _is_taken(self, name: str) -> bool:
        if name in self._taken or any(pattern.fullmatch(name) for pattern in self._patterns):
            return True
        if not _VARIABLE.search(name):
            return False
        pattern = id_pattern(name)
        return any(pattern.fullmatch(taken) for taken in self._taken)


def within(logical_id: str, scope: tuple[Loop, ...]) -> str:
    """The logical id without the variables of the loops that are not in scope."""
    variables = {loop.variable for loop in scope}
    return _VARIABLE.sub(lambda found: found[0] if found[1] in variables else "", logical_id)


def label(when: Holds) -> str:
    """Conditions as part of a name: `IsProd`, `NotIsProd`, `IsProdAndNotIsSmall`."""
    return "And".join(name if value else f"Not{name}" for name, value in sorted(when))


def shortened(name: str, most: int) -> str:
    """The name, with a digest in place of its end where it is too long."""
    if len(name) <= most:
        return name
    from hashlib import sha256  # slow to import, and seldom needed

    return name[: most - 8] + sha256(name.encode()).hexdigest()[:8]


def expression(when: Holds) -> Json:
    """Conditions as the template's `Conditions` section writes them; `when` is not empty."""
    terms: list[Json] = [
        {"Condition": name} if value else {"Fn::Not": [{"Condition": name}]}
        for name, value in sorted(when)
    ]
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html
    while len(terms) > 1:
        terms = [
            {"Fn::And": terms[i : i + 10]} if len(terms[i : i + 10]) > 1 else terms[i]
            for i in range(0, len(terms), 10)
        ]
    return terms[0]
