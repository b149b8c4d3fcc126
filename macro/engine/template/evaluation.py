"""What values come to before a deploy: parameters, mappings, pseudo parameters, turns of loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

from macro.engine.template.conditions import Conditions, ConditionSolver, Domain
from macro.engine.template.document import Json, canonical, get, section
from macro.engine.template.intrinsics import Text, Unknown, join, parse_text
from macro.engine.template.loops import Turn, fill
from macro.engine.template.parameters import Found, Parameters, scalar_text
from macro.engine.template.records import NamedTuple

MOST_VALUES = 64
"""How many values of one text are looked at; a text with more of them counts as not known."""


class Possible(NamedTuple):
    """The texts that a value can have, as far as they are known; one of them is deployed.

    `defaults` names the parameters that have a default in place of a value: another may be given.
    """

    texts: tuple[Text, ...]
    defaults: tuple[str, ...] = ()


class Values:
    """Looks up what is known of values; it is built once a template and changes nothing."""

    def __init__(
        self,
        template: Mapping[str, Json],
        parameters: Mapping[str, Json],
        pseudo: Mapping[str, str | None],
    ) -> None:
        self.parameters = Parameters(template, parameters)
        self._mappings = section(dict(template), "Mappings")
        self._pseudo = pseudo

    def domains(self) -> dict[str, Domain]:
        """What is known of each parameter and pseudo parameter, for questions about conditions."""
        domains = {
            name: Domain(None, value) for name, value in self._pseudo.items() if value is not None
        }
        domains.update((name, self.parameters.domain(name)) for name in self.parameters)
        return domains

    def items(self, collection: Json, turn: Turn) -> Found | None:
        """What a loop runs over in one turn of those around it; None: it is not known."""
        if isinstance(collection, list):
            return self._listed(collection, turn)
        match collection:
            case {"Ref": str(name)} if name in dict(turn):
                return Found((dict(turn)[name],))
            case {"Ref": str(name)}:
                found = self.parameters.possible(name)
                if found is None or len(found.values) != 1 or not found.values[0]:
                    return None
                return Found(tuple(dict.fromkeys(_items(found.values[0]))), found.defaults)
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

    def _listed(self, collection: Sequence[Json], turn: Turn) -> Found | None:
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
            elif (text := scalar_text(item)) is not None:
                values.append(_filled(text, turn))
            else:
                return None
        return Found(tuple(dict.fromkeys(values)), tuple(defaults))

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

    def _texts(
        self,
        value: Json,
        turn: Turn,
        when: Conditions | None = None,
        solver: ConditionSolver | None = None,
    ) -> Found | None:
        """The values of one part of a text."""
        variables = dict(turn)
        match value:
            case str() if "{{resolve:" not in value:
                return Found((_filled(value, turn),))
            case {"Ref": str(name)} if name in variables:
                return Found((variables[name],))
            case {"Ref": str(name)} if name in self._pseudo:
                known = self._pseudo[name]
                return None if known is None else Found((known,))
            case {"Ref": str(name) | {"Fn::Sub": str(name)}}:
                name = _filled(name, turn)
                found = self.parameters.possible(name) if self.parameters.is_of_text(name) else None
                return _reached(found, name, when, solver)
            case {"Fn::FindInMap": [name, top, second, *rest]}:
                found = self._mapped(name, top, second, rest, turn)
                return _reached(found, canonical(fill(value, turn)), when, solver)
            case {"Fn::Select": [index, {"Ref": str(name)}]}:
                found = self.parameters.possible(name)
                allowed = self.parameters.allowed(name) if self.parameters.is_list(name) else None
                if allowed is not None and (found is None or found.defaults):
                    return Found(allowed)
                if found:
                    lists = [_items(value) for value in found.values]
                    return self._selected(index, lists, found.defaults, turn, when, solver)
            case {"Fn::Select": [index, {"Fn::Split": [str(separator), source]}]}:
                possible = self.known(parse_text(source, variables), turn, when, solver)
                if separator and (found := _literals(possible)):
                    lists = [text.split(separator) for text in found.values]
                    return self._selected(index, lists, found.defaults, turn, when, solver)
            case {"Fn::Join": [str(delimiter), {"Ref": str(name)}]}:
                listed = self.parameters.possible(name)
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
                    return Found(tuple(dict.fromkeys(values)), tuple(dict.fromkeys(defaults)))
            case {"Fn::Sub": _} | {"Fn::Join": _} | {"Fn::Select": _}:
                text = parse_text(value, variables)
                if text != (Unknown(value),):
                    return _literals(self.known(text, turn, when, solver))
        return None

    def _mapped(
        self, name: Json, top: Json, second: Json, rest: Sequence[Json], turn: Turn
    ) -> Found | None:
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
                    cell = scalar_text(row.get(column))
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
        return Found(tuple(dict.fromkeys(cells)), tuple(dict.fromkeys(defaults)))

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
            case {"Ref": str(name)} if name in self.parameters:
                found = _reached(self.parameters.possible(name), name, when, solver)
            case _:
                found = Found((text,)) if (text := scalar_text(index)) is not None else None
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
    ) -> Found | None:
        """What `Fn::Select` can give of lists, one of which it is."""
        values: dict[str, None] = {}
        for items in lists:
            chosen = self.selectable(index, len(items), turn, when, solver)
            if not chosen:
                return None
            values |= dict.fromkeys(items[number] for number in chosen)
        return Found(tuple(values), defaults)


def _default(arguments: Sequence[Json]) -> Json:
    """The `DefaultValue` among the last arguments of an `Fn::FindInMap`; None: it has none."""
    return next((get(one, "DefaultValue") for one in arguments if get(one, "DefaultValue")), None)


def _reached(
    found: Found | None, variable: str, when: Conditions | None, solver: ConditionSolver | None
) -> Found | None:
    """The values that a variable can have under some conditions."""
    if found is None or not when or solver is None:
        return found
    kept = tuple(one for one in found.values if solver.possible(when, {variable: one}))
    return Found(kept, found.defaults) if kept else None


def _literals(possible: Possible) -> Found | None:
    """The texts, where all of them are known to the last letter."""
    if not all(map(_is_literal, possible.texts)):
        return None
    return Found(tuple("".join(map(str, text)) for text in possible.texts), possible.defaults)


def _changed(found: Found, change: Callable[[str], str]) -> Found:
    return found._replace(values=tuple(dict.fromkeys(map(change, found.values))))


def _items(values: str) -> list[str]:
    """The items of a parameter that is a list."""
    return [item.strip() for item in values.split(",")]


def _is_completed(mapping: dict[str, Json]) -> bool:
    """Whether `Fn::Transform` adds rows to a mapping, or keys to one of its rows."""
    rows = (row for row in (mapping, *mapping.values()) if isinstance(row, dict))
    return any("Fn::Transform" in row for row in rows)


def _is_literal(text: Text) -> bool:
    return all(isinstance(part, str) for part in text)


def _filled(text: str, turn: Turn) -> str:
    for name, value in turn:
        text = text.replace(f"${{{name}}}", value)
    return text
