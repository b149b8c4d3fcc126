"""`adopt FILE...`: hand-written credentials become the shorthand, in files as in `expand`."""

from __future__ import annotations

import argparse
from functools import partial

from macro.adoption.adopt import adopt
from macro.adoption.hand_written import MARKS
from macro.commands.expand_files import expand_files
from macro.commands.file_expansion import Work
from macro.engine.expand import Context, Expansion
from macro.engine.template.document import Json


def adopt_files(options: argparse.Namespace) -> int:
    """Adopts files as the options of the command say. Returns the exit code: with `check`, 1 where
    a file could be adopted. Raises UsageError."""
    if options.check and not (options.output or options.output_dir):
        options.in_place = True  # what is compared is the file itself
    change = partial(
        _change,
        narrow=options.narrow,
        transform=not options.no_transform,
        registry_table=options.registry_table,
    )
    return expand_files(options, Work(change, MARKS, "adopt", writes_expansions=False))


def _change(
    template: Json, context: Context, *, narrow: bool, transform: bool, registry_table: bool
) -> Expansion:
    """What adopting a template comes to, in the form that an expansion has."""
    adoption = adopt(
        template, context, narrow=narrow, transform=transform, registry_table=registry_table
    )
    return Expansion(adoption.edits, adoption.problems, adoption.notes)
