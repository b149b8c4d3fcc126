"""Edits made in the author's text: what no edit touches stays byte for byte.

The edits make a tree of the text's nodes and of new values (edited_tree), in which aliases are
settled (aliases). Its changes say what becomes of each collection's entries (entries) and of the
comments in text that goes away (changes). They are laid out as splices (layout, flow_collections),
of the author's text (quotes) and of new text (emitter) in the style around it (style). The text
with the splices made is parsed again, and must mean what the edits mean.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from typing import cast

from yaml import YAMLError
from yaml.nodes import MappingNode, Node

from macro.engine.template.document import Json, canonical
from macro.engine.template.edits import Edit, apply
from macro.engine.template.records import NamedTuple
from macro.text.aliases import settled
from macro.text.changes import Changes, changes_of
from macro.text.edited_tree import Branch, DoubledKeyError, grow
from macro.text.entries import keeps
from macro.text.layout import Layout
from macro.text.line_breaks import Splice, in_order, restored, spliced
from macro.text.nodes import ALIAS, TooDeepError, compose_yaml, key_of, value_of
from macro.text.source import LocatedProblem, Source, SourceError, no_collection
from macro.text.spans import Spans, is_flow
from macro.text.style import styles_of


def rewrite(source: Source, edits: Sequence[Edit]) -> str:
    """The text with the edits made in it, byte-order mark included.

    What moves keeps its spelling and its comments, what is new is written in the style around it,
    and comments on what is removed outright go with it. Without edits it is the same text.

    Raises SourceError with the code PI003 for a key that occurs twice where edits are made, and
    with PI006 if the new text would not mean `apply(template, edits)`; LookupError or TypeError for
    a path that does not exist.
    """
    if not edits:
        return source.text
    expected = cast("dict[str, Json]", apply(source.template, edits))
    has_aliases = not source.is_json and ALIAS.search(source.body) is not None
    end = len(source.body)
    with no_collection():
        spans = Spans(source.body)
        styles = styles_of(source, spans)
        tree = _grown(source, edits)
        for write_out in (False, True) if has_aliases else (False,):
            top = tree
            if has_aliases or not source.is_plain:
                top = settled(source.root, tree, partial(keeps, spans), has_aliases, write_out)
            changes = changes_of(spans, top)
            splices = in_order(Layout(changes, styles).edited(top))
            # Where the text ends without a line break, a block scalar that comes to be there may
            # need one.
            for ending in ("", "\n"):
                new = _New(top, changes, [*splices, (end, end, ending)])
                if _means(source, new, expected, has_aliases):
                    mark = "\ufeff" if source.text.startswith("\ufeff") else ""
                    return mark + restored(source.text.removeprefix(mark), new.splices)
    message = "The rewritten text would not mean what was intended, so nothing is written."
    fix = "This is a fault of PrivateImage: please report it, with the template if you can."
    raise SourceError(source.name, (LocatedProblem(1, 1, "PI006", message, fix),))


class _New(NamedTuple):
    """A rewritten text, as what becomes of the old one."""

    top: Branch
    changes: Changes
    splices: list[Splice]


def _grown(source: Source, edits: Sequence[Edit]) -> Branch:
    """The edited tree. Raises SourceError where edits are made in a mapping with doubled keys."""
    try:
        return grow(source.root, edits)
    except DoubledKeyError as error:
        raise SourceError(source.name, tuple(source.doubled_keys(error.node))) from None


def _means(source: Source, new: _New, expected: dict[str, Json], has_aliases: bool) -> bool:
    """Whether the new text means what is expected.

    Where the meaning of a line cannot depend on far lines (block style, no aliases, no `|+`, whose
    value goes on to the next key), unchanged resources are left out on both sides: they are whole
    lines in both texts.
    """
    splices = new.splices
    if source.is_json:
        return canonical(json.loads(spliced(source.body, splices))) == canonical(expected)
    if source.is_plain and not has_aliases and not re.search(r"[|>]\d?\+", source.body):
        unchanged = _unchanged_resources(new)
        resources = cast("dict[str, Json]", expected["Resources"])
        if unchanged and len(unchanged) == len(resources):
            unchanged.popitem()  # without any, there would be no mapping
        shown = {key: value for key, value in resources.items() if key not in unchanged}
        expected = {**expected, "Resources": shown}
        splices = in_order((*splices, *unchanged.values()))
    odd: list[MappingNode] = []
    try:
        root = compose_yaml(spliced(source.body, splices))
        found = value_of(root, odd.append) if root is not None else None
    except (YAMLError, TooDeepError, RecursionError):  # the last for an alias within its own node
        return False
    return not (odd and source.is_plain) and canonical(found) == canonical(expected)


def _unchanged_resources(new: _New) -> dict[str, Splice]:
    """Splices that take unchanged resources out of the text, by key; never the last resource."""
    spans, changes = new.changes.spans, new.changes
    member = new.top.members["Resources"]
    value = member.value
    node = value.node if isinstance(value, Branch) else value
    if not isinstance(node, MappingNode) or is_flow(node) or not changes.keeps(member):
        return {}
    stay = set(range(len(node.value)))
    if isinstance(value, Branch):
        kept = changes.of(value).kept.items()
        stay = {number for number, entry in kept if isinstance(entry.value, Node)}
    touched = sorted(index for start, end, _ in new.splices for index in (start, end))
    found = {}
    begin = spans.break_before(spans.entry_start(node, 0))
    for number in range(len(node.value) - 1):
        start = spans.entry_start(node, number + 1)
        end = spans.break_before(start)
        if number in stay and spans.leads(start) and begin > 0:
            if bisect_left(touched, begin + 1) == bisect_left(touched, end):
                found[str(key_of(node.value[number][0]))] = (begin, end, "")
        begin = end
    return found
