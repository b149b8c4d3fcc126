"""An image as written -> the registry that has it, its repository there, and its version."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """An image at a registry: `host` has its API, `version` is a tag or a digest."""

    host: str
    repository: str
    version: str


def api_host(host: str) -> str:
    """The host that has a registry's API: for Docker Hub another one than images name.

    Source: https://github.com/moby/moby/blob/master/daemon/pkg/registry/config.go
    """
    return "registry-1.docker.io" if host in ("docker.io", "index.docker.io") else host


def read_reference(image: str) -> Reference:
    """An image reference taken apart as Docker does; where it has a tag and a digest, by digest.

    Source: https://github.com/distribution/reference/blob/main/normalize.go
    """
    host, slash, path = image.partition("/")
    if not slash or not (re.search("[.:]", host) or host == "localhost" or host.lower() != host):
        host, path = "docker.io", image
    name, _, digest = path.partition("@")
    repository, _, tag = name.partition(":")
    host = host.lower()
    if api_host(host) != host and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(api_host(host), repository, digest or tag or "latest")
