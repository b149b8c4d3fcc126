"""Imports point one way between the rooms, and what runs in Lambda needs the standard library."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each folder, and what of ours it may import beside itself.
MAY_IMPORT = {
    "macro.engine.template": (),
    "macro.engine.shorthand": ("macro.engine.template",),
    "macro.engine.grants": ("macro.engine.template", "macro.engine.shorthand"),
    "macro.engine": ("macro.engine",),
    "macro.text": ("macro.engine.template",),
    "macro.preflight": ("macro.engine",),
    "macro.adoption": ("macro.engine",),
    "macro.lint": ("macro.engine", "macro.adoption"),
    "macro.commands": ("macro",),
    "macro": ("macro",),
}


def within(module: str, folder: str) -> bool:
    return f"{module}.".startswith(f"{folder}.")


def named(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules(folder: str) -> list[Path]:
    """The modules of a folder; what has a row of its own is left out."""
    return [
        path
        for path in sorted((ROOT / folder.replace(".", "/")).rglob("*.py"))
        if folder == max((row for row in MAY_IMPORT if within(named(path), row)), key=len)
    ]


def imported(path: Path) -> Iterator[str]:
    """The full names of what a module imports, wherever in it the import is."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(folder: str) -> None:
    assert modules(folder)
    wrong = {
        (named(path), name)
        for path in modules(folder)
        for name in imported(path)
        if within(name, "macro")
        and not any(within(name, allowed) for allowed in (folder, *MAY_IMPORT[folder]))
    }
    assert wrong == set()


def test_what_runs_in_lambda_needs_the_standard_library_alone() -> None:
    outside = {
        (named(path), name)
        for path in (ROOT / "macro" / "engine").rglob("*.py")
        for name in imported(path)
        if name.split(".")[0] not in sys.stdlib_module_names and not within(name, "macro.engine")
    }
    assert outside == set()


def test_no_two_modules_share_a_name() -> None:
    names = [path.stem for path in (ROOT / "macro").rglob("*.py") if path.stem[0] != "_"]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_no_two_things_share_a_name() -> None:
    """But type variables; what begins with an underscore is known in its module alone."""
    found: dict[str, list[str]] = {}
    for path in (ROOT / "macro").rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            for name in defined(node):
                if name[0] != "_" and len(name) > 1:
                    found.setdefault(name, []).append(named(path))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def defined(node: ast.stmt) -> list[str]:
    """The names that a statement of a module gives to functions, classes and values."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []
