"""What is near to PrivateImage, and what is not."""

from __future__ import annotations

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from macro.engine.shorthand.macro_calls import is_misspelt
from macro.engine.shorthand.places import PLACES
from macro.engine.shorthand.spelling import is_near_name


@pytest.mark.parametrize(
    "word",
    """PrivatImage PrivateImge Private-Image privateImage privateimage PRIVATE_IMAGE PrivateImages
    PirvateImage PrivateIamge PivateImage PrivateImag PrivateImg PrivImage
    ImagePrivate Private.Image PrvateImage""".split(),
)
def test_words_that_were_meant_to_be_the_name(word: str) -> None:
    assert is_near_name(word)
    assert is_misspelt(word)


def test_words_with_spaces_are_near_too() -> None:
    assert is_near_name("Private Image")
    assert is_near_name("PrivateImage ")


def test_the_name_itself_is_not_near() -> None:
    assert not is_near_name("PrivateImage")


@pytest.mark.parametrize("kind", sorted({place.resource_type for place in PLACES}))
def test_no_property_of_a_type_with_containers_is_near(kind: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    names = {
        name
        for part in (schema, *schema.get("definitions", {}).values())
        for name in part.get("properties", {})
    }
    assert names
    assert [name for name in names if is_near_name(name)] == []


@pytest.mark.parametrize("name", ["PrivateImage2", "PrivateImageV2", "PrivateImage-canary"])
def test_a_name_made_from_the_macros_is_one_of_its_own(name: str) -> None:
    assert not is_misspelt(name)
