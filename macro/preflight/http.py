"""HTTP as a registry is asked: bounds on time, size and retries, and no secrets in the clear."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urljoin
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.util import Retry, make_headers, parse_url

from macro.preflight.deadline import DeadlineError, within

T = TypeVar("T")

EXCHANGE_SECONDS = 60.0  # for all requests that one question to a registry takes
CONNECT_SECONDS, READ_SECONDS = 5.0, 15.0
MOST_BYTES = 4 << 20  # what the OCI distribution spec wants registries to take for a manifest
MOST_HEADER_BYTES = 64 << 10
RETRIES = 3
LONGEST_WAIT = 10  # seconds; a registry that asks for a longer one is not asked again
REGISTRY_CONNECTIONS = 10  # to one host at once


class RegistryError(Exception):
    """Why an image cannot be pulled, and the fix. Holds nothing of a login.

    `certain` False: it could not be found out, so nothing is known of the image.
    """

    def __init__(self, message: str, fix: str = "", *, certain: bool = True) -> None:
        super().__init__(message)
        self.message, self.fix, self.certain = message, fix, certain


class UnreachableError(RegistryError):
    """No answer has come, at least from where this runs."""


class UntrustedError(RegistryError):
    """There is no TLS with the registry, or this machine does not trust its certificate."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, from where: `url` is that of the request.

    `by_proxy`: a proxy that sees the request may have written it in place of the registry.
    """

    url: str
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes = field(repr=False)
    by_proxy: bool = False


def origin(url: str) -> tuple[str | None, str | None, int | None]:
    """Scheme, host and port of a URL: what a login belongs to."""
    parts = _parsed(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme or "")
    return parts.scheme, parts.host, port


def _parsed(url: str) -> urllib3.util.Url:
    """The URL as urllib3 will understand it, so that what is checked is what is called."""
    try:
        return parse_url(url)
    except urllib3.exceptions.HTTPError:
        raise RegistryError("The registry gives an invalid URL.") from None


def joined(url: str, target: str) -> str:
    """The URL that a target means which may be relative to another URL. Raises `RegistryError`."""
    try:
        return urljoin(url, target)
    except ValueError:
        raise RegistryError("The registry gives an invalid URL.") from None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class _Retry(Retry):
    """urllib3's policy, for which a `Retry-After` that makes no sense is as if there were none."""

    def get_retry_after(self, response: urllib3.BaseHTTPResponse) -> float | None:
        try:
            return super().get_retry_after(response)
        except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
            return None


# Only answers are followed by another attempt, and redirects are the registry client's to judge.
_RETRY = _Retry(
    total=RETRIES,
    status_forcelist=(429, 500, 502, 503, 504),
    backoff_factor=0.5,
    backoff_jitter=0.5,
    retry_after_max=LONGEST_WAIT,
)


@dataclass(frozen=True)
class HttpClient:
    """Sends requests. `plain_http` has the hosts, with port if not 80, that have no TLS.

    `seconds` is how long one question to a registry may take, with all its requests.
    """

    plain_http: frozenset[str] = frozenset()
    seconds: float = EXCHANGE_SECONDS

    def scheme(self, host: str) -> str:
        """How a registry is called: plainly where it is on this machine, or named as such."""
        return "http" if self._may_be_plain(f"http://{host}") else "https"

    def _may_be_plain(self, url: str) -> bool:
        parts = _parsed(url)
        return _is_loopback(parts.host or "") or (parts.netloc or "") in self.plain_http

    def check_step(self, source: str, target: str, what: str = "registry") -> None:
        """Raises `RegistryError` where a URL leads on to one without TLS, or with a login in it.

        Only who is called plainly may lead on to a place that may be called plainly.
        """
        parts = _parsed(target)
        schemes = ["https"]
        if _parsed(source).scheme == "http" and self._may_be_plain(target):
            schemes.append("http")
        if parts.auth or not parts.host or parts.scheme not in schemes:
            if what == "token service":
                message = "The registry's token service is not reached by TLS, so it gets no login."
                raise RegistryError(
                    message, "Ask the registry's owner for a realm that is https://."
                )
            raise RegistryError("The registry redirects to a place that is not reached by TLS.")

    def in_time(self, host: str, exchange: Callable[[], T]) -> T:
        """What an exchange with a registry returns. Raises `UnreachableError` at the deadline."""
        try:
            return within(self.seconds, exchange)
        except DeadlineError:
            raise UnreachableError(
                f"{host} does not end its answers within {self.seconds:.0f} s."
            ) from None

    def request(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        """The answer to a request, which is sent again where that may help.

        Raises `RegistryError` where there is none, or one that is larger than any manifest.
        """
        retry: Retry = _RETRY
        while True:
            answer, response = self._sent(method, url, headers)
            asked = retry.get_retry_after(response)
            if not retry.is_retry(method, answer.status, asked is not None):
                return answer
            if asked is not None and asked >= LONGEST_WAIT:
                return answer
            try:
                retry = retry.increment(method, url, response)
            except urllib3.exceptions.MaxRetryError:
                return answer
            retry.sleep(response)

    def _sent(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> tuple[Answer, urllib3.BaseHTTPResponse]:
        host = _parsed(url).netloc or "The registry"
        try:
            response = self._pool(url, self._machine_trust).request(
                method,
                url,
                headers={**_HEADERS, **headers},
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
                timeout=_TIMEOUT,
            )
            try:
                body = _read(response, host)
            finally:
                response.close()
        except urllib3.exceptions.HTTPError as error:
            raise _no_answer(error, host) from None
        if response.status == 407 and _proxy(url):
            raise RegistryError(*_PROXY_LOGIN, certain=False)
        by_proxy = _parsed(url).scheme == "http" and _proxy(url) is not None
        return Answer(url, response.status, response.headers, body, by_proxy), response

    def is_publicly_trusted(self, url: str) -> bool | None:
        """Whether a public certificate authority vouches for the host, as for whom a task calls.

        What this machine trusts beside those, a task does not. None: it cannot be told from here,
        since there is no answer, or a proxy between that may bring its own certificate.
        """
        try:
            return within(self.seconds, lambda: self._has_public_certificate(url))
        except DeadlineError:
            return None

    def _has_public_certificate(self, url: str) -> bool | None:
        try:
            self._pool(url, self._public_trust).request(
                "HEAD",
                url,
                headers=_HEADERS,
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=_TIMEOUT,
            ).close()
        except urllib3.exceptions.SSLError:
            return None if _proxy(url) else False
        except (urllib3.exceptions.HTTPError, RegistryError):
            return None
        return True

    def _pool(self, url: str, direct: urllib3.PoolManager) -> urllib3.PoolManager:
        proxy = _proxy(url)
        if not proxy:
            return direct
        try:
            auth = parse_url(proxy).auth
            headers = make_headers(proxy_basic_auth=auth) if auth else None
            context = direct.connection_pool_kw["ssl_context"]
            return urllib3.ProxyManager(proxy, proxy_headers=headers, ssl_context=context)
        except (urllib3.exceptions.HTTPError, ValueError):
            message = "The address of the proxy in the environment is not an http:// URL."
            fix = "Correct HTTPS_PROXY, or name the registry in NO_PROXY."
            raise RegistryError(message, fix, certain=False) from None

    @cached_property
    def _machine_trust(self) -> urllib3.PoolManager:
        """Trusts what this machine trusts; where that is nothing, public authorities."""
        context = ssl.create_default_context()
        if not context.cert_store_stats()["x509_ca"]:
            context = _public_authorities()
        return urllib3.PoolManager(maxsize=REGISTRY_CONNECTIONS, ssl_context=context)

    @cached_property
    def _public_trust(self) -> urllib3.PoolManager:
        return urllib3.PoolManager(maxsize=REGISTRY_CONNECTIONS, ssl_context=_public_authorities())


def _public_authorities() -> ssl.SSLContext:
    """Trusts the authorities that Mozilla lists, as Amazon Linux and so AWS's agents do."""
    from botocore import httpsession

    return ssl.create_default_context(cafile=httpsession.DEFAULT_CA_BUNDLE)


def _proxy(url: str) -> str | None:
    """The proxy between here and a URL, as the environment names it."""
    parts = _parsed(url)
    host = parts.host or ""
    proxy = getproxies().get(parts.scheme or "")
    if not proxy or _is_loopback(host) or proxy_bypass(parts.netloc or host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


_TIMEOUT = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)

# No compression: what is small on its way must not be large here.
_HEADERS = {"User-Agent": "private-image-macro", "Accept-Encoding": "identity"}

_PROXY_LOGIN = ("The proxy asks for a login.", "Write it into HTTPS_PROXY, or ask its owner.")


def _read(response: urllib3.BaseHTTPResponse, host: str) -> bytes:
    """The body. Raises `RegistryError` where it, or its headers, are larger than they may be."""
    if sum(len(key) + len(value) for key, value in response.headers.items()) > MOST_HEADER_BYTES:
        raise RegistryError(f"{host} sends more than {MOST_HEADER_BYTES >> 10} KiB of headers.")
    body = bytearray()
    while piece := response.read1(1 << 16):
        body += piece
        if len(body) > MOST_BYTES:
            raise RegistryError(
                f"{host} sends more than {MOST_BYTES >> 20} MiB where a manifest should be."
            )
    return bytes(body)


def _no_answer(error: urllib3.exceptions.HTTPError, host: str) -> RegistryError:
    match error:
        case urllib3.exceptions.ProxyError():
            if "407" in str(error.original_error):
                return RegistryError(*_PROXY_LOGIN, certain=False)
            message = f"The proxy between here and {host} cannot be reached, or refuses."
            fix = "Check HTTPS_PROXY, or name the registry in NO_PROXY."
            return RegistryError(message, fix, certain=False)
        case urllib3.exceptions.NameResolutionError():
            return UnreachableError(f"The host {host} does not exist, as far as is known here.")
        case urllib3.exceptions.NewConnectionError():
            return UnreachableError(f"{host} cannot be reached.")
        case urllib3.exceptions.TimeoutError():
            return UnreachableError(f"{host} does not answer in time.")
        case urllib3.exceptions.SSLError():
            return UntrustedError(
                f"There is no TLS with {host}, or its certificate is not trusted.",
                "Give the registry a certificate of a public certificate authority.",
            )
    return UnreachableError(f"{host} breaks off, or does not speak HTTP.")
