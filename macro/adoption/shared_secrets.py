"""Secrets that several containers share -> the registry table in the template's settings."""

from __future__ import annotations

from collections.abc import Iterator

from macro.adoption.blocks import Draft
from macro.engine.shorthand.image_reference import DOCKER_HUB, split_registry
from macro.engine.shorthand.registry_table import lookup_name, read_table
from macro.engine.shorthand.settings import SECTION
from macro.engine.shorthand.spelling import NAME
from macro.engine.template.choices import Leaf, leaves
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import Json, Path, canonical, get
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import literal, parse_text
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import Stack

TABLE = (*SECTION, "Registries")


class SharedSecrets(NamedTuple):
    """The drafts, those whose secret the registry table has as such, and the edits that write it:
    they come before those of the drafts."""

    drafts: tuple[Draft, ...]
    edits: tuple[Edit, ...] = ()


def share_secrets(drafts: tuple[Draft, ...], stack: Stack) -> SharedSecrets:
    """Moves a secret that opens one registry for two containers or more into the registry table.

    A registry gets one entry, for the secret that most of its containers name; the others keep
    theirs in their blocks. A registry that the template's table has already is left as it is.
    """
    table, _ = read_table(get(stack.template, "Metadata", NAME, "Registries"), TABLE, "template")
    known = {prefix.partition("/")[0] for prefix in table}
    by_registry: dict[str, dict[str, list[Draft]]] = {}
    for draft in drafts:
        registry = _registry_of(draft)
        alike = _access_of(draft)
        if registry and alike and registry not in known:
            by_registry.setdefault(registry, {}).setdefault(alike, []).append(draft)
    edits: list[Edit] = []
    listed: set[Path] = set()
    for registry, by_access in by_registry.items():
        most = max(by_access.values(), key=len)
        if len(most) > 1:
            edits += _entry(registry, most[0])
            listed |= {draft.path for draft in most}
    if not listed:
        return SharedSecrets(drafts)
    changed = (one._replace(is_listed=True) if one.path in listed else one for one in drafts)
    return SharedSecrets(tuple(changed), (*_table(stack), *edits))


def _registry_of(draft: Draft) -> str | None:
    """The registry of a container's image, as the table has it; None: it is not known, or there is
    more than one."""
    found: set[str | None] = set()
    for image, _ in leaves(draft.written.images, ALWAYS):
        text = parse_text(image.value)
        head = text[0] if text and isinstance(text[0], str) else ""
        if "/" not in head and literal(text) is None:
            return None
        found.add(lookup_name(split_registry(head)[0] or DOCKER_HUB, ""))
    return found.pop() if len(found) == 1 else None


def _access_of(draft: Draft) -> str | None:
    """The same for containers that have the same secret, key and grant; None: it cannot be shared,
    since it differs by condition or by the turn of a loop."""
    secret = draft.written.secret
    if not isinstance(secret, Leaf) or draft.written.container.resource.turn:
        return None
    return canonical([secret.value, draft.key, draft.grant])


def _table(stack: Stack) -> Iterator[Edit]:
    """The edits that add the table where the template has none."""
    node: Json = stack.template
    for depth in range(1, len(TABLE) + 1):
        key = TABLE[depth - 1]
        node = get(node, str(key))
        if node is None:
            after = None
            if depth == 1:
                heads = ("Transform", "Description", "AWSTemplateFormatVersion")
                after = next((one for one in heads if one in stack.template), None)
            yield Edit("add", TABLE[:depth], {}, after=after)


def _entry(registry: str, draft: Draft) -> Iterator[Edit]:
    """The edits that move a container's secret into the table."""
    secret = draft.written.secret
    assert isinstance(secret, Leaf)
    at = (*TABLE, registry)
    if draft.key is None and draft.grant:
        yield Edit("move", at, source=secret.path)
        return
    yield Edit("add", at, {})
    yield Edit("move", (*at, "Secret"), source=secret.path)
    if draft.key is not None:
        yield Edit("add", (*at, "KmsKey"), draft.key)
    if not draft.grant:
        yield Edit("add", (*at, "Grant"), False)
