"""A Lambda function as it runs in the account: AWS's runtime client on an artefact.

The client takes its events from an API on the machine, which here is a small server of our own.
Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Literal
from uuid import uuid4

from macro.engine.template.document import Json

FUNCTION = "PrivateImage"
ARN = f"arn:aws:lambda:eu-west-1:111122223333:function:{FUNCTION}"
VERSION = "/2018-06-01/runtime"


class StoppedError(Exception):
    """The function gave no answer. The text says why, and holds what it has written."""


@dataclass(frozen=True)
class Answer:
    """What the client posted for one event, and the lines written to the log since the last."""

    status: Literal["response", "error"]
    content: bytes
    log: list[str]

    @property
    def body(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class _Event:
    request_id: str
    payload: bytes
    deadline: float


class _Api(ThreadingHTTPServer):
    """Hands each event to the client once, and keeps what it posts: (path, content)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.events: SimpleQueue[_Event | None] = SimpleQueue()
        self.posted: SimpleQueue[tuple[str, bytes]] = SimpleQueue()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that ends, or is ended, closes no connection.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Exchange(BaseHTTPRequestHandler):
    server: _Api
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else headers and body are 40 ms apart

    def do_GET(self) -> None:
        event = self.server.events.get()
        if event is None:
            self.close_connection = True
            return
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(event.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{'0' * 24};Sampled=0",
        }
        self._reply(200, event.payload, headers)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self._reply(202, b"")
        self.server.posted.put((self.path, content))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base's name
        """Says nothing: what matters of an exchange is in the answer."""

    def _reply(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Function:
    """A function that runs and waits for events; `running` makes one."""

    def __init__(self, api: _Api, process: subprocess.Popen[bytes], output: Path) -> None:
        self._api = api
        self._process = process
        self._output = output
        self._read = 0

    def invoke(self, payload: bytes | Json, timeout: float = 30) -> Answer:
        """The answer to an event: JSON, or bytes that are passed on as they are.

        Raises StoppedError where there is none in time, or none can come any more. As in Lambda, a
        function that is out of time is ended.
        """
        content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        event = _Event(str(uuid4()), content, time.time() + timeout)
        if self._process.poll() is None:
            self._api.events.put(event)
        path, content = self._posted(timeout)
        for status in ("response", "error"):
            if path == f"{VERSION}/invocation/{event.request_id}/{status}":
                return Answer(status, content, self._log())
        raise StoppedError(self._report(f"The client posted to {path}: {content!r}"))

    def _posted(self, timeout: float) -> tuple[str, bytes]:
        end = time.monotonic() + timeout
        while True:
            # Asked before the queue is: what a process posts before it ends still counts.
            code = self._process.poll()
            try:
                return self._api.posted.get(timeout=0.1)
            except Empty:
                if code is not None:
                    raise StoppedError(
                        self._report(f"The function ended with code {code}.")
                    ) from None
                if time.monotonic() > end:
                    self._process.kill()
                    raise StoppedError(self._report(f"No answer in {timeout} seconds.")) from None

    def _log(self) -> list[str]:
        # The client writes to the log before it posts, so the lines of an event are all there.
        with self._output.open("rb") as output:
            output.seek(self._read)
            written = output.read()
        self._read += len(written)
        return written.decode().removesuffix("\n").split("\n") if written else []

    def _report(self, what: str) -> str:
        return f"{what} Its output:\n{self._output.read_text('utf-8', 'replace')}"


@contextmanager
def running(python: Path, artefact: Path, handler: str, output: Path) -> Iterator[Function]:
    """A function whose code is `artefact`, for as long as the context is open.

    `python` is that of an environment with `awslambdaric`, and `output` the file of its log.
    """
    with _Api() as api:
        server = Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        server.start()
        try:
            with output.open("wb") as file:
                # Lambda has /var/task in sys.path, where the code is. `-m` puts the working
                # directory there; of the tests' own environment nothing is.
                process = subprocess.Popen(
                    [python, "-m", "awslambdaric", handler],
                    cwd=artefact,
                    env=_environment(f"127.0.0.1:{api.server_port}", artefact, handler),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )
            try:
                yield Function(api, process, output)
            finally:
                process.kill()
                process.wait(10)
                api.events.put(None)  # lets the thread go that waits for the next event
        finally:
            api.shutdown()


def _environment(address: str, artefact: Path, handler: str) -> dict[str, str]:
    """What Lambda sets.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    # Where a shared libpython is that has no place of its own in the binary.
    inherited = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {
        **inherited,
        # By it the client chooses how it writes JSON and waits for events. It names the account's
        # runtime, whichever Python the tests run on.
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{FUNCTION}",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_REGION": "eu-west-1",
        "LAMBDA_TASK_ROOT": str(artefact),
        "LANG": "en_US.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "TZ": ":UTC",
        "_HANDLER": handler,
    }
