"""Names for what is added: logical ids, conditions and policies that meet none that is there."""

from __future__ import annotations

import re

from macro.engine.grants.permissions import Holds
from macro.engine.grants.quotas import RESOURCES
from macro.engine.template.document import Json, get, spelled
from macro.engine.template.resources import Loop
from macro.engine.template.stack import Stack

_VARIABLE = re.compile(r"[$&]\{(\w+)\}")


class Names:
    """The logical ids that a template has, and those given out beside them."""

    def __init__(self, stack: Stack) -> None:
        self._taken: set[str] = set()
        for section in ("Parameters", "Conditions", "Mappings", "Resources"):
            found = get(stack.template, section)
            self._taken |= found.keys() if isinstance(found, dict) else set()
        for resource in stack.resources:
            self._taken |= _unrolled(resource.logical_id, resource.loops)

    def take(self, name: str, scope: tuple[Loop, ...] = ()) -> str:
        """The name, with a number behind it where another has it, be it in one turn of a loop."""
        free, number = name, 1
        while not self._taken.isdisjoint(ids := _unrolled(free, scope)):
            number += 1
            free = f"{name}{number}"
        self._taken |= ids
        return free


def _unrolled(logical_id: str, loops: tuple[Loop, ...]) -> set[str]:
    """What a logical id becomes in the turns of its loops, as far as they are spelled out."""
    ids = {logical_id}
    for loop in loops:
        if isinstance(loop.collection, list) and len(ids) * len(loop.collection) <= RESOURCES:
            ids = {
                one.replace(f"${{{loop.variable}}}", str(item)).replace(
                    f"&{{{loop.variable}}}", re.sub("[^A-Za-z0-9]", "", str(item))
                )
                for one in ids
                for item in loop.collection
            } or ids
    return ids


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
        {"Condition": spelled(name)} if value else {"Fn::Not": [{"Condition": spelled(name)}]}
        for name, value in sorted(when)
    ]
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html
    while len(terms) > 1:
        terms = [
            {"Fn::And": terms[i : i + 10]} if len(terms[i : i + 10]) > 1 else terms[i]
            for i in range(0, len(terms), 10)
        ]
    return terms[0]
