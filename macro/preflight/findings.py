"""What a check has come to: passed, failed, or not checked, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from macro.preflight.aws_account import AwsError, DeniedError, kind_of

Status = Literal["passed", "failed", "not checked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has come to, and the fix where there is one."""

    status: Status
    message: str
    fix: str = ""


def failed(message: str, fix: str = "") -> Finding:
    return Finding("failed", message, fix)


def unknown(message: str, fix: str = "") -> Finding:
    return Finding("not checked", message, fix)


def unanswered(trouble: AwsError) -> Finding:
    """A call that failed: nothing is known."""
    fix = (
        f"Allow {trouble.action}, or ask someone who has it."
        if isinstance(trouble, DeniedError)
        else ""
    )
    return unknown(str(trouble), fix)


def faulty(error: BaseException) -> Finding:
    """A check that ended in an exception, of which nothing but its kind is safe to show."""
    return unknown(f"The check ended in a fault ({kind_of(error)}).")
