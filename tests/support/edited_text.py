"""A text with edits made in it, for tests of what comes out to the letter."""

from __future__ import annotations

from macro.engine.template.edits import Edit
from macro.text.rewrite import rewrite
from macro.text.source import parse


def edited(text: str, *edits: Edit) -> str:
    """The text with the edits, having been checked that it then comes back as it is."""
    new = rewrite(parse(text.encode(), "t.yaml"), edits)
    assert rewrite(parse(new.encode(), "t.yaml"), []) == new
    return new
