"""The command as a process of its own, on a terminal or off it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    """Starts the command; `options` are those of `Popen`."""
    command = [sys.executable, "-m", "macro", *arguments]
    options = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, **options}
    return subprocess.Popen(command, **options)  # type: ignore[call-overload, no-any-return]


def on_a_terminal(*arguments: str, **variables: str) -> str:
    """What a person sees who runs the command."""
    parent, child = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **variables}
    process = start(*arguments, stdout=child, stderr=child, env=env)
    os.close(child)
    seen = b""
    while True:
        try:
            piece = os.read(parent, 65536)
        except OSError:  # the terminal's way to say that nobody writes any more
            break
        if not piece:
            break
        seen += piece
    os.close(parent)
    assert process.wait(60) == 0
    return seen.decode().replace("\r\n", "\n")
