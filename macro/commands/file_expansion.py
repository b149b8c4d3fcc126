"""A file's expansion, from its bytes to what is to be written and said; many files on all cores."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path as File
from types import MappingProxyType
from typing import NamedTuple

from macro.commands.exit_codes import UsageError
from macro.commands.files import STDIN, Input, present, read
from macro.engine.expand import Context, Expansion, expand
from macro.engine.grants import quotas
from macro.engine.shorthand.block import NAME
from macro.engine.template.document import Json, get
from macro.engine.template.edits import Edit
from macro.engine.template.problems import Problem
from macro.text.rewrite import rewrite
from macro.text.source import LocatedProblem, Source, SourceError, no_collection, parse

FILES_A_PROCESS = 16  # with fewer, a process costs more to start than it saves


class Task(NamedTuple):
    """What is to be done with each file.

    `targets` has, by a file's real path, where its expansion belongs; `check`: compare what is
    there with it. `diff`, `explain`, `as_data`: say what the expansion changes, in that form.
    """

    context: Context
    targets: Mapping[str, str] = MappingProxyType({})
    check: bool = False
    diff: bool = False
    explain: bool = False
    as_data: bool = False


class Outcome(NamedTuple):
    """What has come of a file: `expanded`, or `untouched` where the template has no shorthand; the
    bytes of neither where there are problems, or where the file turned out to be no template.

    `place` is where the expansion belongs; `stale`: what is there is something else. `parameters`
    are those that the template declares. `unreadable` says why a file could not be read.
    """

    input: Input
    problems: tuple[LocatedProblem, ...] = ()
    warnings: tuple[LocatedProblem, ...] = ()
    expanded: bytes | None = None
    untouched: bytes | None = None
    place: str | None = None
    stale: bool = False
    diff: str = ""
    words: tuple[str, ...] = ()
    data: Mapping[str, Json] | None = None
    parameters: frozenset[str] = frozenset()
    unreadable: str | None = None

    @property
    def is_read(self) -> bool:
        """Whether it is known what the file is, and so which parameters it declares."""
        return not self.unreadable and (not self.problems or bool(self.parameters))


def run(task: Task, inputs: Sequence[Input]) -> Iterator[Outcome]:
    """What comes of each file, in the order of the files, which are worked on by all cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processes = min(cores or 1, len(inputs) // FILES_A_PROCESS)
    if processes < 2:
        yield from map(partial(work, task), inputs)
        return
    from concurrent.futures import ProcessPoolExecutor  # slow to import, and needed here only

    size = max(1, min(FILES_A_PROCESS, len(inputs) // (4 * processes)))
    with ProcessPoolExecutor(processes, initializer=_leave_interrupts_to_the_parent) as pool:
        try:
            yield from pool.map(partial(work, task), inputs, chunksize=size)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _leave_interrupts_to_the_parent() -> None:
    import signal  # slow to import, and needed here only

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def work(task: Task, one: Input) -> Outcome:
    """Expands one file. Writes nothing, and raises nothing, whatever may be in it."""
    try:
        data = read(one.name)
    except UsageError as error:
        return Outcome(one, unreadable=str(error))
    if not one.named and NAME.encode() not in data:
        return Outcome(one)
    try:
        with no_collection():  # the nodes live on to the end: see there
            return _expanded(task, one, data)
    except UsageError as error:
        return Outcome(one, unreadable=str(error))
    except SourceError as error:
        if not one.named and (b"Resources" not in data or error.problems[0].code == "PI004"):
            return Outcome(one)  # found in a folder, and more likely no template than a broken one
        return Outcome(one, problems=error.problems)


def _expanded(task: Task, one: Input, data: bytes) -> Outcome:
    """Expands a template. Raises SourceError; UsageError where what it replaces is unreadable."""
    source = parse(data, one.shown)
    expansion = expand(source.template, task.context)
    declared = get(source.template, "Parameters")
    outcome = partial(
        Outcome,
        one,
        warnings=(*source.warnings, *located(source, expansion.warnings)),
        words=tuple(_words(source, expansion)) if task.explain else (),
        data=_data(expansion) if task.as_data else None,
        parameters=frozenset(declared if isinstance(declared, dict) else ()),
    )
    if expansion.problems:
        return outcome(problems=located(source, expansion.problems))
    if not expansion.edits:
        return outcome(untouched=data)
    target = task.targets.get(os.path.realpath(one.name))
    moves = _relocated(task, source, target) if target and one.name != STDIN else ()
    expanded = rewrite(source, (*moves, *expansion.edits)).encode()
    if len(expanded) > quotas.TEMPLATE_BYTES:
        return outcome(problems=located(source, [quotas.too_large(len(expanded))]))
    before = present(target) if task.check and target else data
    return outcome(
        expanded=expanded,
        place=target,
        stale=task.check and target is not None and before != expanded,
        diff=_diff(one, target if task.check else None, before, expanded) if task.diff else "",
    )


def located(source: Source, problems: Iterable[Problem]) -> tuple[LocatedProblem, ...]:
    """The problems with their places in the author's text, in the text's order."""
    located = [
        LocatedProblem(
            *source.position(problem.path, problem.on_key),
            problem.code,
            problem.message,
            problem.fix,
        )
        for problem in problems
    ]
    return tuple(sorted(located, key=lambda told: (told.line, told.column, told.code)))


def _relocated(task: Task, source: Source, target: str) -> Iterator[Edit]:
    from macro.commands.local_paths import relocated  # needed only where a file moves

    def moved(named: File) -> File | None:
        place = task.targets.get(str(named))
        if place is None or not named.is_file():
            return None
        outcome = work(Task(task.context), Input(str(named), "", named=False))
        return File(place) if outcome.expanded is not None else None

    return relocated(source.template, File(source.name), File(target), moved)


def _words(source: Source, expansion: Expansion) -> Iterator[str]:
    from macro.commands.explanation import words  # needed only where somebody asks

    for path, text in words(expansion):
        line, column = source.position(path)
        yield f"{source.name}:{line}:{column}: {text}"


def _data(expansion: Expansion) -> dict[str, Json]:
    from macro.commands.explanation import data  # needed only where somebody asks

    return data(expansion)


def _diff(one: Input, target: str | None, before: bytes | None, after: bytes) -> str:
    """What changes, as a unified diff."""
    from difflib import unified_diff  # slow to import, and needed here only

    old, new = (
        re.findall(r"[^\n]*\n|[^\n]+", (data or b"").decode("utf-8", "replace"))
        for data in (before, after)
    )
    name = target or one.shown
    lines = unified_diff(old, new, name if before is not None else os.devnull, f"{name} (expanded)")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
