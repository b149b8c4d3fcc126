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

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

import macro.preflight.http
from macro.preflight.http import (
    ATTEMPTS,
    LONGEST_WAIT,
    RegistryError,
    UnreachableError,
    Wire,
    challenges_in,
    joined,
    origin,
)
from macro.preflight.image_reference import Reference, read_reference
from macro.preflight.registry_client import Login, check_login, find_platforms
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
    free_port,
    scripted,
    self_signed,
    token_pusher,
    with_tokens,
)

WRONG = Login("reader", "a wrong one")
BOTH = ("linux/amd64", "linux/arm64")


def platforms(
    image: str, login: Login | None = READER, wire: Wire | None = None
) -> tuple[str, ...]:
    return find_platforms(read_reference(image), login, wire or Wire())


def refusal(image: str, login: Login | None = READER, wire: Wire | None = None) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        platforms(image, login, wire)
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
        check_login(registry, WRONG, Wire())


def test_no_login_where_one_is_asked_for(registry: str) -> None:
    assert "wants a login" in refusal(f"{registry}/team/one:1", None).message


def test_a_login_that_is_right(registry: str) -> None:
    assert check_login(registry, READER, Wire()) is True


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
        check_login(host, WRONG, Wire())


def test_a_login_by_token(guarded: tuple[str, TokenService]) -> None:
    host, service = guarded
    service.seen.clear()
    assert check_login(host, READER, Wire()) is True
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


INDEX = manifest(
    {"manifests": [{"platform": {"os": "linux", "architecture": "amd64"}}, "odd", {"platform": 1}]}
)
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
        assert "not reached by TLS" in said or "an address that is none" in said
        assert len(server.requests) == 1


def test_a_proxy_is_asked_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(frozenset({"registry.invalid"}))
    with scripted(lambda _: INDEX) as proxy, scripted(lambda _: INDEX) as server:
        monkeypatch.setenv("http_proxy", f"http://me:word@{proxy.host}")
        assert platforms("registry.invalid/web:1", None, wire) == ("linux/amd64",)
        assert proxy.requests[0].path == "http://registry.invalid/v2/web/manifests/1"
        assert proxy.requests[0].headers["proxy-authorization"] == Login("me", "word").basic
        assert platforms(f"{server.host}/web:1", None, wire) == ("linux/amd64",)
        assert len(proxy.requests) == 2
        monkeypatch.setenv("no_proxy", "registry.invalid")
        assert isinstance(refusal("registry.invalid/web:1", None, wire), UnreachableError)


@pytest.mark.parametrize(
    "realm",
    ["http://auth.example.com/token", "https://reader:word@auth.example.com/", "token", "http://["],
)
def test_a_token_service_that_gets_no_login(realm: str) -> None:
    ask = Reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'})
    with scripted(lambda _: ask) as server:
        said = refusal(f"{server.host}/web:1")
        assert "not reached by TLS" in said.message or "address" in said.message
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
        Wire(frozenset({"plain.example.com"})).check_step(source, target)


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
    assert Wire(frozenset({"plain.example.com:5000"})).scheme(host) == scheme


def waits(replies: list[Reply]) -> tuple[list[float], Wire, Callable[[Request], Reply]]:
    """A script that gives these replies in turn, the last one for ever; and what was waited."""
    slept: list[float] = []
    left = iter(replies[:-1])
    return slept, Wire(sleep=slept.append), lambda _: next(left, replies[-1])


def test_retry_after_is_obeyed() -> None:
    slept, wire, answer = waits([Reply(429, {"Retry-After": "3"}), Reply(503), INDEX])
    with scripted(answer) as server:
        assert platforms(f"{server.host}/web:1", None, wire) == ("linux/amd64",)
    assert 3.5 <= slept[0] <= 4 and 1 <= slept[1] <= 2


def test_retry_after_as_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=10), usegmt=True)
    slept, wire, answer = waits([Reply(429, {"Retry-After": date}), INDEX])
    with scripted(answer) as server:
        platforms(f"{server.host}/web:1", None, wire)
    assert 8 < slept[0] < 12


@pytest.mark.parametrize("said", ["soon", "-1", "9" * 400, "Wed, 99 Foo 2026", "", "\u00b2"])
def test_retry_after_that_makes_no_sense_does_no_harm(said: str) -> None:
    slept, wire, answer = waits([Reply(429, {"Retry-After": said}), INDEX])
    with scripted(answer) as server:
        if said == "9" * 400:
            assert not refusal(f"{server.host}/web:1", None, wire).certain
        else:
            platforms(f"{server.host}/web:1", None, wire)
            assert slept[0] <= 1


def test_who_asks_for_a_long_wait_is_left_alone() -> None:
    slept, wire, answer = waits([Reply(429, {"Retry-After": str(LONGEST_WAIT + 1)[:2]})])
    with scripted(answer) as server:
        said = refusal(f"{server.host}/web:1", None, wire)
        assert not said.certain and "too many requests" in said.message
        assert slept == [] and len(server.requests) == 1


def test_retries_end() -> None:
    slept, wire, answer = waits([Reply(503)])
    with scripted(answer) as server:
        said = refusal(f"{server.host}/web:1", None, wire)
        assert said.certain and "status 503" in said.message
        assert len(server.requests) == ATTEMPTS and sum(slept) <= 7


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


def test_an_answer_that_takes_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(macro.preflight.http, "BODY_SECONDS", 0.3)
    with scripted(lambda _: Reply(200, {"Content-Type": OCI_INDEX}, b"{" * 99, pause=0.05)) as it:
        begun = time.monotonic()
        assert isinstance(refusal(f"{it.host}/web:1", None), UnreachableError)
        assert time.monotonic() - begun < 2


def test_an_answer_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(macro.preflight.http, "READ_SECONDS", 0.2)

    def answer(_: Request) -> Reply:
        time.sleep(1)
        return INDEX

    with scripted(answer) as server:
        said = refusal(f"{server.host}/web:1", None)
        assert isinstance(said, UnreachableError) and "does not answer in time" in said.message
        assert len(server.requests) == 1


def test_a_registry_that_is_down() -> None:
    said = refusal(f"127.0.0.1:{free_port()}/web:1")
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
        assert check_login(server.host, READER, Wire()) is False
        with pytest.raises(RegistryError, match="does not accept"):
            check_login(server.host, WRONG, Wire())
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
            assert server.logins == ["Bearer abc"] * 3


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
        Wire().check_step("http://127.0.0.1:5000", url)
        origin(url)


# Names and challenges


@pytest.mark.parametrize(
    ("image", "host", "repository", "version"),
    [
        ("nginx", "registry-1.docker.io", "library/nginx", "latest"),
        ("nginx:1.27", "registry-1.docker.io", "library/nginx", "1.27"),
        ("acme/web", "registry-1.docker.io", "acme/web", "latest"),
        ("docker.io/nginx", "registry-1.docker.io", "library/nginx", "latest"),
        ("index.docker.io/acme/web:2", "registry-1.docker.io", "acme/web", "2"),
        ("registry-1.docker.io/nginx", "registry-1.docker.io", "nginx", "latest"),
        ("quay.io/acme/web", "quay.io", "acme/web", "latest"),
        ("localhost/web", "localhost", "web", "latest"),
        ("localhost:5000/web:1", "localhost:5000", "web", "1"),
        ("[::1]:5000/web:1", "[::1]:5000", "web", "1"),
        ("Registry.Example.com/web", "registry.example.com", "web", "latest"),
        ("Registry/web", "registry", "web", "latest"),
        ("quay.io/web:1@sha256:ab", "quay.io", "web", "sha256:ab"),
        ("quay.io/web@sha256:ab", "quay.io", "web", "sha256:ab"),
    ],
)
def test_an_image_is_found_where_docker_finds_it(
    image: str, host: str, repository: str, version: str
) -> None:
    assert read_reference(image) == Reference(host, repository, version)


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


@given(st.text())
def test_no_challenge_is_too_odd_to_read(header: str) -> None:
    list(challenges_in(header))
