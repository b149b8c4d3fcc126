"""Conditions for what is added: one that the template has, where it fits, or else a new one."""

from __future__ import annotations

from collections.abc import Iterator

from macro.engine.grants.names import Names, expression, label, shortened
from macro.engine.grants.permissions import Holds
from macro.engine.grants.quotas import LOGICAL_ID_LENGTH
from macro.engine.template.document import Json, get, intrinsic
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import canonical, mentions
from macro.engine.template.resources import Loop
from macro.engine.template.stack import Stack


class Conditions:
    """Finds or makes the named condition for a conjunction of conditions."""

    def __init__(self, stack: Stack, names: Names) -> None:
        self._template = stack.template
        self._names = names
        section = get(stack.template, "Conditions")
        self._section = section if isinstance(section, dict) else None
        self._by_expression: dict[str, str] = {}
        for name, expressed in sorted((self._section or {}).items()):
            self._by_expression.setdefault(_normal(expressed) + "[]", name)
        self._added: dict[str, Json] = {}

    def name(self, when: Holds, scope: tuple[Loop, ...]) -> str | None:
        """The name of the condition that holds just when `when` does; None where that is always."""
        if not when:
            return None
        match list(when):
            case [(name, True)]:
                return name
        expressed = expression(when)
        said = mentions([name for name, _ in sorted(when)], [loop.variable for loop in scope])
        loops = tuple(loop for loop in scope if loop.variable in said)
        key = _normal(expressed) + canonical([[loop.variable, loop.collection] for loop in loops])
        found = self._by_expression.get(key)
        if found is None:
            found = self._names.take(shortened(label(when), LOGICAL_ID_LENGTH - 3), loops)
            self._by_expression[key] = found
            entry: tuple[str, Json] = (found, expressed)
            for loop in reversed(loops):
                turns = self._names.take(f"PrivateImage{loop.variable}")
                entry = (f"Fn::ForEach::{turns}", [loop.variable, loop.collection, dict([entry])])
            self._added[entry[0]] = entry[1]
        return found

    def edits(self) -> Iterator[Edit]:
        """What adds the new conditions to the template."""
        if not self._added:
            return
        if self._section is None:
            sections = list(self._template) if isinstance(self._template, dict) else []
            before = sections.index("Resources")
            after = sections[before - 1] if before else None
            section = dict(sorted(self._added.items()))
            there = "Conditions" in sections
            yield Edit("replace" if there else "add", ("Conditions",), section, after=after)
            return
        for name, expressed in sorted(self._added.items()):
            yield Edit("add", ("Conditions", name), expressed)


def _normal(expressed: Json) -> str:
    """Equal for conditions that differ in the order of what `Fn::And` joins, if at all."""
    match intrinsic(expressed):
        case ("Fn::And", list(terms)):
            return "and" + "".join(sorted(map(canonical, terms)))
    return canonical(expressed)
