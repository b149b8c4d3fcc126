"""Conditions for what is added: one that the template has, where it fits, or else a new one."""

from __future__ import annotations

from collections.abc import Iterable

from macro.engine.grants.names import Names, numbered, shortened, widths
from macro.engine.grants.quotas import LOGICAL_ID_LENGTH
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import Json, Path, canonical, get, intrinsic, section, spelled
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import mentions
from macro.engine.template.loops import Loop, fill, fill_text
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import Stack


class Wanted(NamedTuple):
    """Conditions that something added exists under, and the loops within which it is."""

    when: Conditions
    scope: tuple[Loop, ...]

    @property
    def key(self) -> tuple[Conditions, tuple[Path, ...]]:
        """The same for what one condition serves."""
        return self.when, tuple(loop.path for loop in self.scope)


class AddedConditions(NamedTuple):
    """The name of the condition for each conjunction that is wanted, by its key (None: it always
    holds), and the edits that add those which the template does not have."""

    by_key: dict[tuple[Conditions, tuple[Path, ...]], str | None]
    edits: tuple[Edit, ...]

    def name(self, wanted: Wanted) -> str | None:
        """The name of the condition for a conjunction; None where it always holds."""
        return self.by_key[wanted.key]


def add_conditions(wanted: Iterable[Wanted], stack: Stack, names: Names) -> AddedConditions:
    """Finds or makes a named condition for each conjunction."""
    own = section(stack.template, "Conditions")
    by_expression: dict[str, str] = {}
    for name, expressed in sorted(own.items()):
        by_expression.setdefault(_normal(expressed) + "[]", name)
    found: dict[tuple[Conditions, tuple[Path, ...]], str | None] = {}
    added: dict[str, Json] = {}
    for one in {one.key: one for one in wanted}.values():
        match list(one.when):
            case []:
                found[one.key] = None
                continue
            case [(name, True)]:
                found[one.key] = name
                continue
        loops = _loops_of(one)
        expressed = expression(one.when)
        key = _normal(expressed) + canonical([[loop.variable, loop.collection] for loop in loops])
        if key not in by_expression and not loops and (same := _equivalent(one.when, own, stack)):
            by_expression[key] = same
        if key not in by_expression:
            stem = shortened(one.when.label, LOGICAL_ID_LENGTH - 3, widths(loops, stack))
            entry = _named(stem, expressed, loops, added, stack, names)
            by_expression[key] = entry.name
            added |= entry.declared
        found[one.key] = by_expression[key]
    return AddedConditions(found, tuple(_edits(stack.template, added)))


def _equivalent(when: Conditions, own: Iterable[str], stack: Stack) -> str | None:
    """The condition of the template that holds just where `when` does, such as one written as the
    opposite of another."""
    for name in sorted(own):
        alone = Conditions({(name, True)})
        if stack.solver.implies(alone, when) and stack.solver.implies(when, alone):
            return name
    return None


def _loops_of(wanted: Wanted) -> tuple[Loop, ...]:
    """The loops whose variables the conditions' names hold."""
    used = mentions(
        [name for name, _ in sorted(wanted.when)], [loop.variable for loop in wanted.scope]
    )
    return tuple(loop for loop in wanted.scope if loop.variable in used)


class _Entry(NamedTuple):
    """The name of a condition, with the variables of its loops, and what declares it."""

    name: str
    declared: dict[str, Json]


def _named(
    stem: str,
    expressed: Json,
    loops: tuple[Loop, ...],
    added: dict[str, Json],
    stack: Stack,
    names: Names,
) -> _Entry:
    """A condition with a name of its own: one for each turn of its loops; where the turns are not
    known, itself in loops."""
    turns = stack.turns(loops)
    if turns is None:
        name = names.take(stem, loops)
        entry: tuple[str, Json] = (name, expressed)
        for loop in reversed(loops):
            loop_name = names.take(f"PrivateImage{loop.variable}")
            entry = (f"Fn::ForEach::{loop_name}", [loop.variable, loop.collection, dict([entry])])
        return _Entry(name, dict([entry]))
    filled = [fill(expressed, turn) for turn in turns]

    def fits(name: str) -> bool:
        """Whether in every turn the name is free, or that of the same condition."""
        return all(
            added[made] == own if made in added else names.is_free(made)
            for made, own in zip((fill_text(name, turn) for turn in turns), filled, strict=True)
        )

    name = numbered(stem, fits)
    declared = dict(zip((fill_text(name, turn) for turn in turns), filled, strict=True))
    names.reserve(declared)
    return _Entry(name, declared)


def _edits(template: dict[str, Json], added: dict[str, Json]) -> Iterable[Edit]:
    if not added:
        return
    if isinstance(get(template, "Conditions"), dict):
        for name, expressed in sorted(added.items()):
            yield Edit("add", ("Conditions", name), expressed)
        return
    sections = list(template)
    before = sections.index("Resources")
    after = sections[before - 1] if before else None
    exists = "Conditions" in sections
    value = dict(sorted(added.items()))
    yield Edit("replace" if exists else "add", ("Conditions",), value, after=after)


def expression(when: Conditions) -> Json:
    """Conditions as the template's `Conditions` section writes them; `when` is not empty."""
    terms: list[Json] = [
        {"Condition": spelled(name)} if truth else {"Fn::Not": [{"Condition": spelled(name)}]}
        for name, truth in sorted(when)
    ]
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html
    while len(terms) > 1:
        terms = [
            {"Fn::And": terms[i : i + 10]} if len(terms[i : i + 10]) > 1 else terms[i]
            for i in range(0, len(terms), 10)
        ]
    return terms[0]


def _normal(expressed: Json) -> str:
    """Equal for conditions that differ in the order of what `Fn::And` joins, if at all."""
    match intrinsic(expressed):
        case ("Fn::And", list(terms)):
            return "and" + "".join(sorted(map(canonical, terms)))
    return canonical(expressed)
