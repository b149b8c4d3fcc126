"""guard/private-images.guard passes what `expand` writes, and fails what it is against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

cfn_guard_rs = pytest.importorskip("cfn_guard_rs")
