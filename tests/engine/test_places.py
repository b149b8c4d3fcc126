"""The table of places, held to the resource schemas that cfn-lint ships for every Region."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cfnlint
import pytest

from macro.engine.shorthand.places import PLACES, Place

Schema = dict[str, Any]
Steps = tuple[str, ...]

SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas"

# A property with such a name is what a registry's credentials look like.
CREDENTIALS = re.compile(r"(Regist|Repositor|Image).*(Credential|Auth|Secret)|CredentialsParameter")

# What has such a name and takes no registry's credentials from a secret: resource type and path as
# regular expressions, and why.
OTHERS = {
    "AWS::Batch::JobDefinition .*/PodProperties/ImagePullSecrets": (
        "names secrets of Kubernetes, which Secrets Manager does not hold"
    ),
    "AWS::CodeBuild::Project Environment/ImagePullCredentialsType": (
        "stands beside the credentials; the row writes it"
    ),
    "AWS::ECS::TaskDefinition .*/FSxWindowsFileServerVolumeConfiguration/AuthorizationConfig/"
    "CredentialsParameter": "is the login to an Active Directory domain",
    "AWS::GammaDilithium::JobDefinition .*": (
        "is a copy of AWS::Batch::JobDefinition without public documentation; it is in the schemas "
        "of ap-southeast-1, ap-southeast-4, us-gov-east-1, us-gov-west-1 and us-west-1 alone"
    ),
    "AWS::SageMaker::Model .*/ImageConfig/RepositoryAuthConfig": (
        "names a Lambda function that gives the credentials"
    ),
    "AWS::SageMaker::Model .*/RepositoryAuthConfig/RepositoryCredentialsProviderArn": (
        "is the ARN of that function"
    ),
}

FIX = (
    "If it takes the secret of a registry for an image, give it a row in macro/containers.py, a "
    "golden case in tests/cases and a line in the table of docs/reference.md. If it does not, say "
    "why in OTHERS in tests/test_containers.py."
)

ids = [f"{place.resource_type}-{'.'.join((*place.owner, *place.container))}" for place in PLACES]


@cache
def schemas() -> dict[str, list[Schema]]:
    """Each resource type's schemas: one for all Regions, or several where Regions differ."""
    digests = {
        (resource_type, digest)
        for region in (SCHEMAS / "providers").glob("*.json")
        for resource_type, digest in json.loads(region.read_text("utf-8")).items()
    }
    found: dict[str, list[Schema]] = {}
    for resource_type, digest in sorted(digests):
        text = (SCHEMAS / "resources" / f"{digest}.json").read_text("utf-8")
        found.setdefault(resource_type, []).append(json.loads(text))
    return found


def resolved(schema: Schema, node: Schema) -> Schema:
    """The node with its `$ref` followed to the end."""
    while "$ref" in node:
        target = schema
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def properties(schema: Schema) -> Iterator[tuple[Steps, Schema]]:
    """Every property that a template may set, at any depth; "*" is an item or a free key."""
    read_only = {
        tuple(pointer.removeprefix("/properties/").split("/"))
        for pointer in schema.get("readOnlyProperties", ())
    }

    def below(node: Schema, path: Steps, passed: frozenset[str]) -> Iterator[tuple[Steps, Schema]]:
        if "$ref" in node:
            if node["$ref"] in passed:  # a definition that holds itself
                return
            passed |= {node["$ref"]}
            node = resolved(schema, node)
        for name, child in node.get("properties", {}).items():
            if (*path, name) not in read_only:
                yield (*path, name), resolved(schema, child)
                yield from below(child, (*path, name), passed)
        inner = [node.get("items"), node.get("additionalProperties")]
        for child in (*inner, *node.get("patternProperties", {}).values()):
            if isinstance(child, dict):
                yield from below(child, (*path, "*"), passed)
        for word in ("allOf", "anyOf", "oneOf"):
            for child in node.get(word, ()):
                if isinstance(child, dict):
                    yield from below(child, path, passed)

    return below(schema, (), frozenset())


@cache
def places(resource_type: str) -> list[dict[Steps, Schema]]:
    """The properties of each schema of a resource type, by their paths."""
    return [dict(properties(schema)) for schema in schemas()[resource_type]]


def known(resource_type: str) -> set[Steps]:
    """Where the table's rows put credentials into a resource of this type."""
    found = set()
    for place in PLACES:
        if place.resource_type == resource_type:
            at = (*place.owner, *place.container, place.credentials.key)
            found |= {at, (*at, place.credentials.parameter)}
    return found


def test_every_property_for_the_credentials_of_a_registry_is_a_row_of_the_table() -> None:
    unknown = [
        f"{resource_type} {'/'.join(path)}"
        for resource_type in schemas()
        for paths in places(resource_type)
        for path in paths.keys() - known(resource_type)
        if CREDENTIALS.search(path[-1])
    ]
    unexplained = sorted(
        {name for name in unknown if not any(re.fullmatch(other, name) for other in OTHERS)}
    )
    assert not unexplained, f"In cfn-lint's schemas, but not known here: {unexplained}. {FIX}"


@pytest.mark.parametrize("place", PLACES, ids=ids)
def test_every_row_stands_in_the_schemas(place: Place) -> None:
    container = (*place.owner, *place.container)
    credentials = (*container, place.credentials.key)
    expected = [
        (*container, "Image"),
        (*credentials, place.credentials.parameter),
        (*place.owner, place.execution_role),
        *((*credentials, name) for name, _ in place.credentials.constants),
        *((*container, name) for name, _ in place.credentials.siblings),
    ]
    if place.task_role:
        expected.append((*place.owner, place.task_role))
    for paths in places(place.resource_type):
        assert [path for path in expected if path not in paths] == []


@pytest.mark.parametrize("place", PLACES, ids=ids)
def test_what_a_row_writes_beside_the_secret_is_what_the_service_expects(place: Place) -> None:
    credentials = (*place.owner, *place.container, place.credentials.key)
    for paths in places(place.resource_type):
        beside = {credentials[:-1]: place.credentials.siblings}
        for at, constants in {**beside, credentials: place.credentials.constants}.items():
            for name, value in constants:
                assert value in paths[(*at, name)].get("enum", [value])
        written = {place.credentials.parameter, *(name for name, _ in place.credentials.constants)}
        assert set(paths[credentials].get("required", ())) <= written


@pytest.mark.parametrize("place", PLACES, ids=ids)
def test_a_row_without_a_task_role_has_none_in_the_schema(place: Place) -> None:
    roles = {"TaskRoleArn", "JobRoleArn"}
    for paths in places(place.resource_type):
        there = {path[-1] for path in paths if path[:-1] == place.owner} & roles
        assert there == ({place.task_role} if place.task_role else set())


@pytest.mark.parametrize("place", PLACES, ids=ids)
def test_a_row_steps_into_every_item_of_a_list_and_of_nothing_else(place: Place) -> None:
    steps = (*place.owner, *place.container)
    for paths in places(place.resource_type):
        for index, step in enumerate(steps):
            if step != "*":
                is_list = paths[steps[: index + 1]].get("type") == "array"
                assert is_list == (steps[index + 1 : index + 2] == ("*",))


@pytest.mark.parametrize("place", [place for place in PLACES if place.sign])
def test_a_sign_is_a_key_that_this_container_has_and_no_other(place: Place) -> None:
    for other in PLACES:
        sign = (*other.owner, *other.container, place.sign)
        assert {sign in paths for paths in places(other.resource_type)} == {other is place}


def test_containers_that_take_credentials_in_another_shape_have_a_sign() -> None:
    shapes = {place.credentials for place in PLACES if place.sign is None}
    assert shapes == {PLACES[0].credentials}
