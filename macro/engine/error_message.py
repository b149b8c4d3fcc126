"""Problems -> the one line that CloudFormation shows of a macro's failure."""

from __future__ import annotations

from collections.abc import Sequence

from macro.engine.template.document import Path
from macro.engine.template.problems import Problem

# CloudFormation documents no limit for what it shows of a macro's message. This is the one of the
# status messages beside it in its API (HookStatusReason, RecordHandlerProgress).
MESSAGE_LENGTH = 1024


def error_message(problems: Sequence[Problem], length: int = MESSAGE_LENGTH) -> str:
    """All problems in one line of so many characters at most, those that others may follow from
    first: they have the lower codes. What no longer fits is counted."""
    ordered = sorted(problems, key=lambda problem: problem.code)
    places: dict[tuple[str, str], list[Path]] = {}
    for problem in ordered:
        places.setdefault((problem.code, str(problem)), []).append(problem.path)
    reported = [_reported(code, text, paths) for (code, text), paths in places.items()]
    if len(reported) == 1:
        return _cut(reported[0], length)
    line = f"{len(reported)} problems."
    room = length - len(f" ... and {len(reported)} more")
    for number, text in enumerate(reported, 1):
        longer = f"{line} ({number}) {text}"
        if len(longer) > room and number > 1:
            return f"{line} ... and {len(reported) - number + 1} more"
        line = _cut(longer, room)
    return line


def _reported(code: str, text: str, paths: list[Path]) -> str:
    """A problem with its place, and how many more places have the same."""
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in paths[0])
    place = f" at {where.removeprefix('.')}" if where else ""
    more = len(paths) - 1
    others = f" and {more} more place{'s' if more > 1 else ''}" if more else ""
    return _printable(f"{code}{place}{others}: {text}")


def _printable(text: str) -> str:
    """The text without control characters, with which CloudFormation fails to show an event.

    Source: https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1601
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
