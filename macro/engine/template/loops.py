"""`Fn::ForEach`: loops, their turns, and texts and values with the loops' variables filled in.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TypeAlias

from macro.engine.template.document import Json, Path
from macro.engine.template.records import NamedTuple

LOOP = "Fn::ForEach::"
_VARIABLE = r"[$&]\{(\w+)\}"  # compiled where a loop is: most templates have none


class Loop(NamedTuple):
    """An `Fn::ForEach`: its key's path, its loop variable and the collection it runs over."""

    path: Path
    variable: str
    collection: Json

    @property
    def body(self) -> Path:
        """Where the resources of one turn of the loop are."""
        return (*self.path, 2)


Turn: TypeAlias = tuple[tuple[str, str], ...]
"""One turn of the loops around a place: each variable with its value, the outermost loop first."""


def read_loop(key: str, value: Json, path: Path) -> tuple[Loop, Json] | None:
    """The loop that a key and its value are, and the body that it repeats; None for anything else.

    `path` is the key's.
    """
    if key.startswith(LOOP):
        match value:
            case [str(variable), collection, inner]:
                return Loop(path, variable, collection), inner
    return None


def alphanumeric(item: str) -> str:
    """What `&{Variable}` becomes: CloudFormation leaves out what a logical id cannot have."""
    return re.sub("[^A-Za-z0-9]", "", item)


def fill_text(text: str, turn: Turn) -> str:
    """The text with `${Variable}` and `&{Variable}` replaced for one turn."""
    if turn and "{" in text:
        for variable, item in turn:
            text = text.replace(f"${{{variable}}}", item)
            text = text.replace(f"&{{{variable}}}", alphanumeric(item))
    return text


def fill(node: Json, turn: Turn) -> Json:
    """The value as one turn of its loops has it, keys and `Ref` to the variables included."""
    if not turn:
        return node
    if isinstance(node, str):
        return fill_text(node, turn)
    if isinstance(node, list):
        return [fill(item, turn) for item in node]
    if isinstance(node, dict):
        match node:
            case {"Ref": str(name), **others} if not others and name in dict(turn):
                return dict(turn)[name]
            case {"Ref": {"Fn::Sub": str(text)}, **others} if not others:
                return {"Ref": fill_text(text, turn)}
            case {"Condition": {"Fn::Sub": str(text)}, **others}:
                rest = fill(others, turn)
                assert isinstance(rest, dict)
                return {**rest, "Condition": fill_text(text, turn)}
            case {"Fn::GetAtt": [{"Fn::Sub": str(text)}, attribute]}:
                return {"Fn::GetAtt": [fill_text(text, turn), fill(attribute, turn)]}
        return {fill_text(key, turn): fill(value, turn) for key, value in node.items()}
    return node


def variables_in(text: str) -> set[str]:
    """The names in the text's `${...}` and `&{...}`."""
    return set(re.findall(_VARIABLE, text)) if "{" in text else set()


def without_variables(logical_id: str, kept: Collection[str]) -> str:
    """The logical id without its loop variables, but for those kept."""
    return re.sub(_VARIABLE, lambda found: found[0] if found[1] in kept else "", logical_id)


def generalized(values: Sequence[Json], turns: Sequence[Turn]) -> Json | None:
    """One value that becomes each of `values` in its turn; None where there is none.

    What is equal in all turns stays as it is; where texts differ, the variables that tell them
    apart are written as `${Variable}`.
    """
    found = _generalized(values, turns)
    return None if found is _NONE else found  # type: ignore[return-value] # the mark is no value


_NONE = object()


def _generalized(values: Sequence[Json], turns: Sequence[Turn]) -> object:
    first = values[0]
    if all(value == first for value in values[1:]):
        return first
    if all(isinstance(value, str) for value in values):
        text = _general_text([str(value) for value in values], turns)
        return _NONE if text is None else text
    if all(isinstance(value, list) for value in values):
        lists = [value for value in values if isinstance(value, list)]
        if len({len(items) for items in lists}) > 1:
            return _NONE
        found: list[object] = []
        for items in zip(*lists, strict=True):
            if (general := _generalized(items, turns)) is _NONE:
                return _NONE
            found.append(general)
        return found
    if all(isinstance(value, dict) for value in values):
        mappings = [value for value in values if isinstance(value, dict)]
        if any(mapping.keys() != mappings[0].keys() for mapping in mappings):
            return _NONE
        members = {
            key: _generalized([mapping[key] for mapping in mappings], turns) for key in mappings[0]
        }
        return _NONE if _NONE in members.values() else _references_spelled(members)
    return _NONE


def _references_spelled(members: dict[str, object]) -> object:
    """`Ref` and `Fn::GetAtt` take a logical id with a variable in it as `Fn::Sub` alone."""
    match members:
        case {"Ref": str(name)} if "${" in name:
            return {"Ref": {"Fn::Sub": name}}
        case {"Fn::GetAtt": [str(name), attribute]} if "${" in name:
            return {"Fn::GetAtt": [{"Fn::Sub": name}, attribute]}
    return members


MOST_COMPARISONS = 1_000_000
"""How many texts are looked at in search of a general one; beyond, there counts as none."""


def _general_text(texts: Sequence[str], turns: Sequence[Turn]) -> str | None:
    """A text with `${Variable}` that becomes each of the texts in its turn.

    Follows all texts from their starts: at each point either a variable whose value comes next in
    every text, or a letter that all have. A point is left only once; still there may be as many as
    there are orders of the variables, where they are side by side and their values are alike.
    """
    names = [name for name, _ in turns[0]]
    values = [dict(turn) for turn in turns]
    ends = tuple(len(text) for text in texts)
    room = MOST_COMPARISONS // (len(texts) * (1 + len(names)))
    seen: set[tuple[int, ...]] = set()
    todo: list[tuple[tuple[int, ...], str]] = [((0,) * len(texts), "")]
    while todo:
        places, written = todo.pop()
        if places == ends:
            return written
        if places in seen:
            continue
        if len(seen) > room:
            return None
        seen.add(places)
        letters = {text[place : place + 1] for text, place in zip(texts, places, strict=True)}
        if len(letters) == 1 and letters != {""}:
            todo.append((tuple(place + 1 for place in places), written + letters.pop()))
        for name in reversed(names):
            items = [own[name] for own in values]
            if all(
                item and text.startswith(item, place)
                for item, text, place in zip(items, texts, places, strict=True)
            ):
                further = tuple(
                    place + len(item) for place, item in zip(places, items, strict=True)
                )
                todo.append((further, f"{written}${{{name}}}"))
    return None
