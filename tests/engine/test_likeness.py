"""Whether two texts with unknown parts may come out equal."""

from __future__ import annotations

import pytest

from macro.engine.template.document import Json
from macro.engine.template.intrinsics import parse_text
from macro.engine.template.likeness import may_be_equal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("registry/web", "registry/web"),
        ("prod/registry", {"Fn::Sub": "${Stage}/registry"}),
        ("registry", {"Fn::Sub": "registry${Suffix}"}),
        ("registry/web", {"Ref": "Name"}),
        ("a/prod/b/web/c", {"Fn::Sub": "a/${Stage}/b/${Name}/c"}),
        ("registry-111122223333", {"Fn::Sub": "registry-${AWS::AccountId}"}),
        ({"Fn::Sub": "${Stage}/registry"}, {"Fn::Sub": "prod/${Name}"}),
        ({"Fn::Sub": "${Stage}/registry"}, {"Fn::Sub": "${Other}/registry"}),
        ({"Fn::Sub": "${Stage}/${Name}"}, {"Fn::Sub": "${Stage}/web"}),
        ("", {"Ref": "Name"}),
    ],
)
def test_may_be_equal(one: Json, other: Json) -> None:
    assert may_be_equal(parse_text(one), parse_text(other))
    assert may_be_equal(parse_text(other), parse_text(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("registry/web", "registry/api"),
        ("registry/web", {"Fn::Sub": "${Stage}/registry"}),
        ("aba", {"Fn::Sub": "ab${Middle}ba"}),
        ("a/prod/web/c", {"Fn::Sub": "a/${Stage}/b/${Name}/c"}),
        ("registry-web", {"Fn::Sub": "registry-${AWS::AccountId}"}),
        ("registry/web", {"Ref": "AWS::StackName"}),
        ({"Fn::Sub": "${Stage}/registry"}, {"Fn::Sub": "${Stage}/other"}),
        ({"Fn::Sub": "${Stage}-registry"}, {"Fn::Sub": "${Stage}-app-registry"}),
        ({"Fn::Sub": "dev/${Name}"}, {"Fn::Sub": "prod/${Other}"}),
        ("", {"Fn::Sub": "${Name}/web"}),
    ],
)
def test_are_surely_different(one: Json, other: Json) -> None:
    assert not may_be_equal(parse_text(one), parse_text(other))
    assert not may_be_equal(parse_text(other), parse_text(one))
