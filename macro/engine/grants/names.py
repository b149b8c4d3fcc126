"""Names for what is added: logical ids and names of policies that no other has, in any turn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import count

from macro.engine.template.document import Json, get, section
from macro.engine.template.loops import Loop, fill, fill_text
from macro.engine.template.stack import Stack


def numbered(name: str, is_free: Callable[[str], bool]) -> str:
    """The name, with the first number behind it that makes it free, if it needs one."""
    candidates = (f"{name}{number if number > 1 else ''}" for number in count(1))
    return next(candidate for candidate in candidates if is_free(candidate))


class Names:
    """The logical ids that a template has, and those given out beside them."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._taken: set[str] = set(stack.logical_ids)
        for name in ("Parameters", "Conditions", "Mappings", "Resources"):
            self._taken |= section(stack.template, name).keys()
        self._taken |= stack.condition_names

    def take(self, name: str, scope: tuple[Loop, ...] = ()) -> str:
        """The name, with a number behind it where another has it, be it in one turn of a loop."""
        free = numbered(name, lambda one: self._taken.isdisjoint(self._in_turns(one, scope)))
        self._taken |= self._in_turns(free, scope)
        return free

    def is_free(self, name: str) -> bool:
        """Whether nothing has this name."""
        return name not in self._taken

    def reserve(self, names: Iterable[str]) -> None:
        """Takes these very names."""
        self._taken |= set(names)

    def _in_turns(self, logical_id: str, scope: tuple[Loop, ...]) -> set[str]:
        """What a logical id becomes in the turns of its loops, as far as they are known."""
        turns = self._stack.turns(scope) or ()
        return {logical_id, *(fill_text(logical_id, turn) for turn in turns)}


# The length of all loop variables of a name together for which there is room, where it is not known
# what the loops run over.
UNKNOWN_WIDTH = 64


def widths(scope: tuple[Loop, ...], stack: Stack) -> dict[str, int]:
    """The greatest length that each variable of some loops has; an assumed one where it is not
    known."""
    turns = stack.turns(scope)
    if turns is not None:
        return {
            loop.variable: max((len(dict(turn)[loop.variable]) for turn in turns), default=0)
            for loop in scope
        }
    alone = {loop.variable: stack.turns((loop,)) for loop in scope}
    unknown = sum(found is None for found in alone.values()) or 1
    return {
        variable: UNKNOWN_WIDTH // unknown
        if found is None
        else max((len(value) for turn in found for _, value in turn), default=0)
        for variable, found in alone.items()
    }


def length(name: str, variables: Mapping[str, int]) -> int:
    """The greatest length of a name once its loop variables are filled in."""
    for variable, width in variables.items():
        name = re.sub(rf"[$&]\{{{variable}\}}", "x" * width, name)
    return len(name)


def shortened(name: str, most: int, variables: Mapping[str, int] | None = None) -> str:
    """The name, with a digest in place of a part of it where it is too long. Loop variables stay,
    so that the turns keep names of their own; `variables` has their greatest lengths."""
    known = variables or {}
    if length(name, known) <= most:
        return name
    from hashlib import sha256  # slow to import, and seldom needed

    kept = re.findall(r"[$&]\{\w+\}", name) if known else []
    kept = [variable for variable in dict.fromkeys(kept) if variable[2:-1] in known]
    head = re.sub(r"[$&]\{\w+\}", "", name) if known else name
    room = most - 8 - length("".join(kept), known)
    return head[: max(room, 0)] + sha256(name.encode()).hexdigest()[:8] + "".join(kept)


def names_of(items: Iterable[tuple[Json, tuple[Loop, ...]]], stack: Stack) -> set[str]:
    """The names, as far as they are known, that some values are: each in all turns of the loops
    around it; where those are not known, as it is written."""
    names: set[str] = set()
    for item, loops in items:
        turns = stack.turns(loops)
        if turns is None and isinstance(written := get(item, "Fn::Sub"), str):
            names.add(written)
        for turn in turns or ((),):
            names.update(stack.values.plain_texts(fill(item, turn)))
    return names
