"""What values come to before a deploy: parameters, mappings, pseudo parameters, turns of loops."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import product

from macro.engine.template.conditions import Conditions, ConditionSolver, Domain
from macro.engine.template.document import Json, canonical, get, section
from macro.engine.template.intrinsics import Text, Unknown, join, parse_text
from macro.engine.template.loops import Turn, fill
from macro.engine.template.records import NamedTuple

MOST_VALUES = 64
"""How many values of one text are looked at; a text with more of them counts as not known."""

MOST_LETTERS = 256
"""How long a pattern may be that is looked at, since that may take more than linear time."""

# What CloudFormation passes for a value that it does not know yet, in change sets with nested
# stacks: https://github.com/aws-cloudformation/cfn-language-discussion/issues/152
_NESTED_PLACEHOLDER = "{{IntrinsicFunction:"


class Possible(NamedTuple):
    """The texts that a value can have, as far as they are known; one of them is deployed.

    `defaults` names the parameters that have a default in place of a value: another may be given.
    """

    texts: tuple[Text, ...]
    defaults: tuple[str, ...] = ()


class _Found(NamedTuple):
    values: tuple[str, ...]
    defaults: tuple[str, ...] = ()


class Values:
    """Looks up what is known of values; it is built once a template and changes nothing."""

    def __init__(
        self,
        template: Mapping[str, Json],
        parameters: Mapping[str, Json],
        pseudo: Mapping[str, str | None],
    ) -> None:
        self._parameters = section(dict(template), "Parameters")
        self._mappings = section(dict(template), "Mappings")
        self._given, self._pseudo = parameters, pseudo

    def is_parameter(self, name: str) -> bool:
        """Whether the template declares a parameter of this name."""
        return name in self._parameters

    def takes_value(self, name: str) -> bool:
        """Whether what a deployment gives for a parameter is what `Ref` returns: for an SSM type
        it is not."""
        return name in self._parameters and not _is_resolved_by_ssm(self._parameters[name])

    def parameter(self, name: str) -> _Found | None:
        """The values that a parameter can have; None: any.

        A parameter of an SSM type has the name of an SSM parameter, so what `Ref` gives is not
        known. CloudFormation shows the value of a NoEcho parameter as asterisks.
        """
        declared = self._parameters.get(name)
        if not isinstance(declared, dict) or _is_resolved_by_ssm(declared):
            return None
        given = _as_text(self._given.get(name))
        if given is not None and not _is_masked(given):
            return _Found((given,))
        allowed = self._allowed(name)
        if allowed is not None and not self._is_list(name):
            return _Found(allowed)
        default = _as_text(declared.get("Default"))
        if name in self._given or default is None:
            return None
        return _Found((default,), (name,))

    def _allowed(self, name: str) -> tuple[str, ...] | None:
        """The `AllowedValues` of a parameter; of a list, those of each item."""
        allowed = get(self._parameters.get(name), "AllowedValues")
        if not isinstance(allowed, list) or any(_as_text(one) is None for one in allowed):
            return None
        return tuple(_as_text(one) or "" for one in allowed)

    def _is_list(self, name: str) -> bool:
        kind = get(self._parameters.get(name), "Type")
        return isinstance(kind, str) and kind.startswith(("CommaDelimitedList", "List<"))

    def _is_of_text(self, name: str) -> bool:
        """Whether `Ref` of the parameter gives text that may be a name or an ARN."""
        is_number = get(self._parameters.get(name), "Type") == "Number"
        return not is_number and not self._is_list(name)

    def domains(self) -> dict[str, Domain]:
        """What is known of each parameter and pseudo parameter, for questions about conditions.

        Of a parameter with neither value nor allowed values everything is possible, its default
        notwithstanding.
        """
        domains = {
            name: Domain(None, value) for name, value in self._pseudo.items() if value is not None
        }
        for name, declared in self._parameters.items():
            found = self.parameter(name)
            values = found.values if found and not found.defaults else None
            deployed = values[0] if values and len(values) == 1 and name in self._given else None
            is_one = not _is_resolved_by_ssm(declared) and not self._is_list(name)
            domains[name] = Domain(self._allowed(name) if is_one else None, deployed)
        return domains

    def items(self, collection: Json, turn: Turn) -> _Found | None:
        """What a loop runs over in one turn of those around it; None: it is not known."""
        if isinstance(collection, list):
            return self._listed(collection, turn)
        match collection:
            case {"Ref": str(name)} if name in dict(turn):
                return _Found((dict(turn)[name],))
            case {"Ref": str(name)}:
                found = self.parameter(name)
                if found is None or len(found.values) != 1 or not found.values[0]:
                    return None
                return _Found(tuple(dict.fromkeys(_items(found.values[0]))), found.defaults)
            case {"Fn::FindInMap": [name, top, second, *rest]}:
                keys = [self._texts(key, turn) for key in (name, top, second)]
                if any(key is None or len(key.values) != 1 for key in keys):
                    return None
                known = [key for key in keys if key]
                row = get(self._mappings, *(key.values[0] for key in known))
                listed = _default(rest) if row is None else row
                found = self._listed(listed, turn) if isinstance(listed, list) else None
                defaults = [parameter for key in known for parameter in key.defaults]
                return found and found._replace(defaults=(*defaults, *found.defaults))
        return None

    def _listed(self, collection: Sequence[Json], turn: Turn) -> _Found | None:
        """The items of a list, some of which may be lists themselves."""
        values: list[str] = []
        defaults: list[str] = []
        for item in collection:
            if isinstance(item, dict):
                found = self.items(item, turn)
                if found is None:
                    return None
                values += found.values
                defaults += found.defaults
            elif (text := _as_text(item)) is not None:
                values.append(_filled(text, turn))
            else:
                return None
        return _Found(tuple(dict.fromkeys(values)), tuple(defaults))

    def known(
        self,
        text: Text,
        turn: Turn = (),
        when: Conditions | None = None,
        solver: ConditionSolver | None = None,
    ) -> Possible:
        """The texts that come of one with unknown parts, in a turn of the loops around it.

        Values of parameters that contradict the conditions `when` are left out.
        """
        parts = {
            canonical(part.value): found
            for part in text
            if isinstance(part, Unknown)
            for found in [self._texts(part.value, turn, when, solver)]
            if found and found.values
        }
        if not parts:
            return Possible((text,))
        count = 1
        for found in parts.values():
            count *= len(found.values)
        if count > MOST_VALUES:
            return Possible((text,))
        defaults = dict.fromkeys(name for found in parts.values() for name in found.defaults)
        texts = []
        for values in product(*(found.values for found in parts.values())):
            taken = dict(zip(parts, values, strict=True))
            filled = (
                taken.get(canonical(part.value), part) if isinstance(part, Unknown) else part
                for part in text
            )
            texts.append(join(*filled))
        return Possible(tuple(dict.fromkeys(texts)), tuple(defaults))

    def plain_texts(self, value: Json) -> list[str]:
        """The texts that a value can have, those that are known to the last letter."""
        possible = self.known(parse_text(value))
        return ["".join(map(str, text)) for text in possible.texts if _is_literal(text)]

    def pattern(self, value: Json) -> str:
        """The `AllowedPattern` of the parameter that a value is, which CloudFormation matches with
        the whole of what is given; "": none, or one that is long or has alternatives. That of an
        SSM type is for the name in SSM.

        Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/systems-manager-parameter-types.html
        """
        match value:
            case {"Ref": str(name)} if not _is_resolved_by_ssm(self._parameters.get(name)):
                pattern = get(self._parameters.get(name), "AllowedPattern")
                if isinstance(pattern, str) and "|" not in pattern and len(pattern) <= MOST_LETTERS:
                    return pattern.removeprefix("^").removesuffix("$")
        return ""

    def is_arn(self, value: Json) -> bool:
        """Whether a parameter takes nothing but what begins as an ARN does."""
        return re.match("arn:(?![*?{])", self.pattern(value)) is not None

    def _texts(
        self,
        value: Json,
        turn: Turn,
        when: Conditions | None = None,
        solver: ConditionSolver | None = None,
    ) -> _Found | None:
        """The values of one part of a text."""
        variables = dict(turn)
        match value:
            case str() if "{{resolve:" not in value:
                return _Found((_filled(value, turn),))
            case {"Ref": str(name)} if name in variables:
                return _Found((variables[name],))
            case {"Ref": str(name)} if name in self._pseudo:
                known = self._pseudo[name]
                return None if known is None else _Found((known,))
            case {"Ref": str(name) | {"Fn::Sub": str(name)}}:
                name = _filled(name, turn)
                found = self.parameter(name) if self._is_of_text(name) else None
                return _reached(found, name, when, solver)
            case {"Fn::FindInMap": [name, top, second, *rest]}:
                found = self._mapped(name, top, second, rest, turn)
                return _reached(found, canonical(fill(value, turn)), when, solver)
            case {"Fn::Select": [index, {"Ref": str(name)}]}:
                found = self.parameter(name)
                allowed = self._allowed(name) if self._is_list(name) else None
                if allowed is not None and (found is None or found.defaults):
                    return _Found(allowed)
                if found:
                    lists = [_items(value) for value in found.values]
                    return self._selected(index, lists, found.defaults, turn, when, solver)
            case {"Fn::Select": [index, {"Fn::Split": [str(separator), source]}]}:
                possible = self.known(parse_text(source, variables), turn, when, solver)
                if separator and (found := _literals(possible)):
                    lists = [text.split(separator) for text in found.values]
                    return self._selected(index, lists, found.defaults, turn, when, solver)
            case {"Fn::Join": [str(delimiter), {"Ref": str(name)}]}:
                listed = self.parameter(name)
                return listed and _changed(listed, lambda one: delimiter.join(_items(one)))
            case {"Fn::Join": [str(delimiter), {"Fn::Split": [str(separator), source]}]}:
                possible = self.known(parse_text(source, variables), turn, when, solver)
                split = _literals(possible) if separator else None
                return split and _changed(split, lambda one: one.replace(separator, delimiter))
            case {"Fn::Select": [dict(index), list(items)]}:
                chosen = self.selectable(index, len(items), turn, when, solver)
                texts = [
                    self.known(parse_text(items[number], variables), turn, when, solver)
                    for number in chosen
                ]
                if all(_is_literal(text) for possible in texts for text in possible.texts):
                    values = ("".join(map(str, one)) for found in texts for one in found.texts)
                    defaults = (name for possible in texts for name in possible.defaults)
                    return _Found(tuple(dict.fromkeys(values)), tuple(dict.fromkeys(defaults)))
            case {"Fn::Sub": _} | {"Fn::Join": _} | {"Fn::Select": _}:
                text = parse_text(value, variables)
                if text != (Unknown(value),):
                    return _literals(self.known(text, turn, when, solver))
        return None

    def _mapped(
        self, name: Json, top: Json, second: Json, rest: Sequence[Json], turn: Turn
    ) -> _Found | None:
        """What `Fn::FindInMap` can give: the cells of all rows and keys that it may reach."""
        found_name = self._texts(name, turn)
        if found_name is None:
            return None
        rows, columns = self._texts(top, turn), self._texts(second, turn)
        used = [found for found in (found_name, rows, columns) if found]
        cells: list[str] = []
        complete = True
        for mapping in (get(self._mappings, one) for one in found_name.values):
            if not isinstance(mapping, dict) or _is_completed(mapping):
                return None
            for key in rows.values if rows else mapping:
                row = mapping.get(key)
                row = row if isinstance(row, dict) else {}
                for column in columns.values if columns else row:
                    cell = _as_text(row.get(column))
                    if cell is None and column in row:
                        return None  # a list
                    complete = complete and cell is not None
                    cells += [] if cell is None else [cell]
        default = _default(rest)
        defaults = [parameter for found in used for parameter in found.defaults]
        if default is not None and not (complete and rows and columns):
            otherwise = self._texts(default, turn)
            if otherwise is None:
                return None
            cells += otherwise.values
            defaults += otherwise.defaults
        if not cells:
            return None
        return _Found(tuple(dict.fromkeys(cells)), tuple(dict.fromkeys(defaults)))

    def selectable(
        self,
        index: Json,
        count: int,
        turn: Turn = (),
        when: Conditions | None = None,
        solver: ConditionSolver | None = None,
    ) -> list[int]:
        """The items of a list of so many that an index may choose: all, where it is not known."""
        match index:
            case {"Ref": str(name)} if name in self._parameters:
                found = _reached(self.parameter(name), name, when, solver)
            case _:
                found = _Found((text,)) if (text := _as_text(index)) is not None else None
                found = found or self._texts(index, turn, when, solver)
        if found is None or found.defaults:
            return [*range(count)]
        return [int(one) for one in found.values if one.isdecimal() and int(one) < count]

    def _selected(
        self,
        index: Json,
        lists: Sequence[Sequence[str]],
        defaults: tuple[str, ...],
        turn: Turn,
        when: Conditions | None,
        solver: ConditionSolver | None,
    ) -> _Found | None:
        """What `Fn::Select` can give of lists, one of which it is."""
        values: dict[str, None] = {}
        for items in lists:
            chosen = self.selectable(index, len(items), turn, when, solver)
            if not chosen:
                return None
            values |= dict.fromkeys(items[number] for number in chosen)
        return _Found(tuple(values), defaults)


def _default(arguments: Sequence[Json]) -> Json:
    """The `DefaultValue` among the last arguments of an `Fn::FindInMap`; None: it has none."""
    return next((get(one, "DefaultValue") for one in arguments if get(one, "DefaultValue")), None)


def _reached(
    found: _Found | None, variable: str, when: Conditions | None, solver: ConditionSolver | None
) -> _Found | None:
    """The values that a variable can have under some conditions."""
    if found is None or not when or solver is None:
        return found
    kept = tuple(one for one in found.values if solver.possible(when, {variable: one}))
    return _Found(kept, found.defaults) if kept else None


def _literals(possible: Possible) -> _Found | None:
    """The texts, where all of them are known to the last letter."""
    if not all(map(_is_literal, possible.texts)):
        return None
    return _Found(tuple("".join(map(str, text)) for text in possible.texts), possible.defaults)


def _changed(found: _Found, change: Callable[[str], str]) -> _Found:
    return found._replace(values=tuple(dict.fromkeys(map(change, found.values))))


def _items(values: str) -> list[str]:
    """The items of a parameter that is a list."""
    return [item.strip() for item in values.split(",")]


def _is_completed(mapping: dict[str, Json]) -> bool:
    """Whether `Fn::Transform` adds rows to a mapping, or keys to one of its rows."""
    rows = (row for row in (mapping, *mapping.values()) if isinstance(row, dict))
    return any("Fn::Transform" in row for row in rows)


def _is_masked(given: str) -> bool:
    """Whether a parameter's value is not the one that is deployed; an empty one is."""
    return bool(given) and (not given.strip("*") or _NESTED_PLACEHOLDER in given)


def _is_resolved_by_ssm(declared: Json) -> bool:
    kind = get(declared, "Type")
    return isinstance(kind, str) and kind.startswith("AWS::SSM::Parameter::Value<")


def _as_text(value: Json) -> str | None:
    """A scalar as CloudFormation takes it for text; a list of them as one with commas."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, list) and value and all(map(_is_scalar, value)):
        return ",".join(map(str, value))
    return None


def _is_scalar(value: Json) -> bool:
    return isinstance(value, (str, int, float))


def _is_literal(text: Text) -> bool:
    return all(isinstance(part, str) for part in text)


def _filled(text: str, turn: Turn) -> str:
    for name, value in turn:
        text = text.replace(f"${{{name}}}", value)
    return text
