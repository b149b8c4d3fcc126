"""How many templates each law is tried on, and what is known of their deployment.

HYPOTHESIS_PROFILE=thorough looks at many more.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from evaluator import ACCOUNT_ID, REGION
from macro.engine.expand import Context
from strategies import Stack

EXAMPLES = {"default": 200, "thorough": 3000}

law = settings(
    max_examples=EXAMPLES[os.environ.get("HYPOTHESIS_PROFILE", "default")],
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def context(stack: Stack) -> Context:
    return Context(parameters=dict(stack.parameters), region=REGION, account=ACCOUNT_ID)
