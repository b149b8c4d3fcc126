"""The name of the macro is a parameter of its deployment."""

from __future__ import annotations

import pytest

from macro.engine.expand import Context, Expansion, expand
from macro.engine.template.document import Json, get
from macro.engine.template.edits import apply

BLOCK: Json = {"Image": "quay.io/team/web:1", "Secret": "registry/quay"}


def template(transform: Json, container: dict[str, Json] | None = None) -> dict[str, Json]:
    resources: Json = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
        "Task": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                "ContainerDefinitions": [container or {"PrivateImage": BLOCK}],
            },
        },
    }
    return (
        {"Resources": resources}
        if transform is None
        else {
            "Transform": transform,
            "Resources": resources,
        }
    )


def codes(expansion: Expansion) -> list[str]:
    return [one.code for one in (*expansion.problems, *expansion.warnings)]


@pytest.mark.parametrize(
    ("transform", "name", "left", "expected"),
    [
        ("PrivateImage", None, None, []),
        ("Beta", "Beta", None, []),
        ({"Name": "Beta"}, "Beta", None, []),
        (["AWS::Serverless-2016-10-31", "Beta"], "Beta", "AWS::Serverless-2016-10-31", []),
        # The name that the macro has of itself is its own whatever it is registered as.
        ("PrivateImage", "Beta", None, []),
        ("Beta", None, None, ["PI911"]),
        ("privateimage", "privateimage", None, []),
        (["Sidecars", "Beta"], "Beta", "Sidecars", []),
        (["Sidecars", "Beta"], None, ["Sidecars", "Beta"], ["PI902"]),
        ("Sidecars", "Beta", "Sidecars", ["PI902"]),
        ("AWS::LanguageExtensions", None, "AWS::LanguageExtensions", ["PI902"]),
        (None, "Beta", None, ["PI902"]),
    ],
)
def test_calls_of_the_macro_are_taken_out(
    transform: Json, name: str | None, left: Json, expected: list[str]
) -> None:
    given = template(transform)
    expansion = expand(given, Context(macro_name=name))
    assert codes(expansion) == expected
    assert get(apply(given, expansion.edits), "Transform") == left


@pytest.mark.parametrize("name", ["PrivatImage", "privateImage", "Private-Image"])
def test_a_name_that_is_nearly_the_macros_is_a_problem(name: str) -> None:
    assert codes(expand(template(name))) == ["PI111"]
    assert codes(expand(template([name, "PrivateImage"]))) == ["PI111"]


@pytest.mark.parametrize("transform", ["PrivatImage", "Sidecars", "AWS::Serverless-2016-10-31"])
def test_a_template_without_shorthand_is_left_alone(transform: str) -> None:
    given = template(transform, {"Image": "nginx"})
    assert expand(given) == Expansion()


def container(call: Json, block: bool) -> dict[str, Json]:
    return {"Fn::Transform": call, **({"PrivateImage": BLOCK} if block else {})}


@pytest.mark.parametrize("name", [None, "Beta"])
def test_a_call_on_a_container_grants_nothing(name: str | None) -> None:
    whole: Json = {"Name": "Beta", "Parameters": {**BLOCK, "Grant": False}}  # type: ignore[dict-item]
    beside: Json = {"Name": "Beta", "Parameters": {"Grant": False}}
    for one in (container(whole, block=False), container(beside, block=True)):
        expansion = expand(template(None, one), Context(macro_name=name))
        assert expansion.grants == ()
        assert expansion.containers
        assert codes(expansion) == ([] if name else ["PI911"])


@pytest.mark.parametrize("name", [None, "Beta"])
def test_a_call_on_a_container_needs_grant_false(name: str | None) -> None:
    given = template(None, container({"Name": "Beta"}, block=True))
    assert "PI109" in codes(expand(given, Context(macro_name=name)))


def test_a_call_of_another_macro_beside_a_block_is_its_own() -> None:
    given = template("PrivateImage", container({"Name": "Sidecars"}, block=True))
    expansion = expand(given)
    assert codes(expansion) == []
    assert len(expansion.grants) == 1
    task = get(apply(given, expansion.edits), "Resources", "Task", "Properties")
    assert get(task, "ContainerDefinitions") == [
        {
            "Fn::Transform": {"Name": "Sidecars"},
            "Image": "quay.io/team/web:1",
            "RepositoryCredentials": {
                "CredentialsParameter": {
                    "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}"
                    ":${AWS::AccountId}:secret:registry/quay"
                }
            },
        }
    ]


def test_an_include_on_a_container_is_not_the_macro() -> None:
    include: Json = {"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/key"}}
    assert expand(template(None, container(include, block=False))) == Expansion()
