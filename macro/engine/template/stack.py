"""A template and what is known of its stack: its resources, their dependencies, its conditions."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import Any, TypeVar

from macro.engine.template.bearers import BearerIndex, Bearers, bearer_index
from macro.engine.template.conditions import Conditions, ConditionSolver
from macro.engine.template.document import Json, Path, section
from macro.engine.template.evaluation import Possible, Values
from macro.engine.template.intrinsics import Text, Unknown, parse_text, references
from macro.engine.template.loops import Loop, Turn, fill, fill_text, read_loop, variables_in
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource, resources

PSEUDO_PARAMETERS = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId NotificationARNs NoValue Partition Region StackId StackName URLSuffix".split()
    )
)

REGION_CODE = re.compile(r"[a-z]+(-[a-z]+)+-\d+")
ACCOUNT_ID = re.compile(r"\d{12}", re.ASCII)

# https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
PARTITIONS = {
    "cn": "aws-cn",
    "us-gov": "aws-us-gov",
    "us-iso": "aws-iso",
    "us-isob": "aws-iso-b",
    "eu-isoe": "aws-iso-e",
    "us-isof": "aws-iso-f",
    "eusc-de": "aws-eusc",
}


T = TypeVar("T")


def partition_of(region: str) -> str:
    """The partition of a Region, as ARNs write it."""
    return PARTITIONS.get("-".join(region.split("-")[:-2]), "aws")


class Context(NamedTuple):
    """What is known of the deployment; whatever is left out is not known.

    `parameters` holds values by parameter name, `region` a Region's code, `account` twelve digits.
    `settings` are the account's, as plain data (engine/shorthand/settings.py); None: it has none.
    `macro_name` is what the macro is registered as in the account.
    """

    parameters: Mapping[str, Json] = MappingProxyType({})
    region: str | None = None
    account: str | None = None
    settings: Json = None
    macro_name: str | None = None

    @property
    def partition(self) -> str | None:
        """The partition of the Region, as ARNs write it."""
        return None if self.region is None else partition_of(self.region)


class Site(NamedTuple):
    """From where a value is read: a resource, and a turn of the loops around it.

    The turn is empty outside of loops, and where a loop's collection is not known.
    """

    resource: Resource
    turn: Turn = ()

    @property
    def loop_variables(self) -> frozenset[str]:
        return self.resource.loop_variables


class Sought(NamedTuple):
    """A name by which resources are looked up: `text` is one that the value can be, `written` the
    value as it is written, under the conditions `when` at a site."""

    text: Text
    written: Text
    when: Conditions
    site: Site


class Selection(NamedTuple):
    """`Fn::Select` of items `by` an index, which may be one of `chosen`."""

    by: Json
    items: list[Json]
    chosen: list[int]


MOST_TURNS = 500
"""CloudFormation's limit on a template's resources, and so on the turns of a loop of any use."""


class Stack:
    """Looks up what a template says; it is built once an expansion and changes nothing."""

    def __init__(self, template: dict[str, Json], context: Context) -> None:
        self.template = template
        self.context = context
        self.resources = list(resources(template))
        self.values = Values(
            template,
            context.parameters,
            {
                "AWS::Region": context.region,
                "AWS::AccountId": context.account,
                "AWS::Partition": context.partition,
            },
        )
        conditions = dict(self._conditions(section(template, "Conditions"), ()))
        self.condition_names = frozenset(conditions)
        self.solver = ConditionSolver(conditions, self.values.domains())
        self._turns: dict[tuple[Path, ...], tuple[Turn, ...] | None] = {}
        self._by_id: dict[str, list[tuple[Resource, Turn]]] = {}
        self._open: dict[str, list[Resource]] = {}
        self._open_by_head: dict[str, list[str]] = {}
        for resource in self.resources:
            if not resource.loops:
                self._by_id.setdefault(resource.logical_id, []).append((resource, ()))
                continue
            found = self.turns(resource.loops)
            if found is None:
                self._open.setdefault(resource.logical_id, []).append(resource)
                head = re.split(r"[$&]\{", resource.logical_id, maxsplit=1)[0]
                self._open_by_head.setdefault(head, []).append(resource.logical_id)
            for turn in found or ():
                made = fill_text(resource.logical_id, turn)
                self._by_id.setdefault(made, []).append((resource, turn))
        self._by_property: dict[tuple[str, str], BearerIndex] = {}
        self._dependencies: dict[Path, tuple[Resource, ...]] = {}
        self._readings: dict[Hashable, Any] = {}

    @cached_property
    def elsewhere(self) -> Stack:
        """The same as deployed in a Region and an account of which nothing is known: what this
        deployment does not reach may be of others than its own."""
        unknown = self.context._replace(region=None, account=None)
        return self if unknown == self.context else Stack(self.template, unknown)

    @property
    def logical_ids(self) -> set[str]:
        """The logical ids of all resources, in every turn of the loops as far as they are known."""
        return {*self._by_id, *self._open}

    def turns(self, loops: tuple[Loop, ...]) -> tuple[Turn, ...] | None:
        """The turns of loops within each other; None where a collection is not known, or where
        there are more than MOST_TURNS."""
        if not loops:
            return ((),)
        key = tuple(loop.path for loop in loops)
        if key not in self._turns:
            found: list[Turn] | None = [()]
            for loop in loops:
                found = None if found is None else self._further(loop, found)
            self._turns[key] = None if found is None else tuple(found)
        return self._turns[key]

    def turn_defaults(self, loops: tuple[Loop, ...]) -> tuple[str, ...]:
        """The parameters whose default decides the turns of loops."""
        found = [
            self.values.items(loop.collection, turn)
            for index, loop in enumerate(loops)
            for turn in self.turns(loops[:index]) or ()
        ]
        return tuple(dict.fromkeys(name for one in found if one for name in one.defaults))

    def count(self, loops: tuple[Loop, ...]) -> int:
        """How many resources one within these loops makes; 1 where it is not known."""
        if (turns := self.turns(loops)) is not None:
            return len(turns)
        sizes = [self.values.items(loop.collection, ()) for loop in loops]
        return prod(len(found.values) for found in sizes if found)

    def _further(self, loop: Loop, around: list[Turn]) -> list[Turn] | None:
        further: list[Turn] = []
        for turn in around:
            items = self.values.items(loop.collection, turn)
            if items is None or len(further) + len(items.values) > MOST_TURNS:
                return None
            further += [(*turn, (loop.variable, item)) for item in items.values]
        return further

    def sites(self, resource: Resource) -> list[Site]:
        """The resource in each turn of its loops; once, with the variables open, where their
        collections are not known."""
        return [Site(resource, turn) for turn in self.turns(resource.loops) or ((),)]

    def site_of(self, found: Resource, user: Site) -> Site:
        """Where a resource, found from a site, reads its own values."""
        return Site(found, user.turn[: len(found.loops)])

    def _conditions(self, conditions: Mapping[str, Json], turn: Turn) -> Iterator[tuple[str, Json]]:
        """The conditions that the template declares, loops with known collections unrolled."""
        for key, expression in conditions.items():
            found = read_loop(key, expression, ())
            if found is None:
                yield fill_text(key, turn), fill(expression, turn) if turn else expression
                continue
            loop, body = found
            items = self.values.items(loop.collection, turn)
            if items and len(items.values) <= MOST_TURNS and isinstance(body, dict):
                for item in items.values:
                    yield from self._conditions(body, (*turn, (loop.variable, item)))

    def holds_at(self, when: Conditions, turn: Turn) -> Conditions:
        """Conditions with their names as one turn of the loops has them."""
        if not turn:
            return when
        return Conditions((fill_text(name, turn), truth) for name, truth in when)

    def possible(self, when: Conditions, site: Site) -> bool:
        """Whether some deployment has these conditions at once, in the site's turn."""
        return not when or self.solver.possible(self.holds_at(when, site.turn))

    def reached(self, when: Conditions, site: Site) -> bool:
        """Whether this deployment may have these conditions, in the site's turn."""
        return not when or self.solver.reached(self.holds_at(when, site.turn))

    def implies(self, when: Conditions, other: Conditions, sites: list[Site]) -> bool:
        """Whether, at all of the sites, the others hold in every deployment that has `when`."""
        return other <= when or all(
            self.solver.implies(self.holds_at(when, one.turn), self.holds_at(other, one.turn))
            for one in sites
        )

    def once(self, about: Hashable, value: Json, site: Site, read: Callable[[], T]) -> T:
        """What `read` makes of a value: outside of loops a value reads alike wherever it is, so it
        is read once. `about` is all else that the reading depends on."""
        if site.resource.loops:
            return read()
        key = about, repr(value)  # what is written alike reads alike
        if key not in self._readings:
            self._readings[key] = read()
        found: T = self._readings[key]
        return found

    def known(self, text: Text, site: Site, when: Conditions) -> Possible:
        """The texts that one with unknown parts can be, where it is read under these conditions."""
        return self.values.known(text, site.turn, self.holds_at(when, site.turn), self.solver)

    def selectable(self, value: Json, site: Site, when: Conditions) -> Selection | None:
        """What a value can be, where it is nothing but `Fn::Select` of a list that is written out,
        by an index that is not."""
        match parse_text(value, site.loop_variables):
            case (Unknown({"Fn::Select": [dict(index), list(items)]}),):
                here = self.holds_at(when, site.turn)
                chosen = self.values.selectable(index, len(items), site.turn, here, self.solver)
                return Selection(index, items, chosen)
        return None

    def resource(self, logical_id: str, site: Site) -> Resource | None:
        """The resource that the logical id names where a site writes it.

        One of the site's own loops, or outside of all, is given as it is declared; one of another
        loop as its turn makes it, under the logical id that is written.
        """
        written = fill_text(logical_id, site.turn)
        loops = site.resource.loops
        for resource, turn in self._by_id.get(written, ()):
            if resource.loops == loops[: len(resource.loops)] and turn == site.turn[: len(turn)]:
                return resource
        for resource, turn in self._by_id.get(written, ()):
            return resource.in_turn(logical_id, turn)
        for resource in self._open.get(logical_id, ()):
            if resource.loops == loops[: len(resource.loops)]:
                return resource
        return None

    def is_open(self, logical_id: str, site: Site) -> bool:
        """Whether the logical id may be that of a resource which a loop over a collection that is
        not known makes: then it is not known which resource it names, if any."""
        written = fill_text(logical_id, site.turn)
        if written in self._by_id or written in self.values.parameters:
            return False
        if variables_in(written) & site.loop_variables:
            return True
        return any(
            _may_become(pattern, written)
            for length in {len(head) for head in self._open_by_head}
            for pattern in self._open_by_head.get(written[:length], ())
        )

    def with_property(self, kind: str, name: str, sought: Sought) -> Bearers:
        """The resources of a type whose property is the name that is sought; a site's own are given
        as they are declared, those of other loops as their turns make them."""
        always: list[Resource] = []
        sometimes: list[Resource] = []
        nameless: list[Resource] = []
        site = sought.site
        loops = site.resource.loops
        here = self.holds_at(sought.when, site.turn)
        index = self._index(kind, name)
        for (resource, turn, when, written, known), is_known in index.of(sought.text):
            own = self.holds_at(when, turn)
            if own and not self.solver.possible(here.both(own)):
                continue
            if resource.loops != loops[: len(resource.loops)] or turn != site.turn[: len(turn)]:
                resource = resource.in_turn(fill_text(resource.logical_id, turn), turn)
            is_certain = known or written == sought.written
            if is_certain and (not own or self.solver.implies(here, own)):
                always.append(resource)
            elif is_known:
                sometimes.append(resource)
            else:
                nameless.append(resource)
        return Bearers(always, sometimes, nameless)

    def _index(self, kind: str, name: str) -> BearerIndex:
        index = self._by_property.get((kind, name))
        if index is None:
            of_type = (resource for resource in self.resources if resource.type == kind)
            index = bearer_index(of_type, name, self.values, self.turns)
            self._by_property[kind, name] = index
        return index

    def dependencies(self, resource: Resource) -> tuple[Resource, ...]:
        """The resources that CloudFormation creates before this one, as its template says."""
        found = self._dependencies.get(resource.path)
        if found is None:
            depends_on = resource.body.get("DependsOn")
            names = [*references(resource.body)]
            names += [depends_on] if isinstance(depends_on, str) else []
            if isinstance(depends_on, list):
                names += [name for name in depends_on if isinstance(name, str)]
            others = {
                other.path: other
                for name in dict.fromkeys(names)
                for site in (self.sites(resource) if variables_in(name) else [Site(resource)])
                for other in [self.resource(name, site)]
                if other and other.path != resource.path
            }
            found = self._dependencies[resource.path] = tuple(others.values())
        return found


def _may_become(pattern: str, logical_id: str) -> bool:
    """Whether a logical id with loop variables may become this one: it begins and ends like it, and
    has the literal parts between in their order."""
    pieces = re.split(r"[$&]\{\w+\}", pattern)
    if len(pieces) == 1:
        return pattern == logical_id
    first, *middle, last = pieces
    if not (logical_id.startswith(first) and logical_id.endswith(last)):
        return False
    place, end = len(first), len(logical_id) - len(last)
    for piece in middle:
        place = logical_id.find(piece, place + 1, end)
        if place < 0:
            return False
        place += len(piece)
    return place < end
