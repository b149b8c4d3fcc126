"""How many templates the laws are tried on, and what is known of their deployment.

HYPOTHESIS_PROFILE=ci looks at more, and at the same ones each time, so that it fails by no chance;
HYPOTHESIS_PROFILE=thorough looks at many more.
"""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import HealthCheck, settings

from evaluator import ACCOUNT_ID, REGION
from macro.engine.expand import Context, Expansion
from meaning import Intent, Stack

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")

law = settings(
    max_examples={"default": 700, "ci": 2_000, "thorough": 10_000}[PROFILE],
    derandomize=PROFILE == "ci",
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# For laws of what is slow: an adoption proves itself, which takes ten times as long as to expand.
slow_law = settings(law, max_examples={"default": 175, "ci": 175, "thorough": 2_500}[PROFILE])


def context(stack: Stack) -> Context:
    """What `expand` knows of the stack's deployment."""
    account: dict[str, Any] = {"settings": stack.settings} if stack.settings else {}
    return Context(parameters=dict(stack.parameters), region=REGION, account=ACCOUNT_ID, **account)


def is_excused(stack: Stack, expansion: Expansion, intent: Intent) -> bool:
    """Whether a warning says that the template is wrong where parameters have other values than
    `expand` was given, and this deployment is such a one. The warning must be of the kind that is a
    problem where these values do reach it."""
    warnings = [one for one in expansion.warnings if one.code == "PI908"]
    shown = {**intent.account.parameters, **(intent.placeholders or {})}
    is_elsewhere = not stack.parameters.items() <= shown.items()
    return is_elsewhere and bool(warnings) and all("${" in json.dumps(one.path) for one in warnings)
