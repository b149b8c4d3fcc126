"""A collection in flow style put together from its parts, with commas, line breaks and comments."""

from __future__ import annotations

import re
from collections.abc import Sequence


class Part:
    """An entry: the comments before it, its text, and the comment behind it with its space.

    `gap` is what else the text has up to the next entry or the bracket, if that stays as it is.
    """

    def __init__(self, heads: list[str], text: str, tail: str = "", gap: str | None = None) -> None:
        self.heads = heads
        self.text = text
        self.tail = tail
        self.gap = gap


def joined(
    parts: Sequence[Part],
    last: Sequence[str],
    opening: str,
    closing: str,
    separator: str,
    indent: str,
) -> str:
    """What stands between the brackets. `last` are comments behind the parts; `opening` and
    `closing` are what stood between the brackets and the entries."""
    line = "\n" + indent
    pieces = [opening]
    for number, part in enumerate(parts):
        if number == 0 and part.heads and not opening[-1:].isspace():
            pieces.append(line)
        pieces += *(comment + line for comment in part.heads), part.text
        if part.gap is not None:
            pieces.append(part.gap)
        elif number + 1 == len(parts):
            pieces.append(part.tail)
        elif part.tail or parts[number + 1].heads:
            pieces.append("," + part.tail + line)
        else:
            pieces.append(separator)
    if parts[-1].gap is None:
        _, is_broken, margin = re.sub(r"#[^\n]*|,", "", closing).rpartition("\n")
        pieces += (line + comment for comment in last)
        if is_broken or last or parts[-1].tail:
            pieces.append("\n")
        pieces.append(margin)
    return "".join(pieces)
