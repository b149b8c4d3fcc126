"""What holds of every text and every edit: over generated texts, hostile bytes and real templates.

HYPOTHESIS_PROFILE=thorough looks at many more of them.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path as File
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from yaml.nodes import MappingNode, Node

from macro.engine.template.document import Json, Path
from macro.engine.template.edits import Edit, apply
from macro.text.rewrite import rewrite
from macro.text.source import Source, SourceError, parse
from macro.text.spans import Spans

EXAMPLES = {"default": 300, "ci": 300, "thorough": 10_000}
TEMPLATES = File(os.environ.get("TEMPLATES", File(__file__).parents[2] / "shared" / "templates"))
REAL = sorted((TEMPLATES / "real").glob("*"))  # real templates, which are not part of the project

law = settings(
    max_examples=EXAMPLES[os.environ.get("HYPOTHESIS_PROFILE", "default")],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
randoms = st.randoms(use_true_random=False)

SCALARS = (
    *("x", "'q # no'", '"d: \\" # no"', "''", "1", "true", "~", "-1.5e3", "2012-10-17", "é☃𝄞"),
    *("!Ref X", "!GetAtt A.B", "!Sub 'a-${B}'", '!Sub "x${Y}"', "!Condition C", "!Rain::Env foo"),
    *("s3:*", "a:b", "a b c", "x#y", "arn:aws:x:${A}", "012345678901"),
)
NEW: list[Json] = [
    "x",
    "true",
    "2012-10-17",
    "a: b",
    "multi\nline",
    "a #b",
    True,
    None,
    1.5,
    {},
    [],
    [[1], [], {"A": {}}],
    {"Ref": "A"},
    {"Fn::GetAtt": ["A", "Arn"]},
    {"Fn::GetAtt": "A.Arn"},
    {"Fn::Base64": {"Fn::Sub": "${x}"}},
    {"Fn::If": ["C", {}, {"Ref": "AWS::NoValue"}]},
    {"Fn::And": [{"Condition": "A"}, {"Fn::Not": [{"Condition": "B"}]}]},
    [{"PolicyName": "p", "Statement": [{"Resource": [{"Ref": "S"}, {"Fn::Sub": "a:${P}"}]}]}],
]
KEYS = ("Image", "DependsOn", "true", "9", "a b")


class Writer:
    """Writes a text in a style of its own, which it draws as it goes."""

    def __init__(self, random: Random, aliases: bool) -> None:
        self.random = random
        self.aliases = aliases
        self.count = 0
        self.anchors: list[str] = []
        self.mappings: list[str] = []  # anchors that merge keys can take
        self.step = random.choice((2, 2, 3, 4))
        self.dash = random.choice((0, self.step))
        self.width = random.choice((2, 2, 4))
        self.comments = random.random() < 0.7
        self.blanks = random.random() < 0.5

    def chance(self, of: float) -> bool:
        return self.random.random() < of

    def number(self) -> int:
        self.count += 1
        return self.count

    def comment(self, of: float = 0.25) -> str:
        return f"  # c{self.number()} {{'\"[: " if self.comments and self.chance(of) else ""

    def between(self, column: int) -> Iterator[str]:
        while self.comments and self.chance(0.15):
            yield " " * (column + self.random.choice((0, 0, 2))) + f"# own {self.number()}"
        if self.blanks and self.chance(0.2):
            yield ""

    def key(self) -> str:
        return self.random.choice(("K{}", "K{}", "'k {}'", '"K{}"', "{}", "A::{}")).format(
            self.number()
        )

    def scalar(self) -> str:
        if self.anchors and self.chance(0.3):
            return f"*{self.random.choice(self.anchors)} "
        text = self.random.choice(SCALARS)
        if self.aliases and text[0] != "!" and text != "~" and self.chance(0.1):
            self.anchors.append(f"S{self.number()}")
            return f"&{self.anchors[-1]} {text}"
        return text

    def flow(self, depth: int, column: int) -> str:
        if depth == 0 or self.chance(0.4):
            text = self.scalar()
            return "x" if text in ("a:b", "s3:*") or "{A}" in text else text
        is_list = self.chance(0.5)
        items = [self.flow(depth - 1, column + 2) for _ in range(self.random.randint(0, 3))]
        if not is_list:
            items = [f"{self.key()}: {item}" for item in items]
        elif items and self.chance(0.1):
            items[0] = f"bare: {items[0]}"
        if items and self.chance(0.3):
            margin = "\n" + " " * (column + 2)
            commas = [","] * (len(items) - 1) + [self.random.choice(("", ","))]
            parts = [f"{margin}{i}{c}{self.comment()}" for i, c in zip(items, commas, strict=True)]
            body = self.comment(0.1) + "".join(parts) + "\n" + " " * column
        else:
            body = self.random.choice((", ", ",", " , ")).join(items)
        tag = self.random.choice(("", "", "", "!If ", "!Foo "))
        return f"{tag}[{body}]" if is_list else f"{tag}{{{body}}}"

    def block_scalar(self, column: int) -> tuple[str, list[str]]:
        header = self.random.choice(("|", ">", "|-", ">-", "!Sub |", "!Sub |2-"))
        margin = " " * (column + 2)
        lines = self.random.choices(("t", "# no comment", "  more", "", "k: v"), k=3)
        return header + self.comment(0.1), [
            margin + "t",
            *(line and margin + line for line in lines),
        ]

    def value(self, column: int, depth: int) -> tuple[str, list[str]]:
        """What follows a key or a dash in its line, and the lines below."""
        kind = self.random.random()
        if depth == 0 or kind < 0.3:
            return self.scalar() + self.comment(), []
        if kind < 0.4:
            return self.block_scalar(column)
        if kind < 0.55:
            return self.flow(2, column + 2) + self.comment(), []
        if kind < 0.6:
            return self.comment().lstrip(), []
        if kind < 0.65:
            return f'"multi\n{" " * (column + 2)}line # no\n\n x"{self.comment()}', []
        tag, anchor = self.random.choice(("", "", "", "!If", "!Foo")), ""
        if self.aliases and self.chance(0.2):
            anchor = f"B{self.number()}"
            tag = f"{tag} &{anchor}".strip()
        if self.chance(0.6):
            lines = self.mapping(column + self.step, depth - 1)
            self.mappings += [anchor] if anchor else []
        else:
            lines = self.items(column + self.dash, depth - 1)
        self.anchors += [anchor] if anchor else []
        return (tag + self.comment()).lstrip(), lines

    def mapping(self, column: int, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self.random.randint(1, 3)):
            lines += self.between(column)
            inline, below = self.value(column, depth)
            lines += [f"{' ' * column}{self.key()}:{inline and ' '}{inline}", *below]
            if self.aliases and self.chance(0.2):
                lines.append(f"{' ' * column}<<: {self.merged()}" + self.comment())
        if self.aliases and self.chance(0.05):
            lines.append(f"{' ' * column}{self.key()}: once")
            lines.append(lines[-1].replace("once", "again"))
        return lines

    def merged(self) -> str:
        sources = [f"*{anchor} " for anchor in self.mappings]
        sources.append("{m: 1, n: !Ref X}")
        if self.chance(0.3):
            return f"[{', '.join(self.random.choices(sources, k=2))}]"
        return self.random.choice(sources)

    def items(self, column: int, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self.random.randint(1, 3)):
            lines += self.between(column)
            dash = " " * column + "-" + " " * (self.width - 1)
            if depth and self.chance(0.5):
                first, *rest = self.mapping(column + self.width, depth - 1)
                lines += [dash + first.lstrip(" "), *rest]
            else:
                inline = self.flow(depth, column + 2) + self.comment()
                lines.append(dash + inline)
        return lines

    def text(self) -> str:
        lines = [*self.between(0)]
        if self.chance(0.3):
            lines.append("Transform: PrivateImage" + self.comment())
        lines += [*self.mapping(0, 3), "Resources:" + self.comment()]
        for number in range(self.random.randint(1, 4)):
            lines += [*self.between(self.step), f"{' ' * self.step}Res{number}:"]
            lines += self.mapping(2 * self.step, 3)
        lines += [*self.between(0), *(self.mapping(0, 2) if self.chance(0.5) else ())]
        text = "\n".join(lines) + self.random.choice(("\n", "\n", "\n\n", ""))
        breaks = self.random.choice((["\n"], ["\n"], ["\n"], ["\r\n"], ["\n", "\r\n"]))
        text = "".join(self.random.choice(breaks) if letter == "\n" else letter for letter in text)
        return self.random.choice(("", "", "", "\ufeff")) + text


def source_of(random: Random, aliases: bool) -> Source:
    """A generated text, parsed; one that is no YAML (few are not) is drawn again."""
    try:
        return parse(Writer(random, aliases).text().encode(), "t.yaml")
    except SourceError:
        assume(False)
        raise


def below(value: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Every place in a template, with its value."""
    yield path, value
    if isinstance(value, (dict, list)):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from below(item, (*path, step))


def some_edits(random: Random, template: Json, within: Path = ()) -> list[Edit]:
    """An edit, or a few that belong together, of a kind that the engine makes."""
    places = [(at, value) for at, value in below(template) if at[: len(within)] == within]
    mappings = [(at, value) for at, value in places if isinstance(value, dict)]
    lists = [at for at, value in places if isinstance(value, list)]
    at, value = random.choice(places)
    holder, members = random.choice(mappings) if mappings else ((), None)
    key = random.choice(KEYS)
    kind = random.choice(("add", "append", "remove", "replace", "move", "hoist", "hoist"))
    if kind == "add" and members is not None and key not in members:
        after = random.choice([None, *members])
        return [Edit("add", (*holder, key), random.choice(NEW), after=after)]
    if kind == "append" and lists:
        return [Edit("add", (*random.choice(lists), "-"), random.choice(NEW))]
    if len(at) < 2 or len(at) <= len(within):
        return []
    if kind == "remove":
        return [Edit("remove", at)]
    if kind == "replace":
        return [Edit("replace", at, random.choice(NEW))]
    if isinstance(at[-1], int) or members is None:
        return []
    if kind == "move" and key not in members and holder[: len(at)] != at:
        return [Edit("move", (*holder, key), source=at)]
    if kind == "hoist" and isinstance(value, dict) and value:
        return hoist(random, dict(places).get(at[:-1]), at, value)
    return []


def hoist(random: Random, beside: Json, at: Path, value: dict[str, Json]) -> list[Edit]:
    """The edits of a shorthand: a mapping's members move out of it, and it goes."""
    if not isinstance(beside, dict) or {"Image", "Credentials"} & beside.keys():
        return []
    first, *others = random.sample(sorted(value), len(value))
    edits = [Edit("move", (*at[:-1], "Image"), source=(*at, first))]
    if others:
        holder: Path = (*at[:-1], "Credentials")
        empty: Json = {}
        if random.random() < 0.5:
            edits.append(Edit("add", holder, {"Fn::If": ["C", empty, {"Ref": "AWS::NoValue"}]}))
            holder = (*holder, "Fn::If", 1)
        else:
            edits.append(Edit("add", holder, empty))
        edits.append(Edit("move", (*holder, "Parameter"), source=(*at, others[0])))
    return [*edits, Edit("remove", at)]


def edits_of(random: Random, template: Json, within: Path = ()) -> list[Edit]:
    """Up to eight edits that leave a template with resources."""
    edits: list[Edit] = []
    for _ in range(random.randint(1, 8)):
        new = some_edits(random, template, within)
        changed = apply(template, new)
        assert isinstance(changed, dict)
        if isinstance(changed.get("Resources"), dict):
            edits += new
            template = changed
    return edits


def strict(value: Json) -> str:
    """Equal for equal values only, where Python's True equals 1."""
    return json.dumps(value, sort_keys=True)


def comments(source: Source) -> Counter[str]:
    spans = Spans(source.body)
    return Counter(text for _, text in spans.comments(0, len(source.body), [source.root]))


def rewritten(source: Source, edits: list[Edit]) -> str | None:
    """The rewritten text; None for edits of a mapping with a key that occurs twice."""
    try:
        return rewrite(source, edits)
    except SourceError as error:
        codes = {problem.code for problem in error.problems}
    assert codes == {"PI003"}
    return None


def holds(source: Source, edits: list[Edit]) -> str:
    """The rewritten text, whose meaning and comments have been checked."""
    text = rewritten(source, edits)
    if text is None:  # of keys that occur twice
        assert source.warnings
        return source.text
    new = parse(text.encode(), "new")
    assert strict(new.template) == strict(apply(source.template, edits))
    assert new.is_json == source.is_json
    # What is removed takes the comments on it along; all else keeps them.
    if not source.is_json and all(edit.op != "remove" for edit in edits):
        lost = comments(source) - comments(new)
        assert all(any(one in other for other in comments(new)) for one in lost)
    return text


@law
@given(randoms, st.booleans())
def test_a_rewritten_text_means_the_edited_template(random: Random, aliases: bool) -> None:
    source = source_of(random, aliases)
    holds(source, edits_of(random, source.template))


@law
@given(randoms, st.booleans())
def test_without_edits_the_text_is_the_same(random: Random, aliases: bool) -> None:
    source = source_of(random, aliases)
    assert rewrite(source, []) == source.text


@law
@given(randoms)
def test_other_resources_stay_byte_for_byte(random: Random) -> None:
    source = source_of(random, aliases=False)
    entries = [
        (key.value, Spans(source.body).line_start(key.start_mark.index))
        for section, value in source.root.value
        for key, _ in (*(value.value if section.value == "Resources" else ()), (section, value))
    ]
    starts = sorted(start for _, start in entries)
    name, start = random.choice([entry for entry in entries if entry[0].startswith("Res")][:-1])
    text = holds(source, edits_of(random, source.template, ("Resources", name)))
    lines = source.text.splitlines(keepends=True)
    following = starts[starts.index(start) + 1 :]
    assert text.startswith("".join(lines[: source.body.count("\n", 0, start)]))
    rest = lines[source.body.count("\n", 0, following[0]) :] if following else []
    assert text.endswith("".join(rest))


@law
@given(randoms)
def test_a_resource_that_comes_changes_no_line(random: Random) -> None:
    source = source_of(random, aliases=False)
    assume(source.text.endswith("\n"))  # otherwise a `|` at the very end becomes `|-`
    new: Json = {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "R"}]}}
    resources = source.template["Resources"]
    assert isinstance(resources, dict)
    after = random.choice([None, *resources])
    lines = iter(holds(source, [Edit("add", ("Resources", "New"), new, after=after)]).split("\n"))
    assert all(line in lines for line in source.text.split("\n"))  # in their order


def blocks(spans: Spans, node: Node, path: Path = ()) -> Iterator[tuple[Path, int, int]]:
    """Each block mapping that is an entry of another one: its path, the column of its key, and
    where its last entry ends."""
    if isinstance(node, MappingNode) and not node.flow_style and node.tag is None:
        for number, (key, value) in enumerate(node.value):
            at: Path = (*path, key.value)
            if len(at) > 1 and isinstance(value, MappingNode) and not value.flow_style:
                end = spans.line_end(spans.entry_end(node, number))
                yield at, spans.column(key.start_mark.index), end
            yield from blocks(spans, value, at)


@law
@given(randoms)
def test_no_comment_of_what_goes_comes_to_be_on_the_next_key(random: Random) -> None:
    source = source_of(random, aliases=False)
    places = list(blocks(Spans(source.body), source.root))
    assume(places)
    at, column, end = random.choice(places)
    values = dict(below(source.template))
    value = values[at]
    assert isinstance(value, dict)
    edits = hoist(random, values[at[:-1]], at, value)
    assume(edits)
    rest = source.body[end:]
    of_it = re.match(rf"(?:(?:\n[ \t]*)*\n {{{column + 1},}}#.*)*", rest)
    assert of_it
    rest = rest[of_it.end() :]
    new = parse(holds(source, edits).encode(), "new").body
    assert new.endswith(rest)
    last = new.removesuffix(rest).rpartition("\n")[2]
    assert not re.match(rf" {{0,{column}}}#", last)


STYLES: list[Callable[[Json], str]] = [
    json.dumps,
    lambda value: json.dumps(value, separators=(",", ":")),
    lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    lambda value: json.dumps(value, indent="\t", separators=(",", " : ")),
    lambda value: json.dumps(value, indent=4).replace("\n", "\r\n"),
]


@law
@given(randoms, st.sampled_from(STYLES))
def test_json_stays_json_in_its_style(random: Random, style: Callable[[Json], str]) -> None:
    template = source_of(random, aliases=False).template
    source = parse(style(template).encode(), "t.json")
    assert source.is_json
    text = holds(source, edits_of(random, source.template))
    assert "\n" not in text or "\n" in source.text


def source_or_problem(data: bytes) -> Source | None:
    """The parsed bytes, or None where they have a problem, which then has a place in them."""
    try:
        return parse(data, "t")
    except SourceError as error:
        places = [(problem.line, problem.column) for problem in error.problems]
    assert places == sorted(places)
    lines = 1 + data.count(b"\n") + data.count(b"\r")
    assert all(1 <= line <= lines and 1 <= column <= len(data) + 1 for line, column in places)
    return None


@law
@given(st.binary(max_size=200))
def test_any_bytes_are_a_template_or_a_problem(data: bytes) -> None:
    source = source_or_problem(data)
    assert source is None or rewrite(source, []).encode() == data


@law
@given(randoms, st.integers(1, 4))
def test_a_broken_text_is_a_template_or_a_problem(random: Random, count: int) -> None:
    data = bytearray(Writer(random, aliases=True).text().encode())
    for _ in range(count):
        at = random.randrange(len(data))
        piece = random.choice(
            (b"", b"\t", b"\n", b"*", b"&a ", b"{", b"]", b'"', b"\xff", b"- ", b"!")
        )
        data[at : at + random.randint(0, 3)] = piece
    source = source_or_problem(bytes(data))
    if source is not None:
        assert all(source.position(place) >= (1, 1) for place, _ in below(source.template))


@pytest.mark.skipif(not REAL, reason="needs the real templates")
@law
@given(randoms, st.sampled_from(REAL or [File()]))
def test_a_real_template_can_be_edited(random: Random, path: File) -> None:
    source = parse(path.read_bytes(), path.name)
    holds(source, edits_of(random, source.template))
