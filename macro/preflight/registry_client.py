"""The registry's HTTP API: may this login pull this image, and for which platforms is it there?

Sources:
https://github.com/opencontainers/distribution-spec/blob/main/spec.md (the API, its errors),
https://distribution.github.io/distribution/spec/auth/token (challenge, realm, scope, token),
https://github.com/opencontainers/image-spec/blob/main/image-index.md (platforms).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from macro.preflight.http import Answer, RegistryError, Wire, challenges_in, joined, origin
from macro.preflight.image_reference import Reference, api_host

REDIRECTS = 5

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
_DIGEST = re.compile(r"(sha256):[0-9a-f]{64}|(sha512):[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class Login:
    """A username and its password, which shows in no text of the value."""

    username: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of `Authorization` for the scheme Basic, as RFC 7617 has it."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def check_login(host: str, login: Login, wire: Wire) -> bool:
    """Logs in to a registry. False: it lets anybody in, so nothing is known of the login.

    Raises `RegistryError` where the registry does not accept the login, or gives no usable answer.
    """
    registry = Registry(api_host(host), login, wire)
    answer = registry.call("GET", "/v2/")
    if answer.status == 200 and not registry.asked:
        # One that lets anybody look may still tell a wrong login from a right one.
        answer = registry.call("GET", "/v2/", login.basic)
    if answer.status in (401, 403):
        raise registry.refused_login()
    if answer.status != 200:
        raise _unexpected(answer)
    return registry.asked


def find_platforms(reference: Reference, login: Login | None, wire: Wire) -> tuple[str, ...]:
    """The platforms, such as `linux/amd64`, for which an image is there; sorted.

    The login is checked even where anybody may pull. Raises `RegistryError` where the image may not
    be pulled, is not there, or what is there is not this image.
    """
    scope = f"repository:{reference.repository}:pull"
    registry = Registry(reference.host, login, wire, scope)
    base = f"/v2/{reference.repository}"
    if login and registry.call("GET", "/v2/").status == 401 and not registry.by_token:
        raise registry.refused_login()
    found = registry.call("HEAD", f"{base}/manifests/{reference.version}")
    if found.status != 200:
        raise registry.refused_pull(found, reference)
    digest = reference.version
    if not _DIGEST.fullmatch(digest):
        if ":" in digest:
            raise RegistryError(
                "The image's digest is of a kind that cannot be checked.", certain=False
            )
        said = found.headers.get("Docker-Content-Digest", "")
        digest = said if _DIGEST.fullmatch(said) else ""
    answer = registry.call("GET", f"{base}/manifests/{digest or reference.version}")
    if answer.status != 200:
        raise registry.refused_pull(answer, reference)
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in (*_INDEXES, *_MANIFESTS):
        shown = kind[:100] or "no type"
        raise RegistryError(
            f"The registry answers with {shown}, which is no image manifest.", _IS_IT_ONE
        )
    manifest = _checked(answer, digest)
    if kind in _INDEXES:
        return tuple(sorted(set(_platforms(manifest))))
    config = _member(manifest, "config", dict)
    if config.get("mediaType") not in _CONFIGS:
        message = "What the registry has by this name is no container image."
        raise RegistryError(message, "Name an image; charts and other artifacts have a tag too.")
    digest = _member(config, "digest", str)
    if not _DIGEST.fullmatch(digest):
        raise _malformed()
    answer = registry.call("GET", f"{base}/blobs/{digest}")
    if answer.status != 200:
        raise registry.refused_pull(answer, reference)
    return (_platform(_checked(answer, digest)),)


class Registry:
    """One registry and one login: keeps what the registry's challenge came to."""

    def __init__(self, host: str, login: Login | None, wire: Wire, scope: str = "") -> None:
        self.host = host
        self.asked = False  # whether the registry has asked for a login
        self.by_token = False  # whether its token service has accepted the login
        self._login, self._wire, self._scope = login, wire, scope
        self._base = f"{wire.scheme(host)}://{host}"
        self._authorization: str | None = None
        self._answered: list[dict[str, dict[str, str]]] = []

    def call(self, method: str, path: str, authorization: str | None = None) -> Answer:
        """What the registry answers, logged in where it asks for that and there is a login."""
        url = self._base + path
        answer = self._follow(method, url, authorization or self._authorization)
        if answer.status != 401 or authorization:
            return answer
        if origin(answer.url) != origin(url):
            # The login is the registry's: no other host may ask for it.
            raise RegistryError("The registry sends on to another host, which asks for a login.")
        self.asked = True
        challenges = dict(challenges_in(", ".join(answer.headers.getlist("WWW-Authenticate"))))
        if challenges in self._answered:
            return answer
        self._answered.append(challenges)
        authorization = self._answer_to(challenges)
        if authorization is None:
            return answer
        self._authorization = authorization
        return self._follow(method, url, authorization)

    def _follow(self, method: str, url: str, authorization: str | None) -> Answer:
        """Sends a request, and goes where it is sent on to: to another host without login."""
        for _ in range(REDIRECTS + 1):
            answer = self._wire.retried(method, url, self._headers(authorization))
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            target = joined(url, answer.headers.get("Location", ""))
            self._wire.check_step(url, target)
            if origin(target) != origin(url):
                authorization = None
            url = target
        raise RegistryError(f"The registry sends on more than {REDIRECTS} times.")

    def _headers(self, authorization: str | None) -> dict[str, str]:
        headers = {"Accept": ", ".join((*_INDEXES, *_MANIFESTS, *_CONFIGS, "application/json"))}
        return {**headers, "Authorization": authorization} if authorization else headers

    def _answer_to(self, challenges: dict[str, dict[str, str]]) -> str | None:
        """What the registry's challenges want to see in `Authorization`; None: there is nothing."""
        login = self._login
        if realm := challenges.get("bearer", {}).get("realm"):
            token = self._token(realm, challenges["bearer"])
            self.by_token = login is not None
            return token and f"Bearer {token}"
        if login is None:
            return None
        if "basic" in challenges:
            if ":" in login.username:
                message = "A username with a colon in it cannot log in."
                raise RegistryError(message, "Write a username without a colon into the secret.")
            return login.basic
        if self._authorization is None:
            raise RegistryError(
                "The registry asks for a login in a way that ECS does not know either."
            )
        return None

    def _token(self, realm: str, challenge: dict[str, str]) -> str | None:
        """The token that the token service of this registry gives, without a login for what is
        public; None: it gives none without."""
        self._wire.check_step(self._base, realm, "token service")
        wanted = {"service": challenge.get("service"), "scope": challenge.get("scope", self._scope)}
        query = urlencode({name: value for name, value in wanted.items() if value})
        url = f"{realm}{'&' if '?' in realm else '?'}{query}" if query else realm
        headers = {"Accept": "application/json"}
        if self._login:
            headers["Authorization"] = self._login.basic
        answer = self._wire.retried("GET", url, headers)
        if answer.status in (401, 403):
            if self._login is None:
                return None
            raise self.refused_login()
        if answer.status != 200:
            raise _unexpected(answer, "token service")
        body = _json(answer, "token service")
        token = body.get("token") or body.get("access_token")
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise RegistryError("The registry's token service gives no token.")
        return token

    def refused_login(self) -> RegistryError:
        """Username or password are wrong."""
        return RegistryError(
            f"{self.host} does not accept the username and password.",
            "Check both; where the registry wants a token in place of a password, make one that may"
            " pull.",
        )

    def refused_pull(self, answer: Answer, reference: Reference) -> RegistryError:
        """Why an image cannot be pulled, where the answer is not 200."""
        name = f"the repository {reference.repository}"
        if answer.status in (401, 403):
            if self._login is None:
                return RegistryError(
                    f"{self.host} wants a login for {name}.", "Name a Secret for it."
                )
            if not self.by_token and answer.status == 401:
                return self.refused_login()
            return RegistryError(
                f"{self.host} accepts the login, but does not let it pull {name}.",
                "Check the name, and give the user the right to pull; many registries say the same"
                " where there is no such repository.",
            )
        if answer.status == 404:
            what = "digest" if ":" in reference.version else "tag"
            return RegistryError(
                f"{self.host} has no {what} {reference.version} in {name}.",
                "Check the image's name and version, or push it first.",
            )
        return _unexpected(answer)


def _checked(answer: Answer, digest: str) -> dict[str, Any]:
    """The JSON of an answer, whose bytes must have the digest, where one is known."""
    kind, _, expected = digest.partition(":")
    if expected and hashlib.new(kind, answer.body).hexdigest() != expected:
        message = "What the registry gives does not have the digest that it should."
        raise RegistryError(
            message, "Something between here and the registry changes what it sends."
        )
    return _json(answer)


def _json(answer: Answer, who: str = "registry") -> dict[str, Any]:
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _malformed(who)
    return value


def _member(value: dict[str, Any], key: str, kind: type[Any]) -> Any:
    if not isinstance(value.get(key), kind):
        raise _malformed()
    return value[key]


def _platforms(index: dict[str, Any]) -> Iterator[str]:
    for manifest in _member(index, "manifests", list):
        platform = manifest.get("platform") if isinstance(manifest, dict) else None
        # Attestations stand in the index for a platform that is called unknown.
        if isinstance(platform, dict) and platform.get("os") != "unknown":
            yield _platform(platform)


def _platform(described: dict[str, Any]) -> str:
    written = f"{described.get('os')}/{described.get('architecture')}"
    return written if re.fullmatch(r"[\w.-]{1,40}/[\w.-]{1,40}", written) else "unknown/unknown"


def _malformed(who: str = "registry") -> RegistryError:
    return RegistryError(f"The {who} gives an answer that makes no sense.", _IS_IT_ONE)


_IS_IT_ONE = "Check that the host is a registry of container images, and not a page in front of it."


def _unexpected(answer: Answer, who: str = "registry") -> RegistryError:
    if answer.status == 429:
        message = f"The {who} has had too many requests and takes no more for now."
        return RegistryError(message, "Try again later.", certain=False)
    fix = "Try again later." if answer.status >= 500 else _IS_IT_ONE
    return RegistryError(f"The {who} answers with status {answer.status}.", fix)
