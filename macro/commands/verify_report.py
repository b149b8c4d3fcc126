"""What `verify` has found, for people, for programs and for GitHub."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from textwrap import TextWrapper

from macro.commands import output
from macro.preflight.checks import Check
from macro.preflight.findings import Finding, Status

Results = list[tuple[Check, Finding]]

_STATUSES: tuple[Status, ...] = ("passed", "failed", "not checked")
_LOOKS = {"passed": "green", "failed": "red", "not checked": "yellow"}
_NARROWEST, _WIDEST = 60, 100
_INDENT = " " * 13


def cleaned(results: Results, hide: Callable[[str], str]) -> Results:
    """The results fit for a terminal, without the values that `hide` takes out of a text."""

    def clean(text: str) -> str:
        return output.printable(hide(text))

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


def findings_as_text(results: Results) -> str:
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
        status = output.styled(f"{finding.status:13}", _LOOKS[finding.status], sys.stdout)
        lines.append(f"{status}{check.kind:6}  {check.subject}")
        lines += [line for note in _notes(check, finding) for line in wrapper.wrap(note)]
    counted = ", ".join(f"{number} {status}" for status, number in counts(results).items())
    return "\n".join(map(output.no_command, [*lines, "", counted]))


def _notes(check: Check, finding: Finding) -> Iterator[str]:
    yield finding.message
    if finding.fix:
        yield finding.fix
    if finding.status != "passed":
        yield from (f"at {output.printable(str(place))}" for place in check.places)


def counts(results: Results) -> dict[str, int]:
    """How many checks came to each status."""
    found = [finding.status for _, finding in results]
    return {status: found.count(status) for status in _STATUSES}


def findings_as_json(results: Results) -> str:
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
    return output.as_json({"checks": checks, "counts": counts(results)})


def annotate_findings(results: Results) -> None:
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


def encodable(text: str, encoding: str | None) -> str:
    """The text in what an encoding has, so that a report comes wherever it is printed."""
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
