"""Ctrl-C and SIGTERM while a peer holds `verify` or `login` up: they end, and nothing is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest

from slow_peers import CHUNKED, HEAD, raw, trickle
from terminal import ROOT, start

TEMPLATE = """\
Transform: PrivateImage
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: arn:aws:iam::123456789012:role/exec
      ContainerDefinitions:
        - Name: web
          PrivateImage: {Image: 'quay.io/team/web:1', Secret: registry/team}
"""

# What a peer sends at once, and what it goes on with for ever.
PEERS = {
    "nothing": (b"", b""),
    "status line": (b"HTTP/1.1 2", b"0"),
    "headers": (HEAD, b"X-A: a\r\n"),
    "chunk extension": (CHUNKED + b"1;", b"a"),
    "trailers": (CHUNKED + b"0\r\n", b"T: a\r\n"),
}
TLS = (b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x00")  # a server's hello of 16 KB
SIGNALS = [signal.SIGINT, signal.SIGTERM]


@contextmanager
def holding(first: bytes, then: bytes) -> Iterator[tuple[str, SimpleQueue[bool]]]:
    """A peer that holds up who asks it: its host and port, and a queue that notes the question."""
    asked: SimpleQueue[bool] = SimpleQueue()
    send = trickle(first, then)

    def noted(connection: socket.socket) -> None:
        asked.put(True)
        send(connection)

    with raw(noted) as host:
        yield host, asked


@contextmanager
def sending_to(service: str) -> Iterator[str]:
    """A registry that sends to a token service."""
    challenge = f'HTTP/1.1 401 x\r\nWWW-Authenticate: Bearer realm="http://{service}/token"\r\n'
    with raw(trickle(f"{challenge}Content-Length: 0\r\n\r\n".encode(), b"")) as host:
        yield host


def ended(
    arguments: list[str], folder: Path, asked: SimpleQueue[bool], number: int, **variables: str
) -> None:
    """Runs a command until a peer holds it up, and ends it by a signal."""
    known = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    known |= {"AWS_REGION": "eu-west-1", "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    process = start(
        *arguments,
        env={**os.environ, **known, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin
    process.stdin.write(b"hunter2")
    process.stdin.close()
    process.stdin = None
    asked.get(timeout=60)
    process.send_signal(number)
    out, error = process.communicate(timeout=20)  # a peer holds it up for longer
    assert (process.returncode, out) == (128 + number, b"")
    assert error == (b"interrupted\n" if number == signal.SIGINT else b"")
    assert not any(folder.iterdir())
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a process is left")


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("kind", [*PEERS, "token service"])
def test_login_ends_while_a_registry_holds_it_up(kind: str, number: int, tmp_path: Path) -> None:
    options = ["-u", "reader", "--password-stdin"]
    with holding(*PEERS.get(kind, PEERS["headers"])) as (host, asked), sending_to(host) as registry:
        named = registry if kind == "token service" else host
        ended(["login", named, *options], tmp_path, asked, number)


PROGRAM = """\
import os, socket, sys, time
open(sys.argv[1], "w").write(str(os.getpid()))
socket.create_connection((sys.argv[2], int(sys.argv[3]))).sendall(b"here")
time.sleep(600)
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_no_program_for_credentials_is_left(number: int, tmp_path: Path) -> None:
    folder, template, program = (tmp_path / name for name in ("tmp", "t.yaml", "program.py"))
    config, noted = tmp_path / "config", tmp_path / "pid"
    folder.mkdir()
    template.write_text(TEMPLATE, "utf-8")
    program.write_text(PROGRAM, "utf-8")
    with holding(b"", b"") as (host, asked):
        command = f"{sys.executable} {program} {noted} {host.replace(':', ' ')}"
        config.write_text(f"[profile slow]\ncredential_process = {command}\n", "utf-8")
        variables = {"AWS_CONFIG_FILE": str(config)}
        arguments = ["verify", str(template), "--profile", "slow"]
        ended(arguments, folder, asked, number, **variables)  # of which the program is a part
    assert noted.read_text("utf-8").isdecimal()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    ("kind", "scheme"), [("nothing", "http"), ("trailers", "http"), ("TLS", "https")]
)
def test_verify_ends_while_aws_holds_it_up(
    kind: str, scheme: str, number: int, tmp_path: Path
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE, "utf-8")
    with holding(*PEERS.get(kind, TLS)) as (host, asked):
        url = f"{scheme}://{host}"
        ended(["verify", str(template)], folder, asked, number, AWS_ENDPOINT_URL=url)
