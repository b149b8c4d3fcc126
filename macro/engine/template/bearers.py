"""Which resources of a template have a name, or may have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from macro.engine.template.choices import chosen, leaves
from macro.engine.template.conditions import ALWAYS, Conditions
from macro.engine.template.document import Json
from macro.engine.template.evaluation import Values
from macro.engine.template.intrinsics import Text, literal, parse_text
from macro.engine.template.likeness import is_blank, may_be_equal
from macro.engine.template.loops import Loop, Turn, fill
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource

Turns = Callable[[tuple[Loop, ...]], "tuple[Turn, ...] | None"]


class Bearers(NamedTuple):
    """The resources that have a name in all deployments that it is sought in, and those that have
    it in some, as parameters or conditions decide; `nameless` are those that may have it since
    nothing at all is known of one of the names."""

    always: list[Resource]
    sometimes: list[Resource]
    nameless: list[Resource]


NO_BEARERS = Bearers([], [], [])


class _Bearer(NamedTuple):
    """A resource, in a turn of its loops, that has a name where `when` holds: `written` as its
    template says. `known`: no parameter decides the name."""

    resource: Resource
    turn: Turn
    when: Conditions
    written: Text
    known: bool


class BearerIndex(NamedTuple):
    """Resources by the texts that one of their properties can be; and those of which a part of the
    text is not known, by that text, with the texts that are listed already."""

    by_text: dict[Text, list[_Bearer]]
    open: list[tuple[Text, frozenset[Text], _Bearer]]

    def of(self, text: Text) -> Iterator[tuple[_Bearer, bool]]:
        """Those that have this text, or may, each with whether something is known of both texts."""
        for bearer in self.by_text.get(text, ()):
            yield bearer, True
        blank = is_blank(text)
        for written, listed, bearer in self.open:
            if text != written and text not in listed and may_be_equal(text, written):
                yield bearer._replace(known=False), not blank and not is_blank(written)
        if literal(text) is None:
            for other, bearers in self.by_text.items():
                if literal(other) is not None and may_be_equal(text, other):
                    for bearer in bearers:
                        yield bearer._replace(known=False), not blank


def bearer_index(
    resources: Iterable[Resource], name: str, values: Values, turns: Turns
) -> BearerIndex:
    """The index of resources by a property; `turns` gives the turns of loops, where known."""
    index = BearerIndex({}, [])
    for resource in resources:
        if resource.property(name) is None:
            continue
        for texts, bearer, besides in _bearers(resource, name, values, turns):
            for text in texts:
                index.by_text.setdefault(text, []).append(bearer)
            listed = frozenset(texts)
            index.open.extend((text, listed, bearer) for text in besides if literal(text) is None)
    return index


def _bearers(
    resource: Resource, name: str, values: Values, turns: Turns
) -> Iterator[tuple[tuple[Text, ...], _Bearer, tuple[Text, ...]]]:
    """What a property of a resource can be: the texts, and those that say what else it is."""
    value = resource.property(name)
    tree = chosen(value)
    cases: list[tuple[Json, Conditions]] = leaves(value if tree is None else tree, ALWAYS)
    for leaf, when in cases:
        written = parse_text(leaf, resource.loop_variables)
        for turn in turns(resource.loops) or ((),):
            texts, defaults = values.known(written, turn)
            known = len(texts) == 1 and not defaults
            bearer = _Bearer(resource, turn, when, written, known)
            besides = (parse_text(fill(leaf, turn)),) if defaults else texts
            yield texts, bearer, besides
