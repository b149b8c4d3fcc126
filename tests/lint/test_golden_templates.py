"""The golden cases under cfn-lint with our rules, before they are expanded; and what holds for the
tree that the other rules see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode
from cfnlint.decode.node import dict_node, list_node, str_node
from cfnlint.rules import Match

from cfn_lint import lint_file
from golden_cases import CASES, EXPANDED, template
from lint_cases import parsed
from macro.commands.lint_files import lint
from macro.engine.expand import expand
from macro.engine.template.document import Json
from macro.engine.template.edits import apply
from macro.lint.placed_edits import placed_edits
from macro.lint.rules import Expanding, rule_id
from macro.lint.template_nodes import NODE_KEYS, plain_template, span

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").iterdir())
TEXTS = {"PI001", "PI002", "PI003", "PI004", "PI005"}  # cfn-lint has a rule of its own for a text


def given(case: Path) -> list[str]:
    file = case / "options.txt"
    return file.read_text("utf-8").split() if file.exists() else []


def arguments(case: Path) -> list[str]:
    """The options of the command `expand` as cfn-lint takes them, those on parameters aside."""
    words = given(case)
    names = {"--region": "--regions", "--account": "--configure-rule"}
    values = {"--account": "IPI000:account="}
    return [
        part
        for option, value in zip(words[::2], words[1::2], strict=True)
        if option in names
        for part in (names[option], values.get(option, "") + value)
    ]


def found(path: Path, *options: str) -> list[Match]:
    return lint_file(path, *options, "--append-rules", "macro.lint")


# The problems of a value without a place of its own in cfn-lint.
WITHOUT_PLACE = {
    "problem-block-not-indented": {"31:24:"},
    "problem-no-image": {"25:19:"},
    "problem-no-secret": {"31:20:"},
    "problem-wrong-type": {"23:25:"},
}
# A loop over a list whose values cfn-lint does not take from the command line: it makes names up.
LIST_IS_GIVEN = {"loop-over-a-parameter-refers-to-single-secrets"}


@pytest.mark.parametrize(
    "case", [case for case in CASES if "-p" not in given(case)], ids=lambda case: case.name
)
def test_a_golden_case_gives_its_problems_and_no_false_error(case: Path) -> None:
    """Each problem is where the command tells it; where it has a value without a place of its
    own in cfn-lint (a number, or none), at least in the same line."""
    said = case / "stderr.txt"
    told = said.read_text("utf-8").splitlines() if said.exists() else []
    expected = [line.split(" ", 2) for line in told]
    matches = found(template(case), *arguments(case))
    if any(match.rule.id == "E0001" for match in matches):
        # cfn-lint stops at a loop that is none, before any rule looks at the template.
        assert case.name == "problem-misplaced-in-a-malformed-loop"
        return
    ours = [match for match in matches if "PI" in match.rule.id]
    assert sorted((match.linenumber, match.rule.id, match.message) for match in ours) == sorted(
        (int(place.split(":")[0]), rule_id(code), text.removeprefix("warning: "))
        for place, code, text in expected
        if code not in TEXTS
    )
    columns = {f"{match.linenumber}:{match.columnnumber}:" for match in ours}
    elsewhere = {place for place, code, _ in expected if code not in TEXTS} - columns
    assert elsewhere == WITHOUT_PLACE.get(case.name, set())
    if case in EXPANDED:
        errors = [match for match in matches if match.rule.id.startswith("E")]
        assert [str(match) for match in errors] == []


@pytest.mark.parametrize(
    "case", [case for case in CASES if "-p" in given(case)], ids=lambda case: case.name
)
def test_a_golden_case_with_parameters_gives_its_problems(
    case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command: cfn-lint alone drops parameters where a template has transforms."""
    words = given(case)
    values = [
        value for option, value in zip(words[::2], words[1::2], strict=True) if option == "-p"
    ]
    said = case / "stderr.txt"
    told = said.read_text("utf-8").splitlines() if said.exists() else []
    expected = [line.replace("warning: ", "").split(" ", 2) for line in told]

    lint(["--format", "parseable", "--parameters", *values, "--", str(template(case))])

    lines = parsed(capsys.readouterr().out)
    assert [line for line in lines if "PI" in line.split()[1]] == sorted(
        f"{place} {rule_id(code)} {text}" for place, code, text in expected
    )
    if case in EXPANDED:
        # E2900 is on what the case leaves without a value.
        errors = {line.split()[1] for line in lines if line.split()[1].startswith("E")} - {"E2900"}
        assert errors == ({"E1020"} if case.name in LIST_IS_GIVEN else set())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_cfn_lint_has_nothing_against_an_example(example: Path) -> None:
    assert [str(match) for match in found(example)] == []


@pytest.mark.parametrize("case", EXPANDED, ids=lambda case: case.name)
def test_the_tree_is_the_expanded_template_and_each_node_has_a_place(case: Path) -> None:
    root, _ = decode(str(template(case)))
    before = plain_template(root)
    expansion = expand(before)
    lines = len(template(case).read_text("utf-8-sig").splitlines())

    tree = apply(root, placed_edits(root, before, expansion), NODE_KEYS)

    assert plain_template(tree) == apply(before, expansion.edits)
    assert plain_template(root) == before
    for node in nodes(tree):
        assert isinstance(node, dict_node | list_node | str_node)
        assert 0 <= node.start_mark.line < lines


def nodes(node: Any) -> Iterator[Any]:
    """All mappings, lists and texts but those below a short tag, which cfn-lint gives no place."""
    if isinstance(node, dict):
        yield node
        tagged = [key for key in node if not hasattr(key, "start_mark")]
        assert len(tagged) == (len(node) if tagged else 0) <= 1
        for key, value in node.items():
            if key not in tagged:
                yield key
                yield from nodes(value)
    elif isinstance(node, list):
        yield node
        for item in node:
            yield from nodes(item)
    elif isinstance(node, str):
        yield node


@pytest.mark.parametrize("case", EXPANDED, ids=lambda case: case.name)
def test_what_no_edit_touches_keeps_its_place(case: Path) -> None:
    root, _ = decode(str(template(case)))
    before = plain_template(root)
    expansion = expand(before)
    tree = apply(root, placed_edits(root, before, expansion), NODE_KEYS)
    changed = [path for edit in expansion.edits for path in (edit.path, edit.source)]
    # What is taken out of a list lets the items behind it slip.
    changed = [path[:-1] if path and isinstance(path[-1], int) else path for path in changed]
    kept = [
        path
        for path in paths(before, ())
        if not any(path[: len(other)] == other[: len(path)] for other in changed if other)
    ]
    assert [path for path in kept if span(tree, path) != span(root, path)] == []


def paths(node: Json, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    yield path
    items = enumerate(node) if isinstance(node, list) else ()
    for step, value in node.items() if isinstance(node, dict) else items:
        yield from paths(value, (*path, step))


TOP = "Transform: PrivateImage\nResources:\n"
TASK = """\
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
        - Name: web
          Memory: 512
          PrivateImage: {Image: registry.example.com/team/web:1, Secret: registry/team}
"""
HOSTILE = {
    "an id that is a number": f"{TOP}  1:\n{TASK}",
    "keys that are no text": f"{TOP}  T:\n{TASK}Mappings: {{M: {{1: {{a: b}}, true: {{a: c}}}}}}\n",
    "values that are no JSON": f"{TOP}  T:\n{TASK}Metadata: {{a: 2012-10-17, b: !!set {{c}}}}\n",
    "a resource that is nothing": f"{TOP}  N:\n  T:\n{TASK}",
    "loops that are none": f"{TOP}  Fn::ForEach::A: [a]\n  Fn::ForEach::B: {{}}\n  T:\n{TASK}",
    "blocks that are none": f"{TOP}  T:\n{TASK}        - PrivateImage:\n        - PrivateImage: 3",
    "an anchor": f"{TOP}  T: &t\n{TASK}  U: *t\n",
    "a merge": f"x: &x {{Name: a}}\n{TOP}  T:\n{TASK}        - <<: *x\n          PrivateImage: x",
    "deep": f"{TOP}  T:\n{TASK}Metadata: {{a: {'[' * 90}{']' * 90}}}\n",
    "no resources": "Transform: PrivateImage\n",
    "no template": "PrivateImage\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_it_stops_at_nothing_that_cfn_lint_takes(text: str, tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(text, "utf-8")
    lint_file(path)  # cfn-lint alone does not stop either
    assert [match.message for match in found(path) if Expanding.id in match.message] == []
