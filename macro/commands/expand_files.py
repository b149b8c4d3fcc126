"""`expand FILE...`: which files, what is reported of them, and where their expansions go."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import partial
from typing import cast

from macro.commands import files, output
from macro.commands.deployment import check_parameter_names, context, given
from macro.commands.exit_codes import OK, PROBLEMS, USAGE, UsageError
from macro.commands.file_expansion import (
    ExpansionRequest,
    FileExpansion,
    View,
    Work,
    expand_all,
    is_expansion,
)
from macro.commands.files import STDIN, Input

EXPANDING = Work()


def expand_files(options: argparse.Namespace, work: Work = EXPANDING) -> int:
    """Expands files as the options of the command say, or does other work on them in the same way.

    Returns the exit code; raises UsageError.
    """
    deployment = context(given(options))
    found = files.find(options.paths)
    targets = _targets(options, found)
    inputs = list(targets) if options.output_dir else found
    shared = bool(options.output_dir) and _is_shared(options.output_dir, found)
    places = files.places(targets)
    view = _view(options)
    request = ExpansionRequest(
        deployment, places, options.check, bool(options.output), shared, view, work
    )
    results = list(output.with_progress(expand_all(request, inputs), len(inputs)))
    if all(one.is_read for one in results):  # else it is not known what they declare
        declared = frozenset[str]().union(*(one.parameters for one in results))
        check_parameter_names(options.parameter, declared)
    if options.check and options.output_dir and work.writes_expansions:
        orphans = {
            os.path.realpath(one.input.name): one for one in _orphans(options, targets, shared)
        }
        results = [one for one in results if one.input.real not in orphans]
        results += orphans.values()
    code = max(map(_report, results), default=OK)
    _warn_of_nested(results, {one.real for one in inputs})
    if view:
        _show(view, results)
    elif not options.check and (code == OK or options.keep_going):
        _write(options, results, work)
    if len(found) != 1 or not found[0].named:
        _summarize(options, results, work)
    return code


def _view(options: argparse.Namespace) -> View:
    """What is shown in place of writing."""
    if options.format != "text":
        return cast("View", options.format)
    return "diff" if options.diff else "explain" if options.explain else ""


def _targets(options: argparse.Namespace, inputs: list[Input]) -> dict[Input, str]:
    """Where the expansion of each file belongs. Raises UsageError."""
    for option in ("output", "output_dir"):
        if getattr(options, option) == "":
            raise UsageError(f"--{option.replace('_', '-')} is empty: name a place to write to")
    single = len(inputs) == 1 and inputs[0].named
    if options.in_place:
        if any(one.name == STDIN for one in inputs):
            raise UsageError("standard input cannot be written in place: use -o")
        return {one: one.name for one in inputs}
    if options.output_dir:
        return files.mirrored(inputs, options.output_dir)
    if options.output:
        if not single:
            raise UsageError("-o takes one template; use --output-dir or --in-place for several")
        return {inputs[0]: options.output}
    if not single and not options.check and not _view(options):
        raise UsageError("several templates need a place: --output-dir DIR or --in-place")
    return {}


def _is_shared(folder: str, inputs: Iterable[Input]) -> bool:
    """Whether a folder that is written to is one of the sources' folders, or above or below one."""
    place = _real_folder(folder)
    sources = {_real_folder(one.base) for one in inputs}
    return any(one.startswith(place) or place.startswith(one) for one in sources)


def _real_folder(name: str) -> str:
    """The one name of a folder; it ends in a separator."""
    return os.path.join(os.path.realpath(name), "")  # noqa: PTH118


def _orphans(
    options: argparse.Namespace, targets: Mapping[Input, str], shared: bool
) -> Iterator[FileExpansion]:
    """The expansions in the folder that is written to whose sources do not exist any more.

    They are looked for only where folders and patterns are expanded: a file that is named alone
    says nothing of what else was written. In a folder within the sources' own an expansion of
    before is found like a source.
    """
    place = _real_folder(options.output_dir)
    known = {os.path.realpath(target) for target in targets.values()}
    for one in targets:
        base = _real_folder(one.base)
        if one.named or place == base or not place.startswith(base):
            known.add(one.real)
    for argument in options.paths:
        for name in files.expansions(argument, options.output_dir):
            if os.path.realpath(name) not in known and is_expansion(files.read(name), shared):
                why = "its source does not exist; remove this file"
                yield FileExpansion(Input(name, "", named=False), stale=((name, why),))


def _report(one: FileExpansion) -> int:
    """Prints what is wrong with one file, and returns the exit code."""
    output.problems(one.input.shown, one.warnings, "warning")
    output.problems(one.input.shown, one.problems)
    if one.unreadable:
        output.report(f"error: {one.unreadable}")
        output.annotate("error", one.unreadable, file=one.input.shown, title="PrivateImage")
        return USAGE
    for file, why in one.stale:
        output.report(f"{file}: {why}")
        output.annotate("error", why, file=file, title="PrivateImage")
    return PROBLEMS if one.problems or one.stale else OK


def _warn_of_nested(results: Iterable[FileExpansion], expanded: Container[str]) -> None:
    """Prints which templates keep their shorthand where others nest them, since they, or a template
    on the way to them, are not named."""
    for one in results:
        for name in one.nested:
            if name not in expanded:
                nests = f"it nests {os.path.relpath(name)}, whose PrivateImage blocks"
                fix = "Expand the folder of both, or name both."
                output.report(f"{one.input.shown}: warning: {nests} are not expanded. {fix}")
            elif name in one.detached:
                nests = f"it nests {os.path.relpath(name)} by way of a template that is not named"
                fix = "Expand the folder of all, or name all."
                output.report(
                    f"{one.input.shown}: warning: {nests}, so its expansion is not used. {fix}"
                )


def _show(view: View, results: list[FileExpansion]) -> None:
    explained = [(one.input.shown, one.explanation) for one in results if one.explanation]
    explained = [(name, one) for name, one in explained if one.images]
    if view == "json":
        from macro.commands.expansion_json import expansion_as_json

        _print(expansion_as_json(results))
    elif view == "sarif":
        from macro.commands.sarif import as_sarif

        _print(as_sarif(results))
    elif view == "mermaid":
        from macro.commands.mermaid import as_mermaid

        _print(as_mermaid(explained))
    elif view == "explain":
        from macro.commands.explanation import as_text

        style = partial(output.styled, stream=sys.stdout)
        texts = [as_text(one, style) for _, one in explained]
        if len(results) > 1:
            texts = [
                f"{style(output.printable(name), 'bold')}\n\n{text}"
                for (name, _), text in zip(explained, texts, strict=True)
            ]
        lines = "\n".join(texts).split("\n")
        _print("\n".join(map(output.no_command, lines)))
    else:
        for one in results:
            _print(output.shown_diff(one.diff, sys.stdout))


def _write(options: argparse.Namespace, results: list[FileExpansion], work: Work) -> None:
    if not options.in_place and not options.output_dir:
        (only,) = results
        data = only.untouched if only.expanded is None else only.expanded
        if data is not None and options.output:
            from macro.commands.file_writing import write  # standard output does not wait for it

            write([(options.output, data)])
        elif data is not None:
            _print(data)
        return
    from macro.commands.file_writing import write

    placed = [(one, one.place, one.expanded) for one in results if one.place and one.expanded]
    sources = {one.input.real: one for one, _, _ in placed}
    for one, place, _ in placed:
        other = sources.get(os.path.realpath(place), one)
        if other is not one:
            name = other.input.name
            raise UsageError(f"{one.input.name} would be written over {name}, which is a source")
    write([(place, data) for _, place, data in placed])
    for one, place, _ in placed:
        to = "" if place == one.input.name else f" -> {place}"
        output.report(f"{work.done} {one.input.shown}{to}")


def _summarize(options: argparse.Namespace, results: list[FileExpansion], work: Work) -> None:
    """Prints how many files came to what."""
    wrong = sum(bool(one.problems or one.unreadable) for one in results)
    done = "up to date" if options.check else f"to {work.verb}" if _view(options) else work.done
    counts = {
        done: sum(one.expanded is not None and not one.stale for one in results),
        "unchanged": sum(one.untouched is not None and not one.stale for one in results),
        "not up to date": sum(bool(one.stale) for one in results),
        "with problems": wrong,
    }
    text = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    if wrong and not options.check and not _view(options) and not options.keep_going:
        text = f"nothing written: {wrong} with problems"
    output.report(text or "no templates found")


def _print(data: bytes | str) -> None:
    sys.stdout.buffer.write(data if isinstance(data, bytes) else data.encode())
    sys.stdout.flush()
