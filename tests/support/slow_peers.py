"""Servers that answer for ever, a little at a time, or in what is not HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def trickle(data: bytes, then: bytes) -> Callable[[socket.socket], None]:
    """Sends data at once, and the rest of an answer for ever, a little at a time."""

    def send(connection: socket.socket) -> None:
        connection.recv(65536)
        with contextlib.suppress(OSError):
            connection.sendall(data)
            while True:
                connection.sendall(then)
                time.sleep(0.02)

    return send


@contextlib.contextmanager
def raw(send: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that speaks what may not be HTTP; gives its host and port."""
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        def answer(connection: socket.socket) -> None:
            with connection:
                send(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"{HOST}:{server.getsockname()[1]}"
