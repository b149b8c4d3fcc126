"""Texts read as templates: values, positions, and the problems of a text."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from macro.engine.template.document import Json
from macro.text import nodes
from macro.text.rewrite import rewrite
from macro.text.source import MAX_BYTES, LocatedProblem, Source, SourceError, parse

TEMPLATES = Path(
    os.environ.get("TEMPLATES", Path(__file__).parents[3] / "shared" / "templates")
)  # real templates, which are not part of the project


def read(text: str) -> Source:
    return parse(text.encode(), "t.yaml")


def value(text: str) -> Json:
    """What a value means that stands in a template."""
    resources = read(f"Resources:\n  A: {text}\n").template["Resources"]
    assert isinstance(resources, dict)
    return resources["A"]


def problems(data: str | bytes) -> list[LocatedProblem]:
    with pytest.raises(SourceError) as caught:
        parse(data if isinstance(data, bytes) else data.encode(), "t.yaml")
    return list(caught.value.problems)


def found(data: str | bytes) -> list[tuple[int, int, str]]:
    return [(problem.line, problem.column, problem.code) for problem in problems(data)]


def real(folder: str) -> list[Path]:
    return sorted((TEMPLATES / folder).glob("*"))


@pytest.mark.parametrize("path", real("real"), ids=lambda path: path.name)
def test_a_real_template_comes_back_byte_for_byte(path: Path) -> None:
    data = path.read_bytes()
    assert rewrite(parse(data, path.name), []).encode() == data


@pytest.mark.parametrize("path", real("unreadable"), ids=lambda path: path.name)
def test_a_file_that_is_no_template_has_a_problem(path: Path) -> None:
    assert [code for _, _, code in found(path.read_bytes())] == ["PI002"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!Ref X", {"Ref": "X"}),
        ("!Sub '${A}-b'", {"Fn::Sub": "${A}-b"}),
        ("!Condition C", {"Condition": "C"}),
        ("!GetAtt A.B", {"Fn::GetAtt": ["A", "B"]}),
        ("!GetAtt A.B.C", {"Fn::GetAtt": ["A", "B.C"]}),
        ("!GetAtt [A, B]", {"Fn::GetAtt": ["A", "B"]}),
        ("{Fn::GetAtt: A.B}", {"Fn::GetAtt": "A.B"}),
        ("!Sub [a, {B: !Ref C}]", {"Fn::Sub": ["a", {"B": {"Ref": "C"}}]}),
        ("!If [C, !Ref A, 1]", {"Fn::If": ["C", {"Ref": "A"}, 1]}),
        ("!Rain::Module x", {"Fn::Rain::Module": "x"}),
        ("!Ref 1", {"Ref": "1"}),
    ],
)
def test_a_short_tag_is_the_function_that_it_stands_for(text: str, expected: Json) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("'true'", "true"),
        ("yes", True),
        ("off", False),
        ("", None),
        ("~", None),
        ("12", 12),
        ("-1_000", -1000),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("1e5", "1e5"),
        ("2012-10-17", "2012-10-17"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("22:22", "22:22"),
        ("012345678901", "012345678901"),
        ("012345670123", "012345670123"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        (".inf", ".inf"),
        ("0x_", "0x_"),
        ("9" * 5000, "9" * 5000),
        ("=", "="),
        ("{'<<': {a: 1}}", {"<<": {"a": 1}}),
        ("{123456789012: 1, true: 2, 1.10: 3}", {"123456789012": 1, "true": 2, "1.10": 3}),
        ("{? b : 1, c}", {"b": 1, "c": None}),
    ],
)
def test_a_scalar_means_what_cloudformation_takes_it_for(text: str, expected: Json) -> None:
    read_back = value(text)
    assert read_back == expected
    assert type(read_back) is type(expected)


def test_an_alias_means_what_its_node_means() -> None:
    text = "Resources:\n  A: &a {B: &b [x], C: 1}\n  D: *a\n  E: *b\n  *b2 : 1\n"
    text = text.replace("  *b2 : 1\n", "  F: {&k K: 1}\n  *k : 2\n")
    assert read(text).template["Resources"] == {
        "A": {"B": ["x"], "C": 1},
        "D": {"B": ["x"], "C": 1},
        "E": ["x"],
        "F": {"K": 1},
        "K": 2,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'"\/"', "/"),
        (r'"\ud83d\ude00"', "😀"),
        ("1e5", 1e5),
        ("-0.5E-2", -0.005),
        ("true", True),
        ('"2012-10-17"', "2012-10-17"),
        ('{"' + "k" * 2000 + '": null}', {"k" * 2000: None}),
    ],
)
def test_json_is_read_as_json(text: str, expected: Json) -> None:
    source = read('{\n\t"Resources" : { "A": ' + text + "}\n}\n")
    assert source.is_json
    assert source.template == {"Resources": {"A": expected}}


def test_flow_style_that_is_no_json_is_yaml() -> None:
    source = read('{"Resources": {"A": !Ref B, "C": NaN,}}')
    assert not source.is_json
    assert source.template == {"Resources": {"A": {"Ref": "B"}, "C": "NaN"}}


POSITIONS = """\
Description: x

Resources:
  Task: &task
    Properties: {A: 1, "B": [x, !Ref y]}
    List:
    - Name: é
      Image: !If
        - C
        - {Z: 1}
    -
      - deep
  Other: *task
"""


@pytest.mark.parametrize("begin", ["", "\ufeff"])
@pytest.mark.parametrize("eol", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("path", "on_key", "expected"),
    [
        ((), False, (1, 1)),
        (("Resources",), True, (3, 1)),
        (("Resources", "Task"), True, (4, 3)),
        (("Resources", "Task", "Properties", "A"), False, (5, 21)),
        (("Resources", "Task", "Properties", "A"), True, (5, 18)),
        (("Resources", "Task", "Properties", "B"), True, (5, 24)),
        (("Resources", "Task", "Properties", "B", 1), False, (5, 33)),
        (("Resources", "Task", "Properties", "B", 1, "Ref"), False, (5, 33)),
        (("Resources", "Task", "List", 0, "Name"), False, (7, 13)),
        (("Resources", "Task", "List", 0), False, (7, 7)),
        (("Resources", "Task", "List", 0, "Image"), False, (8, 14)),
        (("Resources", "Task", "List", 0, "Image", "Fn::If", 1, "Z"), True, (10, 12)),
        (("Resources", "Task", "List", 1, 0), False, (12, 9)),
        (("Resources", "Other"), False, (13, 10)),
        (("Resources", "Other", "List", 0, "Name"), True, (7, 7)),
        # What is not there: the key of what should hold it, or the item.
        (("Resources", "Task", "List", 0, "PrivateImage", "Image"), False, (7, 7)),
        (("Resources", "Task", "Properties", "None"), False, (5, 5)),
        (("Resources", "New", "Properties"), False, (3, 1)),
        (("Resources", "Task", "Properties", "B", 7), False, (5, 24)),
        (("Resources", "Task", "List", 0, "Image", "Fn::Sub"), False, (8, 7)),
        (("Conditions",), False, (1, 1)),
    ],
)
def test_positions(
    path: tuple[str | int, ...], on_key: bool, expected: tuple[int, int], eol: str, begin: str
) -> None:
    source = read(begin + POSITIONS.replace("\n", eol))
    assert source.position(path, on_key) == expected


def test_positions_in_json() -> None:
    source = read('{\n\t"Resources": {\n\t\t"A": ["\\ud83d\\ude00", {"B": 1}]\n\t}\n}')
    assert source.position(("Resources", "A")) == (3, 8)
    assert source.position(("Resources", "A"), on_key=True) == (3, 3)
    assert source.position(("Resources", "A", 1, "B")) == (3, 31)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"Resources:\n  A: \xff\n", (2, 6, "PI001")),
        (b"\xef\xbb\xbfResources:\r\n  A: caf\xe9\n", (2, 9, "PI001")),
        ("Resources: {}\n".encode("utf-16"), (1, 1, "PI001")),
        ("Resources:\n  A: \x00\n", (2, 6, "PI001")),
        ("Resources:\n  A: a\x7fb\n", (2, 7, "PI001")),
        ("Resources:\n\tA: 1\n", (2, 1, "PI002")),
        ("Resources:\n  A: *b\n", (2, 6, "PI002")),
        ("Resources:\n  A: &a 1\n  B: &a 2\n", (3, 6, "PI002")),
        ("Resources:\n  A: &a [*a]\n", (2, 10, "PI002")),
        ("Resources: {}\n---\nResources: {}\n", (2, 1, "PI002")),
        ("Resources: {}\n...\nA: 1\n", (3, 1, "PI002")),
        ("Resources:\n  A: @b\n", (2, 6, "PI002")),
        ("Resources:\n  A: b: c\n", (2, 7, "PI002")),
        ("Resources:\n  A: [b\n", (3, 1, "PI002")),
        ("Resources:\n  A: 'b\n", (3, 1, "PI002")),
        ('Resources:\n  A: "\\q"\n', (2, 7, "PI002")),
        ("Resources:\n  A: %b\n", (2, 6, "PI002")),
        ("Resources:\n  - A\n B: 1\n", (3, 2, "PI002")),
        ("Resources:\n  A\n  B: 1\n", (3, 4, "PI002")),
        ("Resources:\n  [A]: 1\n", (2, 3, "PI002")),
        ("Resources:\n  ? {A: 1}\n  : 1\n", (2, 5, "PI002")),
        ("Resources:\n  !Ref A: 1\n", (2, 3, "PI002")),
        ("Resources:\n  A: {<<: 1}\n", (2, 11, "PI002")),
        ("Resources:\n  A:\n    <<: [{B: 1}, !Ref C]\n", (3, 18, "PI002")),
        ("A: &a !Ref B\nResources:\n  C:\n    <<: *a\n", (1, 4, "PI002")),
        ("A: &a\n  <<: *a\nResources: {}\n", (2, 7, "PI002")),
        ("", (1, 1, "PI004")),
        ("\ufeff# nothing\n", (1, 1, "PI004")),
        ("Hello\n", (1, 1, "PI004")),
        ("- Resources\n", (1, 1, "PI004")),
        ("!Foo {Resources: {}}\n", (1, 1, "PI004")),
        ("[]", (1, 1, "PI004")),
        ('{"A": 1}', (1, 1, "PI004")),
        ("\nOutputs: {}\n", (2, 1, "PI004")),
        ("A: 1\nResources: []\n", (2, 12, "PI004")),
        ("Resources:\n", (1, 11, "PI004")),
        ('{"Resources":\n "A"}', (2, 2, "PI004")),
        ("Resources: " + "[" * 5000, (1, 110, "PI005")),
        ("Resources: " + "{A: " * 200_000, (1, 404, "PI005")),
        ("Resources:\n" + "- " * 200_000, (2, 197, "PI005")),
        ('{"Resources": ' + "[" * 100 + "]" * 100 + "}", (1, 1, "PI005")),
        ('{"Resources": ' + "[" * 50_000 + "]" * 50_000 + "}", (1, 1, "PI005")),
        ('{\n"A" 1}', (2, 5, "PI002")),
        ('{"A": 1, !Ref}', (1, 14, "PI002")),
    ],
)
def test_problems(text: str | bytes, expected: tuple[int, int, str]) -> None:
    assert found(text) == [expected]


def resources_of(source: Source) -> dict[str, Json]:
    resources = source.template["Resources"]
    assert isinstance(resources, dict)
    return resources


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Resources:\n  A: 1\n  A: 2\n", (3, 3)),
        ("Resources:\n  1: 1\n  '1': 2\n", (3, 3)),
        ('{"Resources": {"A": 1,\n "A": 2}}', (2, 2)),
        ("Resources: {B: &b {A: 1, A: 2}, C: *b, D: *b}\n", (1, 26)),
    ],
)
def test_a_key_that_occurs_twice_is_a_warning_and_the_last_one_counts(
    text: str, expected: tuple[int, int]
) -> None:
    source = read(text)
    (warning,) = source.warnings
    assert (warning.line, warning.column, warning.code) == (*expected, "PI003")
    assert list(resources_of(source).values())[-1] in (2, {"A": 2})
    assert rewrite(source, []) == text


def test_all_keys_that_occur_twice_are_reported_with_the_first_place() -> None:
    source = read("Resources:\n  A: 1\n  B: {C: 1, C: 2}\n  A: 2\nOutputs: 1\nOutputs: 2\n")
    assert [(warning.line, warning.column) for warning in source.warnings] == [
        (3, 13),
        (4, 3),
        (6, 1),
    ]
    assert source.warnings[1].message == 'The key "A" occurs twice in a mapping, first in line 2.'
    assert source.position(("Resources", "A")) == (4, 6)


def test_no_warning_holds_a_value() -> None:
    source = read("Resources:\n  A: hunter2\n  A: 'hunter2'\n")
    assert "hunter2" not in str(source.warnings)


def test_keys_that_occur_once_are_no_warning() -> None:
    assert read("Resources:\n  A: &a {B: 1}\n  C: {<<: *a, B: 2}\n").warnings == ()


MERGED = """\
Base: &base {A: 1, B: 2}
Other: &other
  B: 3
  C: 4
Both: &both
  <<: [*base, *other]
Resources:
  One: {B: 5, <<: *base}
  Two:
    <<: *both
    D: 6
  Three: {<<: *base, <<: *other}
  Four: !Foo {<<: {E: 7}}
  Five: {'<<': 8}
"""


def test_merge_keys_are_read_as_the_aws_cli_reads_them() -> None:
    source = read(MERGED)
    assert source.template["Resources"] == {
        "One": {"A": 1, "B": 5},
        "Two": {"A": 1, "B": 2, "C": 4, "D": 6},
        "Three": {"A": 1, "B": 3, "C": 4},
        "Four": {"Fn::Foo": {"E": 7}},
        "Five": {"<<": 8},
    }
    assert source.template["Both"] == {"A": 1, "B": 2, "C": 4}
    assert source.position(("Resources", "One", "B")) == (8, 12)
    assert source.position(("Resources", "Two", "B"), on_key=True) == (1, 20)
    assert source.position(("Resources", "Two", "C")) == (4, 6)
    assert source.position(("Resources", "Three", "B")) == (3, 6)
    assert source.position(("Resources", "Four", "Fn::Foo", "E")) == (13, 23)
    assert rewrite(source, []) == MERGED


def test_aliases_that_stand_for_too_much() -> None:
    lines = ["l0: &l0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert found("\n".join([*lines, "Resources: {}"])) == [(6, 5, "PI005")]


def test_aliases_that_nest_too_deep() -> None:
    lines = ["l0: &l0 [[[[[[[[[[1]]]]]]]]]]"]
    lines += [f"l{n}: &l{n} [[[[[[[[[[*l{n - 1}]]]]]]]]]]" for n in range(1, 12)]
    assert [code for _, _, code in found("\n".join([*lines, "Resources: {}"]))] == ["PI005"]


def test_a_file_that_is_too_large() -> None:
    assert found(b" " * (MAX_BYTES + 1)) == [(1, 1, "PI005")]


def test_an_error_reads_as_a_compiler_tells_it() -> None:
    with pytest.raises(SourceError) as caught:
        read("Resources:\n\tA: 1\n")
    assert str(caught.value) == (
        "t.yaml:2:1: PI002 A tab indents this line. YAML indents with spaces only."
    )


@pytest.mark.parametrize(
    "text",
    [
        "Resources: hunter2\n",
        "hunter2\n",
        "Resources:\n  A: 'hunter2\n",
        "Resources:\n  A: hunter2: hunter2\n",
        "Resources:\n  A: [hunter2\n",
        'Resources:\n  A: "hunter2\\q"\n',
        '{"A": "hunter2" "hunter2"}',
        '{"A": "hunter2\\q"}',
        "Resources:\n  A: !<hunter2 x\n",
        "Resources:\n  A: @hunter2\n",
        "Resources:\n  A: |hunter2\n",
    ],
)
def test_no_message_holds_a_value(text: str) -> None:
    assert not any("hunter2" in str(problem) for problem in problems(text))


def test_without_libyaml_the_template_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml._yaml", None)
    spec = importlib.util.spec_from_file_location("nodes_without_libyaml", nodes.__file__)
    assert spec is not None and spec.loader is not None
    pure = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pure)
    assert pure.Loader is not nodes.Loader
    root = nodes.compose_yaml(POSITIONS)
    assert root is not None
    assert pure.value_of(pure.compose_yaml(POSITIONS)) == nodes.value_of(root)
