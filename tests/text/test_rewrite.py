"""Edits made in texts of every style: what comes out, to the letter."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from edited_text import CONTAINER, containers, edited, expansion
from macro.engine.template.document import Json, Path
from macro.engine.template.edits import Edit
from macro.text.rewrite import rewrite
from macro.text.source import SourceError, parse

ROLE: Path = ("Resources", "Role", "Properties")
POLICY: Json = {
    "PolicyName": "PrivateImage",
    "PolicyDocument": {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "S"}}
        ],
    },
}
CONDITIONAL: Json = {"Fn::If": ["WithSecret", POLICY, {"Ref": "AWS::NoValue"}]}


SHORTHANDS = {
    "comments": (
        """\
          - Name: web
            PrivateImage:
              # the team's registry
              Image: registry.example.com/team/web:1.4.2   # keep in step
              Secret: !Ref RegistrySecret
            Essential: true
        """,
        """\
          - Name: web
            # the team's registry
            Image: registry.example.com/team/web:1.4.2   # keep in step
            RepositoryCredentials:
              CredentialsParameter: !Ref RegistrySecret
            Essential: true
        """,
    ),
    "comments everywhere": (
        """\
          # the list
          - Name: web   # its name
            # above
            PrivateImage:   # behind the key
              # of the image

              Image: "a"   # behind the image
              # of what goes
              Grant: false   # behind what goes
              # of the secret
              Secret: 'b'
              # below
            # of the next

            Essential: 'true'
        """,
        """\
          # the list
          - Name: web   # its name
            # above
            # behind the key
            # of the image
            Image: "a"   # behind the image
            RepositoryCredentials:
              # of what goes
              # behind what goes
              # of the secret
              CredentialsParameter: 'b'
              # below
            # of the next

            Essential: 'true'
        """,
    ),
    "list that is not indented": (
        """\
        - Name: web
          PrivateImage:
            Image: a
            Secret: b
        - Name: other
        """,
        """\
        - Name: web
          Image: a
          RepositoryCredentials:
            CredentialsParameter: b
        - Name: other
        """,
    ),
    "four columns": (
        """\
            -   Name: web
                PrivateImage:
                    Image: a
                    Secret: b
                LogConfiguration:
                    LogDriver: awslogs
        """,
        """\
            -   Name: web
                Image: a
                RepositoryCredentials:
                    CredentialsParameter: b
                LogConfiguration:
                    LogDriver: awslogs
        """,
    ),
    "first key of an item": (
        """\
          - PrivateImage:
              # kept
              Secret: b
              Image: a

            Name: web
        """,
        """\
          - Image: a
            RepositoryCredentials:
              # kept
              CredentialsParameter: b

            Name: web
        """,
    ),
    "first key with a comment": (
        """\
          - PrivateImage:
              # kept
              Image: a
              Secret: b
        """,
        """\
          # kept
          - Image: a
            RepositoryCredentials:
              CredentialsParameter: b
        """,
    ),
    "behind a bare dash": (
        """\
          -
            PrivateImage: {Image: a, Secret: b}
        """,
        """\
          -
            Image: a
            RepositoryCredentials:
              CredentialsParameter: b
        """,
    ),
    "flow in block": (
        """\
          - Name: web
            PrivateImage: {Image: "a:1", Secret: !Sub '${B}-c'}   # in one line
        """,
        """\
          - Name: web
            # in one line
            Image: "a:1"
            RepositoryCredentials:
              CredentialsParameter: !Sub '${B}-c'
        """,
    ),
    "flow in flow": (
        """\
          - {Name: web, PrivateImage: {Image: a, Secret: !Ref B}, Essential: true}  # web
        """,
        """\
          - {Name: web, Image: a, RepositoryCredentials: {CredentialsParameter: !Ref B}, Essential: true}  # web
        """,  # noqa: E501 - in flow style a container stands in one line
    ),
    "flow over lines": (
        """\
          - {
              Name: web,   # its name
              PrivateImage: {
                # of the image
                Image: a,
                Secret: !Ref B
              },
              Essential: true,
            }
        """,
        """\
          - {
              Name: web,   # its name
              # of the image
              Image: a,
              RepositoryCredentials: {CredentialsParameter: !Ref B},
              Essential: true,
            }
        """,
    ),
    "last in flow over lines": (
        """\
          - {
              Name: web, PrivateImage: {Image: a, Secret: b}  # last
            }
        """,
        """\
          - {
              Name: web, Image: a, RepositoryCredentials: {CredentialsParameter: b}
              # last
            }
        """,
    ),
    "literal and folded": (
        """\
          - PrivateImage:
              Image: !Sub |-
                registry.example.com/
                  ${Team}

                # not a comment
              Secret: >-   # folded
                arn:
                aws
            Name: web
        """,
        """\
          - Image: !Sub |-
              registry.example.com/
                ${Team}

              # not a comment
            RepositoryCredentials:
              CredentialsParameter: >-   # folded
                arn:
                aws
            Name: web
        """,
    ),
    "Sub over lines": (
        """\
          - PrivateImage:
              Image:
                Fn::Sub:
                  - '${A}/web'
                  - A: !Ref Registry
              Secret: !Sub
              - arn:${P}   # with P
              - P: !Ref "Partition"
        """,
        """\
          - Image:
              Fn::Sub:
                - '${A}/web'
                - A: !Ref Registry
            RepositoryCredentials:
              CredentialsParameter: !Sub
              - arn:${P}   # with P
              - P: !Ref "Partition"
        """,
    ),
    "scalars over lines": (
        """\
          - PrivateImage:
              Image: "a\\
                b"
              Secret: arn
                aws
        """,
        """\
          - Image: "a\\
              b"
            RepositoryCredentials:
              CredentialsParameter: arn
                aws
        """,
    ),
    "quoted keys, other tools' tags": (
        """\
          - "Name": !Rain::Env NAME
            "PrivateImage":
              'Image': !Rain::Env IMAGE
              "Secret" : !If [C, !Ref A, !ImportValue b]
        """,
        """\
          - "Name": !Rain::Env NAME
            'Image': !Rain::Env IMAGE
            RepositoryCredentials:
              CredentialsParameter : !If [C, !Ref A, !ImportValue b]
        """,
    ),
    "function as a name": (
        """\
          - Name: !Join
            - '-'
            - [a, !Ref B]
            PrivateImage:
              Image: !FindInMap [A, B, c]
              Secret: !Ref C
        """,
        """\
          - Name: !Join
            - '-'
            - [a, !Ref B]
            Image: !FindInMap [A, B, c]
            RepositoryCredentials:
              CredentialsParameter: !Ref C
        """,
    ),
    "anchor and alias within": (
        """\
          - PrivateImage: &block
              Image: &image a
              Secret: *image
        """,
        """\
          - Image: &image a
            RepositoryCredentials:
              CredentialsParameter: *image
        """,
    ),
}


@pytest.mark.parametrize(("before", "after"), SHORTHANDS.values(), ids=SHORTHANDS)
@pytest.mark.parametrize("eol", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("end", [True, False], ids=["ended", "unended"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "BOM"])
def test_shorthand(before: str, after: str, eol: str, end: bool, mark: str) -> None:
    texts = [mark + containers(text).replace("\n", eol) for text in (before, after)]
    old, new = texts if end else [text.removesuffix(eol) for text in texts]
    assert edited(old, *expansion()) == new


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # A line that another tool put at the head of a CRLF file, and at its end.
        ("# tool\nTransform: P\r\nResources: {}\r\n", "# tool\nResources: {}\r\n"),
        ("A: 1\r\nTransform: P\nResources: {}\r\n", "A: 1\r\nResources: {}\r\n"),
        ("A: 1\nTransform: P\r\nResources: {}\n", "A: 1\nResources: {}\n"),
        ("Resources: {}\r\nTransform: P\n", "Resources: {}\r\n"),
        ("Resources: {}\r\nTransform: P", "Resources: {}"),
        ("A: 1\rTransform: P\nResources: {}\r\n", "A: 1\rResources: {}\r\n"),
    ],
)
def test_each_line_keeps_its_line_break_when_one_goes(before: str, after: str) -> None:
    assert edited(before, Edit("remove", ("Transform",))) == after


@pytest.mark.parametrize("first", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("second", ["\n", "\r\n", "\r"])
def test_what_is_new_ends_as_the_line_before_it(first: str, second: str) -> None:
    text = f"Resources:{first}  A: {{}}{second}Outputs: |{first}  x{second}"
    new = edited(text, Edit("add", ("Resources", "B"), {"C": {"D": 1}}))
    added = f"  B:{second}    C:{second}      D: 1{second}"
    assert new == text.replace("Outputs", f"{added}Outputs")


def test_shorthand_that_is_only_an_image() -> None:
    old = containers(
        """\
          - Name: web
            PrivateImage: "quay.io/a"  # quay
            Essential: true
        """
    )
    image: Path = (*CONTAINER, "PrivateImage")
    credentials: Json = {"CredentialsParameter": {"Ref": "Quay"}}
    moved = edited(
        old,
        Edit("move", (*CONTAINER, "Image"), source=image),
        Edit("add", (*CONTAINER, "RepositoryCredentials"), credentials),
    )
    assert moved == containers(
        """\
          - Name: web
            Image: "quay.io/a"  # quay
            RepositoryCredentials:
              CredentialsParameter: !Ref Quay
            Essential: true
        """
    )
    replaced = edited(
        old, Edit("add", (*CONTAINER, "Image"), "docker.io/b:1"), Edit("remove", image)
    )
    assert replaced == containers(
        """\
          - Name: web
            # quay
            Image: docker.io/b:1
            Essential: true
        """
    )


def test_a_skeleton_is_filled_by_moves() -> None:
    old = containers(
        """\
          - PrivateImage:
              Image: a
              Secret: !If [C, b, c]  # why
        """
    )
    assert edited(old, *expansion(conditional=True)) == containers(
        """\
          - Image: a
            RepositoryCredentials: !If
              - C
              - CredentialsParameter: !If [C, b, c]  # why
              - !Ref AWS::NoValue
        """
    )


def test_a_value_is_replaced_before_it_moves() -> None:
    old = containers(
        """\
          - PrivateImage:
              Image: a
              # the name
              Secret: pull   # of the secret
        """
    )
    edits = expansion()
    edits.insert(2, Edit("replace", (*CONTAINER, "PrivateImage", "Secret"), {"Fn::Sub": "x${Y}"}))
    assert edited(old, *edits) == containers(
        """\
          - Image: a
            RepositoryCredentials:
              # the name
              # of the secret
              CredentialsParameter: !Sub x${Y}
        """
    )


def test_a_leaf_within_a_value_is_replaced_before_that_moves() -> None:
    old = containers(
        """\
          - PrivateImage:
              Image: a
              Secret: !If
                - C
                - b   # then
                - !Ref D
        """
    )
    leaf: Path = (*CONTAINER, "PrivateImage", "Secret", "Fn::If", 1)
    assert edited(old, Edit("replace", leaf, {"Fn::Sub": "x${Y}"}), *expansion()) == containers(
        """\
          - Image: a
            RepositoryCredentials:
              CredentialsParameter: !If
                - C
                - !Sub x${Y}   # then
                - !Ref D
        """
    )


def role(policies: str, rest: str = "") -> str:
    return f"Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n{policies}{rest}"


INDENTED = """\
      Policies:
        - PolicyName: PrivateImage
          PolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Effect: Allow
                Action: secretsmanager:GetSecretValue
                Resource: !Ref S
"""
NOT_INDENTED = """\
      Policies:
      - PolicyName: PrivateImage
        PolicyDocument:
          Version: '2012-10-17'
          Statement:
          - Effect: Allow
            Action: secretsmanager:GetSecretValue
            Resource: !Ref S
"""


ADD_LIST = Edit("add", (*ROLE, "Policies"), [POLICY])
ADD_ITEM = Edit("add", (*ROLE, "Policies", "-"), POLICY)
REPLACE = Edit("replace", (*ROLE, "Policies"), [POLICY])
COMMENTED = INDENTED.replace(":", ":  # none", 1)


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        ("      A: !Ref B\n", ADD_LIST, f"      A: !Ref B\n{INDENTED}"),
        ("      A:\n      - 1\n", ADD_LIST, f"      A:\n      - 1\n{NOT_INDENTED}"),
        ("      A:\n        - 1\n", ADD_LIST, f"      A:\n        - 1\n{INDENTED}"),
        ("      Policies: []\n", ADD_ITEM, INDENTED),
        ("      Policies: []  # none\n", ADD_ITEM, COMMENTED),
        ("      Policies:\n", REPLACE, INDENTED),
        ("      Policies:  # none\n", REPLACE, COMMENTED),
        ("      Policies: ~\n", REPLACE, INDENTED),
    ],
)
def test_a_policy_comes_to_a_role(before: str, edit: Edit, after: str) -> None:
    rest = "\n  # more\n  More: {}\n"
    assert edited(role(before, rest), edit) == role(after, rest)


def test_a_policy_comes_behind_the_others() -> None:
    policies = """\
      Policies:
      - !Ref A
      # last
      -   PolicyName: b
          # in b
"""
    new = """\
      -   PolicyName: c
          PolicyDocument: !Sub
          - a
          - B: 1
"""
    added: Json = {"PolicyName": "c", "PolicyDocument": {"Fn::Sub": ["a", {"B": 1}]}}
    edit = Edit("add", (*ROLE, "Policies", "-"), added)
    assert edited(role(policies), edit) == role(policies + new)


def test_a_conditional_policy() -> None:
    text = role("      Policies:\n        - !Ref A\n")
    assert edited(text, Edit("add", (*ROLE, "Policies", "-"), CONDITIONAL)) == text + (
        "        - !If\n"
        "          - WithSecret\n"
        "          - PolicyName: PrivateImage\n"
        "            PolicyDocument:\n"
        "              Version: '2012-10-17'\n"
        "              Statement:\n"
        "                - Effect: Allow\n"
        "                  Action: secretsmanager:GetSecretValue\n"
        "                  Resource: !Ref S\n"
        "          - !Ref AWS::NoValue\n"
    )


def test_a_policy_in_flow_style() -> None:
    text = "Resources:\n  Role: {Type: R, Properties: {Policies: [!Ref A], B: {}}}\n"
    item: Json = {"PolicyName": "a,b", "B": {"Fn::Base64": {"Fn::Sub": "${C}"}}}
    new = edited(
        text,
        Edit("add", (*ROLE, "Policies", "-"), item),
        Edit("add", (*ROLE, "B", "D"), [{"Fn::GetAtt": ["E", "F"]}]),
    )
    assert new == (
        "Resources:\n  Role: {Type: R, Properties: {Policies: [!Ref A, "
        "{PolicyName: 'a,b', B: {Fn::Base64: !Sub '${C}'}}], B: {D: [!GetAtt E.F]}}}\n"
    )


TEMPLATE = """\
Version: 2012-10-17
# what expands this
Transform:
  - AWS::Serverless
  - PrivateImage   # ours

Parameters:
  P: {Type: String}

Resources:

  # the first
  A:
    Type: T
    DependsOn: B   # waits
    Properties:
      ExecutionRoleArn: !Ref AWS::NoValue   # none

  B:
    Type: T
    Metadata:
      PrivateImage: {}

# what comes out
Outputs:
  O:
    Value: 1
"""


A: Path = ("Resources", "A")
B: Path = ("Resources", "B")
A_TEXT = """\
  A:
    Type: T
    DependsOn: B   # waits
    Properties:
      ExecutionRoleArn: !Ref AWS::NoValue   # none
"""
A_PROPERTIES = "    Properties:\n      ExecutionRoleArn: !Ref AWS::NoValue   # none\n"
B_METADATA = "    Metadata:\n      PrivateImage: {}\n"
ROLE_ARN: Path = (*A, "Properties", "ExecutionRoleArn")
CONDITIONS: Json = {"C": {"Fn::And": [{"Condition": "A"}, {"Fn::Not": [{"Condition": "B"}]}]}}

# Edits, and what they change in TEMPLATE: old text and new text.
CHANGES: dict[str, tuple[list[Edit], list[tuple[str, str]]]] = {
    "an item of Transform goes": (
        [Edit("remove", ("Transform", 1))],
        [("  - PrivateImage   # ours\n", "")],
    ),
    "Transform goes": (
        [Edit("remove", ("Transform",))],
        [("Transform:\n  - AWS::Serverless\n  - PrivateImage   # ours\n", "")],
    ),
    "Metadata goes": ([Edit("remove", (*B, "Metadata"))], [(B_METADATA, "")]),
    "all of Metadata goes": (
        [Edit("remove", (*B, "Metadata", "PrivateImage"))],
        [(B_METADATA, "    Metadata: {}\n")],
    ),
    "a resource goes": (
        [Edit("remove", B)],
        [(f"  B:\n    Type: T\n{B_METADATA}\n", "")],
    ),
    "text becomes a list": (
        [Edit("replace", (*A, "DependsOn"), ["B", "C"])],
        [("DependsOn: B   # waits", "DependsOn:   # waits\n      - B\n      - C")],
    ),
    "text becomes text": (
        [Edit("replace", (*A, "DependsOn"), "C")],
        [("DependsOn: B ", "DependsOn: C ")],
    ),
    "a function becomes another": (
        [Edit("replace", ROLE_ARN, {"Fn::GetAtt": ["R", "Arn"]})],
        [("!Ref AWS::NoValue ", "!GetAtt R.Arn ")],
    ),
    "a function's argument becomes another": (
        [Edit("replace", (*ROLE_ARN, "Ref"), "Role"), Edit("add", (*A, "Ref"), "X")],
        [("!Ref AWS::NoValue   # none\n", "!Ref Role   # none\n    Ref: X\n")],
    ),
    "a mapping becomes another": (
        [Edit("replace", (*A, "Properties"), {"X": {}})],
        [(A_PROPERTIES, "    Properties:\n      # none\n      X: {}\n")],
    ),
    "a key comes in the middle": (
        [Edit("add", (*B, "DependsOn"), "A", after="Type")],
        [("    Metadata", "    DependsOn: A\n    Metadata")],
    ),
    "a resource comes in the middle": (
        [Edit("add", ("Resources", "C"), {"Type": "T", "DependsOn": ["A"]}, after="A")],
        [("  B:\n", "  C:\n    Type: T\n    DependsOn:\n      - A\n\n  B:\n")],
    ),
    "resources come at the end": (
        [Edit("add", ("Resources", "C"), {"Type": "T"}), Edit("add", ("Resources", "D"), {})],
        [("# what comes", "  C:\n    Type: T\n\n  D: {}\n\n# what comes")],
    ),
    "a section comes in the middle": (
        [Edit("add", ("Conditions",), CONDITIONS, after="Parameters")],
        [
            (
                "Resources:",
                "Conditions:\n  C: !And [!Condition A, !Not [!Condition B]]\n\nResources:",
            )
        ],
    ),
    "a section comes at the end": (
        [Edit("add", ("Mappings",), {"true": {"1": True}})],
        [("    Value: 1\n", "    Value: 1\n\nMappings:\n  'true':\n    '1': true\n")],
    ),
    "keys of a flow mapping come and go": (
        [
            Edit("add", ("Parameters", "P", "Default"), "a, b"),
            Edit("remove", ("Parameters", "P", "Type")),
        ],
        [("{Type: String}", "{Default: 'a, b'}")],
    ),
    "a resource moves": (
        [Edit("move", ("Outputs", "A"), source=A)],
        [(A_TEXT, ""), ("    Value: 1\n", f"    Value: 1\n\n{A_TEXT}")],
    ),
}


@pytest.mark.parametrize(("edits", "changes"), CHANGES.values(), ids=CHANGES)
def test_edits(edits: list[Edit], changes: list[tuple[str, str]]) -> None:
    text = TEMPLATE
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    assert edited(TEMPLATE, *edits) == text


def test_the_transform_in_the_first_line_goes() -> None:
    edit = Edit("remove", ("Transform",))
    assert edited("Transform: PrivateImage\nResources: {}\n", edit) == "Resources: {}\n"
    assert edited("Transform: P # p\r\nResources: {}", edit) == "Resources: {}"
    assert edited("\ufeffTransform: P\n\nResources: {}", edit) == "\ufeffResources: {}"
    assert edited("Resources: {}\nTransform: PrivateImage", edit) == "Resources: {}"


def test_blank_lines_around_what_goes_are_not_doubled() -> None:
    edit = Edit("remove", ("Transform",))
    assert edited("A: 1\n\nTransform: P\n\nResources: {}\n", edit) == "A: 1\n\nResources: {}\n"
    assert edited("A: 1\nTransform: P\n\nResources: {}\n", edit) == "A: 1\n\nResources: {}\n"
    assert edited("A: 1\n\nTransform: P\nResources: {}\n", edit) == "A: 1\n\nResources: {}\n"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("A: |\n  x", "A: |-\n  x\nK: 1"),
        ("A: |\n  x\n", "A: |\n  x\nK: 1\n"),
        ("A: |\n  x\n\n\n# c\nB: 1", "A: |\n  x\nK: 1\n\n\n# c\nB: 1"),
        ("A: |+\n  x\n\n\n# c\nB: 1", "A: |+\n  x\n\n\nK: 1\n# c\nB: 1"),
        ("A: >-\n  x\n  # x\n # c\nB: 1", "A: >-\n  x\n  # x\n # c\nK: 1\nB: 1"),
        ("A: [\n x\n] # c\n # of A\n# of B\nB: 1", "A: [\n x\n] # c\n # of A\nK: 1\n# of B\nB: 1"),
        ("A:\n# of B\nB: 1", "A:\nK: 1\n# of B\nB: 1"),
        ("A:\n- x\n-\n# of B\nB: 1", "A:\n- x\n-\nK: 1\n# of B\nB: 1"),
        ("? A\n: x\nB: 1", "? A\n: x\nK: 1\nB: 1"),
        ("A: x\n...\n", "A: x\nK: 1\n...\n"),
    ],
)
def test_a_key_comes_behind_the_end_of_what_it_follows(text: str, after: str) -> None:
    head = "Resources: {}\n"
    assert edited(head + text, Edit("add", ("K",), 1, after="A")) == head + after


def test_a_new_value_is_quoted_where_it_must_be() -> None:
    texts: list[Json] = [
        "*",
        "@x",
        "a: b",
        "a:",
        "true",
        "No",
        "y",
        "null",
        "~",
        "",
        "12",
        "0x1F",
        "1.5",
    ]
    texts += ["2012-10-17", "12:30", "a #b", "- a", "a ", "é", "it's", "a\nb", "\x85", "{a}", "a,b"]
    texts += ["arn:aws:iam::aws:policy/P", "AWS::NoValue", "kms:Decrypt", "${A}-b", "!x", "&a", "%"]
    value: Json = {str(text): text for text in texts}
    new = edited("Resources:\n  A: {}\n", Edit("add", ("Resources", "B"), [value, texts]))
    assert "    - '*': '*'\n" in new
    assert "\n      '2012-10-17': '2012-10-17'\n" in new
    assert '\n      "a\\nb": "a\\nb"\n' in new
    for plain in ("arn:aws:iam::aws:policy/P", "AWS::NoValue", "kms:Decrypt", "${A}-b", "a,b"):
        assert f"\n      {plain}: {plain}\n" in new
    for quoted in (
        "true",
        "No",
        "y",
        "null",
        "12",
        "1.5",
        "12:30",
        "a: b",
        "- a",
        "@x",
        "!x",
        "&a",
    ):
        assert f"\n      '{quoted}': '{quoted}'\n" in new


def test_new_numbers_and_the_like_come_back_as_they_are() -> None:
    value: Json = [0, -1, 1.5, 1e22, 1e-7, True, False, None, [], {}, [[]], [[1], {"A": []}]]
    new = edited("Resources:\n  A: {}\n", Edit("add", ("Resources", "B"), value))
    found = parse(new.encode(), "t").template["Resources"]
    assert repr(found) == repr({"A": {}, "B": value})


def test_functions_are_spelled_as_the_text_spells_them() -> None:
    value: Json = {
        "A": {"Fn::GetAtt": ["R", "Arn"]},
        "B": {"Fn::GetAtt": "R.Arn"},
        "C": {"Fn::Base64": {"Fn::Sub": "${X}"}},
        "D": {"Fn::Join": ["", ["a", {"Ref": "B"}]]},
        "E": {"Fn::Rain::Env": "V"},
        "F": {"Fn::ForEach::X": ["I", ["a"], {"${I}": {"Type": "T"}}]},
        "G": {"Condition": "C"},
        "H": {"Fn::Select": [0, {"Fn::Split": [",", {"Ref": "L"}]}]},
        "I": {"Fn::If": ["C", {"Fn::If": ["D", {"K": 1}, "x"]}, {"Ref": "AWS::NoValue"}]},
    }
    short = edited("Resources:\n  A: !Rain::Env X\n", Edit("add", ("Resources", "New"), value))
    assert short.partition("New:\n")[2] == dedent(
        """\
            A: !GetAtt R.Arn
            B:
              Fn::GetAtt: R.Arn
            C:
              Fn::Base64: !Sub ${X}
            D: !Join
              - ''
              - - a
                - !Ref B
            E: !Rain::Env V
            F:
              Fn::ForEach::X:
                - I
                - - a
                - ${I}:
                    Type: T
            G:
              Condition: C
            H: !Select [0, !Split [',', !Ref L]]
            I: !If
              - C
              - !If
                - D
                - K: 1
                - x
              - !Ref AWS::NoValue
        """
    ).replace("\n", "\n    ").replace("A:", "    A:", 1).rstrip(" ")
    long = edited("Resources:\n  A:\n    Ref: X\n", Edit("add", ("Resources", "New"), value))
    assert "!" not in long
    assert "    A:\n      Fn::GetAtt: [R, Arn]\n" in long


ALIASED = """\
Resources:
  Task:
    Properties:
      ContainerDefinitions:
        - &web
          Name: web
          PrivateImage: &block {Image: &image "a", Secret: !Ref S}
        - *web
        - Name: other
          PrivateImage: *block
        - Name: third
          Image: *image
"""
LIST: Path = CONTAINER[:-1]


def test_an_edit_in_an_anchored_node_leaves_its_aliases_their_meaning() -> None:
    new = edited(ALIASED, *expansion((*LIST, 0)))
    assert new == ALIASED.replace(
        'PrivateImage: &block {Image: &image "a", Secret: !Ref S}',
        'Image: &image "a"\n          RepositoryCredentials:\n'
        "            CredentialsParameter: !Ref S",
    ).replace(
        "- *web",
        "- Name: web\n          PrivateImage:\n            Image: a\n            Secret: !Ref S",
    ).replace(
        "PrivateImage: *block",
        "PrivateImage:\n            Image: a\n            Secret: !Ref S",
    )


def test_an_edit_through_an_alias_leaves_the_node() -> None:
    new = edited(ALIASED, *expansion((*LIST, 2)))
    assert new == ALIASED.replace(
        "PrivateImage: *block",
        'Image: "a"\n          RepositoryCredentials:\n            CredentialsParameter: !Ref S',
    )


def test_the_same_edit_of_a_node_and_its_alias_is_made_once() -> None:
    new = edited(ALIASED, *expansion((*LIST, 0)), *expansion((*LIST, 1)), *expansion((*LIST, 2)))
    assert new == ALIASED.replace(
        'PrivateImage: &block {Image: &image "a", Secret: !Ref S}',
        'Image: &image "a"\n          RepositoryCredentials:\n'
        "            CredentialsParameter: !Ref S",
    ).replace(
        "PrivateImage: *block",
        'Image: "a"\n          RepositoryCredentials:\n            CredentialsParameter: !Ref S',
    )


def test_an_alias_whose_anchor_goes_is_written_out() -> None:
    text = "A:\n  B: &b {C: &c !Ref D}\nResources:\n  E: *b  # e\n  F: [*c , 1]\n"
    assert edited(text, Edit("remove", ("A",))) == (
        "Resources:\n  E:  # e\n    C: !Ref D\n  F: [!Ref D , 1]\n"
    )


def test_an_alias_that_would_stand_before_its_anchor_is_written_out() -> None:
    text = "Resources:\n  A: &a [1]\n  B: *a\n  C: 1\n"
    assert edited(text, Edit("move", ("Resources", "D"), source=("Resources", "A"))) == (
        "Resources:\n  D: &a [1]\n  B: *a\n  C: 1\n"
    )
    moved = Edit("move", ("Resources", "D"), source=("Resources", "A"), after="C")
    assert edited(text, moved) == "Resources:\n  B:\n    - 1\n  C: 1\n  D: &a [1]\n"


MERGED = """\
Base: &base   # the base
  ExecutionRoleArn: !Ref Old
  Cpu: 1   # small
  Tags: [{Key: a}]
Resources:
  One:
    Properties:
      <<: *base   # most
      Memory: 2
  Two:
    Properties: {<<: *base, Memory: 3}
"""
ONE: Path = ("Resources", "One", "Properties")
TWO: Path = ("Resources", "Two", "Properties")
MERGES: dict[str, tuple[list[Edit], list[tuple[str, str]]]] = {
    "a merged value is replaced": (
        [Edit("replace", (*ONE, "ExecutionRoleArn"), {"Ref": "New"})],
        [("# most\n", "# most\n      ExecutionRoleArn: !Ref New\n")],
    ),
    "a merged list grows": (
        [Edit("add", (*ONE, "Tags", "-"), {"Key": "b"})],
        [("# most\n", "# most\n      Tags:\n        - {Key: a}\n        - Key: b\n")],
    ),
    "a key is added beside what is merged": (
        [Edit("add", (*ONE, "Name"), "one", after="Cpu")],
        [("Memory: 2\n", "Memory: 2\n      Name: one\n")],
    ),
    "a key of its own is replaced": (
        [Edit("replace", (*ONE, "Memory"), 4), Edit("remove", (*TWO, "Memory"))],
        [("Memory: 2", "Memory: 4"), (", Memory: 3", "")],
    ),
    "in flow style": (
        [Edit("replace", (*TWO, "Cpu"), 4)],
        [("{<<: *base,", "{<<: *base, Cpu: 4,")],
    ),
    "a merged key goes": (
        [Edit("remove", (*ONE, "Cpu"))],
        [
            (
                "<<: *base   # most",
                "ExecutionRoleArn: !Ref Old\n      Tags: [{Key: a}]\n      # most",
            )
        ],
    ),
    "a merged value moves": (
        [Edit("move", (*ONE, "Image"), source=(*ONE, "Cpu"))],
        [
            (
                "<<: *base   # most",
                "ExecutionRoleArn: !Ref Old\n      Tags: [{Key: a}]\n      Image: 1\n      # most",
            )
        ],
    ),
    "what is merged changes for one and not for the other": (
        [
            Edit("replace", ("Base", "Cpu"), 8),
            Edit("replace", (*ONE, "Cpu"), 8),
            Edit("replace", ("Base", "Tags"), []),
        ],
        [
            ("Cpu: 1", "Cpu: 8"),
            ("Tags: [{Key: a}]", "Tags: []"),
            ("# most\n", "# most\n      Tags: [{Key: a}]\n"),
            ("{<<: *base,", "{<<: *base, Cpu: 1, Tags: [{Key: a}],"),
        ],
    ),
    "what is merged goes": (
        [Edit("remove", ("Base",)), Edit("remove", ("Resources", "One"))],
        [
            (MERGED.partition("  Two")[0], "Resources:\n"),
            ("<<: *base", "ExecutionRoleArn: !Ref Old, Cpu: 1, Tags: [{Key: a}]"),
        ],
    ),
}


@pytest.mark.parametrize(("edits", "changes"), MERGES.values(), ids=MERGES)
def test_edits_of_what_merge_keys_bring(edits: list[Edit], changes: list[tuple[str, str]]) -> None:
    text = MERGED
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    assert edited(MERGED, *edits) == text


def test_the_shorthand_in_a_resource_that_another_merges() -> None:
    text = """\
Resources:
  Task: &task
    Type: T
    Properties: &properties
      ContainerDefinitions:
        - Name: web
          PrivateImage: {Image: a, Secret: b}
  Other:
    <<: *task
    Condition: C
  Third:
    Properties: {<<: *properties, Cpu: 1}
"""
    other: Path = ("Resources", "Other", *CONTAINER[2:])
    third: Path = ("Resources", "Third", *CONTAINER[2:])
    new = "Image: a\n          RepositoryCredentials:\n            CredentialsParameter: b"
    changed = text.replace("PrivateImage: {Image: a, Secret: b}", new)
    assert edited(text, *expansion(), *expansion(other), *expansion(third)) == changed


DOUBLED = """\
Resources:
  Task: {Type: T, Type: U}
  Other:
    Name: a
    List: [1]
    Name: b
"""


@pytest.mark.parametrize(
    ("edit", "new"),
    [
        (Edit("add", ("Resources", "New"), 1), f"{DOUBLED}  New: 1\n"),
        (Edit("add", ("Resources", "Other", "List", "-"), 2), DOUBLED.replace("[1]", "[1, 2]")),
        (Edit("remove", ("Resources", "Other")), DOUBLED.partition("  Other")[0]),
    ],
)
def test_keys_that_occur_twice_stay_where_no_edit_is_made(edit: Edit, new: str) -> None:
    assert edited(DOUBLED, edit) == new


@pytest.mark.parametrize(
    "edit",
    [
        Edit("add", ("Resources", "Other", "New"), 1),
        Edit("remove", ("Resources", "Other", "List")),
        Edit("replace", ("Resources", "Other", "Name"), "c"),
        Edit("replace", ("Resources", "Other", "Name", "Fn::Sub"), "c"),
        Edit("move", ("Resources", "New"), source=("Resources", "Other", "List")),
    ],
)
def test_an_edit_of_a_mapping_with_a_key_that_occurs_twice_is_a_problem(edit: Edit) -> None:
    text = DOUBLED.replace("Name: b", "Name: !Sub b")
    for style in (text, json.dumps({"Resources": {"Other": {"X": 1, "List": [1], "Name": 1}}})):
        style = style.replace('"X"', '"Name"').replace('"Name": 1}', '"Name": {"Fn::Sub": "b"}}')
        with pytest.raises(SourceError) as caught:
            rewrite(parse(style.encode(), "t"), [edit])
        assert [problem.code for problem in caught.value.problems] == ["PI003"]


JSON = """\
{
  "Transform": ["A", "PrivateImage"],
  "Resources": {
    "Task": {
      "Properties": {
        "ContainerDefinitions": [
          {
            "Name": "web",
            "PrivateImage": {
              "Image": "a\\/b",
              "Secret": {"Ref": "S"}
            },
            "Essential": "true"
          }
        ]
      }
    },
    "Role": {"Properties": {"Policies": []}}
  }
}"""
JSON_AFTER = """\
{
  "Transform": ["A"],
  "Resources": {
    "Task": {
      "Properties": {
        "ContainerDefinitions": [
          {
            "Name": "web",
            "Image": "a\\/b",
            "RepositoryCredentials": {
              "CredentialsParameter": {"Ref": "S"}
            },
            "Essential": "true"
          }
        ]
      }
    },
    "P": {
      "Type": "AWS::IAM::Policy",
      "Properties": {
        "Roles": [{"Fn::Select": [1, {"Ref": "L"}]}]
      }
    },
    "Role": {"Properties": {"Policies": [{"PolicyName": "p"}]}}
  }
}"""
JSON_EDITS = [
    *expansion(),
    Edit("remove", ("Transform", 1)),
    Edit(
        "add",
        ("Resources", "P"),
        {
            "Type": "AWS::IAM::Policy",
            "Properties": {"Roles": [{"Fn::Select": [1, {"Ref": "L"}]}]},
        },
        after="Task",
    ),
    Edit("add", (*ROLE, "Policies", "-"), {"PolicyName": "p"}),
]


@pytest.mark.parametrize("unit", ["  ", "    ", "\t", " "])
@pytest.mark.parametrize("eol", ["\n", "\r\n"])
@pytest.mark.parametrize("colon", [": ", " : ", ":"])
def test_json_stays_json(unit: str, eol: str, colon: str) -> None:
    def styled(text: str) -> str:
        lines = text.replace('": ', f'"{colon}').split("\n")
        indented = [line.lstrip(" ") for line in lines]
        depths = [(len(line) - len(rest)) // 2 for line, rest in zip(lines, indented, strict=True)]
        return eol.join(unit * depth + rest for depth, rest in zip(depths, indented, strict=True))

    assert edited(styled(JSON), *JSON_EDITS) == styled(JSON_AFTER)


def test_json_in_one_line() -> None:
    text = '{"Resources":{"A":{"Type":"X","DependsOn":"B"},"C":[]}}'
    new = edited(
        text,
        Edit("replace", ("Resources", "A", "DependsOn"), ["B", "é\ud83d"]),
        Edit("add", ("Resources", "C", "-"), {"Ref": "X"}),
        Edit("remove", ("Resources", "A", "Type")),
    )
    assert new == '{"Resources":{"A":{"DependsOn":["B","\\u00e9\\ud83d"]},"C":[{"Ref":"X"}]}}'


def test_json_that_is_all_spread_out() -> None:
    text = '{\n    "Resources": {\n        "A": {\n            "Ref": "B"\n        }\n    }\n}\n'
    new = edited(text, Edit("add", ("Resources", "C"), {"Ref": "D"}), Edit("add", ("E",), {}))
    assert new == text.replace(
        "        }\n    }\n}",
        '        },\n        "C": {\n            "Ref": "D"\n        }\n    },\n    "E": {}\n}',
    )


def test_a_text_that_would_mean_something_else_is_a_problem() -> None:
    long_key = "k" * 2000  # libyaml takes no key of more than 1024 characters
    source = parse(b"Resources:\n  A: 1\n", "t.yaml")
    with pytest.raises(SourceError) as caught:
        rewrite(source, [Edit("add", ("Resources", long_key), 1)])
    assert [problem.code for problem in caught.value.problems] == ["PI006"]
