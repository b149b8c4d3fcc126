"""What is new is written as the author writes: list indentation, dashes, no blank first line."""

from __future__ import annotations

import pytest

from edited_text import edited
from macro.engine.template.document import Json, Path
from macro.engine.template.edits import Edit

PROPERTIES: Path = ("Resources", "New", "Properties")
NEW = "Resources:\n  New:\n    Type: T\n    Properties:\n      Name: n\n"


def added(others: str, value: Json = None) -> str:
    """What a list `L` looks like that comes to a resource of a text with these other sections."""
    text = f"{others}{NEW}"
    new = edited(text, Edit("add", (*PROPERTIES, "L"), value or ["a"]))
    assert new.startswith(text)
    return new.removeprefix(text)


INDENTED, LEVEL = "      L:\n        - a\n", "      L:\n      - a\n"


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ("A:\n- x\nB:\n  C:\n    - x\n  D:\n    - x\n", INDENTED),
        ("A:\n  - x\nB:\n  C:\n  - x\n  D:\n  - x\n", LEVEL),
        ("A:\n  - x\nB:\n- x\n", INDENTED),  # as many of one as of the other: the first
        ("A:\n- x\nB:\n  C: [x]\n  D: [x]\n", LEVEL),  # flow style tells nothing
        ("A: 1\n", INDENTED),
    ],
    ids=["level first", "indented first", "alike", "flow", "none"],
)
def test_the_commonest_list_decides(others: str, expected: str) -> None:
    assert added(others) == expected


def test_the_lists_beside_a_new_one_count_before_the_commonest() -> None:
    text = f"A:\n  - x\nB:\n  - x\n{NEW}      K:\n      - x\n"
    new = edited(text, Edit("add", (*PROPERTIES, "L"), ["a"]))
    assert new == f"{text}      L:\n      - a\n"


def test_a_list_of_transforms_does_not_decide_for_the_resources() -> None:
    assert added("Transform:\n- P\n- Q\nB:\n  C:\n    - x\n  D:\n    - x\n") == INDENTED


@pytest.mark.parametrize("tag", ["!Join", "!If", "!Rain::Env", "&anchor", "!!seq", "!If   # when"])
def test_a_tag_on_a_line_of_its_own_is_no_indentation_of_lists(tag: str) -> None:
    joined = f"  C:\n    {tag}\n      - x\n      - [y]\n"
    twice = joined + joined.replace("C", "D").replace("&a", "&b")
    assert added(f"A:\n{twice}B:\n- x\n") == LEVEL
    beside = f"      K:\n        {tag}\n          - x\n          - [y]\n"
    new = edited(NEW + beside, Edit("add", (*PROPERTIES, "L"), ["a"]))
    assert new == f"{NEW}{beside}{INDENTED}"


@pytest.mark.parametrize("tag", ["!Join", "!Join   # of x", "&anchor"])
def test_a_tag_behind_its_key_leaves_the_indentation_of_its_list(tag: str) -> None:
    assert added(f"A:\n  C: {tag}\n  - x\n  - [y]\nB: 1\n") == LEVEL


def test_a_tag_on_a_line_of_its_own_is_no_indentation_of_mappings() -> None:
    beside = "      K:\n        !Transform\n          Name: x\n"
    new = edited(NEW + beside, Edit("add", (*PROPERTIES, "L"), {"M": 1}))
    assert new == f"{NEW}{beside}      L:\n        M: 1\n"


def test_a_value_behind_an_explicit_key_is_no_indentation() -> None:
    beside = "      ? K\n      : M: 1\n      ? J\n      : - 1\n"
    new = edited(NEW + beside, Edit("add", (*PROPERTIES, "L"), {"M": ["a"]}))
    assert new == f"{NEW}{beside}      L:\n        M:\n          - a\n"


STATEMENTS: Json = [{"Effect": "Allow", "Action": ["a", "b"], "Principal": [{"Service": "s"}]}]


def test_wide_dashes_are_followed_in_an_item_and_in_its_lists() -> None:
    text = "A:\n    - x\n" + NEW + "      L:\n      -   Name: first\n"
    new = edited(text, Edit("add", (*PROPERTIES, "L", "-"), {"Statement": STATEMENTS}))
    assert new == (
        f"{text}"
        "      -   Statement:\n"
        "          -   Effect: Allow\n"
        "              Action:\n"
        "              -   a\n"
        "              -   b\n"
        "              Principal:\n"
        "              -   Service: s\n"
    )


def test_wide_dashes_are_followed_in_a_new_list() -> None:
    wide = "A:\n    -   Name: x\n    -   Name: y\nB:\n    - Name: z\n"
    assert added(wide, STATEMENTS) == (
        "      L:\n"
        "          -   Effect: Allow\n"
        "              Action:\n"
        "                  -   a\n"
        "                  -   b\n"
        "              Principal:\n"
        "                  -   Service: s\n"
    )


def test_narrow_dashes_of_plain_items_stay_narrow_beside_wide_ones_of_mappings() -> None:
    wide = "A:\n  -   Name: x\n  -   Name: y\nB:\n  - z\n"
    assert added(wide, ["a", {"M": 1}]) == "      L:\n        - a\n        - M: 1\n"
    assert added(wide, [{"M": 1}, "a"]) == "      L:\n        -   M: 1\n        -   a\n"


def test_a_wide_dash_before_a_function() -> None:
    wide = "A:\n    -   Name: x\n    -   !Ref Y\n"
    policy: Json = {"Fn::If": ["C", {"Name": "p"}, {"Ref": "AWS::NoValue"}]}
    text = wide + NEW + "      L:\n          -   !Ref P\n"
    new = edited(text, Edit("add", (*PROPERTIES, "L", "-"), policy))
    assert new == (
        f"{text}"
        "          -   !If\n"
        "              -   C\n"
        "              -   Name: p\n"
        "              -   !Ref AWS::NoValue\n"
    )


REMOVE = Edit("remove", ("Transform",))


@pytest.mark.parametrize("head", ["", "\ufeff", "---\n", "%YAML 1.1\n---\n", "\ufeff---\n"])
@pytest.mark.parametrize("gap", ["", "\n", "\n\n", "  \n"])
def test_no_blank_lines_begin_a_file_when_the_transform_in_its_first_line_goes(
    head: str, gap: str
) -> None:
    for transform in ("Transform: P\n", "Transform:\n  - P\n", "Transform: [P]  # ours\n"):
        for eol in ("\n", "\r\n"):
            old, new = (
                f"{head}{transform}{gap}# r\nResources: {{}}\n",
                f"{head}# r\nResources: {{}}\n",
            )
            assert edited(old.replace("\n", eol), REMOVE) == new.replace("\n", eol)


@pytest.mark.parametrize("head", ["\n", "# The stack.\n", "---\n# The stack.\n", "A: 1\n"])
def test_what_begins_a_file_before_its_transform_stays_apart(head: str) -> None:
    text = f"{head}Transform: P\n\nResources: {{}}\n"
    blank = "" if head == "\n" else "\n"
    assert edited(text, REMOVE) == f"{head}{blank}Resources: {{}}\n"
