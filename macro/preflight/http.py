"""HTTP as a registry is asked: bounds on time, size and retries, and no secrets in the clear."""

from __future__ import annotations

import random
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from ipaddress import ip_address
from urllib.parse import urljoin
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.util import make_headers, parse_url

CONNECT_SECONDS, READ_SECONDS, BODY_SECONDS = 5.0, 15.0, 30.0
MOST_BYTES = 4 << 20  # what the OCI distribution spec wants registries to take for a manifest
ATTEMPTS = 4
LONGEST_WAIT = 20.0  # seconds; who asks for a longer one is left alone

CONNECTIONS = 10  # to one host at once

_PASSING = (429, 500, 502, 503, 504)


class RegistryError(Exception):
    """Why an image cannot be pulled, and the fix. Holds nothing of a login.

    `certain` False: it could not be found out, so nothing is known of the image.
    """

    def __init__(self, message: str, fix: str = "", *, certain: bool = True) -> None:
        super().__init__(message)
        self.message, self.fix, self.certain = message, fix, certain


class UnreachableError(RegistryError):
    """No answer has come, at least from where this runs."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, from where: `url` is that of the request."""

    url: str
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes = field(repr=False)


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
        raise RegistryError("The registry gives an address that is none.") from None


def joined(url: str, target: str) -> str:
    """The URL that a target means which may count from another URL. Raises `RegistryError`."""
    try:
        return urljoin(url, target)
    except ValueError:
        raise RegistryError("The registry gives an address that is none.") from None


def challenges_in(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The challenges of `WWW-Authenticate`: each a scheme and its parameters, in lower case.

    Source: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1; blanks around the equals sign
    and values without quotes are understood as well.
    """
    scheme, parameters = "", dict[str, str]()
    for found in _CHALLENGE.finditer(header):
        if found["scheme"]:
            if scheme:
                yield scheme, parameters
            scheme, parameters = found["scheme"].lower(), {}
        else:
            value = found["bare"]
            if value is None:
                value = re.sub(r"\\(.)", r"\1", found["quoted"])
            parameters.setdefault(found["key"].lower(), value)
    if scheme:
        yield scheme, parameters


_CHALLENGE = re.compile(
    r'(?P<key>[\w-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"]+))'
    r"|(?P<scheme>[\w-]+)(?=[\s,]|$)",
    re.ASCII,
)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Wire:
    """Sends requests. `plain_http` has the hosts, with port if not 80, that have no TLS.

    `sleep` waits so many seconds between attempts.
    """

    plain_http: frozenset[str] = frozenset()
    sleep: Callable[[float], None] = time.sleep

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
            raise RegistryError("The registry sends on to a place that is not reached by TLS.")

    def retried(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        """The answer to a request, which is sent again where that may help.

        Raises `RegistryError` where there is none, or one that is larger than any manifest.
        """
        for attempt in range(1, ATTEMPTS + 1):
            answer = self._sent(method, url, headers)
            if answer.status not in _PASSING or attempt == ATTEMPTS:
                break
            wait = _asked_to_wait(answer)
            if wait > LONGEST_WAIT:
                break
            # Nobody else who was turned away now comes back at the same moment.
            self.sleep(wait + random.uniform(0.5, 1) * 2 ** (attempt - 1))
        return answer

    def _sent(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        host = _parsed(url).netloc
        try:
            response = self._pool(url).request(
                method,
                url,
                headers={**_HEADERS, **headers},
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            )
            try:
                body = _read(response, host)
            finally:
                response.close()
        except urllib3.exceptions.HTTPError as error:
            raise _unreachable(error, host) from None
        return Answer(url, response.status, response.headers, body)

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = _parsed(url)
        proxy = getproxies().get(parts.scheme or "")
        if not proxy or _is_loopback(parts.host or "") or proxy_bypass(parts.host or ""):
            return self._direct
        auth = _parsed(proxy).auth
        headers = make_headers(proxy_basic_auth=auth) if auth else None
        return urllib3.ProxyManager(proxy, proxy_headers=headers, ssl_context=self._tls)

    @cached_property
    def _direct(self) -> urllib3.PoolManager:
        return urllib3.PoolManager(maxsize=CONNECTIONS, ssl_context=self._tls)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Trusts what this machine trusts; where that is nothing, what AWS's SDK trusts."""
        context = ssl.create_default_context()
        if not context.cert_store_stats()["x509_ca"]:
            from botocore.httpsession import get_cert_path

            context.load_verify_locations(get_cert_path(True))
        return context


# No compression: what is small on its way must not be large here.
_HEADERS = {"User-Agent": "private-image-macro", "Accept-Encoding": "identity"}


def _read(response: urllib3.BaseHTTPResponse, host: str | None) -> bytes:
    end = time.monotonic() + BODY_SECONDS
    body = bytearray()
    while piece := response.read1(1 << 16):
        body += piece
        if len(body) > MOST_BYTES:
            raise RegistryError(
                f"{host} sends more than {MOST_BYTES >> 20} MiB where a manifest should be."
            )
        if time.monotonic() > end:
            raise UnreachableError(f"{host} takes longer than {BODY_SECONDS:.0f} s to answer.")
    return bytes(body)


def _asked_to_wait(answer: Answer) -> float:
    """The seconds of `Retry-After`, which may be a date; 0 where there is none that makes sense."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _unreachable(error: urllib3.exceptions.HTTPError, host: str | None) -> RegistryError:
    match error:
        case urllib3.exceptions.NameResolutionError():
            return UnreachableError(f"There is no host {host}, as far as is known here.")
        case urllib3.exceptions.NewConnectionError():
            return UnreachableError(f"{host} cannot be reached.")
        case urllib3.exceptions.TimeoutError():
            return UnreachableError(f"{host} does not answer in time.")
        case urllib3.exceptions.SSLError():
            fix = "A registry without TLS needs --plain-http; an own CA needs SSL_CERT_FILE."
            return RegistryError(
                f"There is no TLS with {host}, or its certificate is not trusted.", fix
            )
    return UnreachableError(f"{host} breaks off, or does not speak HTTP.")
