"""How a template calls the macro: in its `Transform` section, or by `Fn::Transform` on a container.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from macro.engine.shorthand.block import BLOCK_KEYS
from macro.engine.shorthand.containers import find_containers
from macro.engine.shorthand.spelling import NAME, is_near_name
from macro.engine.template.document import Json, Path, get
from macro.engine.template.edits import Edit
from macro.engine.template.problems import Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import Stack

SNIPPET = "Fn::Transform"

_SECTIONS = ("Transform", SNIPPET)


class Macro(NamedTuple):
    """The macro as a template calls it: by the name that it is registered under.

    `source` says whence the name is: "given" for the deployment; "written" at the top of the
    template; "taken" from there, though it is another name; or "assumed", as nothing is called.
    """

    name: str = NAME
    source: Literal["given", "written", "taken", "assumed"] = "written"

    def is_called(self, call: Json) -> bool:
        """Whether a call, as text or with `Name`, is of this macro."""
        return _called(call) in (NAME, self.name)


class Call(NamedTuple):
    """One call of the macro, and the `Parameters` it gives; None where it gives none."""

    path: Path
    name: str
    parameters: Json


def find_macro(stack: Stack) -> Macro:
    """The macro as the template calls it.

    Where its name is not known, a transform of the template that is not one of AWS's is taken for
    it, if there is no other and the template has shorthand.
    """
    if stack.context.macro_name:
        return Macro(stack.context.macro_name, "given")
    names = [name for name, _ in _top_level(stack.template)]
    others = {name for name in names if not name.startswith("AWS::") and not is_misspelt(name)}
    if NAME in names:
        return Macro()
    if len(others) != 1 or not _has_shorthand(stack):
        return Macro(source="assumed")
    return Macro(others.pop(), "taken")


def _has_shorthand(stack: Stack) -> bool:
    found = (one for resource in stack.resources for one in find_containers(resource))
    return any(NAME in container.body for container in found)


def is_misspelt(name: str) -> bool:
    """Whether a macro's name is nearly `PrivateImage` and not one that was made from it, as
    `PrivateImage2` is."""
    return is_near_name(name) and (NAME not in name or name == f"{NAME}s")


def _called(call: Json) -> str | None:
    """The name of the macro that is called, without the account that may be before it."""
    name = call if isinstance(call, str) else get(call, "Name")
    if not isinstance(name, str):
        return None
    account, _, rest = name.partition("::")
    return rest if account.isdigit() else name


def _all_calls(transform: Json, path: Path) -> Iterator[tuple[Json, Path]]:
    """The calls in the value of `Transform` or `Fn::Transform`: one call, or a list."""
    if isinstance(transform, list):
        yield from ((item, (*path, index)) for index, item in enumerate(transform))
    else:
        yield transform, path


def _top_level(template: dict[str, Json]) -> Iterator[tuple[str, Path]]:
    """The names of all macros that the template calls for the whole of it."""
    for key in _SECTIONS:
        for call, path in _all_calls(template.get(key), (key,)):
            if name := _called(call):
                yield name, path


def find_calls(transform: Json, path: Path, macro: Macro = Macro()) -> list[Call]:  # noqa: B008
    """The macro's own calls in the value of `Transform` or `Fn::Transform`."""
    return [
        Call(at, _called(call) or "", get(call, "Parameters"))
        for call, at in _all_calls(transform, path)
        if macro.is_called(call)
    ]


def find_snippet_calls(container: dict[str, Json], path: Path, macro: Macro) -> list[Call]:
    """The macro's calls by `Fn::Transform` on a container.

    Where the macro's name is not given, any call that takes what this macro takes is one; beside a
    block also a call without parameters, if nothing else calls the macro.
    """
    transform = container.get(SNIPPET)
    if transform is None:
        return []
    at = (*path, SNIPPET)
    calls = find_calls(transform, at, macro)
    if calls or macro.source == "given":
        return calls
    bare = NAME in container and macro.source == "assumed"
    return [
        Call(where, name, get(call, "Parameters"))
        for call, where in _all_calls(transform, at)
        if (name := _called(call)) and not name.startswith("AWS::")
        if _takes_the_shorthand(parameters := get(call, "Parameters")) or (bare and not parameters)
    ]


def _takes_the_shorthand(parameters: Json) -> bool:
    """Whether parameters are what the macro takes on a container, and nothing else."""
    return (
        isinstance(parameters, dict)
        and bool(parameters)
        and parameters.keys() <= set(BLOCK_KEYS)
        and (not parameters.keys().isdisjoint(("Secret", "Grant")))
    )


def take_out(transform: Json, path: Path, macro: Macro = Macro()) -> Iterator[Edit]:  # noqa: B008
    """Takes the macro's own calls out of the value of `Transform` or `Fn::Transform`."""
    yield from _taken_out(
        transform, path, [call.path for call in find_calls(transform, path, macro)]
    )


def take_out_snippet(container: dict[str, Json], path: Path, calls: list[Call]) -> Iterator[Edit]:
    """Takes the calls that were found on a container out of it."""
    yield from _taken_out(container.get(SNIPPET), (*path, SNIPPET), [call.path for call in calls])


def _taken_out(transform: Json, path: Path, ours: list[Path]) -> Iterator[Edit]:
    if ours and isinstance(transform, list) and len(ours) < len(transform):
        yield from (Edit("remove", at) for at in reversed(ours))
        taken = {at[-1] for at in ours}
        left = [call for index, call in enumerate(transform) if index not in taken]
        if len(left) == 1 and isinstance(left[0], str):  # a name alone needs no list
            yield Edit("move", path, source=(*path, 0))
    elif ours:
        yield Edit("remove", path)


def leave(template: dict[str, Json], macro: Macro = Macro()) -> Iterator[Edit]:  # noqa: B008
    """Takes what is the macro's own out of the template: its calls, and its settings."""
    for key in _SECTIONS:
        yield from take_out(template.get(key), (key,), macro)
    metadata = template.get("Metadata")
    if isinstance(metadata, dict) and NAME in metadata:
        yield Edit("remove", ("Metadata",) if len(metadata) == 1 else ("Metadata", NAME))


def check_calls(template: dict[str, Json], macro: Macro, shorthand: bool) -> Iterator[Problem]:
    """What is wrong with the calls for the whole template: parameters, of which there are none, so
    that none may be lost; and, where it has shorthand, a name that is nearly the macro's."""
    for key in _SECTIONS:
        for call in find_calls(template.get(key), (key,), macro):
            if call.parameters:
                yield Problem(
                    "PI108",
                    (*call.path, "Parameters"),
                    f"{NAME} takes no Parameters for a whole template.",
                    f"Leave them out, and write what a container needs in its own {NAME}.",
                    on_key=True,
                )
    for name, path in _top_level(template) if shorthand else ():
        if is_misspelt(name) and not macro.is_called(name):
            message = f"This is almost the name of the macro, {macro.name}."
            fix = f"Write Transform: {macro.name}, or give the macro's name with --macro-name."
            yield Problem("PI111", path, message, fix)


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
            f"Through {SNIPPET} the macro sees only this container, not the role that it would"
            " grant access to.",
            f"Write Transform: {NAME} at the top of the template, without {SNIPPET} here; or let"
            " the role read the secret by a policy of your own, and add Grant: false to its"
            " Parameters.",
        )


def note_on_calls(template: dict[str, Json], macro: Macro) -> Iterator[Problem]:
    """The warnings about the calls of a template with shorthand: that nothing calls the macro, or
    that a name was taken for the macro's."""
    called = dict(_top_level(template))
    if macro.source == "taken":
        yield note_on_name(called[macro.name], macro.name)
    elif not any(macro.is_called(name) or is_misspelt(name) for name in called):
        message = f"The template has no Transform: {macro.name}, so CloudFormation would not call"
        fix = "Add it, unless you deploy what this command writes."
        if macro.source == "assumed" and any(not name.startswith("AWS::") for name in called):
            fix = "Add it, or give the macro's name with --macro-name."
        yield Problem("PI902", (), f"{message} the macro.", fix)


def note_on_name(path: Path, name: str) -> Problem:
    """The warning that a macro of another name is taken for this one."""
    message = f"The transform {name} is taken for {NAME}, since the macro's name is not known."
    return Problem("PI911", path, message, "Give the macro's name with --macro-name.")
