"""What is new in a text, written in the style around it: block and flow YAML, and JSON."""

from __future__ import annotations

import json
import re

from yaml.nodes import Node

from macro.engine.template.document import Json
from macro.text.edited_tree import (
    Branch,
    Member,
    New,
    Value,
    is_collection,
    is_list,
    json_of,
    members,
)
from macro.text.nodes import Alias, plain_scalar
from macro.text.quotes import Lines, Quotes
from macro.text.style import SHORT, Style

LINE_WIDTH = 80  # a function's arguments, or a small JSON object, stay in one line up to here


def scalar(value: Json, style: Style, flow: bool) -> str:
    """A scalar that reads back as the same value, in YAML 1.1 parsers other than ours too."""
    if isinstance(value, str):
        if style.is_json:
            return json.dumps(value, ensure_ascii=re.search(_SURROGATE, value) is not None)
        return _text(value, flow)
    if isinstance(value, float) and not style.is_json:
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))
    return json.dumps(value)


def _text(text: str, flow: bool) -> str:
    safe = _SAFE_IN_FLOW if flow else _SAFE
    if (
        safe.fullmatch(text)
        and isinstance(plain_scalar(text), str)
        and text not in _YAML_1_1_BOOLEANS
    ):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(_UNPRINTABLE, lambda match: f"\\u{ord(match[0]):04x}", quoted)


# Plain text: begins with a letter or what cannot be taken for a number, a date or an indicator.
_NO_END = r"(?!.*(?:: | #|[: ]$))[A-Za-z_/$]"
_SAFE_IN_FLOW = re.compile(_NO_END + r"[A-Za-z0-9_ ./$:()+=@*?!~^;<>&%|-]*")
_SAFE = re.compile(_NO_END + r"[A-Za-z0-9_ ./$:()+=@*?!~^;<>&%|{}\[\],'\"#-]*")
_YAML_1_1_BOOLEANS = ("y", "Y", "n", "N")

# These are compiled where they are used: few texts need them.
_SURROGATE = "[\ud800-\udfff]"
_UNPRINTABLE = r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]"


class Writer:
    """Writes values in one style, and quotes what of them the text has."""

    def __init__(self, style: Style, quotes: Quotes) -> None:
        self.style = style
        self.quotes = quotes

    def entry(self, member: Member, column: int) -> list[str]:
        """A block mapping's entry, as lines; the comments that come with it first."""
        margin = " " * column
        key = self.quotes.key(member) or scalar(member.key, self.style, flow=False)
        quoted = self.quotes.entry(member, column, key)
        if quoted is not None:
            return [*(margin + comment for comment in self.quotes.changes.above(member)), *quoted]
        inline, below = self.block(member, column, self.style.step, self.style.dash)
        comments = [margin + comment for comment in self.quotes.comments(member)]
        return [*comments, f"{margin}{key}:{inline and ' '}{inline}", *below]

    def items(self, members: list[Member], column: int) -> list[str]:
        """The items of a new block list, as lines; all begin as far behind the dash."""
        width = self.width(members[0])
        return [line for member in members for line in self.item(member, column, width)]

    def width(self, member: Member) -> int:
        """How far behind its dash an item begins."""
        is_mapping = isinstance(json_of(member.value), dict) and self._call(member) is None
        return self.style.widths.mapping if is_mapping else self.style.widths.other

    def item(self, member: Member, column: int, width: int) -> list[str]:
        """A block list's item, as lines; its value begins `width` behind the dash."""
        quoted = self.quotes.item(member, column, width)
        if quoted is not None:
            return [*(" " * column + text for text in self.quotes.changes.above(member)), *quoted]
        inline, below = self.block(member, column, width, width)
        comments = [" " * column + comment for comment in self.quotes.comments(member)]
        gap = " " * (width - 1)
        while not inline and below and below[0].lstrip().startswith("#"):
            comments.append(" " * column + below.pop(0).lstrip())  # it reads better above the dash
        if not inline and below:
            return [*comments, f"{' ' * column}-{gap}{below[0][column + width :]}", *below[1:]]
        return [*comments, f"{' ' * column}-{inline and gap}{inline}", *below]

    def block(self, member: Member, column: int, step: int, dash: int) -> Lines:
        """A value in block style: mappings stand `step` and lists stand `dash` behind `column`."""
        found = self.quotes.value(member, column)
        if found is not None:
            return found
        value = _new(member.value)
        if not is_collection(value):
            return scalar(json_of(value), self.style, flow=False), []
        if not members(value):
            return "[]" if is_list(value) else "{}", []
        argument = self._call(member)
        if argument is not None:
            tag = f"!{argument.key.removeprefix('Fn::')} "
            line = self._get_att(argument) or self._short_line(argument)
            if line is not None and column + len(line) <= LINE_WIDTH:
                return tag + line, []
            inline, below = self.block(argument, column, step, dash)
            return (tag + inline).rstrip(), below
        if is_list(value):
            line = self._short_line(member) if member.key.startswith("Fn::") else None
            if line is not None and column + len(line) <= LINE_WIDTH:
                return line, []
            return "", self.items(members(value), column + dash)
        return "", [line for entry in members(value) for line in self.entry(entry, column + step)]

    def flow(self, member: Member, indent: str) -> str:
        """A value in flow style; `indent` is its last line's, if it spans lines."""
        found = self.quotes.flow(member, indent)
        return self._plain_flow(member, indent) if found is None else found

    def flow_entry(self, member: Member, indent: str) -> str:
        """A flow mapping's entry, or a flow list's item."""
        value = self.flow(member, indent)
        if not member.key:
            return value
        key = self.quotes.key(member, in_flow=True) or scalar(member.key, self.style, flow=True)
        return key + self.style.colon + value

    def _plain_flow(self, member: Member, indent: str) -> str:
        value = _new(member.value)
        if not is_collection(value):
            return scalar(json_of(value), self.style, flow=True)
        argument = self._call(member)
        if argument is not None:
            line = self._get_att(argument)
            tag = f"!{argument.key.removeprefix('Fn::')} "
            return tag + (self.flow(argument, indent) if line is None else line)
        opening, closing = "[]" if is_list(value) else "{}"
        style = self.style
        inner = indent + style.unit
        items = members(value)
        texts = [self.flow_entry(item, inner) for item in items]
        if not texts:
            return opening + closing
        line = f"{opening}{style.pad}{style.comma.join(texts)}{style.pad}{closing}"
        short = "\n" not in line and len(indent) + len(line) <= LINE_WIDTH and _is_flat(value)
        comments = [self.quotes.comments(item, in_flow=True) for item in items]
        if not any(comments):
            if not style.spread or (style.small and short):
                return line
        lines: list[str] = []
        commas = "," * (len(items) - 1) + " "
        for above, text, comma in zip(comments, texts, commas, strict=True):
            lines += *above, (text + comma).rstrip(" ")
        return "\n".join((opening, *(inner + line for line in lines), indent + closing))

    def _call(self, member: Member) -> Member | None:
        """The argument (its key is the function) of a value to be written with a short tag."""
        value = _new(member.value)
        if self.style.is_json or is_list(value) or len(members(value)) != 1:
            return None
        (argument,) = members(value)
        name, inner = argument.key, json_of(argument.value)
        if not self.style.tags(name) or isinstance(argument.value, Alias):
            return None
        if self.quotes.key(argument) is not None:  # the author spells the function out
            return None
        if name == "Condition" and member.key:  # there it may be an attribute, not a function
            return None
        if isinstance(inner, str):
            return None if name == "Fn::GetAtt" else argument
        if isinstance(inner, dict) and any(map(self.style.tags, inner)):
            return None  # two short tags cannot follow one another
        return argument if isinstance(inner, (dict, list)) and inner else None

    def _get_att(self, argument: Member) -> str | None:
        match argument.key, json_of(argument.value):
            case "Fn::GetAtt", [str(resource), str(attribute)] if "." not in resource:
                return scalar(f"{resource}.{attribute}", self.style, flow=True)
        return None

    def _short_line(self, argument: Member) -> str | None:
        """A function's argument in one line; None where it should not stand in one."""
        value = argument.value
        if not isinstance(json_of(value), list) or not _is_flat(value):
            return None
        line = self.flow(argument, "")
        return None if "\n" in line else line


def _new(value: Value) -> New | Branch:
    return New(json_of(value)) if isinstance(value, Node) else value


def _is_flat(value: Value) -> bool:
    """Whether a value has no mapping in it but functions, and no list but their arguments."""
    return _flat(json_of(value), top=True)


def _flat(value: Json, top: bool) -> bool:
    if isinstance(value, dict):
        return len(value) == 1 and all(
            (name == "Condition" or name in SHORT) and _flat(argument, top=True)
            for name, argument in value.items()
        )
    return not isinstance(value, list) or (top and all(_flat(item, top=False) for item in value))
