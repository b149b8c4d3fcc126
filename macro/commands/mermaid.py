"""`--format mermaid`: who may read what, as a diagram that GitHub draws in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from macro.commands.explanation import Explanation

# Source: https://mermaid.js.org/syntax/flowchart.html
_SHAPES = {
    "container": ('["', '"]'),
    "role": ('(["', '"])'),
    "secret": ('[("', '")]'),
    "key": ('{{"', '"}}'),
}


def as_mermaid(explanations: Iterable[tuple[str, Explanation]]) -> str:
    """One flowchart: containers, their roles, and what these read and decrypt with, per file."""
    given = list(explanations)
    lines = ["flowchart LR"]
    for number, (file, explanation) in enumerate(given):
        drawn = _drawn(explanation, f"f{number}n")
        if len(given) > 1:
            drawn = [f'subgraph f{number}["{_escaped(file)}"]', *drawn, "end"]
        lines += [f"  {line}" for line in drawn]
    return "".join(f"{line}\n" for line in lines)


def _drawn(explanation: Explanation, prefix: str) -> list[str]:
    """The nodes and the edges of one explanation; `prefix` begins the ids of the nodes."""
    nodes = {("container", image.container): "" for image in explanation.images}
    edges: list[tuple[tuple[str, str], str, tuple[str, str]]] = []
    for policy in explanation.policies:
        role = "role", policy.role
        when = f" when {policy.when}" if policy.when else ""
        for access in policy.accesses:
            reads = access.verb == "reads"
            subject = "secret" if reads else "key", access.subject
            edges += [(("container", one), "pulls with", role) for one in access.containers]
            edges.append((role, ("reads" if reads else "decrypts with") + when, subject))
    nodes.update({node: "" for start, _, end in edges for node in (start, end)})
    ids = {node: f"{prefix}{number}" for number, node in enumerate(nodes)}
    return [
        *(
            f"{name}{_SHAPES[kind][0]}{_escaped(text)}{_SHAPES[kind][1]}"
            for (kind, text), name in ids.items()
        ),
        *(
            f'{ids[start]} -->|"{_escaped(label)}"| {ids[end]}'
            for start, label, end in dict.fromkeys(edges)
        ),
    ]


def _escaped(text: str) -> str:
    """A text between quotation marks; what Mermaid or Markdown could read as more is a code."""
    return re.sub(r"[^\w ./:@,=+?-]", lambda found: f"#{ord(found[0])};", text)
