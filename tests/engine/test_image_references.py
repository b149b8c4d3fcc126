"""Image references are read as Docker reads them: github.com/distribution/reference."""

from __future__ import annotations

import pytest

from macro.engine.shorthand.image_reference import ImageReference, is_ecr, read_image_reference
from macro.engine.template.problems import InvalidValueError

SHA256 = f"sha256:{'0123456789abcdef' * 4}"


@pytest.mark.parametrize(
    ("image", "registry", "repository"),
    [
        ("nginx", "docker.io", "library/nginx"),
        ("acme/web", "docker.io", "acme/web"),
        ("docker.io/nginx", "docker.io", "library/nginx"),
        ("docker.io/acme/web", "docker.io", "acme/web"),
        ("index.docker.io/nginx", "docker.io", "library/nginx"),
        # Docker adds library/ to no other name of Docker Hub.
        ("registry-1.docker.io/nginx", "registry-1.docker.io", "nginx"),
        ("registry-1.docker.io/library/nginx", "registry-1.docker.io", "library/nginx"),
        ("quay.io/acme/web", "quay.io", "acme/web"),
        ("Registry.Example.COM/web", "registry.example.com", "web"),
        ("REGISTRY/web", "registry", "web"),
        ("registry/web", "docker.io", "registry/web"),
        ("localhost/web", "localhost", "web"),
        ("registry:5000/web", "registry:5000", "web"),
        ("10.0.0.1:5000/team/web", "10.0.0.1:5000", "team/web"),
        ("[2001:db8::1]:5000/web", "[2001:db8::1]:5000", "web"),
        ("quay.io/a/b/c/d__e.f--g", "quay.io", "a/b/c/d__e.f--g"),
    ],
)
def test_registry_and_repository(image: str, registry: str, repository: str) -> None:
    assert read_image_reference(image) == ImageReference(registry, repository)
    assert read_image_reference(f"{image}:1.4") == ImageReference(registry, repository, "1.4")


def test_a_tag_and_a_digest_are_both_read() -> None:
    assert read_image_reference(f"quay.io/web:1@{SHA256}") == ImageReference(
        "quay.io", "web", "1", SHA256
    )
    assert read_image_reference(f"web@{SHA256}") == ImageReference(
        "docker.io", "library/web", None, SHA256
    )


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("", "The image reference is empty"),
        ("quay.io/web :1", "has a space in it"),
        ("quay.io/web\n", "has a space in it"),
        ("https://quay.io/web", "must not have a scheme"),
        ("quay.io/web:1:2", "two tags"),
        ("quay.io/web:1:latest", "two tags"),
        (f"quay.io/web@{SHA256}:1", "A tag follows the digest"),
        ("quay.io/web:", "A tag has"),
        ("quay.io/web:-1", "A tag has"),
        (f"quay.io/web:{'1' * 129}", "A tag has"),
        ("quay.io/web@", "not a digest"),
        ("quay.io/web@sha256:abc", "not a digest"),
        (f"quay.io/web@{SHA256}0", "not a digest"),
        (f"quay.io/web@{SHA256.upper()}", "not a digest"),
        (f"quay.io/web@md5:{'0' * 32}", "not a digest"),
        ("quay.io/Acme/web", "The repository must be in lower case"),
        ("Nginx", "The repository must be in lower case"),
        ("quay.io/", "not an image reference"),
        ("quay.io//web", "not an image reference"),
        ("quay.io/web_", "not an image reference"),
        ("quay.io/we___b", "not an image reference"),
        (f"quay.io/{'w' * 256}", "not an image reference"),
        ("0" * 64, "the id of an image"),
        ("-quay.io/web", "not a valid host name"),
        ("my_registry:5000/web", "not a valid host name"),
        ("quay.io:port/web", "not a valid host name"),
        ("hub.docker.com/r/acme/web", "the website of Docker Hub"),
    ],
)
def test_what_docker_refuses_is_invalid(image: str, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message) as found:
        read_image_reference(image)
    assert found.value.code == "PI202"


@pytest.mark.parametrize(
    "host",
    [
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
        "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn",
        "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com",
        "111122223333.dkr-ecr.eu-west-1.on.aws",
        "PUBLIC.ECR.aws",
        "public.ecr.aws",
        "ecr-public.aws.com",
    ],
)
def test_hosts_of_ecr(host: str) -> None:
    assert is_ecr(host)
    assert read_image_reference(f"{host}/acme/web").in_ecr


@pytest.mark.parametrize("host", ["quay.io", "public.ecr.example.com", "dkr.example.com", "ecr"])
def test_hosts_that_are_not_of_ecr(host: str) -> None:
    assert not is_ecr(host)
