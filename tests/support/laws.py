"""How many templates the laws are tried on, and what is known of their deployment.

HYPOTHESIS_PROFILE=thorough looks at many more.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings

from evaluator import ACCOUNT_ID, REGION
from macro.engine.expand import Context
from meaning import Stack

EXAMPLES = {"default": 700, "thorough": 10_000}

law = settings(
    max_examples=EXAMPLES[os.environ.get("HYPOTHESIS_PROFILE", "default")],
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def context(stack: Stack) -> Context:
    """What `expand` knows of the stack's deployment."""
    account: dict[str, Any] = {"settings": stack.settings} if stack.settings else {}
    return Context(parameters=dict(stack.parameters), region=REGION, account=ACCOUNT_ID, **account)
