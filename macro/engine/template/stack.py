"""A template and what is known of its stack: parameters, resources, their dependencies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

from macro.engine.template.document import Json, Path, get
from macro.engine.template.intrinsics import Hole, Text, canonical, join, parse, references
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
_PARTITIONS = {
    "cn": "aws-cn",
    "us-gov": "aws-us-gov",
    "us-iso": "aws-iso",
    "us-isob": "aws-iso-b",
    "eu-isoe": "aws-iso-e",
    "us-isof": "aws-iso-f",
    "eusc-de": "aws-eusc",
}


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
        if self.region is None:
            return None
        return _PARTITIONS.get("-".join(self.region.split("-")[:-2]), "aws")


class Known(NamedTuple):
    """A text with the values of parameters filled in where they are known.

    `defaults` names the parameters whose value is the template's default: another may be deployed.
    """

    text: Text
    defaults: tuple[str, ...]


class Stack:
    """Looks up what a template says; it is built once an expansion and changes nothing."""

    def __init__(self, template: dict[str, Json], context: Context) -> None:
        self.template = template
        self.context = context
        self.resources = list(resources(template))
        self._by_id: dict[str, list[Resource]] = {}
        for resource in self.resources:
            self._by_id.setdefault(resource.logical_id, []).append(resource)
        self._looped: dict[str, list[tuple[re.Pattern[str], Resource]]] = {}
        for resource in self.resources:
            if resource.loops and (variable := _VARIABLE.search(resource.logical_id)):
                head = resource.logical_id[: variable.start()]
                pattern = _id_pattern(resource.logical_id)
                self._looped.setdefault(head, []).append((pattern, resource))
        self._head_lengths = sorted({len(head) for head in self._looped}, reverse=True)
        self._by_property: dict[tuple[str, str], dict[Text, list[Resource]]] = {}
        self._possible: dict[frozenset[tuple[str, bool]], bool] = {}
        self._dependencies: dict[Path, tuple[Resource, ...]] = {}

    def parameter(self, name: str) -> tuple[str, bool] | None:
        """The parameter's value where it is known, and whether that is the template's default.

        The value of a parameter of an SSM type is the name of a parameter in SSM, so what `Ref`
        gives is not known. CloudFormation shows the value of a NoEcho parameter as asterisks.
        """
        declared = get(self.template, "Parameters", name)
        kind = get(declared, "Type")
        if not isinstance(declared, dict) or (
            isinstance(kind, str) and kind.startswith("AWS::SSM::Parameter::Value<")
        ):
            return None
        given = self.context.parameters.get(name)
        value = declared.get("Default") if given is None else given
        if not isinstance(value, str) or not value.strip("*"):
            return None
        return value, given is None

    def known(self, text: Text) -> Known:
        """The text with the values of parameters and mappings in it."""
        parts: list[str | Hole] = []
        defaults: list[str] = []
        for part in text:
            found = self._value(part.value) if isinstance(part, Hole) else None
            if found:
                part, names = found
                defaults += names
            parts.append(part)
        return Known(join(*parts), tuple(dict.fromkeys(defaults)))

    def _value(self, value: Json) -> tuple[str, list[str]] | None:
        """What a value comes to, if that is known, and the parameters whose default decided it."""
        match value:
            case str() if not value.startswith("{{resolve:"):
                return value, []
            case {"Ref": "AWS::Region"}:
                return (self.context.region, []) if self.context.region else None
            case {"Ref": "AWS::AccountId"}:
                return (self.context.account, []) if self.context.account else None
            case {"Ref": str(name)} if found := self.parameter(name):
                return found[0], [name] if found[1] else []
            case {"Fn::FindInMap": [str(name), *keys]} if len(keys) == 2:
                known = [self._value(key) for key in keys]
                names = [key[0] for key in known if key]
                mapped = get(self.template, "Mappings", name, *names)
                if isinstance(mapped, str) and mapped and len(names) == 2:
                    return mapped, [default for key in known if key for default in key[1]]
        return None

    def resource(self, logical_id: str, user: Resource) -> Resource | None:
        """The resource that the logical id names where `user` writes it.

        A resource made by another loop is given as that loop makes it for this logical id: as if it
        stood beside `user`, with the loop's variables filled in.
        """
        visible = [
            resource
            for resource in self._by_id.get(logical_id, ())
            if resource.loops == user.loops[: len(resource.loops)]
        ]
        if visible:
            return max(visible, key=lambda resource: len(resource.loops))
        for pattern, resource in self._made_in_loops(logical_id):
            if (found := pattern.fullmatch(logical_id)) and _runs_over(resource, found.groupdict()):
                return Resource(
                    resource.path,
                    logical_id,
                    resource.type,
                    {key: _fill(value, found.groupdict()) for key, value in resource.body.items()},
                    user.loops,
                    unrolled=True,
                )
        return None

    def _made_in_loops(self, logical_id: str) -> Iterator[tuple[re.Pattern[str], Resource]]:
        """The loops' resources whose logical id begins, up to its first variable, like this one."""
        for length in self._head_lengths:
            yield from self._looped.get(logical_id[:length], ())

    def possible(self, when: frozenset[tuple[str, bool]]) -> bool:
        """Whether some stack may have these conditions at once.

        `Fn::And`, `Fn::Or`, `Fn::Not` and `Condition` tie conditions together; what else they say,
        such as `Fn::Equals`, is taken to be free.
        """
        found = self._possible.get(when, True if len(when) < 2 else None)
        if found is None:
            conditions = get(self.template, "Conditions")
            section = conditions if isinstance(conditions, dict) else {}
            terms: Json = [{"Condition": name} for name, _ in when]
            free = sorted(_free_terms(terms, section, frozenset()))
            found = len(free) > MOST_FREE_TERMS or any(
                all(_holds({"Condition": name}, section, world) == value for name, value in when)
                for truths in product((True, False), repeat=len(free))
                for world in [dict(zip(free, truths, strict=True))]
            )
            self._possible[when] = found
        return found

    def with_property(self, kind: str, name: str, value: Text, user: Resource) -> Resource | None:
        """The resource of this type whose property has this very text, in reach of `user`."""
        index = self._by_property.get((kind, name))
        if index is None:
            index = self._by_property[kind, name] = {}
            for resource in self.resources:
                if resource.type == kind:
                    own = parse(get(resource.body, "Properties", name), resource.loop_variables)
                    index.setdefault(own, []).append(resource)
        for resource in index.get(value, ()):
            if resource.loops == user.loops[: len(resource.loops)]:
                return resource
        return None

    def dependencies(self, resource: Resource) -> tuple[Resource, ...]:
        """The resources that CloudFormation creates before this one, as its template says."""
        found = self._dependencies.get(resource.path)
        if found is None:
            depends_on = resource.body.get("DependsOn")
            names = [*references(resource.body)]
            names += [depends_on] if isinstance(depends_on, str) else []
            names += (
                [x for x in depends_on if isinstance(x, str)]
                if isinstance(depends_on, list)
                else []
            )
            there = (self.resource(name, resource) for name in dict.fromkeys(names))
            found = tuple(other for other in there if other and other.path != resource.path)
            self._dependencies[resource.path] = found
        return found


MOST_FREE_TERMS = 8  # 256 worlds; where conditions tie more together, all are taken for possible


def _free_terms(node: Json, section: dict[str, Json], within: frozenset[str]) -> set[str]:
    """What the truth of conditions comes down to: expressions other than `And`, `Or` and `Not`."""
    if isinstance(node, list):
        return set[str]().union(*(_free_terms(term, section, within) for term in node))
    match node:
        case {"Condition": str(name), **others} if not others:
            if name in within or name not in section:
                return {canonical(node)}
            return _free_terms(section[name], section, within | {name})
        case {"Fn::And": list(terms)} | {"Fn::Or": list(terms)} | {"Fn::Not": list(terms)}:
            return _free_terms(terms, section, within)
    return {canonical(node)}


def _holds(node: Json, section: dict[str, Json], world: Mapping[str, bool]) -> bool:
    """The truth of a condition where the free terms have these truths."""
    known = world.get(canonical(node))
    if known is not None:
        return known
    match node:
        case {"Condition": str(name)}:
            return _holds(section[name], section, world)
        case {"Fn::And": list(terms)}:
            return all(_holds(term, section, world) for term in terms)
        case {"Fn::Or": list(terms)}:
            return any(_holds(term, section, world) for term in terms)
        case {"Fn::Not": list(terms)}:
            return not any(_holds(term, section, world) for term in terms)
    return True


_VARIABLE = re.compile(r"[$&]\{(\w+)\}")


def _id_pattern(logical_id: str) -> re.Pattern[str]:
    """Matches what a logical id with loop variables becomes; the variables are its groups."""
    seen: set[str] = set()
    pattern = ""
    for index, piece in enumerate(_VARIABLE.split(logical_id)):
        if index % 2 == 0:
            pattern += re.escape(piece)
        else:
            pattern += f"(?P={piece})" if piece in seen else f"(?P<{piece}>.+?)"
            seen.add(piece)
    return re.compile(pattern)


def _runs_over(resource: Resource, values: Mapping[str, str]) -> bool:
    """Whether the resource's loops, as far as they are spelled out, reach these values."""
    return all(
        not isinstance(loop.collection, list)
        or values.get(loop.variable, "${").startswith("${")
        or values[loop.variable] in loop.collection
        for loop in resource.loops
    )


def _fill(node: Json, values: Mapping[str, str]) -> Json:
    """The node with a loop's variables replaced by values, or by another loop's variables."""
    if isinstance(node, str):
        for name, text in values.items():
            node = node.replace(f"${{{name}}}", text)
        return node
    if isinstance(node, list):
        return [_fill(item, values) for item in node]
    if isinstance(node, dict):
        match node:
            case {"Ref": str(name)} if name in values:
                text = values[name]
                return {"Ref": text[2:-1]} if text.startswith("${") else text
        return {key: _fill(item, values) for key, item in node.items()}
    return node
