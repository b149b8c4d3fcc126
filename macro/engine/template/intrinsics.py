"""Values that CloudFormation will compute: as text with unknown parts, and as references."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import count
from typing import TypeAlias

from macro.engine.template.document import NO_VALUE, Json, canonical, intrinsic, spelled
from macro.engine.template.records import NamedTuple


class Unknown(NamedTuple):
    """A part of a text that only CloudFormation knows: an intrinsic function, or a dynamic
    reference as it is written."""

    value: Json

    def __hash__(self) -> int:
        return hash(canonical(self.value))


Text: TypeAlias = tuple[str | Unknown, ...]
"""A text with unknown parts; literal parts are not empty, and no two of them are neighbours."""

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")
_OPENING = "{{resolve:"


def is_text(value: Json) -> bool:
    """Whether the value is a text: a literal, or an intrinsic function that may give one.

    `Fn::If` is none: where one is left after its branches are taken, it is malformed.
    """
    if isinstance(value, str):
        return True
    call = intrinsic(value)
    return call is not None and call[0] != "Fn::If"


def is_dynamic(part: str | Unknown) -> bool:
    """Whether a part of a text holds a dynamic reference, which CloudFormation resolves last: after
    `Fn::Split` and `Fn::Select` have cut it.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
    """
    return isinstance(part, Unknown) and _OPENING in canonical(part.value)


def join(*parts: str | Unknown) -> Text:
    """The text that the parts make up; a dynamic reference, though it be put together from several
    of them, becomes one unknown part."""
    if any(isinstance(part, str) and _OPENING in part for part in parts):
        return _joined(_with_dynamic_references(parts))
    return _joined(parts)


def _joined(parts: Iterable[str | Unknown]) -> Text:
    text: list[str | Unknown] = []
    for part in parts:
        last = text[-1] if text else None
        if isinstance(part, str) and isinstance(last, str):
            text[-1] = last + part
        elif part != "":
            text.append(part)
    return tuple(text)


def _with_dynamic_references(parts: Iterable[str | Unknown]) -> Iterator[str | Unknown]:
    """The parts, where those of a dynamic reference are put together into one."""
    inside: list[str | Unknown] | None = None
    for part in _joined(parts):
        if not isinstance(part, str):
            if inside is None:
                yield part
            else:
                inside.append(part)
            continue
        rest = part
        while rest:
            if inside is None:
                before, opening, rest = rest.partition(_OPENING)
                yield before
                if opening:
                    inside = [_OPENING]
            else:
                within, closing, rest = rest.partition("}}")
                inside.append(within + closing)
                if closing:
                    yield Unknown(write_text(_joined(inside)))
                    inside = None
    if inside is not None:
        yield Unknown(write_text(_joined(inside)))


def parse_text(value: Json, loop_variables: Collection[str] = ()) -> Text:
    """A value as text: literals, `Fn::Sub`, `Fn::Join` and a plain `Fn::Select` taken apart, all
    else an unknown part.

    In the body of an `Fn::ForEach`, the `${Variable}` of a plain string is an unknown part too.
    """
    if isinstance(value, str) and "{" not in value:
        return (value,) if value else ()
    return join(*_parts(value, loop_variables))


def _parts(value: Json, loop_variables: Collection[str]) -> Iterator[str | Unknown]:
    """The parts of a text, those of a dynamic reference not yet put together."""
    if isinstance(value, str):
        yield from _substituted(value, {}, loop_variables) if loop_variables else (value,)
        return
    match intrinsic(value):
        case ("Fn::Sub", str(template)):
            yield from _substituted(template, {}, None)
            return
        case ("Fn::Sub", [str(template), dict(variables)]):
            yield from _substituted(template, variables, None)
            return
        case ("Fn::Join", [str(delimiter), list(items)]):
            for index, item in enumerate(item for item in items if item != NO_VALUE):
                if index:
                    yield delimiter
                yield from _parts(item, loop_variables)
            return
        case ("Fn::Select", [int() | str() as index, list(written)]):
            items = [item for item in written if item != NO_VALUE]
            if str(index).isdecimal() and int(index) < len(items):
                yield from _parts(items[int(index)], loop_variables)
                return
        case ("Fn::Select", [int() | str() as index, {"Fn::Split": [str(separator), source]}]):
            fields = _fields(source, separator, loop_variables)
            if str(index).isdecimal() and int(index) < len(fields):
                yield from fields[int(index)]
                return
    if isinstance(value, (int, float)):  # for CloudFormation a text, as "true" and "1" are
        yield str(value).lower() if isinstance(value, bool) else str(value)
        return
    yield Unknown(value)


def _fields(source: Json, separator: str, loop_variables: Collection[str]) -> list[Text]:
    """What `Fn::Split` gives; empty where unknown parts may hold the separator too."""
    text = parse_text(source, loop_variables)
    if not separator or not all(isinstance(part, str) for part in text):
        return []
    return split(text, separator, -1)


def _substituted(
    template: str, variables: dict[str, Json], names: Collection[str] | None
) -> Iterator[str | Unknown]:
    """The parts of `Fn::Sub`'s text; of a plain string where only `names` are placeholders."""
    end = 0
    for found in _PLACEHOLDER.finditer(template):
        name = found[1].strip()
        if names is not None and name not in names:
            continue
        yield template[end : found.start()]
        end = found.end()
        if name.startswith("!"):
            yield "${" + name[1:] + "}"
        elif name in variables:
            yield from _parts(variables[name], ())
        elif "." in name:
            yield Unknown({"Fn::GetAtt": list[Json](name.split(".", 1))})
        else:
            yield Unknown({"Ref": name})
    yield template[end:]


def write_text(text: Text, taken: Collection[str] = ()) -> Json:
    """A text as a template writes it: a literal, an intrinsic function, or else `Fn::Sub`.

    `taken` are the names that a placeholder must not have: those of the loops around.
    """
    match text:
        case ():
            return ""
        case (str(literal),):
            return literal
        case (Unknown(only),):
            return only
    pieces = [
        part.replace("${", "${!") if isinstance(part, str) else _placeholder(part.value)
        for part in text
    ]
    variables: dict[str, Json] = {}
    for index, part in enumerate(text):
        if isinstance(part, Unknown) and pieces[index] is None:
            free = (f"Value{number or ''}" for number in count())
            name = next(name for name in free if name not in taken and f"${{{name}}}" not in pieces)
            pieces[index] = f"${{{name}}}"
            variables[name] = part.value
    template = "".join(piece or "" for piece in pieces)
    return {"Fn::Sub": [template, variables] if variables else template}


def _placeholder(value: Json) -> str | None:
    """What an unknown part is in the text of `Fn::Sub`; None where it needs a name."""
    if isinstance(value, str):
        return value
    match intrinsic(value):
        case ("Ref", str(name)) | ("Fn::GetAtt", str(name)):
            return f"${{{name}}}"
        case ("Fn::GetAtt", [str(name), str(attribute)]):
            return f"${{{name}.{attribute}}}"
        case ("Fn::Sub", str(text)) if _OPENING in text:
            return text
    return None


def split(text: Text, separator: str, most: int) -> list[Text]:
    """The text cut at the separator, at most `most` times (-1: everywhere); an unknown part is
    never cut."""
    fields: list[list[str | Unknown]] = [[]]
    for part in text:
        if isinstance(part, str):
            first, *rest = part.split(separator, most if most < 0 else most - len(fields) + 1)
            fields[-1].append(first)
            fields += [[piece] for piece in rest]
        else:
            fields[-1].append(part)
    return [join(*field) for field in fields]


def literal(text: Text) -> str | None:
    """The text where it has no unknown parts."""
    match text:
        case ():
            return ""
        case (str(only),):
            return only
    return None


def literal_parts(text: Text) -> str:
    """What is literal of a text, put together."""
    return "".join(part for part in text if isinstance(part, str))


def attribute(value: Json) -> tuple[str, str] | None:
    """The logical id and the attribute that a value is: of `Ref` the attribute is "".

    Takes `Fn::GetAtt` as a list and as text, a logical id written as `Fn::Sub` (as loops need it),
    and an `Fn::Sub` or `Fn::Join` that is nothing but one reference.
    """
    call = intrinsic(value)
    if call and call[0] not in ("Ref", "Fn::GetAtt"):
        match parse_text(value):
            case (Unknown(only),):
                call = intrinsic(only)
    match call:
        case ("Ref", named):
            logical_id = _logical_id(named)
            return None if logical_id is None else (logical_id, "")
        case ("Fn::GetAtt", str(name)) if "." in name:
            name, _, rest = name.partition(".")
            return name, rest
        case ("Fn::GetAtt", [named, str(rest)]):
            logical_id = _logical_id(named)
            return None if logical_id is None else (logical_id, rest)
    return None


def _logical_id(named: Json) -> str | None:
    """A logical id as `Ref` and `Fn::GetAtt` take it: as text, and in loops as `Fn::Sub` or as the
    loop's variable alone."""
    match named:
        case str(name) | {"Fn::Sub": str(name)}:
            return name
        case {"Ref": str(variable)}:
            return f"${{{variable}}}"
    return None


def ref(logical_id: str) -> Json:
    """`Ref` to a resource."""
    return {"Ref": spelled(logical_id)}


def arn_attribute(logical_id: str) -> Json:
    """`Fn::GetAtt` of a resource's `Arn`."""
    return {"Fn::GetAtt": [spelled(logical_id), "Arn"]}


def references(node: Json) -> Iterator[str]:
    """Every logical id or parameter that `Ref`, `Fn::GetAtt` and `Fn::Sub` name below `node`."""
    todo = [node]
    while todo:
        node = todo.pop()
        if isinstance(node, list):
            todo += node
        elif isinstance(node, dict):
            if len(node) == 1:
                if found := attribute(node):
                    yield found[0]
                elif template := node.get("Fn::Sub"):
                    yield from _names_in(template)
            todo += node.values()


def _names_in(substituted: Json) -> Iterator[str]:
    """What the text of `Fn::Sub` names, but for the variables that it declares itself."""
    pattern, own = substituted, None
    if isinstance(substituted, list) and substituted:
        pattern, *others = substituted
        own = others[0] if others else None
    if isinstance(pattern, str):
        for placeholder in _PLACEHOLDER.findall(pattern):
            name = placeholder.strip()
            if not (isinstance(own, dict) and name in own):
                yield name.partition(".")[0]


def mentions(value: Json, variables: Iterable[str]) -> set[str]:
    """Which of the loop variables the value depends on."""
    written = canonical(value)
    return {
        name
        for name in variables
        if f"${{{name}}}" in written
        or f"&{{{name}}}" in written
        or f'{{"Ref":"{name}"}}' in written
    }
