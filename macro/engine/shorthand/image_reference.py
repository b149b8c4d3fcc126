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

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_DIGEST = "|".join(f"{name}:[0-9a-f]{{{length}}}" for name, length in _DIGEST_LENGTHS.items())
_LONGEST_REPOSITORY = 255

_FIX = "Write registry/repository:tag or registry/repository@digest."

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html, with FIPS and dual-stack.
_ECR = re.compile(r".*\.dkr[.-]ecr(-fips)?\..*|public\.ecr\.aws|ecr-public\..*")


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
    if "://" in image:
        raise _invalid("An image reference has no scheme such as https://.", "Leave it out.")
    if not image or re.search(r"\s", image):
        raise _invalid("The image reference is empty or has a space in it.")
    host, path = split_registry(image)
    name, at, digest = path.partition("@")
    repository, colon, tag = name.partition(":")
    if host is None:
        host = DOCKER_HUB
    elif not _HOST.fullmatch(host):
        raise _invalid("The registry of the image is no host name.")
    if host.lower() == "hub.docker.com":
        message = "hub.docker.com is the website of Docker Hub, not its registry."
        raise _invalid(message, "Write docker.io/repository:tag.")
    if ":" in tag:
        raise _invalid("The image reference has two tags.", "Keep one of them.")
    if ":" in digest.partition(":")[2]:
        raise _invalid("A tag follows the digest.", "Leave out the tag, or write it before the @.")
    if colon and not _TAG.fullmatch(tag):
        message = "A tag has up to 128 letters, digits and _.- and does not begin with . or -."
        raise _invalid(message, "Write a tag that the registry has.")
    if at and not _is_digest(digest):
        message = "This is no digest: sha256: and 64 hexadecimal digits in lower case."
        raise _invalid(message, "Copy the digest from the registry.")
    if repository != repository.lower() and _REPOSITORY.fullmatch(repository.lower()):
        raise _invalid("A repository is in lower case.", "Write it as the registry has it.")
    if not _REPOSITORY.fullmatch(repository) or len(repository) > _LONGEST_REPOSITORY:
        raise _invalid("This is no image reference.")
    if re.fullmatch("[0-9a-f]{64}", image):
        raise _invalid("This is the id of an image, not a reference to one.")
    if host in (DOCKER_HUB, "index.docker.io"):
        # Docker compares the names as written: another one's repositories get no library/.
        host = DOCKER_HUB
        repository = repository if "/" in repository else f"library/{repository}"
    return ImageReference(host.lower(), repository, tag or None, digest or None)


def split_registry(image: str) -> tuple[str | None, str]:
    """The registry's host as an image reference writes it, and what follows; None: it names none,
    and Docker pulls from Docker Hub.

    As `splitDockerDomain` in distribution/reference: a host has a dot, a colon or a capital in it,
    or is localhost. Takes the first part of a reference too, as long as its slash is in it.
    """
    host, slash, path = image.partition("/")
    if slash and (re.search("[.:A-Z]", host) or host == "localhost"):
        return host, path
    return None, image


def is_ecr(registry: str) -> bool:
    """Whether a registry's host is one of Amazon ECR, private or public."""
    return _ECR.fullmatch(registry.lower()) is not None


def is_host(name: str) -> bool:
    """Whether a text is a registry's host, with a port or without."""
    return _HOST.fullmatch(name) is not None


def is_repository(name: str) -> bool:
    """Whether a text is the path of a repository."""
    return _REPOSITORY.fullmatch(name) is not None


def _is_digest(text: str) -> bool:
    algorithm, _, digits = text.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm)
    return length == len(digits) and re.fullmatch("[0-9a-f]*", digits) is not None


def _invalid(message: str, fix: str = _FIX) -> InvalidValueError:
    return InvalidValueError("PI202", message, fix)
