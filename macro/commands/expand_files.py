"""`expand FILE...`: which files, what is said of them, and where their expansions go."""

from __future__ import annotations

import argparse
import os
import sys

from macro.commands import files, output
from macro.commands.deployment import check_parameter_names, context, given
from macro.commands.exit_codes import OK, PROBLEMS, USAGE, UsageError
from macro.commands.file_expansion import Outcome, Task, run
from macro.commands.files import STDIN, Input


def expand_files(options: argparse.Namespace) -> int:
    """Expands files as the options of the command say. Returns the exit code; raises UsageError."""
    deployment = context(given(options))
    inputs = files.find(options.paths, options.output_dir)
    as_data = options.format == "json"
    seen_only = options.check or options.diff or options.explain or as_data
    places = _places(options, inputs, seen_only)
    task = Task(deployment, places, options.check, options.diff, options.explain, as_data)
    outcomes = list(output.with_progress(run(task, inputs), len(inputs)))
    if all(outcome.is_read for outcome in outcomes):  # else it is not known what they declare
        declared = frozenset[str]().union(*(outcome.parameters for outcome in outcomes))
        names = [outcome.input.shown for outcome in outcomes]
        check_parameter_names(options.parameter, declared, names)
    code = max(map(_report, outcomes), default=OK)
    if as_data:
        _print(output.as_json(outcomes).encode())
    elif seen_only:
        for outcome in outcomes:
            _print(output.coloured(outcome.diff, sys.stdout).encode())
            _print("".join(f"{line}\n" for line in outcome.words).encode())
    elif code == OK or options.keep_going:
        _write(options, outcomes)
    return code


def _places(options: argparse.Namespace, inputs: list[Input], seen_only: bool) -> dict[str, str]:
    """Where the expansion of each file belongs, by the file's real path. Raises UsageError."""
    single = len(inputs) == 1 and inputs[0].named
    if options.in_place:
        if any(one.name == STDIN for one in inputs):
            raise UsageError("standard input cannot be written in place: use -o")
        places = {one.name: one.name for one in inputs}
    elif options.output_dir:
        places = files.mirrored(inputs, options.output_dir)
    elif options.output:
        if not single:
            raise UsageError("-o takes one template; use --output-dir or --in-place for several")
        places = {inputs[0].name: options.output}
    else:
        if not single and not seen_only:
            raise UsageError("say where several templates go: --output-dir DIR or --in-place")
        places = {}
    return {os.path.realpath(name): place for name, place in places.items()}


def _report(outcome: Outcome) -> int:
    """Says what is wrong with one file, and returns the exit code."""
    name = outcome.input.shown
    output.problems(name, outcome.warnings, "warning")
    output.problems(name, outcome.problems)
    if outcome.unreadable:
        print(f"error: {outcome.unreadable}", file=sys.stderr)
        return USAGE
    if outcome.stale:
        output.stale(name, outcome.place)
    return PROBLEMS if outcome.problems or outcome.stale else OK


def _write(options: argparse.Namespace, outcomes: list[Outcome]) -> None:
    if options.in_place or options.output_dir:
        placed = [(one.place, one.expanded) for one in outcomes if one.place and one.expanded]
        files.write(placed, new_folders=True)
        print(f"{output.counted(len(placed), 'template')} expanded", file=sys.stderr)
        return
    (outcome,) = outcomes
    data = outcome.untouched if outcome.expanded is None else outcome.expanded
    if data is not None and options.output:
        files.write([(options.output, data)])
    elif data is not None:
        _print(data)


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
