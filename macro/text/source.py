"""The author's text as a template, with positions in it and the problems of a text."""

from __future__ import annotations

import gc
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import NoReturn, cast

from yaml import MarkedYAMLError, YAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from macro.engine.template.document import Json, Path
from macro.engine.template.records import NamedTuple
from macro.text.line_breaks import unified
from macro.text.nodes import (
    ALIAS,
    MAX_DEPTH,
    Alias,
    TooDeepError,
    bad_merges,
    compose_json,
    compose_yaml,
    function,
    is_merge,
    key_of,
    merge_sources,
    target_of,
    value_of,
)
from macro.text.syntax_errors import explain_syntax_error

MAX_BYTES = 4 << 20  # four times what CloudFormation takes: an honest template is never near it
MAX_NODES = 500_000  # once aliases are written out; a few nested aliases can stand for billions


class LocatedProblem(NamedTuple):
    """What is wrong at a line and a column (both from 1) of a text, and the fix."""

    line: int
    column: int
    code: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.code} {self.message} {self.fix}"


class SourceError(Exception):
    """The text cannot be read as a template, or cannot be rewritten; `problems` says why."""

    def __init__(self, name: str, problems: tuple[LocatedProblem, ...]) -> None:
        super().__init__("\n".join(f"{name}:{problem}" for problem in problems))
        self.name = name
        self.problems = problems


class Source:
    """A parsed file.

    `text` is as it was read, with its byte-order mark and its line endings. `warnings` are of keys
    that occur twice. `is_plain`: no mapping has such keys, or merge keys.
    """

    def __init__(
        self,
        name: str,
        text: str,
        template: dict[str, Json],
        is_json: bool,
        composed: MappingNode | None,
        warnings: tuple[LocatedProblem, ...] = (),
        is_plain: bool = True,
    ) -> None:
        self.name = name
        self.text = text
        self.template = template
        self.is_json = is_json
        self.warnings = warnings
        self.is_plain = is_plain
        self._composed = composed  # None for JSON: composed when it is first needed

    @cached_property
    def body(self) -> str:
        """The text behind the byte-order mark, its lines ended by `\\n`: what marks count in."""
        return unified(self.text.removeprefix("\ufeff"))

    @cached_property
    def root(self) -> MappingNode:
        """The top mapping, with marks."""
        return self._composed or compose_json(self.body)

    @cached_property
    def _lines(self) -> list[int]:
        return _line_starts(self.body)

    def located(self, node: Node) -> tuple[int, int]:
        """Line and column, both from 1, of a node of the text."""
        return _locate(self._lines, node.start_mark.index)

    def doubled_keys(self, node: MappingNode) -> list[LocatedProblem]:
        """The problems of the keys that occur twice in a mapping."""
        return list(_doubled_keys(node, self._lines))

    def position(self, path: Path, on_key: bool = False) -> tuple[int, int]:
        """Line and column, both from 1, of the value at a path, or of its key.

        A path that leads out of the author's text (to what the engine adds) gives the nearest
        ancestor that is there: its key, or the beginning of an item of a list.
        """
        node: Node = self.root
        key: Node | None = None
        called = False  # the step to the argument of the node's short tag has been taken
        for step in path:
            node = target_of(node)
            name = None if called else function(node)
            if name is None:
                found = _child(node, step)
                if found is None:
                    on_key = True
                    break
                (key, node), called = found, False
            elif step == name:
                key, called = None, True
            else:
                on_key = True
                break
        place = key if on_key and key is not None else node
        return _locate(self._lines, place.start_mark.index)


def parse(data: bytes, name: str) -> Source:
    """The template in the bytes of a file; `name` is what its problems call it.

    Raises SourceError with the codes PI001 (unreadable bytes), PI002 (syntax), PI004 (not a
    template), PI005 (too large, too deep). A key that occurs twice is a warning with the code
    PI003, for CloudFormation takes the last one. No message holds a template's value.
    """
    reader = _Reader()
    try:
        with no_collection():
            return reader.read(data, name)
    except _UnreadableError:
        raise SourceError(name, _sorted(reader.problems)) from None


class _UnreadableError(Exception):
    """There is no template; why stands among the reader's problems."""


class _Reader:
    """Reads one file, collecting problems."""

    def __init__(self) -> None:
        self.problems: list[LocatedProblem] = []
        self.warnings: list[LocatedProblem] = []
        self.is_plain = True
        self.body = ""
        self.json_error: tuple[int, str] | None = None

    @cached_property
    def lines(self) -> list[int]:
        return _line_starts(self.body)

    def read(self, data: bytes, name: str) -> Source:
        text = self.decode(data)
        self.body = unified(text.removeprefix("\ufeff"))
        root: Node | None = None
        template: Json = self.json() if self.body.lstrip()[:1] == "{" else None
        is_json = template is not None
        if template is None:
            root = self.yaml()
            self.measure(root)
            template = value_of(root, self.odd)
        if not isinstance(template, dict) or (root is not None and function(root)):
            message = "The text is not a template: its top level is not a mapping."
            self.stop(0, "PI004", message, "A template is a mapping with `Resources` in it.")
        if not isinstance(template.get("Resources"), dict):
            top = root or compose_json(self.body)
            _, value = _child(top, "Resources") or (None, top)
            message = "The text is not a template: it has no mapping `Resources`."
            fix = "Name at least one resource there, or give another file."
            self.problem(value.start_mark.index, "PI004", message, fix)
        if self.problems:
            raise _UnreadableError
        composed = cast("MappingNode | None", root)
        warnings = _sorted(self.warnings)
        return Source(name, text, template, is_json, composed, warnings, self.is_plain)

    def problem(self, index: int, code: str, message: str, fix: str) -> None:
        line, column = _locate(self.lines, index)
        self.problems.append(LocatedProblem(line, column, code, message, fix))

    def stop(self, index: int, code: str, message: str, fix: str) -> NoReturn:
        self.problem(index, code, message, fix)
        raise _UnreadableError

    def decode(self, data: bytes) -> str:
        if len(data) > MAX_BYTES:
            self.stop(0, "PI005", "The file is larger than 4 MiB.", "CloudFormation takes 1 MiB.")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            self.body = unified(data[: error.start].decode("utf-8").removeprefix("\ufeff"))
            wide = data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]
            fix = "It looks like UTF-16: save it as UTF-8." if wide else "Save the file as UTF-8."
            message = f"Byte {error.start + 1} (0x{data[error.start]:02X}) is not UTF-8."
            self.stop(len(self.body), "PI001", message, fix)

    def json(self) -> dict[str, Json] | None:
        """The value of a text that is JSON; None where it is not, for then it may be YAML."""
        doubled = False

        def members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
            nonlocal doubled
            value = dict(pairs)
            doubled = doubled or len(value) != len(pairs)
            return value

        def constant(name: str) -> NoReturn:  # NaN and Infinity, which are not JSON
            raise ValueError

        try:
            value: dict[str, Json] = json.loads(
                self.body, object_pairs_hook=members, parse_constant=constant
            )
        except RecursionError:
            self.too_deep(0)
        except json.JSONDecodeError as error:
            self.json_error = error.pos, error.msg
            return None
        except ValueError:
            return None
        level: list[dict[str, Json] | list[Json]] = [value]
        for _ in range(MAX_DEPTH):
            level = [
                item
                for node in level
                for item in (node.values() if isinstance(node, dict) else node)
                if isinstance(item, (dict, list))
            ]
        if level:
            self.too_deep(0)
        if doubled:
            value_of(compose_json(self.body), self.odd)
        return value

    def yaml(self) -> Node:
        try:
            root = compose_yaml(self.body)
        except TooDeepError as error:
            self.too_deep(error.index)
        except YAMLError as error:
            self.nesting(error)
            self.syntax(error)
        if root is None:
            self.stop(0, "PI004", "The file is empty.", "A template needs a mapping `Resources`.")
        return root

    def nesting(self, error: YAMLError) -> None:
        """Stops where a parser gave up over the nesting, as newer ones do: where we would have."""
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        if mark is None or "nesting depth" not in str(error):
            return
        try:
            compose_yaml(self.body[: mark.index])
        except TooDeepError as earlier:
            self.too_deep(earlier.index)
        except YAMLError:
            pass
        self.too_deep(mark.index)

    def too_deep(self, index: int) -> NoReturn:
        message = f"The template nests deeper than {MAX_DEPTH} levels."
        self.stop(index, "PI005", message, "Check the brackets and the indentation from here on.")

    def syntax(self, error: YAMLError) -> NoReturn:
        """Stops at a syntax error: that of the parser, YAML's or JSON's, that came further."""
        index, code, message, fix = explain_syntax_error(error, self.body)
        if self.json_error and self.json_error[0] >= index and code == "PI002":
            index, what = self.json_error
            message, fix = f"This is not JSON: {what}.", "Fix it here, or just before."
        self.stop(index, code, message, fix)

    def measure(self, root: Node) -> None:
        """Stops where aliases stand for too much, or for themselves."""
        sizes: dict[int, tuple[int, int] | None] = {}

        def measure(node: Node) -> tuple[int, int]:
            """The nesting depth and the number of nodes below a node, aliases written out."""
            if isinstance(node, Alias):
                known = sizes[id(node.value)]
                if known is None:
                    message = "An alias is inside the node that it refers to."
                    fix = "Write the value out in this place."
                    self.stop(node.start_mark.index, "PI002", message, fix)
                return known
            sizes[id(node)] = None
            depth, size = 0, 1
            if not isinstance(node, ScalarNode):
                for item in node.value:
                    for below in item if isinstance(item, tuple) else (item,):
                        deeper, larger = measure(below)
                        depth, size = max(depth, deeper), size + larger
            sizes[id(node)] = depth + 1, size
            if depth >= MAX_DEPTH:
                self.too_deep(node.start_mark.index)
            if size > MAX_NODES:
                message = f"Written out, the aliases would be more than {MAX_NODES} values."
                self.stop(node.start_mark.index, "PI005", message, "Use fewer aliases.")
            return depth + 1, size

        if ALIAS.search(self.body):
            measure(root)

    def odd(self, mapping: MappingNode) -> None:
        """Notes the keys of a mapping that occur twice, are no text, or merge what cannot be."""
        self.is_plain = False
        for key, _ in mapping.value:
            if key_of(key) is None:
                fix = "CloudFormation's keys are text: quote it, or write it as a value."
                index = key.start_mark.index
                self.problem(index, "PI002", "A key is a list, a mapping or a function.", fix)
        for node in bad_merges(mapping):
            message = "`<<` merges neither a mapping nor a list of mappings."
            fix = "Give it an alias of a mapping, or quote the key."
            self.problem(node.start_mark.index, "PI002", message, fix)
        self.warnings += _doubled_keys(mapping, self.lines)


def _doubled_keys(mapping: MappingNode, lines: list[int]) -> Iterator[LocatedProblem]:
    first: dict[str, Node] = {}
    for key, _ in mapping.value:
        text = key_of(key)
        if text is None or is_merge(key):
            continue
        if text in first:
            line = _locate(lines, first[text].start_mark.index)[0]
            shown = json.dumps(text if len(text) <= 60 else text[:57] + "...")
            message = f"The key {shown} occurs twice in a mapping, first in line {line}."
            place = _locate(lines, key.start_mark.index)
            yield LocatedProblem(*place, "PI003", message, "Remove or rename one of the two.")
        first.setdefault(text, key)


def _sorted(problems: Iterable[LocatedProblem]) -> tuple[LocatedProblem, ...]:
    """The problems in the text's order, each once: what has an alias is read more than once."""
    return tuple(
        sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.column))
    )


def _child(node: Node, step: str | int) -> tuple[Node | None, Node] | None:
    """The key and the value one step below a node; None: there is none."""
    if isinstance(node, MappingNode):
        last = reversed(node.value)  # of keys that occur twice, CloudFormation takes the last
        own = next(((key, item) for key, item in last if key_of(key) == step), None)
        merged = (_child(source, step) for source in reversed([*merge_sources(node)]))
        return own or next(filter(None, merged), None)
    if isinstance(node, SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        return None, node.value[step]
    return None


def _line_starts(text: str) -> list[int]:
    """The index at which each line begins, as an editor counts lines."""
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _locate(starts: list[int], index: int) -> tuple[int, int]:
    line = bisect_right(starts, index)
    return line, index - starts[line - 1] + 1


@contextmanager
def no_collection() -> Iterator[None]:
    """Pauses the garbage collector: a large text makes 100,000 objects that all live on, and to
    look them through again and again takes longer than parsing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
