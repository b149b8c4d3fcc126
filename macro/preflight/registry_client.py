"""The registry's HTTP API: may this login pull this image, and for which platforms does it exist?

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

from macro.engine.shorthand.image_reference import DOCKER_HUB_NAMES, ImageReference
from macro.preflight.challenges import challenges_in
from macro.preflight.http import Answer, HttpClient, RegistryError, joined, origin

REDIRECTS = 5
DOCKER_HUB_API = "registry-1.docker.io"

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


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that a registry lets a login pull.

    `platforms` has those for which it exists, such as `linux/amd64`; sorted. `asked_for_login`: the
    registry has asked for a login. `origins` has the hosts that were called to find the image, each
    as a URL: a task calls the same.
    """

    platforms: tuple[str, ...]
    asked_for_login: bool
    origins: tuple[str, ...]


def api_host(registry: str) -> str:
    """The host that has a registry's API: for Docker Hub another one than images name.

    Source: https://github.com/moby/moby/blob/master/daemon/pkg/registry/config.go
    """
    return DOCKER_HUB_API if registry in DOCKER_HUB_NAMES else registry


def version_of(reference: ImageReference) -> str:
    """The tag or the digest that an image is pulled by; with both, the digest."""
    return reference.digest or reference.tag or "latest"


def check_login(host: str, login: Login, client: HttpClient) -> bool:
    """Logs in to a registry. False: it lets anybody in, so nothing is known of the login.

    Raises `RegistryError` where the registry does not accept the login, or gives no usable answer.
    """
    return client.in_time(host, lambda: _check_login(host, login, client))


def _check_login(host: str, login: Login, client: HttpClient) -> bool:
    session = RegistrySession(api_host(host), login, client)
    answer = session.call("GET", "/v2/")
    if answer.status == 200 and not session.asked:
        # One that lets anybody look may still know a wrong login from a right one.
        answer = session.call("GET", "/v2/", login.basic)
    if answer.status in (401, 403):
        raise session.refused_login()
    if answer.status != 200:
        raise _unexpected(answer)
    return session.asked


def find_image(
    reference: ImageReference, platform: str, login: Login | None, client: HttpClient
) -> FoundImage:
    """Looks an image up at its registry, as a task would that runs on a platform.

    The login is checked even where anybody may pull. Raises `RegistryError` where the image may not
    be pulled, does not exist, or what the registry has is not this image; whether it exists for the
    platform is for the caller to see.
    """
    return client.in_time(
        api_host(reference.registry), lambda: _find_image(reference, platform, login, client)
    )


def _find_image(
    reference: ImageReference, platform: str, login: Login | None, client: HttpClient
) -> FoundImage:
    scope = f"repository:{reference.repository}:pull"
    session = RegistrySession(api_host(reference.registry), login, client, scope)
    if login and session.call("GET", "/v2/").status == 401 and not session.by_token:
        raise session.refused_login()
    platforms = _platforms_of(session, reference, platform)
    return FoundImage(platforms, session.asked, tuple(session.origins))


def _platforms_of(
    session: RegistrySession, reference: ImageReference, platform: str
) -> tuple[str, ...]:
    base, version = f"/v2/{reference.repository}", version_of(reference)

    def answer_to(method: str, path: str) -> Answer:
        answer = session.call(method, f"{base}/{path}")
        if answer.status != 200:
            raise session.refused_pull(answer, reference)
        return answer

    found = answer_to("HEAD", f"manifests/{version}")
    digest = version
    if not _DIGEST.fullmatch(digest):
        if ":" in digest:
            raise RegistryError(
                "The image's digest is of a kind that cannot be checked.", certain=False
            )
        sent = found.headers.get("Docker-Content-Digest", "")
        digest = sent if _DIGEST.fullmatch(sent) else ""
    answer = answer_to("GET", f"manifests/{digest or version}")
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in (*_INDEXES, *_MANIFESTS):
        shown = kind[:100] or "no type"
        raise RegistryError(
            f"The registry answers with {shown}, which is no image manifest.", _IS_IT_ONE
        )
    manifest = _checked(answer, digest)
    if kind in _INDEXES:
        digests = dict(reversed([*_manifests(manifest)]))  # of several, the first counts
        if platform in digests:
            named = session.call("HEAD", f"{base}/manifests/{digests[platform]}")
            if named.status == 404:
                message = f"The registry names a manifest for {platform} that does not exist."
                raise RegistryError(message, "Push the image again.")
            if named.status != 200:
                raise session.refused_pull(named, reference)
        return tuple(sorted(digests))
    config = _member(manifest, "config", dict)
    if config.get("mediaType") not in _CONFIGS:
        message = "What the registry has by this name is no container image."
        raise RegistryError(message, "Name an image; charts and other artifacts have a tag too.")
    digest = _digest_in(config)
    return (_platform(_checked(answer_to("GET", f"blobs/{digest}"), digest)),)


class RegistrySession:
    """One registry and one login: keeps what the registry's challenge came to."""

    def __init__(self, host: str, login: Login | None, client: HttpClient, scope: str = "") -> None:
        self.host = host
        self.asked = False  # whether the registry has asked for a login
        self.by_token = False  # whether its token service has accepted the login
        self.origins: dict[str, None] = {}  # what was called, in the order of the calls
        self._login, self._client, self._scope = login, client, scope
        self._base = f"{client.scheme(host)}://{host}"
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
            raise RegistryError("The registry redirects to another host, which asks for a login.")
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
        """Sends a request, and follows redirects: to another host without the login."""
        for _ in range(REDIRECTS + 1):
            answer = self._request(method, url, self._headers(authorization))
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            target = joined(url, answer.headers.get("Location", ""))
            self._client.check_step(url, target)
            if origin(target) != origin(url):
                authorization = None
            url = target
        raise RegistryError(f"The registry redirects more than {REDIRECTS} times.")

    def _request(self, method: str, url: str, headers: dict[str, str]) -> Answer:
        scheme, host, port = origin(url)
        self.origins[f"{scheme}://{host}:{port}"] = None
        return self._client.request(method, url, headers)

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
        self._client.check_step(self._base, realm, "token service")
        wanted = {"service": challenge.get("service"), "scope": challenge.get("scope", self._scope)}
        query = urlencode({name: value for name, value in wanted.items() if value})
        url = f"{realm}{'&' if '?' in realm else '?'}{query}" if query else realm
        headers = {"Accept": "application/json"}
        if self._login:
            headers["Authorization"] = self._login.basic
        answer = self._request("GET", url, headers)
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

    def refused_pull(self, answer: Answer, reference: ImageReference) -> RegistryError:
        """Why an image cannot be pulled, where the answer is not 200."""
        name, version = f"the repository {reference.repository}", version_of(reference)
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
                " where the repository does not exist.",
            )
        if answer.status == 404:
            what = "digest" if ":" in version else "tag"
            return RegistryError(
                f"{self.host} has no {what} {version} in {name}.",
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


def _manifests(index: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The manifests in an index: each one's platform and its digest."""
    for manifest in _member(index, "manifests", list):
        platform = manifest.get("platform") if isinstance(manifest, dict) else None
        # Attestations are in the index for a platform that is called unknown.
        if isinstance(platform, dict) and platform.get("os") != "unknown":
            yield _platform(platform), _digest_in(manifest)


def _digest_in(descriptor: dict[str, Any]) -> str:
    digest: str = _member(descriptor, "digest", str)
    if not _DIGEST.fullmatch(digest):
        raise _malformed()
    return digest


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
    if answer.by_proxy:
        message = f"The {who}, or the proxy before it, answers with status {answer.status}."
        return RegistryError(message, fix, certain=False)
    return RegistryError(f"The {who} answers with status {answer.status}.", fix)
