"""A syntax error of libyaml in plain words, with the fix."""

from __future__ import annotations

import re

from yaml import MarkedYAMLError, YAMLError


def explain_syntax_error(error: YAMLError, text: str) -> tuple[int, str, str, str]:
    """Where a text has a syntax error, the problem's code, what is wrong, and the fix.

    No message holds a value of the text.
    """
    control = re.search(_CONTROL, text)
    if control:
        message = f"The control character U+{ord(control[0]):04X} is not allowed in a template."
        return control.start(), "PI001", message, "Remove it, or escape it in double quotes."
    index, what = 0, "cannot be read"
    if isinstance(error, MarkedYAMLError):
        index = min(error.problem_mark.index, len(text)) if error.problem_mark else 0
        what = str(error.problem)
    message, fix = next(
        (told for part, told in _TOLD.items() if part in what),
        (f"This is not YAML: {what}.", "Check the quotes and the indentation around it."),
    )
    if text[index : index + 1] == "\t" and "cannot start" in what:
        message, fix = "A tab indents this line.", "YAML indents with spaces only."
    if isinstance(error, MarkedYAMLError) and error.context_mark and "document" not in what:
        begun = error.context_mark.index
        line = text.count("\n", 0, begun) + 1
        context = str(error.context).removeprefix("while ").split(";")[0]
        message = f"{message[:-1]} ({context}, line {line})." if begun < index else message
    return index, "PI002", message, fix


# What YAML allows in no text.
_CONTROL = "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]"

# A part of what libyaml says: what is wrong, and the fix.
_TOLD = {
    "cannot start any token": ("A value cannot begin with this character.", "Quote the value."),
    "mapping values are not allowed": (
        "A value contains a second `: `.",
        "Quote the value, or fix the indentation.",
    ),
    "another document": (
        "A second document begins here.",
        "A template is one document: remove this one.",
    ),
    "expected <document start>": (
        "The template has ended before this line.",
        "Fix the indentation, or remove the rest.",
    ),
    "undefined alias": (
        "The alias has no anchor before it.",
        "Define it with `&`, or quote a text that has `*`.",
    ),
    "second occurrence": (
        "An anchor of this name exists above.",
        "Give each anchor a name of its own.",
    ),
    "expected key": (
        "A key is expected here.",
        "Fix the indentation, or quote a value that spans lines.",
    ),
    "could not find expected ':'": (
        "The line before has no `:` after its key.",
        "Add it, or fix the indentation.",
    ),
    "'-' indicator": (
        "An item of the list is expected here.",
        "Begin it with `- `, or fix the indentation.",
    ),
    "',' or ']'": (
        "A `,` or `]` is missing here.",
        "Close the list, or quote what is before it.",
    ),
    "',' or '}'": (
        "A `,` or `}` is missing here.",
        "Close the mapping, or quote what is before it.",
    ),
    "node content": ("A value is expected here.", "Quote it if it begins with `]`, `}` or `,`."),
    "undefined tag handle": ("This tag is not known.", "Quote a value that begins with `!`."),
    "unexpected end of stream": ("The text ends within quotes.", "Close them."),
    "escape c": (
        "Double quotes do not know this escape.",
        "Write `\\\\` for a backslash, or use single quotes.",
    ),
}
