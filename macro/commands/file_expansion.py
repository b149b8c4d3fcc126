"""A file's expansion, from its bytes to what is to be written and reported; many on all cores."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from macro.commands.exit_codes import UsageError
from macro.commands.files import STDIN, Input, present, read
from macro.engine.expand import Context, Expansion, expand
from macro.engine.grants import quotas
from macro.engine.shorthand.block import NAME
from macro.engine.template.document import Json, get
from macro.engine.template.edits import Edit
from macro.engine.template.problems import Problem
from macro.engine.template.records import NamedTuple
from macro.text.rewrite import rewrite
from macro.text.source import LocatedProblem, Source, SourceError, no_collection, parse

if TYPE_CHECKING:
    from macro.commands.explanation import Explanation

FILES_A_PROCESS = 16  # with fewer, a process costs more to start than it saves

View: TypeAlias = Literal["", "diff", "explain", "json", "mermaid", "sarif"]


class Work(NamedTuple):
    """What a command makes of templates: `change` says what changes of one. A file in a folder is
    worked on where it has one of `marks`; `verb` says in a word what is done with it.
    `writes_expansions`: what comes out has no shorthand.
    """

    change: Callable[[Json, Context], Expansion] = expand
    marks: tuple[str, ...] = (NAME,)
    verb: str = "expand"
    writes_expansions: bool = True

    @property
    def done(self) -> str:
        """The verb, of what has happened."""
        return f"{self.verb}ed"


class ExpansionRequest(NamedTuple):
    """What is wanted of each file.

    `targets` has, by a file's real path, where its expansion belongs. `check`: compare what is in
    that place with it. `copies`: what has no shorthand is written there too. `shared`: sources may
    be in the folder that is written to. `view` is what is shown in place of writing.
    """

    context: Context
    targets: Mapping[str, str] = MappingProxyType({})
    check: bool = False
    copies: bool = False
    shared: bool = False
    view: View = ""
    work: Work = Work()


class FileExpansion(NamedTuple):
    """What has come of a file: `expanded`, or `untouched` where the template has no shorthand; the
    bytes of neither where there are problems, or where the file is not a template.

    `place` is where the expansion belongs; `stale` has the files that are not up to date, with the
    reason. `parameters` are those that the template declares. `nested` has the real paths of the
    templates with shorthand that it nests, however deep; `detached` has those of them whose written
    expansion it does not lead to, since a template on the way is not worked on. `unreadable` says
    why a file could not be read.
    """

    input: Input
    problems: tuple[LocatedProblem, ...] = ()
    warnings: tuple[LocatedProblem, ...] = ()
    expanded: bytes | None = None
    untouched: bytes | None = None
    place: str | None = None
    stale: tuple[tuple[str, str], ...] = ()
    diff: str = ""
    explanation: Explanation | None = None
    data: Mapping[str, Json] | None = None
    parameters: frozenset[str] = frozenset()
    nested: tuple[str, ...] = ()
    detached: tuple[str, ...] = ()
    unreadable: str | None = None

    @property
    def is_read(self) -> bool:
        """Whether it is known what the file is, and so which parameters it declares."""
        return not self.unreadable and (not self.problems or bool(self.parameters))


def expand_all(request: ExpansionRequest, inputs: Sequence[Input]) -> Iterator[FileExpansion]:
    """What comes of each file, in the order of the files, which are worked on by all cores.

    Raises UsageError where a process that works on them has been ended from outside.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processes = min(cores or 1, len(inputs) // FILES_A_PROCESS)
    if processes < 2:
        yield from map(partial(expand_one, request), inputs)
        return
    from concurrent.futures import ProcessPoolExecutor  # slow to import, and needed here only
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import active_children

    size = max(1, min(FILES_A_PROCESS, len(inputs) // (4 * processes)))
    with ProcessPoolExecutor(processes, initializer=_leave_interrupts_to_the_parent) as pool:
        try:
            yield from pool.map(partial(expand_one, request), inputs, chunksize=size)
        except BaseException as error:
            for process in active_children():
                process.terminate()  # one may be waiting for a file that never comes
            pool.shutdown(cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise UsageError("a worker process was killed; nothing was written") from None
            raise


def _leave_interrupts_to_the_parent() -> None:
    import signal  # slow to import, and needed here only

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def expand_one(request: ExpansionRequest, one: Input) -> FileExpansion:
    """Expands one file. Writes nothing, and raises nothing, whatever may be in it."""
    try:
        data = read(one.name)
        marked = any(mark.encode() in data for mark in request.work.marks)
        if one.named or marked or (request.targets and _NESTED.search(data)):
            with no_collection():  # the nodes live on to the end: see there
                return _expanded(request, one, data)
        return _untouched(request, one, data)
    except UsageError as error:
        return FileExpansion(one, unreadable=str(error))
    except SourceError as error:
        if not one.named and (b"Resources" not in data or error.problems[0].code == "PI004"):
            return FileExpansion(one)  # found in a folder, and more likely no template at all
        return FileExpansion(one, problems=error.problems)


# What names nested templates, as local_paths has it.
_NESTED = re.compile(b"TemplateURL|AWS::Serverless::Application")


def _expanded(request: ExpansionRequest, one: Input, data: bytes) -> FileExpansion:
    """Expands a template. Raises SourceError; UsageError where what it replaces is unreadable."""
    source = parse(data, one.shown)
    expansion = request.work.change(source.template, request.context)
    declared = get(source.template, "Parameters")
    nested, detached = _nested(request, one, source, data)
    found = FileExpansion(
        one,
        warnings=(*source.warnings, *located(source, expansion.warnings)),
        data=_data(expansion) if request.view == "json" else None,
        parameters=frozenset(declared if isinstance(declared, dict) else ()),
        nested=nested,
        detached=detached,
    )
    if expansion.problems:
        return found._replace(problems=located(source, expansion.problems))
    if request.view in ("explain", "mermaid"):
        from macro.commands.explanation import explain  # needed only where somebody asks

        found = found._replace(explanation=explain(source.template, expansion))
    target = request.targets.get(one.real)
    moves = _relocated(request, one, source, target, expansion)
    edits = (*(moves or ()), *expansion.edits)
    if not expansion.edits and moves is None:
        unchanged = _untouched(request, one, data)
        return found._replace(untouched=data, stale=unchanged.stale)
    expanded = rewrite(source, edits).encode()
    if len(expanded) > quotas.TEMPLATE_BYTES:
        return found._replace(problems=located(source, [quotas.too_large(len(expanded))]))
    before = present(target) if request.check and target else data
    stale: tuple[tuple[str, str], ...] = ()
    if request.check and target and before != expanded:
        why = f"not up to date with {one.shown}; {request.work.verb} it again"
        stale = ((target, f"not {request.work.done}" if target == one.name else why),)
    return found._replace(
        expanded=expanded,
        place=target,
        stale=stale,
        diff=_diff(
            target if request.check and target else one.shown, before, expanded, request.work.done
        )
        if request.view == "diff"
        else "",
    )


def _untouched(request: ExpansionRequest, one: Input, data: bytes) -> FileExpansion:
    """What comes of a file without shorthand: in its place may be an expansion of before."""
    found = FileExpansion(one, untouched=data if b"Resources" in data else None)
    target = request.targets.get(one.real)
    if not request.check or not target or os.path.realpath(target) == one.real:
        return found
    before = present(target)
    if before == data:
        return found
    if request.copies:
        why = f"not up to date with {one.shown}; {request.work.verb} it again"
    elif not request.work.writes_expansions:
        return found
    elif before is not None and is_expansion(before, request.shared):
        why = f"{one.shown} no longer has a PrivateImage block; remove this file"
    else:
        return found
    return found._replace(stale=((target, why),))


def is_expansion(data: bytes, shared: bool) -> bool:
    """Whether a file in a folder of expansions looks like one of them.

    In a folder that sources share with them only what bears a name that PrivateImage gives does.
    """
    if b"Resources" not in data or re.search(
        rb"PrivateImage[\"']?\s*:|Transform.*PrivateImage", data
    ):
        return False
    return not shared or NAME.encode() in data


def located(source: Source, problems: Iterable[Problem]) -> tuple[LocatedProblem, ...]:
    """The problems with their places in the author's text, in the text's order."""
    found = [
        LocatedProblem(
            *source.position(problem.path, problem.on_key),
            problem.code,
            problem.message,
            problem.fix,
        )
        for problem in problems
    ]
    return tuple(sorted(found, key=lambda one: (one.line, one.column, one.code)))


def _nested(
    request: ExpansionRequest, one: Input, source: Source, data: bytes
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The templates with shorthand that a file's template nests, however deep, and those of them
    that are written elsewhere but nested by way of a template that is not."""
    if one.name == STDIN or not _NESTED.search(data) or not request.work.writes_expansions:
        return (), ()
    from macro.commands.local_paths import nested_templates  # only where there may be one

    below = list(_with_nested(request, nested_templates(source.template, one.name)))
    outside = [name for name, _ in below if name not in request.targets]
    moved = {
        name
        for name, _ in _with_nested(request, outside)
        if name in request.targets and os.path.realpath(request.targets[name]) != name
    }
    found = tuple(name for name, expansion in below if expansion.edits or expansion.problems)
    return found, tuple(name for name in found if name in moved)


def _with_nested(
    request: ExpansionRequest,
    names: Iterable[str],
    follow: Callable[[str], bool] = lambda _: True,
) -> Iterator[tuple[str, Expansion]]:
    """Templates and those that they nest, however deep, with their expansions; those that `follow`
    leaves out are not looked into, and those that cannot be read are not among them."""
    from macro.commands.local_paths import nested_templates  # only where there may be one

    todo, seen = list(names), set[str]()
    while todo:
        name = todo.pop()
        if name in seen or not follow(name) or not os.path.isfile(name):  # noqa: PTH113
            continue
        seen.add(name)
        try:
            template = parse(read(name), name).template
        except (SourceError, UsageError):
            continue
        yield name, request.work.change(template, request.context)
        todo += nested_templates(template, name)


def _relocated(
    request: ExpansionRequest, one: Input, source: Source, target: str | None, expansion: Expansion
) -> tuple[Edit, ...] | None:
    """The edits that keep local paths right in another place; None where the template stays in its
    own: it moves if it has shorthand, and if a template that it nests is expanded there."""
    if target is None or one.name == STDIN or os.path.realpath(target) == one.real:
        return None
    from macro.commands.local_paths import nested_templates, relocated  # only where a file moves

    def is_written(file: str) -> bool:
        """Whether an expansion of the file is written: it, or a template nested in it, has
        shorthand."""
        found = _with_nested(request, [file], request.targets.__contains__)
        return any(expansion.edits for _, expansion in found)

    def moved(file: str) -> str | None:
        return request.targets.get(file) if is_written(file) else None

    moves = tuple(relocated(source.template, one.name, target, moved))
    if expansion.edits or any(map(is_written, nested_templates(source.template, one.name))):
        return moves
    return (request.copies and moves) or None


def _data(expansion: Expansion) -> dict[str, Json]:
    from macro.commands.expansion_json import data  # needed only where somebody asks

    return data(expansion)


def _diff(name: str, before: bytes | None, after: bytes, done: str) -> str:
    """What changes, as a unified diff."""
    from difflib import unified_diff  # slow to import, and needed here only

    from macro.commands.output import printable

    old, new = (
        re.findall(r"[^\n]*\n|[^\n]+", (data or b"").decode("utf-8", "replace"))
        for data in (before, after)
    )
    name = printable(name)
    lines = unified_diff(old, new, name if before is not None else os.devnull, f"{name} ({done})")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
