"""An invocation of the function as it is deployed, under AWS's runtime client: time and memory.

The artefact is what `sam build` makes: the package `macro.engine` and nothing else, without
bytecode, so that Python compiles it at each start, as it does in Lambda. The runtime's own bytecode
is there, as in Lambda.
"""

from __future__ import annotations

import compileall
import json
import re
import shutil
import sys
import tracemalloc
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks import ROOT
from benchmarks.opponents import UnavailableError, package
from benchmarks.run import Run
from benchmarks.table import Row, fraction, ratio
from benchmarks.templates import DENSE, MEGABYTE, SPARSE, bulky, generated
from benchmarks.timing import MeasurementError, in_turns
from contract import event, processed
from macro.engine.handler import handler
from runtime_api import running

# A macro that changes nothing: less than this no macro does.
EMPTY = """\
def handler(event, context):
    return {
        "requestId": event["requestId"],
        "status": "success",
        "fragment": event["fragment"],
    }
"""
# The function, which also tells how much memory its process has had at most.
TELLING = """\
from macro.engine.handler import handler as macro

def handler(event, context):
    if "fragment" in event:
        return macro(event, context)
    with open("/proc/self/status") as file:
        return next(line.split()[1] for line in file if line.startswith("VmHWM"))
"""


def cold(run: Run) -> Iterator[Row]:
    """From the start of the process to the response to its first event; and the same where Python
    need not compile the package, which is not how `sam build` leaves it."""
    asked = "at most 1.3"
    against = "an empty handler there, which returns the fragment as it is"
    try:
        python = _runtime()
    except UnavailableError as error:
        yield Row("one invocation under awslambdaric", against, f"not measured: {error}", asked)
        return
    empty = _artefact(run, "empty", EMPTY)
    ours = _artefact(run, "ours", "")
    compiled = _artefact(run, "compiled", "")
    compileall.compile_dir(compiled, quiet=1)
    for fragment in (generated(10), bulky(MEGABYTE)):
        sent = json.dumps(event(fragment)).encode()
        answered, floor, returned = in_turns(
            run.repeats(20),
            partial(_invoked, run, python, ours, "macro.engine.handler.handler", sent),
            partial(_invoked, run, python, compiled, "macro.engine.handler.handler", sent),
            partial(_invoked, run, python, empty, "index.handler", sent),
        )
        what = f"one invocation under awslambdaric, {len(sent) / 1000:.0f} kB"
        yield ratio(what, against, answered, returned, asked)
        yield ratio(f"{what}, with bytecode", against, floor, returned, "")


def memory(run: Run) -> Iterator[Row]:
    """The peak of an invocation. As Python counts it (tracemalloc): all that is held from before
    the event is read until the handler has answered, the fragment itself included, against what is
    held once it is read. As the system counts it: what the process of the function ever had in
    memory, with the runtime client and the interpreter, against what the function has."""
    for every, mix in ((SPARSE, ""), (DENSE, ", every second resource a task")):
        text = json.dumps(event(bulky(MEGABYTE, every)))
        own, peak = _traced(text)
        what = f"peak memory of the handler, {len(text) / 1000:.0f} kB{mix}"
        against = "the fragment as Python objects"
        yield Row(what, against, fraction(peak / own), "at most 1.5", _mib(peak), _mib(own))
    (limit,) = re.findall(r"MemorySize: (\d+)", (ROOT / "template.yaml").read_text("utf-8"))
    what, against = "peak memory of the function's process", f"the function's {limit} MB"
    try:
        if not Path("/proc/self/status").exists():
            raise UnavailableError("the system does not tell")
        python = _runtime()
    except UnavailableError as error:
        yield Row(what, against, f"not measured: {error}", "at most half")
        return
    telling = _artefact(run, "telling", TELLING)
    with running(python, telling, "index.handler", run.folder / "log") as function:
        processed(function.invoke(text.encode()).body)
        resident = int(function.invoke({}).body) * 1024
    reached = fraction(resident / (int(limit) << 20))
    what += f", {len(text) / 1000:.0f} kB{mix}"
    yield Row(what, against, reached, "at most 0.5", _mib(resident), f"{limit} MiB")


def _runtime() -> Path:
    """The Python of an environment with AWS's runtime client. Raises UnavailableError."""
    if sys.platform != "linux":
        raise UnavailableError("AWS's runtime client comes with its HTTP client for Linux alone")
    return package("awslambdaric").programs / "python"


def _artefact(run: Run, name: str, index: str) -> Path:
    """A folder with the engine's package, and beside it a module `index` with this text."""
    folder = run.folder / name
    packed = folder / "macro" / "engine"
    shutil.copytree(ROOT / "macro" / "engine", packed, ignore=shutil.ignore_patterns("*.pyc"))
    (folder / "index.py").write_text(index, "utf-8")
    return folder


def _invoked(run: Run, python: Path, artefact: Path, name: str, sent: bytes) -> float:
    start = perf_counter()
    with running(python, artefact, name, run.folder / "log") as function:
        answer = function.invoke(sent)
        taken = perf_counter() - start
    if answer.status != "response" or b'"success"' not in answer.content:
        raise MeasurementError(f"{name} answered {answer.content[:500]!r}")
    return taken


def _traced(text: str) -> tuple[int, int]:
    """The bytes held once the event is read, and at most until the handler has answered."""
    handler(json.loads(text), None)  # what is done once only
    tracemalloc.start()
    try:
        sent = json.loads(text)
        own, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        response = handler(sent, None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    processed(response)
    return own, peak


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
