"""TLS before a server on this machine, under a name that is not this machine's."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from registry_server import HOST, self_signed

NAME = "registry.test"


@dataclass(frozen=True)
class Front:
    """A server with TLS: its host and port, and the file with its certificate."""

    host: str
    bundle: Path


@contextmanager
def behind_tls(plain: str, folder: Path) -> Iterator[Front]:
    """Puts TLS before the server at a host and port."""
    key, certificate = self_signed(NAME)
    bundle = folder / "bundle.pem"
    pem = serialization.Encoding.PEM
    bundle.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle)
    host, _, port = plain.partition(":")
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=forward, args=(connection,), daemon=True).start()

        def forward(connection: socket.socket) -> None:
            with (
                suppress(OSError),
                context.wrap_socket(connection, server_side=True) as near,
                socket.create_connection((host, int(port))) as far,
            ):
                threading.Thread(target=_copy, args=(far, near), daemon=True).start()
                _copy(near, far)

        threading.Thread(target=serve, daemon=True).start()
        yield Front(f"{NAME}:{server.getsockname()[1]}", bundle)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def name_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the name of the server with TLS mean this machine."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *rest: Any, **more: Any) -> Any:
        return resolve(HOST if host == NAME else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


def trusted_here(monkeypatch: pytest.MonkeyPatch, front: Front) -> None:
    """Lets this machine trust the server's certificate, as one with an authority of its own."""
    monkeypatch.setenv("SSL_CERT_FILE", str(front.bundle))


def trusted_everywhere(monkeypatch: pytest.MonkeyPatch, front: Front) -> None:
    """Lets the server's certificate count as one of a public authority."""
    trusted_here(monkeypatch, front)
    monkeypatch.setattr("botocore.httpsession.DEFAULT_CA_BUNDLE", str(front.bundle))
