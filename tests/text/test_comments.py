"""Comments stay on what they are about: on the image or its credentials, never on the next key."""

from __future__ import annotations

import pytest

from edited_text import CONTAINER, containers, edited, expansion
from macro.engine.template.document import Json, Path
from macro.engine.template.edits import Edit

BLOCK: Path = (*CONTAINER, "PrivateImage")
NO_VALUE: Json = {"Ref": "AWS::NoValue"}

# The shorthand, and what becomes of it: the key behind it has no comment, before and after.
KEPT = {
    "behind the last key": (
        """\
              Image: a
              Secret: b
              Grant: false  # by hand
        """,
        """\
            Image: a
            # by hand
            RepositoryCredentials:
              CredentialsParameter: b
        """,
    ),
    "above the last key": (
        """\
              Image: a
              Secret: b  # b
              # by hand

              # really
              Grant: false
        """,
        """\
            Image: a
            # by hand
            # really
            RepositoryCredentials:
              CredentialsParameter: b  # b
        """,
    ),
    "above the last key, and the image behind the secret": (
        """\
              Secret: b
              Image: a
              Grant: false  # by hand
        """,
        """\
            # by hand
            Image: a
            RepositoryCredentials:
              CredentialsParameter: b
        """,
    ),
    "below the last key": (
        """\
              Image: a
              Secret: b
              # no more
        """,
        """\
            Image: a
            RepositoryCredentials:
              CredentialsParameter: b
              # no more
        """,
    ),
}


@pytest.mark.parametrize(("before", "after"), KEPT.values(), ids=KEPT)
@pytest.mark.parametrize("rest", ["Memory: 1", "# of the memory\n            Memory: 1"])
def test_a_comment_on_the_last_key_stays_with_the_image_or_its_credentials(
    before: str, after: str, rest: str
) -> None:
    head, tail = "          - Name: web\n", f"            {rest}\n"
    old = f"{head}            PrivateImage:\n{before.rstrip(' ')}{tail}"
    assert edited(containers(old), *expansion()) == containers(head + after.rstrip(" ") + tail)


@pytest.mark.parametrize("blank", ["", "\n"])
def test_a_comment_below_what_comes_to_be_one_line_goes_above_it(blank: str) -> None:
    old = containers(
        f"""\
          - PrivateImage:
              Image: a
              Grant: false  # by hand
{blank}\
              # no more
            Name: web
        """
    )
    edits = [Edit("move", (*CONTAINER, "Image"), source=(*BLOCK, "Image")), Edit("remove", BLOCK)]
    assert edited(old, *edits) == containers(
        """\
          # by hand
          # no more
          - Image: a
            Name: web
        """
    )


def test_comments_below_the_block_are_indented_as_what_it_becomes() -> None:
    old = containers(
        """\
          - Name: web
            Limits:
              Cpu: 1
            PrivateImage:
                Image: a
                Secret: |-
                    b
                  # deep

                # no more
            Memory: 1
        """
    )
    assert edited(old, *expansion()) == containers(
        """\
          - Name: web
            Limits:
              Cpu: 1
            Image: a
            RepositoryCredentials:
              CredentialsParameter: |-
                  b
                # deep
              # no more
            Memory: 1
        """
    )


def test_a_comment_within_a_value_moves_with_it() -> None:
    old = containers(
        """\
          - PrivateImage:
              Image: !Join
              - ''
              - - a
                # more
                # parts
              # of the secret
              Secret: b

                # of b
            Name: web
        """
    )
    assert edited(old, *expansion()) == containers(
        """\
          - Image: !Join
            - ''
            - - a
              # more
              # parts
            RepositoryCredentials:
              # of the secret
              CredentialsParameter: b

                # of b
            Name: web
        """
    )


def test_a_comment_as_far_out_as_the_next_key_is_of_that() -> None:
    old = containers(
        """\
          - PrivateImage:
              Image: a
            # of the name
            Name: web
        """
    )
    edits = [Edit("move", (*CONTAINER, "Image"), source=(*BLOCK, "Image")), Edit("remove", BLOCK)]
    assert edited(old, *edits) == containers(
        """\
          - Image: a
            # of the name
            Name: web
        """
    )


def test_a_comment_on_a_sibling_of_the_credentials_is_on_the_credentials() -> None:
    old = "Resources:\n  B:\n    PrivateImage:\n      Image: a\n      Secret: b\n      # both\n"
    at: Path = ("Resources", "B")
    edits = [
        *expansion(at)[:-1],
        Edit("add", (*at, "ImagePullCredentialsType"), "SERVICE_ROLE"),
        Edit("remove", (*at, "PrivateImage")),
    ]
    assert edited(f"{old}    Type: T\n", *edits) == (
        "Resources:\n  B:\n    Image: a\n    # both\n    RepositoryCredentials:\n"
        "      CredentialsParameter: b\n    ImagePullCredentialsType: SERVICE_ROLE\n    Type: T\n"
    )


def test_a_comment_on_the_shorthand_as_a_whole_is_above_all_that_it_becomes() -> None:
    old = containers(
        """\
          - Name: web
            PrivateImage:  # ours
              # of the secret
              Secret: b
              Image: a
          - PrivateImage: {Secret: b, Image: a}  # ours, too
        """
    )
    assert edited(old, *expansion(), *expansion((*CONTAINER[:-1], 1))) == containers(
        """\
          - Name: web
            # ours
            Image: a
            RepositoryCredentials:
              # of the secret
              CredentialsParameter: b
          # ours, too
          - Image: a
            RepositoryCredentials:
              CredentialsParameter: b
        """
    )


def test_a_comment_in_flow_style_stays_behind_what_comes_instead() -> None:
    old = containers(
        """\
          - {
              Name: web,
              PrivateImage: {Image: a, Secret: b},  # ours
              Memory: 1  # small
            }
        """
    )
    assert edited(old, *expansion()) == containers(
        """\
          - {
              Name: web,
              Image: a, RepositoryCredentials: {CredentialsParameter: b},  # ours
              Memory: 1  # small
            }
        """.replace("Image: a, Rep", "Image: a,\n              Rep")
    )


def test_a_comment_on_a_call_that_goes_is_not_on_a_section_that_comes_there() -> None:
    text = "Transform: P  # ours\n# all\nResources: {}\n"
    edits = [Edit("add", ("Conditions",), {"C": True}, after="Transform")]
    new = edited(text, *edits, Edit("remove", ("Transform",)))
    assert new == "Conditions:\n  C: true\n# all\nResources: {}\n"


GONE: Path = ("Resources", "A", "B")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    B: 1  # b\n    # c\n    C: 1\n", "    # c\n    C: 1\n"),
        ("    B:  # b\n      - 1\n      # b\n    # c\n    C: 1\n", "    # c\n    C: 1\n"),
        ("    B:\n      D: 1\n\n      # b\n\n    # c\n    C: 1\n", "\n    # c\n    C: 1\n"),
        ("    # b?\n    B: 1\n    C: 1\n", "    # b?\n    C: 1\n"),
        ("    C: {D: 1}  # c\n    B: 1  # b\n", "    C: {D: 1}  # c\n"),
        ("    C: 1\n    # c\n    B: 1\n      # b\n", "    C: 1\n    # c\n"),
    ],
)
def test_what_is_removed_takes_the_comments_on_it_and_in_it(before: str, after: str) -> None:
    head = "Resources:\n  A:\n"
    assert edited(head + before, Edit("remove", GONE)) == head + after


def test_a_comment_on_the_next_key_stays_when_the_first_key_of_an_item_goes() -> None:
    old = containers(
        """\
          - PrivateImage: 1  # gone
            # of the name
            Name: web
        """
    )
    assert edited(old, Edit("remove", BLOCK)) == containers(
        """\
          # of the name
          - Name: web
        """
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{B: 1, C: 2}", "{C: 2}"),
        ("{C: 2, B: 1}", "{C: 2}"),
        ("{C: 2, B: 1,}", "{C: 2,}"),
        ("{C: 2  # c\n  , B: 1}", "{C: 2  # c\n  }"),
        ("{\n      B: 1,  # b\n      # c\n      C: 2\n    }", "{\n      # c\n      C: 2\n    }"),
        ("{\n      C: 2,  # c\n      B: 1  # b\n    }", "{\n      C: 2  # c\n    }"),
        ("{C: 2,  # c\n     B: 1}", "{C: 2  # c\n     }"),
        ("{\n      C: 2,\n      # b?\n      B: 1\n    }", "{\n      C: 2\n      # b?\n    }"),
    ],
)
def test_what_is_removed_in_flow_style_takes_its_comma_and_comments(
    before: str, after: str
) -> None:
    head = "Resources:\n  A: "
    assert edited(f"{head}{before}\n", Edit("remove", GONE)) == f"{head}{after}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[a]", "[a, x]"),
        ("[a , b]", "[a , b , x]"),
        ("[a, b, ]", "[a, b, x, ]"),
        ("[\n    a,\n    b\n  ]", "[\n    a,\n    b,\n    x\n  ]"),
        ("[\n    a,  # a\n    b  # b\n  ]", "[\n    a,  # a\n    b,  # b\n    x\n  ]"),
        ("[\n    a,\n    # more?\n  ]", "[\n    a,\n    # more?\n    x,\n  ]"),
    ],
)
def test_an_item_comes_behind_the_last_one_in_flow_style(before: str, after: str) -> None:
    text = f"Resources:\n  A: {before}\n"
    assert edited(text, Edit("add", ("Resources", "A", "-"), "x")) == text.replace(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{A: 1, B: 2}", "{A: 1, X: 3, B: 2}"),
        ("{A: 1,  # a\n    B: 2}", "{A: 1,  # a\n    X: 3,\n    B: 2}"),
        ("{A: 1  # a\n    , B: 2}", "{A: 1  # a\n    , X: 3, B: 2}"),
    ],
)
def test_a_key_comes_behind_another_in_flow_style(before: str, after: str) -> None:
    text = f"Resources:\n  R: {before}\n"
    new = edited(text, Edit("add", ("Resources", "R", "X"), 3, after="A"))
    assert new == text.replace(before, after)


# The secret of a shorthand, and the credentials that come of it.
CHOICES = {
    "the condition's comment stays on the condition": (
        """\
              Secret: !If
                - C   # in production
                - b
                - !Ref AWS::NoValue
        """,
        """\
            RepositoryCredentials: !If
              - C   # in production
              - CredentialsParameter: b
              - !Ref AWS::NoValue
        """,
    ),
    "comments in every place": (
        """\
              Secret: !If  # which
                # in production
                - C
                # the login
                - b  # b
                # none
                - !Ref 'AWS::NoValue'  # public
        """,
        """\
            RepositoryCredentials: !If
              # which
              # in production
              - C
              # the login
              - CredentialsParameter: b  # b
              # none
              - !Ref 'AWS::NoValue'  # public
        """,
    ),
    "the function in full": (
        """\
              Secret:
                Fn::If:
                  - "C"
                  - b
                  - Ref: 'AWS::NoValue'   # public
        """,
        """\
            RepositoryCredentials:
              Fn::If:
                - "C"
                - CredentialsParameter: b
                - Ref: 'AWS::NoValue'   # public
        """,
    ),
    "the function in full, quoted, in one line": (
        """\
              Secret: {'Fn::If': ['C', b, {Ref: AWS::NoValue}]}
        """,
        """\
            RepositoryCredentials:
              'Fn::If':
                - 'C'
                - CredentialsParameter: b
                - {Ref: AWS::NoValue}
        """,
    ),
    "in one line": (
        """\
              Secret: !If [C, b, !Ref "AWS::NoValue"]  # if
        """,
        """\
            # if
            RepositoryCredentials: !If
              - C
              - CredentialsParameter: b
              - !Ref "AWS::NoValue"
        """,
    ),
}


@pytest.mark.parametrize(("secret", "credentials"), CHOICES.values(), ids=CHOICES)
def test_what_comes_instead_of_a_choice_keeps_the_authors_words(
    secret: str, credentials: str
) -> None:
    head, tail = "          - Name: web\n", "            Role: !Ref R\n"
    old = f"{head}            PrivateImage:\n              Image: a\n{secret.rstrip(' ')}{tail}"
    target: Path = (*CONTAINER, "RepositoryCredentials")
    at = ("Fn::If", 1)
    edits = [
        Edit("move", (*CONTAINER, "Image"), source=(*BLOCK, "Image")),
        Edit("add", target, {"Fn::If": ["C", {}, NO_VALUE]}),
        Edit("move", (*target, *at, "CredentialsParameter"), source=(*BLOCK, "Secret", *at)),
        Edit("remove", BLOCK),
    ]
    new = f"{head}            Image: a\n{credentials.rstrip(' ')}{tail}"
    assert edited(containers(old), *edits) == containers(new)


def test_a_choice_within_a_choice_keeps_the_authors_words() -> None:
    old = containers(
        """\
          - PrivateImage:
              Image: a
              Secret:
                Fn::If:
                  - C  # c
                  - !If
                    - D  # d
                    - !Ref 'AWS::NoValue'  # not d
                    - b  # b
                  - e  # e
        """
    )
    target: Path = (*CONTAINER, "RepositoryCredentials")
    inner, outer = ("Fn::If", 1, "Fn::If", 2), ("Fn::If", 2)
    choice: Json = {"Fn::If": ["C", {"Fn::If": ["D", NO_VALUE, {}]}, {}]}
    edits = [
        Edit("move", (*CONTAINER, "Image"), source=(*BLOCK, "Image")),
        Edit("add", target, choice),
        Edit("move", (*target, *outer, "Parameter"), source=(*BLOCK, "Secret", *outer)),
        Edit("move", (*target, *inner, "Parameter"), source=(*BLOCK, "Secret", *inner)),
        Edit("remove", BLOCK),
    ]
    assert edited(old, *edits) == containers(
        """\
          - Image: a
            RepositoryCredentials:
              Fn::If:
                - C  # c
                - !If
                  - D  # d
                  - !Ref 'AWS::NoValue'  # not d
                  - Parameter: b  # b
                - Parameter: e  # e
        """
    )


def test_a_new_choice_beside_one_that_stays_is_written_in_the_texts_style() -> None:
    text = "Resources:\n  A:\n    Fn::If: [C, x, !Ref 'AWS::NoValue']  # stays\n"
    new: Json = {"Fn::If": ["C", {"D": 1}, NO_VALUE]}
    moved = edited(
        text,
        Edit("add", ("Resources", "B"), new),
        Edit("move", ("Resources", "B", "Fn::If", 1, "E"), source=("Resources", "A", "Fn::If", 1)),
    )
    assert moved == (
        "Resources:\n  A:\n    Fn::If: [C, !Ref 'AWS::NoValue']  # stays\n"
        "  B: !If\n    - C\n    - D: 1\n      E: x\n    - !Ref AWS::NoValue\n"
    )
