"""What makes many runs of cfn-lint in one process quick."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace

import pytest
from cfnlint import helpers


@pytest.fixture(scope="session", autouse=True)
def _schemas_are_parsed_once() -> Iterator[None]:
    """Each run loads all rules, and with them the schemas they hold templates to: most of its time.
    Within a run cfn-lint uses them for one template after another, so they do not change."""
    with pytest.MonkeyPatch.context() as patch:
        once = SimpleNamespace(**{**vars(json), "loads": cache(json.loads)})
        patch.setattr(helpers, "json", once)
        yield
