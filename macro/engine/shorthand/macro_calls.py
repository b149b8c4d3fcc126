"""How a template calls the macro: in its `Transform` section, or by `Fn::Transform` on a container.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from macro.engine.shorthand.block import NAME
from macro.engine.template.document import Json, Path, get
from macro.engine.template.edits import Edit
from macro.engine.template.problems import Problem

SNIPPET = "Fn::Transform"


class Call(NamedTuple):
    """One call of the macro, and the `Parameters` it gives; None where it gives none."""

    path: Path
    parameters: Json


def find_calls(transform: Json, path: Path) -> list[Call]:
    """The macro's own calls in the value of `Transform` or `Fn::Transform`: one call, or a list."""
    if isinstance(transform, list):
        return [
            Call((*path, index), get(item, "Parameters"))
            for index, item in enumerate(transform)
            if _is_ours(item)
        ]
    return [Call(path, get(transform, "Parameters"))] if _is_ours(transform) else []


def _is_ours(call: Json) -> bool:
    return NAME in (call, get(call, "Name"))


def take_out(transform: Json, path: Path) -> Iterator[Edit]:
    """Takes the macro's own calls out of the value of `Transform` or `Fn::Transform`."""
    ours = find_calls(transform, path)
    if ours and isinstance(transform, list) and len(ours) < len(transform):
        yield from (Edit("remove", call.path) for call in reversed(ours))
    elif ours:
        yield Edit("remove", path)


def leave(template: dict[str, Json]) -> Iterator[Edit]:
    """Takes what is the macro's own out of the template: its calls, and the registry table."""
    for key in ("Transform", SNIPPET):
        yield from take_out(template.get(key), (key,))
    metadata = template.get("Metadata")
    if isinstance(metadata, dict) and NAME in metadata:
        yield Edit("remove", ("Metadata",) if len(metadata) == 1 else ("Metadata", NAME))


def check_calls(template: dict[str, Json]) -> Iterator[Problem]:
    """The problem of parameters for the whole template: there are none, so none may be lost."""
    for key in ("Transform", SNIPPET):
        for call in find_calls(template.get(key), (key,)):
            if call.parameters:
                yield Problem(
                    "PI108",
                    (*call.path, "Parameters"),
                    f"{NAME} takes no Parameters for a whole template.",
                    f"Leave them out; what a container needs stands in its own {NAME}.",
                    on_key=True,
                )


def check_snippet(call: Call, granted: bool, block: bool) -> Iterator[Problem]:
    """What is wrong with a call on a container. `granted`: something there asks for a grant;
    `block`: the container has a block, beside which the call says nothing but `Grant`."""
    others = set(call.parameters) - {"Grant"} if isinstance(call.parameters, dict) else set()
    if block and others:
        yield Problem(
            "PI108",
            (*call.path, "Parameters"),
            f"Beside a {NAME} block, {SNIPPET} takes no parameter but Grant.",
            "Write the others into the block.",
            on_key=True,
        )
    if granted and get(call.parameters, "Grant") not in (False, "false"):
        yield Problem(
            "PI109",
            call.path,
            f"By {SNIPPET} the macro sees this container alone, not the role that it would grant"
            " the secret to.",
            f"Write Transform: {NAME} at the top of the template, without {SNIPPET} here; or let"
            " the role read the secret by a policy of your own, and add Grant: false to its"
            " Parameters.",
        )


def note_on_calls(template: dict[str, Json]) -> Iterator[Problem]:
    """The warning that nothing calls the macro on a template with the shorthand."""
    if not any(find_calls(template.get(key), (key,)) for key in ("Transform", SNIPPET)):
        yield Problem(
            "PI902",
            (),
            f"The template has no Transform: {NAME}, so CloudFormation would not call the macro.",
            "Add it, unless you deploy what this command writes.",
        )
