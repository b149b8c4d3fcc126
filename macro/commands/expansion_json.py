"""`--format json`: what has come of the files, as data."""

from __future__ import annotations

from collections.abc import Iterable

from macro.commands import output
from macro.commands.file_expansion import FileExpansion
from macro.engine.expand import Expansion
from macro.engine.grants.additions import Placed
from macro.engine.grants.roles import NamedRole, TemplateRole
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path
from macro.engine.template.edits import Edit


def expansion_as_json(results: Iterable[FileExpansion]) -> str:
    """A document with the files that were named, or that have shorthand or problems."""
    files = [
        {
            "file": one.input.shown,
            "place": one.place,
            "stale": bool(one.stale),
            **(one.data or {}),
            "problems": [problem._asdict() for problem in one.problems],
            "warnings": [warning._asdict() for warning in one.warnings],
        }
        for one in results
        if one.input.named or (one.data and one.data["edits"]) or one.problems
    ]
    return output.as_json({"files": files}) + "\n"


def data(expansion: Expansion) -> dict[str, Json]:
    """The edits (RFC 6902), the containers and the policies of an expansion."""
    return {
        "edits": [_edit(edit) for edit in expansion.edits],
        "containers": [
            {
                "path": pointer(pulled.path),
                "resource": pulled.resource.logical_id,
                "conditions": _conditions(pulled.when),
                "image": pulled.image,
                "credentials": None if pulled.parameter == NO_VALUE else pulled.parameter,
                "settings": list[Json](pulled.levels),
            }
            for pulled in expansion.containers
        ],
        "grants": [
            {
                "role": _grantee(placed),
                "policy": {"on": placed.kind, "logicalId": placed.logical_id},
                "conditions": _conditions(placed.policy.when),
                "document": placed.policy.document,
                "for": [pointer(path) for path in placed.policy.paths],
            }
            for placed in expansion.policies
        ],
    }


def _grantee(placed: Placed) -> Json:
    role = placed.policy.role
    if isinstance(role, NamedRole):
        return {"name": role.name}
    return {
        "logicalId": role.resource.logical_id
        if isinstance(role, TemplateRole)
        else placed.logical_id
    }


def _conditions(when: Conditions) -> dict[str, Json]:
    return dict(sorted(when))


def _edit(edit: Edit) -> dict[str, Json]:
    found: dict[str, Json] = {"op": edit.op, "path": pointer(edit.path)}
    if edit.op == "move":
        found["from"] = pointer(edit.source)
    elif edit.op != "remove":
        found["value"] = edit.value
    return found


def pointer(path: Path) -> str:
    """A path as a JSON pointer.

    Source: https://www.rfc-editor.org/rfc/rfc6901
    """
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
