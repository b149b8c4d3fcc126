"""The resources of a template as they are deployed: one for each turn of the loops around them."""

from __future__ import annotations

from collections.abc import Iterator

from macro.engine.template.loops import fill_text
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Stack


def unrolled(stack: Stack) -> Iterator[Resource]:
    """Every resource in every turn of its loops, filled in; its path is that in the loop's body.

    Where the collection of a loop is not known, the resource is given as declared, with its loops.
    """
    for resource in stack.resources:
        turns = stack.turns(resource.loops) if resource.loops else None
        if turns is None:
            yield resource
            continue
        for turn in turns:
            yield resource.in_turn(fill_text(resource.logical_id, turn), turn)
