"""Conditions: which hold together, whether a deployment can have them, and what they imply."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

from macro.engine.template.document import Json, canonical
from macro.engine.template.records import NamedTuple


class Conditions(frozenset[tuple[str, bool]]):
    """Conditions that hold together, each by its name with the truth that it has.

    The empty one holds in every deployment. In a loop a name may hold `${Variable}`.
    """

    __slots__ = ()

    def also(self, name: str, truth: bool) -> Conditions:
        """These, and the condition of this name with this truth."""
        return Conditions(self | {(name, truth)})

    def both(self, other: Conditions) -> Conditions:
        """These and the others together."""
        return Conditions(self | other) if other else self

    def without(self, other: Conditions) -> Conditions:
        """What these ask for that the others do not."""
        return Conditions(self - other)

    @property
    def contradictory(self) -> bool:
        """Whether a condition would have to be both true and false."""
        return len(self) > 1 and len({name for name, _ in self}) < len(self)

    @property
    def reading_order(self) -> list[tuple[str, bool]]:
        """Sorts conditions by name; where one holds before where it does not."""
        return sorted((name, not truth) for name, truth in self)

    @property
    def label(self) -> str:
        """The conditions as a part of a name: `IsProd`, `NotIsProd`, `IsProdAndNotIsSmall`."""
        return "And".join(name if truth else f"Not{name}" for name, truth in sorted(self))


ALWAYS = Conditions()


class Domain(NamedTuple):
    """What is known of a parameter's value: all values it can have, or None where it may have any;
    and the value in this deployment, where that is known."""

    allowed: tuple[str, ...] | None
    deployed: str | None


_Texts: TypeAlias = "dict[str, set[str]]"
"""Texts by parameter."""

MOST_STEPS = 2_000
"""How many cases are looked at before a question counts as undecided."""

MOST_TERMS = 10_000
"""How many terms are looked at in all these cases: of conditions that are long, fewer cases are."""


class ConditionSolver:
    """Answers what the `Conditions` section of a template allows.

    `Fn::And`, `Fn::Or`, `Fn::Not`, `Condition` and `Fn::Equals` over parameters, `Fn::FindInMap`
    and literal text are understood. Any other term may be true or false. A question that takes more
    than MOST_STEPS cases, or MOST_TERMS, is answered as if nothing were known: everything is
    possible, and implies nothing else.
    """

    def __init__(self, section: Mapping[str, Json], domains: Mapping[str, Domain]) -> None:
        self._section, self._domains = section, domains
        self._possible: dict[tuple[Conditions, tuple[tuple[str, str], ...], bool], bool] = {}

    def possible(self, when: Conditions, values: Mapping[str, str] | None = None) -> bool:
        """Whether some deployment has these conditions at once, with these values of parameters (by
        name) and of `Fn::FindInMap` (as `canonical` writes it)."""
        return self._answer(when, tuple(sorted((values or {}).items())), deployed=False)

    def reached(self, when: Conditions) -> bool:
        """Whether this deployment may have these conditions, as far as its values are known."""
        return self._answer(when, (), deployed=True)

    def implies(self, when: Conditions, other: Conditions) -> bool:
        """Whether the others hold in every deployment that has these conditions."""
        return all(
            not self.possible(when.also(name, not truth)) for name, truth in other.without(when)
        )

    def _answer(
        self, when: Conditions, values: tuple[tuple[str, str], ...], *, deployed: bool
    ) -> bool:
        if not when:
            return True
        key = when, values, deployed
        found = self._possible.get(key)
        if found is None:
            found = self._possible[key] = not when.contradictory and self._search(
                when, dict(values), deployed
            )
        return found

    def _search(self, when: Conditions, values: dict[str, str], deployed: bool) -> bool:
        """Whether some assignment of the free terms makes all of `when` true."""
        order = self._needed(name for name, _ in when)
        wanted, unwanted = self._compared(when)
        free = {
            term: tuple(
                value
                for value in possible
                if value not in unwanted.get(term, ()) and wanted.get(term, {value}) == {value}
            )
            for term, possible in self._free_terms(order, values, deployed).items()
        }
        names = sorted(free, key=lambda name: (len(free[name]), name))
        terms = len(order) + sum(1 for name in order for _ in _terms(self._section[name]))
        most = min(MOST_STEPS, MOST_TERMS // max(terms, 1))
        steps = 0
        todo: list[tuple[int, dict[str, str | bool]]] = [(0, {})]
        while todo:
            depth, assigned = todo.pop()
            steps += 1
            if steps > most:
                return True
            truth = self._truth(when, order, assigned)
            if truth:
                return True
            if truth is None and depth < len(names):
                todo += [
                    (depth + 1, {**assigned, names[depth]: value})
                    for value in reversed(free[names[depth]])
                ]
        return False

    def _compared(self, when: Conditions) -> tuple[_Texts, _Texts]:
        """The texts that a parameter must equal, and must not, as `when` says without alternatives:
        of all others nothing need be tried."""
        equal: _Texts = {}
        different: _Texts = {}
        seen: set[tuple[str, bool]] = set()
        todo: list[tuple[Json, bool]] = [({"Condition": name}, truth) for name, truth in when]
        while todo:
            node, truth = todo.pop()
            match node:
                case {"Condition": str(name)} if name in self._section:
                    if (name, truth) not in seen:
                        seen.add((name, truth))
                        todo.append((self._section[name], truth))
                case {"Fn::Not": [term]}:
                    todo.append((term, not truth))
                case {"Fn::And": list(terms)} if truth:
                    todo += [(term, True) for term in terms]
                case {"Fn::Or": list(terms)} if not truth:
                    todo += [(term, False) for term in terms]
                case {"Fn::Equals": _}:
                    match _sides(node):
                        case [(name, True), (text, False)] | [(text, False), (name, True)]:
                            (equal if truth else different).setdefault(name, set()).add(text)
        return equal, different

    def _needed(self, names: Iterable[str]) -> list[str]:
        """The conditions that these are made of, each behind those that it is made of."""
        order: dict[str, None] = {}
        todo = [(name, False) for name in sorted(names)]
        within: set[str] = set()
        while todo:
            name, complete = todo.pop()
            if complete:
                order[name] = None
            elif name not in within and name in self._section:
                within.add(name)
                todo.append((name, True))
                todo += [(other, False) for other in _conditions_in(self._section[name])]
        return list(order)

    def _free_terms(
        self, order: Iterable[str], values: Mapping[str, str], deployed: bool
    ) -> dict[str, tuple[str | bool, ...]]:
        """What may vary, and the values to try: parameters by those that tell cases apart."""
        literals: dict[str, dict[str, None]] = {}
        free: dict[str, tuple[str | bool, ...]] = {}
        pairs: list[tuple[str, str]] = []
        for term in (term for name in order for term in _terms(self._section[name])):
            sides = _sides(term)
            if sides is None:
                free[canonical(term)] = (True, False)
                continue
            variables = [side for side, is_variable in sides if is_variable]
            texts = [side for side, is_variable in sides if not is_variable]
            for variable in variables:
                literals.setdefault(variable, {}).update(dict.fromkeys(texts))
            if len(variables) == 2:
                pairs.append((variables[0], variables[1]))
        for _ in pairs:  # what two parameters that are compared may share
            for one, other in pairs:
                shared = {**literals[one], **literals[other]}
                literals[one], literals[other] = dict(shared), shared
        for variable, texts_of in literals.items():
            domain = self._domains.get(variable, Domain(None, None))
            if variable in values:
                free[variable] = (values[variable],)
            elif deployed and domain.deployed is not None:
                free[variable] = (domain.deployed,)
            elif domain.allowed is not None:
                free[variable] = domain.allowed
            else:
                # Any other text: one of its own, and one that it may share with another parameter.
                others = ("\0", f"\0{variable}") if pairs else ("\0",)
                free[variable] = (*texts_of, *others)
        for name in order:
            for other in _conditions_in(self._section[name]):
                if other not in self._section:  # CloudFormation refuses it; here nothing is known
                    free[canonical({"Condition": other})] = (True, False)
        return free

    def _truth(
        self, when: Conditions, order: Iterable[str], assigned: Mapping[str, str | bool]
    ) -> bool | None:
        """Whether all of `when` hold, as far as the terms that have been assigned decide it."""
        truths: dict[str, bool | None] = {}

        def of_condition(name: str) -> bool | None:
            if name in truths:
                return truths[name]
            return _term_truth(assigned, {"Condition": name})

        of_term = partial(_term_truth, assigned)
        for name in order:
            truths[name] = truth_of(self._section[name], of_condition, of_term)
        decided = True
        for name, expected in when:
            truth = truths.get(name, expected)
            if truth is None:
                decided = False
            elif truth != expected:
                return False
        return True if decided else None


def _terms(node: Json) -> Iterator[Json]:
    """The terms that a condition is made of, other than `Fn::And`, `Fn::Or`, `Fn::Not`."""
    todo = [node]
    while todo:
        node = todo.pop()
        match node:
            case {"Fn::And": list(terms)} | {"Fn::Or": list(terms)} | {"Fn::Not": list(terms)}:
                todo += terms
            case {"Condition": str()}:
                pass
            case _:
                yield node


def _conditions_in(node: Json) -> list[str]:
    """The names of the conditions that a condition refers to."""
    found: list[str] = []
    todo = [node]
    while todo:
        match todo.pop():
            case {"Fn::And": list(terms)} | {"Fn::Or": list(terms)} | {"Fn::Not": list(terms)}:
                todo += terms
            case {"Condition": str(name)}:
                found.append(name)
    return found


def _sides(term: Json) -> list[tuple[str, bool]] | None:
    """The two sides of an `Fn::Equals`, each with whether it is a variable: a parameter, or an
    `Fn::FindInMap`; None where a side is neither that nor literal text."""
    match term:
        case {"Fn::Equals": [one, other]}:
            sides = [_side(one), _side(other)]
            return None if None in sides else [side for side in sides if side]
    return None


def _side(value: Json) -> tuple[str, bool] | None:
    match value:
        case {"Ref": str(name)}:
            return name, True
        case {"Fn::Sub": str(text)} if text.startswith("${") and text.count("${") == 1:
            name = text[2:].removesuffix("}").strip()
            return (name, True) if text.endswith("}") and name.replace("::", "").isalnum() else None
        case {"Fn::FindInMap": _}:
            return canonical(value), True  # what is written alike has one value in a deployment
        case bool():
            return str(value).lower(), False
        case str() | int() | float() if "{{resolve:" not in str(value):
            return str(value), False
    return None


def truth_of(
    node: Json,
    of_condition: Callable[[str], bool | None],
    of_term: Callable[[Json], bool | None],
) -> bool | None:
    """The truth of a condition as it is written; None: it is not known.

    `of_condition` gives the truth of a condition that it refers to, `of_term` that of a term which
    is not `Fn::And`, `Fn::Or` or `Fn::Not`.
    """
    match node:
        case {"Condition": str(name)}:
            return of_condition(name)
        case {"Fn::And": list(terms)}:
            truths = [truth_of(term, of_condition, of_term) for term in terms]
            return False if False in truths else None if None in truths else True
        case {"Fn::Or": list(terms)}:
            truths = [truth_of(term, of_condition, of_term) for term in terms]
            return True if True in truths else None if None in truths else False
        case {"Fn::Not": [term]}:
            truth = truth_of(term, of_condition, of_term)
            return None if truth is None else not truth
    return of_term(node)


def _term_truth(assigned: Mapping[str, str | bool], term: Json) -> bool | None:
    """The truth of a term where some parameters, and terms that are not understood, have values."""
    sides = _sides(term)
    if sides is None:
        found = assigned.get(canonical(term))
        return found if isinstance(found, bool) else None
    texts = [assigned.get(side) if is_variable else side for side, is_variable in sides]
    return None if None in texts else texts[0] == texts[1]
