"""Registries for tests: a real one, with either way to log in, and one that does as it is told.

The real one is CNCF Distribution, as Debian's package `docker-registry` has it.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from macro.preflight.registry_client import Login

HOST = "127.0.0.1"
READER = Login("reader", "correct horse battery staple")
# bcrypt of the password above, as `htpasswd -B` writes it.
HTPASSWD = "reader:$2y$05$j7bXZ.fJefLT5CDyuuAPbuRU6iqxdm0lZ6CaBJ2IlqD21FKUM0bbW\n"
START_SECONDS = 20

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"


def program(directory: Path) -> str:
    """The registry's program: the one on the PATH, else Debian's, put into the directory.

    That needs neither root nor apt's own lists, and starts no service. Where there is none to be
    had the test is skipped, and fails where `REQUIRE_REGISTRY` is set.
    """
    found = shutil.which("docker-registry") or shutil.which("registry")
    if found is None:
        found = str(directory / "usr" / "bin" / "docker-registry")
        try:
            if not Path(found).exists():
                _unpack(directory)
        except (OSError, subprocess.SubprocessError):
            reason = "there is no registry here: apt-get install docker-registry"
            if os.environ.get("REQUIRE_REGISTRY"):
                pytest.fail(reason)
            pytest.skip(reason)
    return found


def _unpack(directory: Path) -> None:
    for name in ("state/lists/partial", "cache/archives/partial"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    apt = ["apt-get", "-q", "-o", f"Dir::State={directory}/state"]
    apt += ["-o", f"Dir::Cache={directory}/cache", "-o", "APT::Sandbox::User="]
    for command in ([*apt, "update"], [*apt, "download", "docker-registry"]):
        subprocess.run(command, cwd=directory, check=True, timeout=120, capture_output=True)
    (package,) = directory.glob("docker-registry_*.deb")
    subprocess.run(["dpkg", "-x", package, directory], check=True, timeout=60, capture_output=True)


def free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def unreachable() -> Iterator[str]:
    """A host and port that refuse every connection, and that no other server gets meanwhile."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))  # and does not listen
        yield f"{HOST}:{bound.getsockname()[1]}"


@contextmanager
def running(program: str, directory: Path, auth: Mapping[str, Any]) -> Iterator[str]:
    """Runs a registry that keeps its images in memory; gives its host and port."""
    port = free_port()
    config = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"inmemory": {}},
        "http": {"addr": f"{HOST}:{port}", "secret": "none"},
        "auth": dict(auth),
    }
    file = directory / "registry.json"  # YAML, since JSON is
    file.write_text(json.dumps(config), "utf-8")
    log = directory / "registry.log"
    with log.open("wb") as output:
        command = [program, "serve", str(file)]
        process = subprocess.Popen(command, env={}, stdout=output, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + START_SECONDS
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"The registry does not start:\n{log.read_text('utf-8')}")
                time.sleep(0.02)
            yield f"{HOST}:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def basic(program: str, directory: Path) -> Iterator[str]:
    """A registry that asks for a password itself."""
    file = directory / "htpasswd"
    file.write_text(HTPASSWD, "utf-8")
    with running(program, directory, {"htpasswd": {"realm": "tests", "path": str(file)}}) as host:
        yield host


@dataclass
class TokenService:
    """What a token service saw: the query of each request, and whether a login came with it."""

    host: str = ""
    seen: list[dict[str, list[str]]] = field(default_factory=list)
    allowed: set[str] = field(default_factory=set)


@contextmanager
def with_tokens(program: str, directory: Path) -> Iterator[tuple[str, TokenService]]:
    """A registry that sends to a token service, which lets the reader use what is `allowed`."""
    key, certificate = self_signed()
    bundle = directory / "bundle.pem"
    bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    service = TokenService()

    def answer(request: Request) -> Reply:
        query = parse_qs(urlsplit(request.path).query)
        service.seen.append(query)
        if request.headers.get("Authorization") != READER.basic:
            return Reply(401)
        names = [scope.split(":") for scope in query.get("scope", [])]
        access = [
            {"type": kind, "name": name, "actions": actions.split(",")}
            for kind, name, actions in names
            if name in service.allowed
        ]
        token = _signed(key, certificate, {"access": access, "aud": query["service"][0]})
        return Reply(200, {}, json.dumps({"token": token}).encode())

    with scripted(answer) as server:
        service.host = server.host
        token = {
            "realm": f"http://{server.host}/token",
            "service": "tests",
            "issuer": "tests",
            "rootcertbundle": str(bundle),
        }
        with running(program, directory, {"token": token}) as host:
            yield host, service


def self_signed(host: str = "localhost") -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """A key and a certificate for a host, by default this machine."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _signed(key: rsa.RSAPrivateKey, certificate: x509.Certificate, claims: dict[str, Any]) -> str:
    """A JSON Web Token as the registry wants it.

    Source: https://distribution.github.io/distribution/spec/auth/jwt
    """
    der = certificate.public_bytes(serialization.Encoding.DER)
    head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    now = int(time.time())
    body = {
        "iss": "tests",
        "sub": "reader",
        "jti": "1",
        "iat": now,
        "nbf": now - 10,
        "exp": now + 300,
    }
    signed = ".".join(_plain(json.dumps(part).encode()) for part in (head, {**body, **claims}))
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_plain(signature)}"


def _plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# Images, pushed by the registry's API


class Pusher:
    """Pushes to a registry, with whatever its `Authorization` takes."""

    def __init__(self, host: str, authorization: Callable[[str], str]) -> None:
        self._host, self._authorization = host, authorization

    def image(self, repository: str, tag: str, platform: str, docker: bool = False) -> str:
        """Pushes an image for one platform, and gives its digest."""
        system, architecture = platform.split("/")
        layer = self.blob(repository, b"layer")
        described = {"os": system, "architecture": architecture, "rootfs": {}}
        config = self.blob(repository, json.dumps(described).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": {"mediaType": DOCKER_CONFIG if docker else OCI_CONFIG, **config},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}],
        }
        return self.manifest(repository, tag, manifest)

    def index(self, repository: str, tag: str, *platforms: str, docker: bool = False) -> str:
        """Pushes an index of images, one for each platform, and gives its digest."""
        entries = []
        for number, platform in enumerate(platforms):
            system, architecture = platform.split("/")
            digest = self.image(repository, f"{tag}-{number}", platform, docker)
            entries.append(
                {
                    "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
                    "digest": digest,
                    "size": self._sizes[digest],
                    "platform": {"os": system, "architecture": architecture},
                }
            )
        kind = DOCKER_LIST if docker else OCI_INDEX
        return self.manifest(
            repository, tag, {"schemaVersion": 2, "mediaType": kind, "manifests": entries}
        )

    _sizes: dict[str, int] = {}  # noqa: RUF012 # by digest, so the same for all

    def manifest(self, repository: str, tag: str, manifest: dict[str, Any]) -> str:
        data = json.dumps(manifest).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self._sizes[digest] = len(data)
        path = f"/v2/{repository}/manifests/{tag}"
        self._send("PUT", repository, path, data, manifest["mediaType"])
        return digest

    def blob(self, repository: str, data: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        begun = self._send("POST", repository, f"/v2/{repository}/blobs/uploads/", b"", "")
        place = urlsplit(begun)
        path = f"{place.path}?{place.query}&digest={digest}"
        self._send("PUT", repository, path, data, "application/octet-stream")
        return {"digest": digest, "size": len(data)}

    def _send(self, method: str, repository: str, path: str, data: bytes, kind: str) -> str:
        connection = http.client.HTTPConnection(self._host, timeout=10)
        headers = {"Authorization": self._authorization(repository), "Content-Type": kind}
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        body = response.read()
        assert response.status in (201, 202), (method, path, response.status, body)
        connection.close()
        return response.headers.get("Location", "")


def basic_pusher(host: str) -> Pusher:
    return Pusher(host, lambda _: READER.basic)


def token_pusher(host: str, service: TokenService) -> Pusher:
    def authorization(repository: str) -> str:
        connection = http.client.HTTPConnection(service.host, timeout=10)
        path = f"/token?service=tests&scope=repository:{repository}:pull,push"
        connection.request("GET", path, headers={"Authorization": READER.basic})
        token = json.loads(connection.getresponse().read())["token"]
        connection.close()
        return f"Bearer {token}"

    return Pusher(host, authorization)


# A server that does as it is told


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What to answer. `endless`: the body begins anew for as long as someone reads it; `pause` lies
    between its bytes, in seconds."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    endless: bool = False
    pause: float = 0


@dataclass
class Scripted:
    """A server under a script, and the requests that have come."""

    host: str
    requests: list[Request] = field(default_factory=list)

    @property
    def logins(self) -> list[str]:
        """Every `Authorization` that has come."""
        return [value for one in self.requests if (value := one.headers.get("Authorization"))]


@contextmanager
def scripted(
    answer: Callable[[Request], Reply], tls: ssl.SSLContext | None = None, name: str = HOST
) -> Iterator[Scripted]:
    """Runs a server that answers each request as the script says."""
    seen = Scripted("")

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            request = Request(self.command, self.path, dict(self.headers.items()))
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            seen.requests.append(request)
            reply = answer(request)
            self.send_response(reply.status)
            for key, value in reply.headers.items():
                for one in value.split("\n"):
                    self.send_header(key, one)
            if not reply.endless and "Content-Length" not in reply.headers:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            try:
                while True:
                    for piece in [reply.body] if not reply.pause else _bytes(reply.body):
                        self.wfile.write(piece)
                        time.sleep(reply.pause)
                    if not reply.endless:
                        return
            except OSError:
                self.close_connection = True

        do_GET = do_HEAD = do_POST = _any  # noqa: N815 # the names that the base class calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # its name there
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    seen.host = f"{name}:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()


def _bytes(body: bytes) -> list[bytes]:
    return [body[index : index + 1] for index in range(len(body))]
