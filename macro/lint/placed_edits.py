"""The edits of an expansion, each at the place in the author's text of the shorthand it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from macro.engine.expand import Expansion
from macro.engine.grants.permissions import Policy
from macro.engine.grants.roles import TemplateRole
from macro.engine.shorthand.block import NAME
from macro.engine.shorthand.macro_calls import SNIPPET
from macro.engine.template.document import Json, Path, canonical
from macro.engine.template.edits import Edit
from macro.engine.template.records import NamedTuple
from macro.lint.template_nodes import Span, node_of, span, text


class _Origins(NamedTuple):
    """What was written in the template for each edit.

    `blocks` has the shorthand by the path of the container or of the resource that it is for, and
    `first` is the first of them in the text. `added` has the policies by the logical id of their
    resource, and `of_roles` those within a role by the path of that role.
    """

    blocks: Mapping[Path, Path]
    first: Path
    added: Mapping[str | int, Policy]
    of_roles: Mapping[Path, Sequence[Policy]]


def placed_edits(root: Any, template: Json, expansion: Expansion) -> list[Edit]:
    """The edits of an expansion, their values as nodes of cfn-lint's tree.

    An edit is for the container in or around which it is made; or for the policy that it writes,
    and so for the first container that asks for this policy. What a policy allows is for the key of
    the block that asks for just that.
    """
    origins = _find_origins(root, template, expansion)
    return [_placed(root, edit, origins) for edit in expansion.edits]


def _find_origins(root: Any, template: Json, expansion: Expansion) -> _Origins:
    blocks: dict[Path, Path] = {
        one.path: (*one.path, NAME if NAME in _mapping(template, one.path) else SNIPPET)
        for one in expansion.containers
    }
    first = min(blocks.values(), key=lambda path: span(root, path, on_key=True), default=())
    added: dict[str | int, Policy] = {}
    of_roles: dict[Path, list[Policy]] = {}
    for placed in expansion.policies:
        policy = placed.policy
        for served, block in zip(policy.served, policy.paths, strict=True):
            blocks.setdefault(served.path, block)
        if isinstance(policy.role, TemplateRole) and placed.kind == "role":
            of_roles.setdefault(policy.role.resource.path, []).append(policy)
        else:
            added[placed.logical_id] = policy
    return _Origins(blocks, first, added, of_roles)


def _mapping(template: Json, path: Path) -> dict[str, Json]:
    node: Any = template
    for step in path:
        node = node[step]
    return node if isinstance(node, dict) else {}


def _placed(root: Any, edit: Edit, origins: _Origins) -> Edit:
    """The edit with its value, and the key that it adds, where they belong."""

    def key_span(path: Path) -> Span:
        return span(root, path, on_key=True)

    policies = _policies(edit, origins)
    place = key_span(policies[0].paths[0] if policies else _asking(edit, origins))
    places: dict[str, Span] = {}
    for policy in policies:
        places[canonical(policy.document)] = key_span(policy.paths[0])
        for grant in policy.grants:
            key = "KmsKey" if grant.permission.action.startswith("kms:") else "Secret"
            for value in (grant.permission.resource, grant.permission.alias):
                places.setdefault(canonical(value), key_span((*grant.path, key)))
    *way, last = edit.path
    if isinstance(last, str):
        last = text(last, place)
    return edit._replace(path=(*way, last), value=node_of(edit.value, place, places))


def _policies(edit: Edit, origins: _Origins) -> Sequence[Policy]:
    """The policies that an edit writes."""
    if edit.path[-1] in origins.added:
        return [origins.added[edit.path[-1]]]
    above = (edit.path[:length] for length in range(len(edit.path)))
    return next((origins.of_roles[path] for path in above if path in origins.of_roles), ())


def _asking(edit: Edit, origins: _Origins) -> Path:
    """What asks for an edit other than of a policy: a block, or the key of it that changes."""
    above = (edit.path[:length] for length in range(len(edit.path), 0, -1))
    blocks = origins.blocks
    block = next((blocks[path] for path in above if path in blocks), origins.first)
    return edit.path if edit.path[: len(block)] == block else block
