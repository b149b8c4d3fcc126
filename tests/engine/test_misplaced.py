"""Where PrivateImage is the author's own key, by the resource schemas that cfn-lint ships."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from macro.engine.expand import Context, expand
from macro.engine.shorthand.misplaced import _RUN_IMAGES, _free_maps
from macro.engine.template.document import Json

TYPES = sorted(
    kind
    for kind in PROVIDER_SCHEMA_MANAGER.get_resource_types("us-east-1")
    if kind.startswith(_RUN_IMAGES)
)


def schema_of(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    return schema


def resolved(schema: dict[str, Any], node: Any) -> dict[str, Any]:
    while isinstance(node, dict) and "$ref" in node:
        at: Any = schema
        for step in node["$ref"].removeprefix("#/").split("/"):
            at = at[step]
        node = at
    return node if isinstance(node, dict) else {}


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a type in any depth, with its schema."""
    for part in (schema, *schema.get("definitions", {}).values()):
        todo = [part]
        while todo:
            node = todo.pop()
            for name, value in node.get("properties", {}).items():
                yield name, resolved(schema, value)
                todo.append(value)
            todo += [node["items"]] if isinstance(node.get("items"), dict) else []
            for key in ("oneOf", "anyOf", "allOf"):
                todo += [one for one in node.get(key, ()) if isinstance(one, dict)]


def is_free(node: dict[str, Any]) -> bool:
    """Whether an object takes keys that its schema does not name."""
    kinds = node.get("type")
    is_object = kinds == "object" or (isinstance(kinds, list) and "object" in kinds)
    structured = {"properties", "oneOf", "anyOf", "allOf"} & node.keys()
    return is_object and not structured


@pytest.mark.parametrize("kind", TYPES)
def test_the_maps_of_authors_are_those_of_the_schemas(kind: str) -> None:
    found: dict[str, set[bool]] = {}
    for name, node in properties(schema_of(kind)):
        if "object" in str(node.get("type")) or "properties" in node:
            found.setdefault(name, set()).add(is_free(node))
    free = {name for name, kinds in found.items() if True in kinds}
    # An empty object is one alternative of a union, and no map.
    assert free - _free_maps(kind) <= {"Disabled", "None", "RetrievalConfig"}
    structured = {name for name, kinds in found.items() if kinds == {False}}
    assert structured & _free_maps(kind) == set()


def test_each_map_of_authors_is_one_somewhere() -> None:
    found = {name for kind in TYPES for name, node in properties(schema_of(kind)) if is_free(node)}
    assert {name for kind in TYPES for name in _free_maps(kind)} <= found


def test_each_type_with_containers_is_among_those_that_run_images() -> None:
    kinds = [
        kind
        for kind in PROVIDER_SCHEMA_MANAGER.get_resource_types("us-east-1")
        if kind.startswith(("AWS::Batch::", "AWS::CodeBuild::", "AWS::ECS::"))
    ]
    assert kinds
    assert all(kind.startswith(_RUN_IMAGES) for kind in kinds)


def problems(kind: str, properties: Json, **attributes: Json) -> list[str]:
    resource: Json = {"Type": kind, "Properties": properties, **attributes}
    template: Json = {"Transform": "PrivateImage", "Resources": {"Resource": resource}}
    return [
        "/".join(map(str, problem.path[2:]))
        for problem in expand(template, Context()).problems
        if problem.code == "PI105"
    ]


BLOCK: Json = {"Image": "quay.io/team/web:1", "Secret": "registry/quay"}
HERE: Json = {"PrivateImage": BLOCK}


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        ("AWS::ECS::Service", HERE, ["Properties/PrivateImage"]),
        ("AWS::ECS::TaskDefinitions", {"ContainerDefinitions": [HERE]}, None),
        ("AWS::Ecs::TaskDefinition", {"ContainerDefinitions": [HERE]}, None),
        ("aws::ecs::taskdefinition", {"ContainerDefinitions": [HERE]}, None),
        ("Acme::Ecs::TaskDefinition", {"ContainerDefinitions": [HERE]}, []),
        ("AWS::ECS::TaskDefinition", {"Volumes": [HERE]}, ["Properties/Volumes/0/PrivateImage"]),
        ("AWS::ECS::TaskDefinition", {"Tags": [{"Key": "PrivateImage", "Value": "x"}]}, []),
        ("AWS::ECS::TaskDefinition", {"ContainerDefinitions": [{"DockerLabels": HERE}]}, None),
        (
            "AWS::ECS::TaskDefinition",
            {"ContainerDefinitions": [{"Image": "x", "DockerLabels": {"PrivateImage": "x"}}]},
            [],
        ),
        (
            "AWS::ECS::TaskDefinition",
            {
                "ContainerDefinitions": [
                    {
                        "Image": "x",
                        "Environment": [
                            {"Name": "A", "Value": {"Fn::ToJsonString": {"PrivateImage": "x"}}},
                            {"Name": "B", "Value": {"Fn::Sub": ["${A}", {"PrivateImage": "x"}]}},
                        ],
                    }
                ]
            },
            [],
        ),
        ("AWS::ECS::TaskDefinition", {"ContainerDefinitions": {"Fn::ToJsonString": [HERE]}}, None),
        ("AWS::ECS::TaskDefinition", {"ContainerDefinitions": HERE}, None),
        ("AWS::ECS::TaskDefinition", {"ContainerDefinitions": [[HERE]]}, None),
        ("AWS::Batch::JobDefinition", {"Parameters": {"PrivateImage": "x"}}, []),
        ("AWS::Lambda::Function", {"Code": HERE}, ["Properties/Code/PrivateImage"]),
        ("AWS::Lambda::Function", {"Environment": {"Variables": {"PrivateImage": "x"}}}, []),
        ("AWS::SageMaker::Model", {"PrimaryContainer": HERE}, None),
        (
            "AWS::SageMaker::Model",
            {"PrimaryContainer": {"Image": "x", "Environment": {"PrivateImage": "x"}}},
            [],
        ),
        ("AWS::Serverless::Function", {"Events": {"PrivateImage": {"Type": "Api"}}}, []),
        ("AWS::Serverless::Function", HERE, ["Properties/PrivateImage"]),
        ("AWS::Serverless::Api", {"DefinitionBody": {"definitions": HERE}}, []),
        ("AWS::Serverless::Api", {"Models": HERE}, []),
        ("AWS::Serverless::Application", {"Parameters": {"PrivateImage": "x"}}, []),
        ("AWS::Glue::Job", {"DefaultArguments": {"PrivateImage": "x"}}, []),
        ("AWS::Glue::Job", HERE, ["Properties/PrivateImage"]),
        ("AWS::ApiGateway::RestApi", {"Body": {"components": {"schemas": HERE}}}, []),
        ("AWS::SSM::Document", {"Content": HERE}, []),
        ("AWS::Events::Rule", {"EventPattern": {"detail": {"PrivateImage": ["x"]}}}, []),
        ("AWS::CloudFormation::Stack", {"Parameters": {"PrivateImage": "x"}}, []),
        ("AWS::CloudFormation::CustomResource", HERE, []),
        ("Custom::Thing", HERE, []),
        ("Acme::Web::Service", HERE, []),
        ("Acme::Web::Service::MODULE", HERE, []),
        ("", {"ContainerDefinitions": [HERE]}, None),
        ("AWS::ECS::TaskDefinition", {"containerDefinitions": [HERE]}, None),
        ("AWS::ECS::TaskDefinition", {"containerDefinitions": '[{"PrivateImage": "x"}]'}, None),
        ("AWS::ECS::TaskDefinition", '{"ContainerDefinitions": [{"PrivateImage": "x"}]}', None),
        ("AWS::Batch::JobDefinition", {"ContainerProperties": '{"PrivateImage": "x"}'}, None),
        ("AWS::EC2::Instance", {"UserData": "PrivateImage: x"}, []),
        (
            "AWS::Batch::JobDefinition",
            {"ContainerProperties": {"Environment": [{"Name": "A", "Value": "PrivateImage: x"}]}},
            [],
        ),
    ],
)
def test_a_container_could_be_meant(
    kind: str, properties: Json, expected: list[str] | None
) -> None:
    """None: one problem, wherever it is."""
    found = problems(kind, properties)
    assert len(found) == 1 if expected is None else found == expected


@pytest.mark.parametrize("key", ["properties", "Propertys"])
def test_properties_under_another_name_are_searched(key: str) -> None:
    resource: Json = {"Type": "AWS::ECS::TaskDefinition", key: {"ContainerDefinitions": [HERE]}}
    found = expand({"Resources": {"Resource": resource}}).problems
    assert [(one.code, one.path[2]) for one in found] == [("PI105", key)]


@pytest.mark.parametrize("kind", ["AWS::SNS::Topic", "Custom::Thing", "AWS::ECS::TaskDefinition"])
def test_beside_the_type_it_has_no_effect(kind: str) -> None:
    assert problems(kind, {}, PrivateImage=BLOCK) == ["PrivateImage"]
    assert problems(kind, {}, Metadata={"PrivateImage": BLOCK}) == ["Metadata/PrivateImage"]
    assert problems(kind, {}, Metadata={"PrivateImage": "a note"}) == []


def test_a_template_of_its_own_calls_its_own_macro() -> None:
    inner: Json = {"Resources": {"Task": {"Properties": HERE}}}
    calling: Json = {"Transform": ["AWS::LanguageExtensions", "PrivateImage"], **inner}  # type: ignore[dict-item]
    kind = "AWS::CloudFormation::StackSet"
    assert len(problems(kind, {"TemplateBody": {"Fn::ToJsonString": inner}})) == 1
    assert problems(kind, {"TemplateBody": {"Fn::ToJsonString": calling}}) == []
