"""An image reference, such as registry.example.com/team/web:1.4, taken apart as Docker does.

Sources: https://github.com/distribution/reference (normalize.go, regexp.go, reference.go) and
https://github.com/opencontainers/go-digest (digest.go).
"""

from __future__ import annotations

import re

from macro.engine.template.problems import InvalidValueError
from macro.engine.template.records import NamedTuple

DOCKER_HUB = "docker.io"

# Other names of Docker Hub. What serves images is registry-1; index was the first of them, and is
# the only one that Docker takes for docker.io. People name the last one, which is a website.
DOCKER_HUB_NAMES = frozenset(
    {
        DOCKER_HUB,
        "index.docker.io",
        "registry-1.docker.io",
        "registry.hub.docker.com",
        "hub.docker.com",
    }
)

_WEBSITE = "hub.docker.com"

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REPOSITORY = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = "sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}"
_LONGEST_REPOSITORY = 255
_IMAGE_ID = "[0-9a-f]{64}"

# As splitDockerDomain in distribution/reference: what is before the first slash is a host where it
# has a dot, a colon or a capital in it, or is localhost.
_HOST_FIRST = "[^/.:A-Z]*[.:A-Z][^/]*/|localhost/"
_REFERENCE = re.compile(
    rf"(?!{_IMAGE_ID}$)(?:(?={_HOST_FIRST})({_HOST})/|(?!{_HOST_FIRST}))"
    rf"({_REPOSITORY})(?::({_TAG}))?(?:@({_DIGEST}))?"
)

_FIX = "Write registry/repository:tag or registry/repository@digest."

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html, with FIPS and dual-stack.
_ECR = r".*\.dkr[.-]ecr(-fips)?\..*|public\.ecr\.aws|ecr-public\..*"


class ImageReference(NamedTuple):
    """An image: `registry` is the host as images name it, in lower case (Docker Hub: docker.io).

    `repository` is the path there, on Docker Hub with `library/` where Docker adds it. `tag` and
    `digest` are None where the reference has none; with both, Docker pulls by the digest.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def in_ecr(self) -> bool:
        """Whether Amazon ECR, private or public, has the image."""
        return is_ecr(self.registry)


def read_image_reference(image: str) -> ImageReference:
    """The parts of an image reference.

    Raises `InvalidValueError` (PI202) for what Docker refuses to pull whatever the registry has.
    """
    found = _REFERENCE.fullmatch(image)
    if found is None:
        raise _flaw(image)
    host, repository, tag, digest = found.groups()
    if len(repository) > _LONGEST_REPOSITORY or (host and host.lower() == _WEBSITE):
        raise _flaw(image)
    if host in (None, DOCKER_HUB, "index.docker.io"):
        # Docker compares the names as written: another one's repositories get no library/.
        host = DOCKER_HUB
        repository = repository if "/" in repository else f"library/{repository}"
    return ImageReference(host.lower(), repository, tag, digest)


def _flaw(image: str) -> InvalidValueError:
    """What is wrong with a text that is no image reference."""
    if "://" in image:
        return _invalid(
            "An image reference must not have a scheme such as https://.", "Leave it out."
        )
    if not image or re.search(r"\s", image):
        return _invalid("The image reference is empty or has a space in it.")
    host, path = split_registry(image)
    name, at, digest = path.partition("@")
    repository, colon, tag = name.partition(":")
    if host is not None and not is_host(host):
        return _invalid("The registry of the image is not a valid host name.")
    if host is not None and host.lower() == _WEBSITE:
        message = "hub.docker.com is the website of Docker Hub, not its registry."
        return _invalid(message, "Write docker.io/repository:tag.")
    if ":" in tag:
        return _invalid("The image reference has two tags.", "Keep one of them.")
    if ":" in digest.partition(":")[2]:
        return _invalid("A tag follows the digest.", "Leave out the tag, or write it before the @.")
    if colon and not re.fullmatch(_TAG, tag):
        message = "A tag has up to 128 letters, digits and _.-, and must not begin with . or -."
        return _invalid(message, "Write a tag that the registry has.")
    if at and not re.fullmatch(_DIGEST, digest):
        message = "This is not a digest: sha256: and 64 lower-case hexadecimal digits."
        return _invalid(message, "Copy the digest from the registry.")
    if repository != repository.lower() and is_repository(repository.lower()):
        return _invalid("The repository must be in lower case.", "Write it as the registry has it.")
    if re.fullmatch(_IMAGE_ID, image):
        return _invalid("This is the id of an image, not a reference to one.")
    return _invalid("This is not an image reference.")


def split_registry(image: str) -> tuple[str | None, str]:
    """The registry's host as an image reference writes it, and what follows; None: it names none,
    and Docker pulls from Docker Hub.

    Takes the first part of a reference too, as long as its slash is in it.
    """
    if re.match(_HOST_FIRST, image):
        host, _, path = image.partition("/")
        return host, path
    return None, image


def is_ecr(registry: str) -> bool:
    """Whether a registry's host is one of Amazon ECR, private or public."""
    host = registry.lower()
    return "ecr" in host and re.fullmatch(_ECR, host) is not None


def is_host(name: str) -> bool:
    """Whether a text is a registry's host, with a port or without."""
    return re.fullmatch(_HOST, name) is not None


def is_repository(name: str) -> bool:
    """Whether a text is the path of a repository."""
    return re.fullmatch(_REPOSITORY, name) is not None


def _invalid(message: str, fix: str = _FIX) -> InvalidValueError:
    return InvalidValueError("PI202", message, fix)
