"""The files of schema/ are what the script makes, and accept what the macro accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from golden_cases import EXPANDED, template
from macro.text.source import parse
from tools.schemas import SCHEMAS, settings_schema, shorthand_schema, written

ROOT = Path(__file__).parents[2]


def errors(document: Any, schema: Any) -> list[str]:
    validator = jsonschema.Draft7Validator(schema)
    return [error.json_path for error in validator.iter_errors(document)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_file_is_what_the_script_makes(name: str) -> None:
    assert (ROOT / "schema" / name).read_text("utf-8") == written(name), (
        "python -m tools.schemas schema makes it anew"
    )
    jsonschema.Draft7Validator.check_schema(SCHEMAS[name]())


def test_every_template_that_expands_is_valid() -> None:
    files = [*map(template, EXPANDED), *(ROOT / "examples").iterdir()]
    wrong = {
        file.parent.name: found
        for file in files
        if (found := errors(parse(file.read_bytes(), file.name).template, shorthand_schema()))
    }
    assert wrong == {}


TASK = (
    "Resources: {Task: {Type: AWS::ECS::TaskDefinition, Properties: {ContainerDefinitions: [%s]}}}"
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (TASK % "{PrivateImage: {Image: a/b, Secrt: c}}", True),
        (TASK % "{PrivateImage: {Secret: c}}", True),
        (TASK % "{PrivateImage: {Image: a/b, Grant: 7}}", True),
        (TASK % "{PrivateImage: {Image: a/b, Secret: c, Grant: false}}", False),
        ("Metadata: {PrivateImage: {Registry: {}}}", True),
        ("Metadata: {PrivateImage: {Registries: {quay.io: a}}}", False),
    ],
)
def test_a_mistake_is_found_and_its_neighbour_is_not(text: str, found: bool) -> None:
    import yaml

    assert bool(errors(yaml.safe_load(text), shorthand_schema())) == found


def test_settings_have_no_other_keys() -> None:
    assert errors({"ExecutionRole": {"Path": "/a/"}}, settings_schema()) == []
    assert errors({"ExecutionRole": {"Paht": "/a/"}}, settings_schema()) != []
