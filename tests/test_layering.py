"""Imports point one way, and what runs in the account needs the standard library alone."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {path.stem: path for path in (ROOT / "macro").glob("*.py")}

# The order is the one in which CONTRIBUTING.md lists them.
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
LAYOUT = re.search(r"^macro/\n((?:  .*\n)+)", CONTRIBUTING, re.MULTILINE)
ORDER = re.findall(r"^  (\w+)\.py ", LAYOUT[1] if LAYOUT else "", re.MULTILINE)


def imports(module: str) -> set[str]:
    """The full names of the modules that one of ours imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by a relative name"
            name = node.module or ""
            is_package = name == "macro"
            found |= {f"{name}.{alias.name}" for alias in node.names} if is_package else {name}
    return found


def ours(module: str) -> set[str]:
    """The modules of ours that one of ours imports."""
    parts = [name.split(".") for name in imports(module)]
    return {path[1] for path in parts if path[0] == "macro" and path[1:] and path[1] in MODULES}


def reached(module: str) -> set[str]:
    """The module and all of ours that it imports, directly or through others."""
    found: set[str] = set()
    ahead = [module]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += ours(name)
    return found


def test_every_module_is_listed() -> None:
    assert sorted(ORDER) == sorted(MODULES.keys() - {"__init__"})


@pytest.mark.parametrize("module", ORDER)
def test_a_module_imports_only_from_those_above_it(module: str) -> None:
    assert ours(module) <= {"__init__", *ORDER[: ORDER.index(module)]}


@pytest.mark.parametrize("module", ["__init__", "containers", "template"])
def test_the_ground_floor_imports_nothing_of_ours(module: str) -> None:
    assert ours(module) == set()


@pytest.mark.parametrize("module", sorted({"expand", "handler"} & MODULES.keys()))
def test_what_runs_in_the_account_needs_the_standard_library_alone(module: str) -> None:
    outside = {
        (name, needed)
        for name in reached(module)
        for needed in imports(name)
        if needed.split(".")[0] not in sys.stdlib_module_names | {"macro"}
    }
    assert outside == set()
