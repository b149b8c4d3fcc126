"""`WWW-Authenticate`: the challenges of a registry, read in one pass."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Possessive quantifiers: what has been read is not read again, however the header goes on.
_WORD = re.compile(
    r'(?P<word>[\w-]++)(?P<value>\s*+=\s*+(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<bare>[^\s,"]++)))?+',
    re.ASCII | re.DOTALL,
)


def challenges_in(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The challenges of `WWW-Authenticate`: each a scheme and its parameters, in lower case.

    Source: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1; blanks around the equals sign
    and values without quotes are understood as well. Takes time linear in the header's length.
    """
    scheme, parameters = "", dict[str, str]()
    for found in _WORD.finditer(header):
        if found["value"]:
            value = found["bare"]
            if value is None:
                value = re.sub(r"\\(.)", r"\1", found["quoted"], flags=re.DOTALL)
            parameters.setdefault(found["word"].lower(), value)
        elif header[found.end() : found.end() + 1] in ("", ",") or header[found.end()].isspace():
            if scheme:
                yield scheme, parameters
            scheme, parameters = found["word"].lower(), {}
    if scheme:
        yield scheme, parameters
