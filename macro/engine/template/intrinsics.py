"""Values that CloudFormation will compute: as text with holes, and as references to resources."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import count
from typing import NamedTuple, TypeAlias

from macro.engine.template.document import Json, intrinsic, spelled


class Hole(NamedTuple):
    """A part of a text that only CloudFormation knows: an intrinsic, or a dynamic reference."""

    value: Json

    def __hash__(self) -> int:
        return hash(canonical(self.value))


Text: TypeAlias = tuple[str | Hole, ...]
"""A text with holes; literal parts are not empty, and no two of them stand side by side."""

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")
_DYNAMIC_REFERENCE = re.compile(r"(\{\{resolve:[^{}]*\}\})")


def canonical(value: Json) -> str:
    """The same text for equal values, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def is_text(value: Json) -> bool:
    """Whether the value is a text: a literal, or an intrinsic function that may give one.

    `Fn::If` is none: where one is left after its branches are taken, it is malformed.
    """
    call = intrinsic(value)
    return isinstance(value, str) or (call is not None and call[0] != "Fn::If")


def join(*parts: str | Hole) -> Text:
    """The text that the parts make up; a dynamic reference in a literal becomes a hole."""
    text: list[str | Hole] = []
    for part in parts:
        pieces: list[str | Hole] = [part]
        if isinstance(part, str) and "{{resolve:" in part:
            pieces = [
                Hole(piece) if index % 2 else piece
                for index, piece in enumerate(_DYNAMIC_REFERENCE.split(part))
            ]
        for piece in pieces:
            last = text[-1] if text else None
            if isinstance(piece, str) and isinstance(last, str):
                text[-1] = last + piece
            elif piece != "":
                text.append(piece)
    return tuple(text)


def parse(value: Json, loop_variables: Collection[str] = ()) -> Text:
    """A value as text: literals, `Fn::Sub` and `Fn::Join` taken apart, all else a hole.

    In the body of an `Fn::ForEach`, the `${Variable}` of a plain string is a hole too.
    """
    if isinstance(value, str):
        return join(*_substituted(value, {}, loop_variables)) if loop_variables else join(value)
    match intrinsic(value):
        case ("Fn::Sub", str(template)):
            return join(*_substituted(template, {}, None))
        case ("Fn::Sub", [str(template), dict(variables)]):
            return join(*_substituted(template, variables, None))
        case ("Fn::Join", [str(delimiter), list(items)]):
            parts: list[str | Hole] = []
            for index, item in enumerate(items):
                parts += [delimiter] if index else []
                parts += parse(item, loop_variables)
            return join(*parts)
    return (Hole(value),)


def _substituted(
    template: str, variables: dict[str, Json], names: Collection[str] | None
) -> Iterator[str | Hole]:
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
            yield from parse(variables[name])
        elif "." in name:
            yield Hole({"Fn::GetAtt": list[Json](name.split(".", 1))})
        else:
            yield Hole({"Ref": name})
    yield template[end:]


def write(text: Text) -> Json:
    """A text as a template writes it: a literal, an intrinsic function, or else `Fn::Sub`."""
    match text:
        case ():
            return ""
        case (str(literal),):
            return literal
        case (Hole(only),):
            return only
    pieces = [
        part.replace("${", "${!") if isinstance(part, str) else _placeholder(part.value)
        for part in text
    ]
    variables: dict[str, Json] = {}
    for index, part in enumerate(text):
        if isinstance(part, Hole) and pieces[index] is None:
            free = (f"Value{number or ''}" for number in count())
            name = next(name for name in free if f"${{{name}}}" not in pieces)
            pieces[index] = f"${{{name}}}"
            variables[name] = part.value
    template = "".join(piece or "" for piece in pieces)
    return {"Fn::Sub": [template, variables] if variables else template}


def _placeholder(value: Json) -> str | None:
    """What stands for a hole in the text of `Fn::Sub`; None where nothing can."""
    if isinstance(value, str):
        return value
    match intrinsic(value):
        case ("Ref", str(name)) | ("Fn::GetAtt", str(name)):
            return f"${{{name}}}"
        case ("Fn::GetAtt", [str(name), str(attribute)]):
            return f"${{{name}.{attribute}}}"
    return None


def split(text: Text, separator: str, most: int) -> list[Text]:
    """The text cut at the separator, at most `most` times; a hole is never cut."""
    fields: list[list[str | Hole]] = [[]]
    for part in text:
        if isinstance(part, str):
            first, *rest = part.split(separator, most - len(fields) + 1)
            fields[-1].append(first)
            fields += [[piece] for piece in rest]
        else:
            fields[-1].append(part)
    return [join(*field) for field in fields]


def literal(text: Text) -> str | None:
    """The text where it has no holes."""
    match text:
        case ():
            return ""
        case (str(only),):
            return only
    return None


def attribute(value: Json) -> tuple[str, str] | None:
    """The logical id and the attribute that a value is: of `Ref` the attribute is "".

    Takes `Fn::GetAtt` as a list and as text, a logical id written as `Fn::Sub` (as loops need it),
    and an `Fn::Sub` or `Fn::Join` that is nothing but one reference.
    """
    match parse(value):
        case (Hole(only),):
            value = only
    match intrinsic(value):
        case ("Ref", str(name) | {"Fn::Sub": str(name)}):
            return name, ""
        case ("Fn::GetAtt", str(name)) if "." in name:
            logical_id, _, rest = name.partition(".")
            return logical_id, rest
        case ("Fn::GetAtt", [str(name) | {"Fn::Sub": str(name)}, str(rest)]):
            return name, rest
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
                    pattern = template[0] if isinstance(template, list) and template else template
                    if isinstance(pattern, str):
                        for placeholder in _PLACEHOLDER.findall(pattern):
                            yield placeholder.strip().partition(".")[0]
            todo += node.values()


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
