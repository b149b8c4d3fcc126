"""What `verify` has found, for people, for programs and for GitHub."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from textwrap import TextWrapper

from macro.commands import output
from macro.preflight.checks import Check
from macro.preflight.findings import Finding, Status

Results = list[tuple[Check, Finding]]

_STATUSES: tuple[Status, ...] = ("passed", "failed", "not checked")
_COLOURS = {"passed": "\x1b[32m", "failed": "\x1b[31m", "not checked": "\x1b[33m"}
_PLAIN = "\x1b[0m"
_NARROWEST, _WIDEST = 60, 100
_INDENT = " " * 13


def printable(text: str) -> str:
    """A text whose every character may reach a terminal, and that GitHub takes for no command.

    Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return re.sub(r"(?<!\S)(?=::|##\[)", "?", shown)


def cleaned(results: Results, hide: Callable[[str], str]) -> Results:
    """The results fit for a terminal, without the values that `hide` takes out of a text."""

    def clean(text: str) -> str:
        return printable(hide(text))

    return [
        (
            replace(
                check,
                subject=clean(check.subject),
                places=tuple(
                    replace(place, container=clean(place.container)) for place in check.places
                ),
            ),
            Finding(finding.status, clean(finding.message), clean(finding.fix)),
        )
        for check, finding in results
    ]


def as_text(results: Results, colour: bool) -> str:
    """A table of two lines a check; below what did not pass are the fix and the places."""
    if not results:
        return "There is nothing to check."
    columns = shutil.get_terminal_size().columns
    wrapper = TextWrapper(
        width=min(max(columns, _NARROWEST), _WIDEST),
        break_long_words=False,
        break_on_hyphens=False,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
    )
    lines = ["RESULT       CHECK   SUBJECT"]
    for check, finding in results:
        status = f"{finding.status:13}"
        if colour:
            status = f"{_COLOURS[finding.status]}{status}{_PLAIN}"
        lines.append(f"{status}{check.kind:6}  {check.subject}")
        lines += [line for note in _notes(check, finding) for line in wrapper.wrap(note)]
    counted = ", ".join(f"{number} {status}" for status, number in counts(results).items())
    return "\n".join([*lines, "", counted])


def _notes(check: Check, finding: Finding) -> Iterator[str]:
    yield finding.message
    if finding.fix:
        yield finding.fix
    if finding.status != "passed":
        yield from (f"at {printable(str(place))}" for place in check.places)


def counts(results: Results) -> dict[str, int]:
    """How many checks came to each status."""
    found = [finding.status for _, finding in results]
    return {status: found.count(status) for status in _STATUSES}


def as_json(results: Results) -> str:
    """The results as data."""
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
    return json.dumps({"checks": checks, "counts": counts(results)}, indent=2)


def annotate(results: Results) -> None:
    """Puts what did not pass on its lines in the view of GitHub Actions, where it runs there."""
    kinds = {"failed": "error", "not checked": "warning"}
    for check, finding in results:
        if kind := kinds.get(finding.status):
            text = f"{check.subject}: {finding.message} {finding.fix}".rstrip()
            title = f"{check.kind} {finding.status}"
            for place in check.places:
                output.annotate(
                    kind, text, file=place.file, line=place.line, col=place.column, title=title
                )


def progress(
    answers: Iterable[tuple[int, Finding]], checks: list[Check], hide: Callable[[str], str]
) -> dict[int, Finding]:
    """The findings by the index of their check; how far it has come is shown meanwhile."""
    findings: dict[int, Finding] = {}
    is_terminal = sys.stderr.isatty()
    try:
        for index, finding in answers:
            findings[index] = finding
            count = f"{len(findings)}/{len(checks)}"
            if is_terminal:
                print(f"\r\x1b[K{count} checked", end="", file=sys.stderr, flush=True)
                continue
            subject = printable(hide(checks[index].subject))
            line = f"{count} {checks[index].kind} {subject}: {finding.status}"
            print(encodable(line, sys.stderr.encoding), file=sys.stderr, flush=True)
    finally:
        if is_terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return findings


def encodable(text: str, encoding: str | None) -> str:
    """The text in what an encoding has, so that a report comes wherever it is printed."""
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
