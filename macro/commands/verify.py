"""`verify FILE...`: asks the account and the registries what the expansion takes for granted."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from macro.commands import files, output
from macro.commands.deployment import context, given
from macro.commands.exit_codes import OK, PROBLEMS, UsageError
from macro.commands.file_expansion import located
from macro.commands.files import Input
from macro.engine.expand import Context, Expansion, expand
from macro.engine.shorthand.block import NAME
from macro.engine.template.document import Json, Path, get
from macro.engine.template.edits import apply
from macro.preflight.aws_calls import connect, find_stack
from macro.preflight.checks import At, Check, Reach, plan
from macro.preflight.evaluation import Deployed, Values
from macro.preflight.http import Wire
from macro.preflight.image_pulls import Pull, read_pulls
from macro.preflight.secret_checks import Finding, unknown
from macro.text.source import Source, SourceError, parse

T = TypeVar("T")

THREADS = 8
STALL_SECONDS = 300.0  # so long after the last answer, no other is waited for

Results = list[tuple[Check, Finding]]


def verify(options: argparse.Namespace) -> int:
    """Verifies the templates that the options name, and says what has come of it.

    Returns 0 where all checks passed; 1 where one failed, where one could not be made and `strict`
    is set, or where a template has problems. Raises UsageError.
    """
    deployment = context(given(options))
    sources = _read(files.find(options.paths))
    if sources is None:
        return PROBLEMS
    _check_parameters(options.parameter, sources)
    account = connect(options.profile, deployment.region, deployment.account)
    found = find_stack(account, options.stack_name)
    parameters: dict[str, Json] = {**found.parameters, **deployment.parameters}
    known = Context(parameters, account.region, account.id)
    pulls: list[tuple[At, Pull]] = []
    hidden: list[Values] = []
    problems = False
    for source in sources:
        expansion = expand(source.template, known)
        if expansion.problems:
            output.problems(source.name, located(source, expansion.problems))
            problems = True
            continue
        read, values = _pulls(source, expansion, known, found.deployed)
        pulls += read
        hidden.append(values)
    if problems:
        return PROBLEMS
    reach = Reach(account, Wire(frozenset(options.plain_http)), frozenset(options.skip_registry))
    checks = plan(pulls, reach)
    results = _hide(list(_answered(checks)), hidden)
    _print(_as_json(results) if options.format == "json" else _as_text(results))
    bad = {"failed", "not checked"} if options.strict else {"failed"}
    return PROBLEMS if any(finding.status in bad for _, finding in results) else OK


def _read(inputs: Iterable[Input]) -> list[Source] | None:
    """The templates among the files; None where one that should be is none, which is said."""
    sources: list[Source] = []
    broken = False
    for one in inputs:
        data = files.read(one.name)
        if not one.named and NAME.encode() not in data:
            continue  # found in a folder, and not about this
        try:
            sources.append(parse(data, one.shown))
        except SourceError as error:
            output.problems(one.shown, error.problems)
            broken = True
    return None if broken else sources


def _check_parameters(pairs: Iterable[str], sources: Iterable[Source]) -> None:
    declared: set[str] = set()
    for source in sources:
        section = get(source.template, "Parameters")
        declared |= section.keys() if isinstance(section, dict) else set()
    unknown_names = sorted({pair.partition("=")[0] for pair in pairs} - declared)
    if unknown_names:
        raise UsageError(f"no template has a parameter {', '.join(unknown_names)}")


def _pulls(
    source: Source, expansion: Expansion, known: Context, deployed: Deployed
) -> tuple[list[tuple[At, Pull]], Values]:
    """What the containers of one template pull, with their places in the author's text."""
    expanded = apply(source.template, expansion.edits)
    assert isinstance(expanded, dict)
    values = Values(expanded, known, deployed)

    def at(pull: Pull) -> At:
        path: Path = (*pull.path, NAME)
        return At(source.name, *source.position(path, on_key=True), pull.container)

    return [(at(pull), pull) for pull in read_pulls(expansion, expanded, known, values)], values


def _answered(checks: Sequence[Check]) -> Iterator[tuple[Check, Finding]]:
    """The checks with their answers, in the order of the checks; progress is shown meanwhile."""
    findings: dict[int, Finding] = {}
    show = sys.stderr.isatty()
    for index, finding in in_threads([check.work for check in checks]):
        findings[index] = finding
        count = f"{len(findings)}/{len(checks)}"
        if show:
            print(f"\r\x1b[K{count} checked", end="", file=sys.stderr, flush=True)
        else:
            print(f"{count} {checks[index].kind}: {finding.status}", file=sys.stderr, flush=True)
    if show:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    for index, check in enumerate(checks):
        yield check, findings.get(index) or unknown("There was no answer in time.")


def in_threads(
    works: Sequence[Callable[[], T]], stall: float = STALL_SECONDS
) -> Iterator[tuple[int, T]]:
    """What each piece of work comes to, with its index, as they get done.

    Ends early where nothing gets done any more for `stall` seconds. The threads do not keep the
    process alive, so that neither an interrupt nor a peer that never ends waits for them.
    """
    todo: SimpleQueue[int] = SimpleQueue()
    done: SimpleQueue[tuple[int, T | BaseException]] = SimpleQueue()
    for index in range(len(works)):
        todo.put(index)

    def work() -> None:
        while True:
            try:
                index = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((index, works[index]()))
            except BaseException as error:  # noqa: BLE001 # raised where the results are taken
                done.put((index, error))

    for _ in range(min(THREADS, len(works))):
        Thread(target=work, daemon=True).start()
    for _ in works:
        try:
            index, result = done.get(timeout=stall)
        except Empty:
            return
        if isinstance(result, BaseException):
            raise result
        yield index, result


def _hide(results: Results, hidden: Iterable[Values]) -> Results:
    """The results without the values of `NoEcho` parameters, and fit for a terminal."""

    def clean(text: str) -> str:
        for values in hidden:
            text = values.hidden(text)
        return "".join(character if character.isprintable() else "?" for character in text)

    return [
        (
            replace(
                check,
                subject=clean(check.subject),
                places=tuple(replace(at, container=clean(at.container)) for at in check.places),
            ),
            Finding(finding.status, clean(finding.message), clean(finding.fix)),
        )
        for check, finding in results
    ]


def _as_text(results: Results) -> str:
    """A table; below what did not pass stand its places and the fix."""
    rows = [("CHECK", "SUBJECT", "RESULT")]
    rows += [(check.kind, check.subject, f"{f.status}: {f.message}") for check, f in results]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines: list[str] = []
    below: list[list[str]] = [[]]
    for check, finding in results:
        places = [str(place) for place in check.places] if finding.status != "passed" else []
        below.append([*([finding.fix] if finding.fix else []), *places])
    for row, notes in zip(rows, below, strict=True):
        lines.append(f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}")
        lines += [f"{'':{sum(widths) + 4}}{note}" for note in notes]
    counted = ", ".join(f"{number} {status}" for status, number in _counts(results).items())
    return "\n".join([*lines, "", counted]) if results else "There is nothing to check."


def _counts(results: Results) -> dict[str, int]:
    statuses = [finding.status for _, finding in results]
    return {status: statuses.count(status) for status in ("passed", "failed", "not checked")}


def _as_json(results: Results) -> str:
    checks = [
        {
            "check": check.kind,
            "subject": check.subject,
            "status": finding.status,
            "message": finding.message,
            "fix": finding.fix,
            "containers": [
                {
                    "file": place.file,
                    "line": place.line,
                    "column": place.column,
                    "container": place.container,
                }
                for place in check.places
            ],
        }
        for check, finding in results
    ]
    return json.dumps({"checks": checks, "counts": _counts(results)}, indent=2)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
