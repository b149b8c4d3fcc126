"""The client of the registry's API, against a real registry and against ones that misbehave."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import urllib3
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

import macro.preflight.http
from macro.engine.shorthand.image_reference import read_image_reference
from macro.preflight.challenges import challenges_in
from macro.preflight.http import (
    LONGEST_WAIT,
    RETRIES,
    HttpClient,
    RegistryError,
    UnreachableError,
    joined,
    origin,
)
from macro.preflight.registry_client import (
    Login,
    api_host,
    check_login,
    find_image,
    version_of,
)
from registry_server import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    READER,
    Pusher,
    Reply,
    Request,
    TokenService,
    basic_pusher,
    scripted,
    self_signed,
    token_pusher,
    unreachable,
    with_tokens,
)
from slow_peers import CHUNKED, HEAD, raw, trickle

WRONG = Login("reader", "a wrong one")
BOTH = ("linux/amd64", "linux/arm64")


def platforms(
    image: str, login: Login | None = READER, client: HttpClient | None = None
) -> tuple[str, ...]:
    found = find_image(read_image_reference(image), "linux/amd64", login, client or HttpClient())
    return found.platforms


def refusal(
    image: str, login: Login | None = READER, client: HttpClient | None = None
) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        platforms(image, login, client)
    assert READER.password not in f"{caught.value.message}{caught.value.fix}"
    return caught.value


# A real registry


@pytest.fixture(scope="module")
def pusher(registry: str) -> Pusher:
    return basic_pusher(registry)


@pytest.mark.parametrize("docker", [False, True])
def test_an_image_of_one_platform(registry: str, pusher: Pusher, docker: bool) -> None:
    pusher.image("team/one", "1", "linux/arm64", docker)
    assert platforms(f"{registry}/team/one:1") == ("linux/arm64",)


@pytest.mark.parametrize("docker", [False, True])
def test_an_image_of_two_platforms(registry: str, pusher: Pusher, docker: bool) -> None:
    pusher.index("team/two", "1", *BOTH, docker=docker)
    assert platforms(f"{registry}/team/two:1") == BOTH


def test_attestations_are_no_platforms(registry: str, pusher: Pusher) -> None:
    pusher.index("team/attested", "1", "linux/amd64", "unknown/unknown")
    assert platforms(f"{registry}/team/attested:1") == ("linux/amd64",)


def test_a_digest_is_looked_up_and_not_the_tag_beside_it(registry: str, pusher: Pusher) -> None:
    old = pusher.image("team/pinned", "1", "linux/amd64")
    pusher.image("team/pinned", "1", "linux/arm64")
    assert platforms(f"{registry}/team/pinned:1@{old}") == ("linux/amd64",)
    assert platforms(f"{registry}/team/pinned:1") == ("linux/arm64",)


def test_a_digest_that_is_not_there(registry: str, pusher: Pusher) -> None:
    pusher.image("team/one", "1", "linux/amd64")
    said = refusal(f"{registry}/team/one@sha256:{'0' * 64}")
    assert said.certain and "has no digest sha256:0000" in said.message


def test_a_tag_that_is_not_there(registry: str, pusher: Pusher) -> None:
    pusher.image("team/one", "1", "linux/amd64")
    assert "has no tag 2 in the repository team/one" in refusal(f"{registry}/team/one:2").message


def test_latest_is_the_tag_where_none_is_named(registry: str, pusher: Pusher) -> None:
    pusher.image("team/newest", "latest", "linux/amd64")
    assert platforms(f"{registry}/team/newest") == ("linux/amd64",)


def test_what_is_no_image(registry: str, pusher: Pusher) -> None:
    pusher.image("team/chart", "base", "linux/amd64")
    config = pusher.blob("team/chart", b"{}")
    kind = "application/vnd.cncf.helm.config.v1+json"
    chart = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": []}
    pusher.manifest("team/chart", "1", {**chart, "config": {"mediaType": kind, **config}})
    assert "no container image" in refusal(f"{registry}/team/chart:1").message


def test_a_wrong_password(registry: str) -> None:
    said = refusal(f"{registry}/team/one:1", WRONG)
    assert said.certain and "does not accept the username and password" in said.message
    with pytest.raises(RegistryError, match="does not accept"):
        check_login(registry, WRONG, HttpClient())


def test_no_login_where_one_is_asked_for(registry: str) -> None:
    assert "wants a login" in refusal(f"{registry}/team/one:1", None).message


def test_a_login_that_is_right(registry: str) -> None:
    assert check_login(registry, READER, HttpClient()) is True


@pytest.fixture(scope="module")
def guarded(
    registry_program: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, TokenService]]:
    with with_tokens(registry_program, tmp_path_factory.mktemp("guarded")) as (host, service):
        service.allowed.add("team/web")
        token_pusher(host, service).index("team/web", "1", *BOTH)
        yield host, service


def test_a_token_service_is_asked_for_a_pull_and_no_more(guarded: tuple[str, TokenService]) -> None:
    host, service = guarded
    service.seen.clear()
    assert platforms(f"{host}/team/web:1") == BOTH
    assert service.seen == [{"service": ["tests"], "scope": ["repository:team/web:pull"]}]


def test_a_token_service_that_does_not_accept_the_login(guarded: tuple[str, TokenService]) -> None:
    host, _ = guarded
    assert "does not accept" in refusal(f"{host}/team/web:1", WRONG).message
    with pytest.raises(RegistryError, match="does not accept"):
        check_login(host, WRONG, HttpClient())


def test_a_login_by_token(guarded: tuple[str, TokenService]) -> None:
    host, service = guarded
    service.seen.clear()
    assert check_login(host, READER, HttpClient()) is True
    assert service.seen == [{"service": ["tests"]}]


def test_a_login_that_may_not_pull_this_repository(guarded: tuple[str, TokenService]) -> None:
    host, _ = guarded
    said = refusal(f"{host}/team/secret:1")
    assert "accepts the login, but does not let it pull the repository team/secret" in said.message


# Registries that misbehave


def manifest(body: dict[str, object], kind: str = OCI_INDEX) -> Reply:
    data = json.dumps(body).encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Reply(200, {"Content-Type": kind, "Docker-Content-Digest": digest}, data)


AMD64 = {"os": "linux", "architecture": "amd64"}
NAMED: dict[str, object] = {"platform": AMD64, "digest": f"sha256:{'0' * 64}"}
INDEX = manifest({"manifests": [NAMED, "odd", {"platform": 1}]})
ASK = Reply(401, {"WWW-Authenticate": 'Basic realm="tests"'})


def logged_in(then: Callable[[Request], Reply]) -> Callable[[Request], Reply]:
    """A script that asks for the reader's login first."""

    def answer(request: Request) -> Reply:
        if request.headers.get("Authorization") != READER.basic:
            return ASK
        return Reply(200) if request.path == "/v2/" else then(request)

    return answer


def test_another_host_gets_no_login() -> None:
    config = json.dumps({"os": "linux", "architecture": "arm64"}).encode()
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    image = manifest({"config": {"mediaType": OCI_CONFIG, "digest": digest}}, OCI_MANIFEST)
    with scripted(lambda _: Reply(200, {}, config)) as storage:

        def answer(request: Request) -> Reply:
            if "/blobs/" in request.path:
                return Reply(307, {"Location": f"http://{storage.host}/signed?for=you"})
            return image

        with scripted(logged_in(answer)) as server:
            assert platforms(f"{server.host}/web:1") == ("linux/arm64",)
        assert [one.path for one in storage.requests] == ["/signed?for=you"]
        assert storage.logins == []


def test_a_redirect_on_the_same_host_keeps_the_login() -> None:
    def answer(request: Request) -> Reply:
        return (
            INDEX
            if "/moved/" in request.path
            else Reply(308, {"Location": request.path.replace("/v2/", "/v2/moved/")})
        )

    with scripted(logged_in(answer)) as server:
        assert platforms(f"{server.host}/web:1") == ("linux/amd64",)


def test_another_host_cannot_ask_for_the_login() -> None:
    with scripted(lambda _: ASK) as other:
        with scripted(lambda one: Reply(302, {"Location": f"http://{other.host}{one.path}"})) as it:
            assert "another host, which asks for a login" in refusal(f"{it.host}/web:1").message
            assert it.logins == []
        assert other.logins == []


def test_redirects_end() -> None:
    with scripted(lambda one: Reply(302, {"Location": one.path + "x"})) as server:
        assert "more than 5 times" in refusal(f"{server.host}/web:1").message
        assert len(server.requests) == 6


@pytest.mark.parametrize("target", ["http://192.0.2.1/", "ftp://127.0.0.1/", "http://[/"])
def test_redirects_to_a_place_without_tls(target: str) -> None:
    with scripted(lambda _: Reply(302, {"Location": target})) as server:
        said = refusal(f"{server.host}/web:1").message
        assert "not reached by TLS" in said or "an invalid URL" in said
        assert len(server.requests) == 1


def test_a_proxy_is_asked_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    client = HttpClient(frozenset({"registry.invalid"}))
    with scripted(lambda _: INDEX) as proxy, scripted(lambda _: INDEX) as server:
        monkeypatch.setenv("http_proxy", f"http://me:word@{proxy.host}")
        assert platforms("registry.invalid/web:1", None, client) == ("linux/amd64",)
        assert proxy.requests[0].path == "http://registry.invalid/v2/web/manifests/1"
        assert proxy.requests[0].headers["proxy-authorization"] == Login("me", "word").basic
        assert platforms(f"{server.host}/web:1", None, client) == ("linux/amd64",)
        assert len(proxy.requests) == 3
        monkeypatch.setenv("no_proxy", "registry.invalid")
        assert isinstance(refusal("registry.invalid/web:1", None, client), UnreachableError)


@pytest.mark.parametrize(
    "realm",
    ["http://auth.example.com/token", "https://reader:word@auth.example.com/", "token", "http://["],
)
def test_a_token_service_that_gets_no_login(realm: str) -> None:
    ask = Reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'})
    with scripted(lambda _: ask) as server:
        said = refusal(f"{server.host}/web:1")
        assert "not reached by TLS" in said.message or "invalid URL" in said.message
        assert server.logins == []


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("https://registry.example.com", "http://127.0.0.1/token"),
        ("https://registry.example.com", "http://plain.example.com/token"),
        ("http://127.0.0.1:5000", "http://auth.example.com/token"),
    ],
)
def test_a_step_that_leaves_tls_is_not_taken(source: str, target: str) -> None:
    with pytest.raises(RegistryError):
        HttpClient(frozenset({"plain.example.com"})).check_step(source, target)


@pytest.mark.parametrize(
    ("host", "scheme"),
    [
        ("registry.example.com", "https"),
        ("plain.example.com", "https"),
        ("plain.example.com:5000", "http"),
        ("localhost:5000", "http"),
        ("127.1.2.3", "http"),
        ("[::1]:5000", "http"),
        ("127.0.0.1.example.com", "https"),
        ("10.0.0.1:5000", "https"),
    ],
)
def test_plain_http_is_for_this_machine_and_hosts_that_are_named(host: str, scheme: str) -> None:
    assert HttpClient(frozenset({"plain.example.com:5000"})).scheme(host) == scheme


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What is waited between attempts, in seconds, without waiting."""
    waited: list[float] = []
    clock = SimpleNamespace(sleep=waited.append, time=time.time)
    monkeypatch.setattr("urllib3.util.retry.time", clock)
    return waited


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    """A script that gives these replies in turn, the last one for ever."""
    left = iter(replies[:-1])
    return lambda _: next(left, replies[-1])


def test_retry_after_is_obeyed(slept: list[float]) -> None:
    busy = Reply(429, {"Retry-After": "3"})
    with scripted(in_turn(busy, Reply(503), Reply(502), INDEX)) as server:
        assert platforms(f"{server.host}/web:1", None) == ("linux/amd64",)
    first, second, third = slept
    assert first == 3 and 1 <= second <= 1.5 and 2 <= third <= 2.5


def test_retry_after_as_a_date(slept: list[float]) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    with scripted(in_turn(Reply(429, {"Retry-After": date}), INDEX)) as server:
        platforms(f"{server.host}/web:1", None)
    assert 4 < slept[0] <= 8


@pytest.mark.parametrize(
    "sent", ["soon", "-1", "9" * 5000, "Wed, 99 Foo 2026", "", "\u00b2", "1 Jan 99999 00:00 GMT"]
)
def test_retry_after_that_makes_no_sense_does_no_harm(sent: str, slept: list[float]) -> None:
    with scripted(in_turn(Reply(429, {"Retry-After": sent}), INDEX)) as server:
        assert platforms(f"{server.host}/web:1", None) == ("linux/amd64",)
    assert sum(slept) <= 1


def test_a_registry_that_asks_for_a_long_wait_is_left_alone(slept: list[float]) -> None:
    with scripted(in_turn(Reply(429, {"Retry-After": str(LONGEST_WAIT + 1)}))) as server:
        refused = refusal(f"{server.host}/web:1", None)
        assert not refused.certain and "too many requests" in refused.message
        assert slept == [] and len(server.requests) == 1


def test_a_manifest_that_an_index_names_must_exist() -> None:
    def answer(request: Request) -> Reply:
        return Reply(404) if str(NAMED["digest"]) in request.path else INDEX

    with scripted(answer) as server:
        refused = refusal(f"{server.host}/web:1", None)
        assert refused.certain and "a manifest for linux/amd64 that does not" in refused.message


@pytest.mark.parametrize("entry", [{"platform": AMD64}, {**NAMED, "digest": "../../v2/"}])
def test_an_index_whose_entry_names_no_manifest(entry: dict[str, object]) -> None:
    with scripted(lambda _: manifest({"manifests": [entry]})) as server:
        assert "makes no sense" in refusal(f"{server.host}/web:1", None).message


@pytest.mark.parametrize("status", [407, 502, 503])
def test_the_fault_of_a_proxy_is_the_proxys(
    status: int, monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    client = HttpClient(frozenset({"registry.invalid"}))
    with scripted(lambda _: Reply(status)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.host)
        monkeypatch.setenv("https_proxy", proxy.host)
        for image in ("registry.invalid/web:1", "tls.invalid/web:1"):
            refused = refusal(image, None, client)
            assert not refused.certain and "proxy" in refused.message, image


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "socks5://127.0.0.1:1", "http://[", "://"])
def test_a_proxy_that_cannot_be_used(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    refused = refusal("registry.invalid/web:1", None)
    assert not refused.certain and "proxy" in refused.message and "PROXY" in refused.fix
    with pytest.raises(RegistryError, match="proxy"):
        check_login("registry.invalid", READER, HttpClient())


def test_retries_end(slept: list[float]) -> None:
    with scripted(in_turn(Reply(503))) as server:
        refused = refusal(f"{server.host}/web:1", None)
        assert refused.certain and "status 503" in refused.message
        assert len(server.requests) == 1 + RETRIES and sum(slept) <= 7


@pytest.mark.parametrize("path", ["manifests", "token"])
def test_an_answer_without_end(path: str) -> None:
    endless = Reply(200, {"Content-Type": OCI_INDEX}, b"[" * 65536, endless=True)

    def answer(request: Request) -> Reply:
        if path in request.path:
            return endless
        realm = f"http://{server.host}/token"
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}"'})

    with scripted(answer) as server:
        login = READER if path == "token" else None
        assert "more than 4 MiB" in refusal(f"{server.host}/web:1", login).message


@pytest.mark.parametrize(
    ("data", "then"),
    [
        (b"HTTP/1.1 2", b"0"),
        (HEAD, b"X"),
        (HEAD + b"X-A: ", b"a"),
        (HEAD + b"Content-Length: 9999999\r\n\r\n", b"{"),
        (HEAD + b"\r\n", b"{"),
        (CHUNKED, b"0"),
        (CHUNKED + b"1;", b"a"),
        (CHUNKED, b"1\r\n{\r\n"),
        (CHUNKED + b"0\r\n", b"T: a\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b""),
    ],
)
def test_an_answer_that_trickles_is_not_waited_for(data: bytes, then: bytes) -> None:
    with raw(trickle(data, then)) as host:
        client = HttpClient(seconds=0.5)
        assert isinstance(refusal(f"{host}/web:1", None, client), UnreachableError)
        with pytest.raises(UnreachableError, match="within"):
            check_login(host, READER, client)


def test_a_deadline_is_for_all_requests_of_an_exchange() -> None:
    def answer(request: Request) -> Reply:
        time.sleep(0.1)
        return Reply(302, {"Location": request.path}) if "manifests" in request.path else INDEX

    with scripted(answer) as server:
        refused = refusal(f"{server.host}/web:1", None, HttpClient(seconds=0.25))
        assert isinstance(refused, UnreachableError) and "within 0 s" in refused.message


@pytest.mark.parametrize("path", ["v2", "token"])
def test_headers_have_a_limit(path: str) -> None:
    large = {f"X-{number}": "a" * 5000 for number in range(20)}

    def answer(request: Request) -> Reply:
        if path in request.path:
            return Reply(200, {"Content-Type": OCI_INDEX, **large}, INDEX.body)
        realm = f"http://{server.host}/token"
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}"'})

    with scripted(answer) as server:
        assert "more than 64 KiB of headers" in refusal(f"{server.host}/web:1").message


def test_an_answer_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(macro.preflight.http, "_TIMEOUT", urllib3.Timeout(0.2))

    def answer(_: Request) -> Reply:
        time.sleep(1)
        return INDEX

    with scripted(answer) as server:
        refused = refusal(f"{server.host}/web:1", None)
        assert isinstance(refused, UnreachableError) and "not answer in time" in refused.message
        assert len(server.requests) == 1


def test_a_registry_that_is_down() -> None:
    with unreachable() as host:
        said = refusal(f"{host}/web:1")
    assert isinstance(said, UnreachableError) and "cannot be reached" in said.message


def test_a_host_that_is_not_there() -> None:
    assert isinstance(refusal("registry.invalid/web:1"), UnreachableError)


ZIPPED = gzip.compress(INDEX.body)
CONFIG = {"mediaType": OCI_CONFIG, "digest": f"sha256:{'0' * 64}"}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(200, {"Content-Type": "text/html"}, b"<html>"), "text/html, which is no image"),
        (Reply(200, {"Content-Type": OCI_INDEX}, b"<html>"), "makes no sense"),
        (Reply(200, {"Content-Type": OCI_INDEX}, b"[]"), "makes no sense"),
        (
            Reply(200, {"Content-Type": OCI_INDEX, "Content-Encoding": "gzip"}, ZIPPED),
            "makes no sense",
        ),
        (Reply(200, {"Content-Type": OCI_INDEX}, b"\xff"), "makes no sense"),
        (Reply(200, {"Content-Type": OCI_INDEX}, b"[" * 100_000), "makes no sense"),
        (manifest({"manifests": {}}), "makes no sense"),
        (manifest({}, OCI_MANIFEST), "makes no sense"),
        (manifest({"config": {"mediaType": OCI_CONFIG}}, OCI_MANIFEST), "makes no sense"),
        (manifest({"config": {**CONFIG, "digest": "../"}}, OCI_MANIFEST), "makes no sense"),
        (manifest({"config": CONFIG}, OCI_MANIFEST), "does not have the digest"),
        (Reply(200, {**INDEX.headers, "Content-Type": OCI_INDEX}, b"{}"), "not have the digest"),
        (Reply(418), "status 418"),
        (Reply(401, {"WWW-Authenticate": "Negotiate abc=="}), "does not know either"),
        (Reply(401), "does not know either"),
    ],
)
def test_garbage(reply: Reply, said: str) -> None:
    with scripted(lambda _: reply) as server:
        assert said in refusal(f"{server.host}/web:1").message


@pytest.mark.parametrize("body", [b"", b"{}", b'{"token": 1}', b'{"token": "a\\r\\nHost: b"}'])
def test_a_token_service_that_gives_no_token(body: bytes) -> None:
    def answer(request: Request) -> Reply:
        realm = f"http://{server.host}/token"
        ask = Reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}"'})
        return Reply(200, {}, body) if request.path.startswith("/token") else ask

    with scripted(answer) as server:
        said = refusal(f"{server.host}/web:1").message
        assert "no token" in said or "makes no sense" in said


def test_the_scope_is_the_registrys_where_it_names_one() -> None:
    def answer(request: Request) -> Reply:
        if request.path.startswith("/token"):
            return Reply(200, {}, b'{"access_token": "abc"}')
        if request.headers.get("Authorization") == "Bearer abc":
            return INDEX
        realm = f"http://{server.host}/token?account=me"
        bearer = f'Bearer Realm="{realm}", service=tests , scope="repository:mirror/web:pull"'
        return Reply(401, {"WWW-Authenticate": f'Basic realm="tests"\n{bearer}'})

    with scripted(answer) as server:
        assert platforms(f"{server.host}/web:1") == ("linux/amd64",)
        (asked,) = (one for one in server.requests if one.path.startswith("/token"))
    query = "account=me&service=tests&scope=repository%3Amirror%2Fweb%3Apull"
    assert asked.path == f"/token?{query}"


def test_what_is_public_needs_a_token_and_no_login() -> None:
    def answer(request: Request) -> Reply:
        if request.path.startswith("/token"):
            return Reply(200, {}, b'{"token": "anyone"}')
        if request.headers.get("Authorization") == "Bearer anyone" and "/web/" in request.path:
            return INDEX
        realm = f"http://{server.host}/token"
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}"'})

    with scripted(answer) as server:
        assert platforms(f"{server.host}/web:1", None) == ("linux/amd64",)
        assert "wants a login" in refusal(f"{server.host}/private:1", None).message
        assert set(server.logins) == {"Bearer anyone"}


def test_a_token_service_that_gives_nobody_a_token_without_a_login() -> None:
    def answer(request: Request) -> Reply:
        realm = f"http://{server.host}/token"
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}"'})

    with scripted(answer) as server:
        assert "wants a login" in refusal(f"{server.host}/web:1", None).message


def test_a_refusal_without_a_challenge() -> None:
    with scripted(logged_in(lambda _: Reply(401))) as server:
        assert "does not accept" in refusal(f"{server.host}/web:1").message


def test_a_registry_that_lets_anybody_in() -> None:
    def answer(request: Request) -> Reply:
        return Reply(401) if request.headers.get("Authorization") == WRONG.basic else INDEX

    with scripted(answer) as server:
        assert check_login(server.host, READER, HttpClient()) is False
        with pytest.raises(RegistryError, match="does not accept"):
            check_login(server.host, WRONG, HttpClient())
        assert platforms(f"{server.host}/web:1") == ("linux/amd64",)


def test_tls_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = self_signed()
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle)
    with scripted(lambda _: Reply(200, {}, b'{"token": "abc"}'), context, "localhost") as tokens:
        realm = f"https://{tokens.host}/token"

        def answer(request: Request) -> Reply:
            if request.headers.get("Authorization") == "Bearer abc":
                return INDEX
            return Reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}"'})

        with scripted(answer) as server:
            assert "certificate is not trusted" in refusal(f"{server.host}/web:1").message
            assert tokens.logins == []
            monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
            assert platforms(f"{server.host}/web:1") == ("linux/amd64",)
            assert tokens.logins == [READER.basic]
            assert server.logins == ["Bearer abc"] * 4


def test_a_username_that_basic_cannot_say() -> None:
    with scripted(lambda _: ASK) as server:
        assert "colon" in refusal(f"{server.host}/web:1", Login("a:b", "c")).message
        assert server.logins == []


def test_a_login_shows_no_password() -> None:
    assert READER.password not in repr(READER) + str(READER)


@given(st.text() | st.from_regex(r"(https?:)?//[^/]*(:\w*)?/?.*"))
def test_no_place_to_go_on_to_is_too_odd_to_judge(target: str) -> None:
    with contextlib.suppress(RegistryError):
        url = joined("http://127.0.0.1:5000/v2/", target)
        HttpClient().check_step("http://127.0.0.1:5000", url)
        origin(url)


# Names and challenges


@pytest.mark.parametrize(
    ("image", "host", "version"),
    [
        ("nginx", "registry-1.docker.io", "latest"),
        ("docker.io/acme/web:2", "registry-1.docker.io", "2"),
        ("registry-1.docker.io/acme/web", "registry-1.docker.io", "latest"),
        ("quay.io/acme/web", "quay.io", "latest"),
        (f"quay.io/web:1@sha256:{'0' * 64}", "quay.io", f"sha256:{'0' * 64}"),
    ],
)
def test_an_image_is_found_where_docker_finds_it(image: str, host: str, version: str) -> None:
    reference = read_image_reference(image)
    assert (api_host(reference.registry), version_of(reference)) == (host, version)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('Basic realm="x"', [("basic", {"realm": "x"})]),
        ("Basic", [("basic", {})]),
        ("", []),
        ('BEARER REALM = "https://a/b?c=d,e" , service=x', [
            ("bearer", {"realm": "https://a/b?c=d,e", "service": "x"})]),
        ('Bearer realm="a\\"b",Basic realm=c', [
            ("bearer", {"realm": 'a"b'}), ("basic", {"realm": "c"})]),
        ('Bearer realm="a", scope="repository:a:pull repository:b:pull"', [
            ("bearer", {"realm": "a", "scope": "repository:a:pull repository:b:pull"})]),
        ('Bearer realm="a",realm="b"', [("bearer", {"realm": "a"})]),
        ('Bearer realm="never closed', [("bearer", {}), ("never", {}), ("closed", {})]),
    ],
)  # fmt: skip
def test_a_challenge_is_read(header: str, found: list[tuple[str, dict[str, str]]]) -> None:
    assert list(challenges_in(header)) == found


_TOKEN = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1)


@given(st.lists(st.tuples(_TOKEN, st.dictionaries(_TOKEN, st.text()))))
def test_a_quoted_challenge_reads_as_what_was_quoted(
    challenges: list[tuple[str, dict[str, str]]],
) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = ", ".join(
        f"{scheme} " + ", ".join(f"{key}={quoted(value)}" for key, value in parameters.items())
        for scheme, parameters in challenges
    )
    assert list(challenges_in(header)) == challenges


@pytest.mark.parametrize(
    "header",
    [
        "a",
        "a=",
        'a="',
        'a="\\"',
        'a="b\\',
        "\\",
        "a ",
        " ",
        "a = ",
        ",",
        '"',
    ],
)
@pytest.mark.parametrize("end", ["", "@", '"'])
def test_a_challenge_is_read_in_one_pass(header: str, end: str) -> None:
    # Read more than once from each letter this takes hours.
    long = header * (1_000_000 // len(header)) + end
    assert len(dict(challenges_in(f"Basic realm=x {long}"))) <= 2


@given(st.text())
def test_no_challenge_is_too_odd_to_read(header: str) -> None:
    list(challenges_in(header))
