"""The command on files, whole processes, beside the programs that do the nearest to it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import log2
from pathlib import Path

import yaml

from benchmarks import ROOT
from benchmarks.opponents import UnavailableError, node, package
from benchmarks.run import Run
from benchmarks.table import Row, ratio
from benchmarks.templates import (
    DENSE,
    MEGABYTE,
    MOST,
    SPARSE,
    as_yaml,
    bulky,
    generated,
    of_size,
)
from benchmarks.timing import MeasurementError, Side, calls_in_turns, in_turns
from macro.engine.expand import expand
from macro.engine.template.document import Json
from macro.text.rewrite import rewrite
from macro.text.source import parse

RUAMEL = """\
import sys
from ruamel.yaml import YAML
yaml = YAML()
with open(sys.argv[1], encoding="utf-8") as file:
    yaml.dump(yaml.load(file), sys.stdout)
"""
COMPOSE = """\
import sys
import yaml
with open(sys.argv[1], encoding="utf-8") as file:
    yaml.compose(file.read(), Loader=yaml.CSafeLoader)
"""
LINT = "from cfnlint.runner import main; main()"  # so that it finds this project's packages
FILES = 1000


@dataclass(frozen=True, slots=True)
class _Opponent:
    """What the command is compared with. `prepare` gives its name with its version and what runs
    it; it raises UnavailableError where that cannot be had."""

    name: str
    prepare: Callable[[], tuple[str, Side]]
    asked: str
    repeats: int


def medium(run: Run) -> Iterator[Row]:
    """50 kB of YAML, about as long as a template written by hand gets."""
    template = of_size(50_000, as_yaml)
    file = run.file("medium.yaml", as_yaml(template))
    fragment = run.file("medium.json", json.dumps(template))
    expanded = run.folder / "medium-expanded.yaml"
    _expand(run, file, "-o", expanded)()
    opponents = [
        _Opponent("aws-cdk-lib", partial(_cdk, run, fragment), "at most 1/30", 5),
        _Opponent("cfn-lint", partial(_lint, run, expanded), "at most 1/30", 5),
        _Opponent("ruamel.yaml", partial(_ruamel, run, file), "at most 1/4.5", 10),
    ]
    yield from _compared(run, file, "", opponents)


def large(run: Run) -> Iterator[Row]:
    """Near the 1 MB that CloudFormation takes."""
    for every, mix, asked in (
        (SPARSE, "", "at most 0.65"),
        (DENSE, ", every second resource a task", "at most 1.0"),
    ):
        file = run.file(f"large-{every}.yaml", as_yaml(bulky(MEGABYTE, every, as_yaml)))
        opponents = [
            _Opponent("PyYAML", partial(_compose, run, file), asked, 10),
            _Opponent("ruamel.yaml", partial(_ruamel, run, file), "at most 1/12", 2),
        ]
        yield from _compared(run, file, mix, opponents)


def growth(run: Run) -> Iterator[Row]:
    """All that `expand` does with a text, in this process, for twice as many resources: a task and
    its own role in turns."""
    texts = [as_yaml(_with_own_roles(count)).encode() for count in (MOST // 2, MOST)]
    small, large = calls_in_turns(run.repeats(15), *(partial(_rewritten, text) for text in texts))
    what = f"reading, expanding and rewriting YAML of {MOST} resources, each task with its own role"
    exponent = f"exponent {log2(large.least / small.least):.2f}"
    against = f"{MOST // 2} resources"
    yield Row(what, against, exponent, "at most 1.1", str(large), str(small), "exponent 1")


def _with_own_roles(count: int) -> dict[str, Json]:
    """A template with so many resources, every second one a task, and before each its role."""
    template = generated(count, DENSE)
    resources = template["Resources"]
    assert isinstance(resources, dict)
    role = next(one for name, one in resources.items() if name.startswith("ExecutionRole"))
    own: dict[str, Json] = {}
    for name, body in resources.items():
        if name.startswith("Task"):
            assert isinstance(body, dict)
            properties = body["Properties"]
            assert isinstance(properties, dict)
            arn: Json = {"Fn::GetAtt": [f"{name}Role", "Arn"]}
            own[f"{name}Role"] = role
            own[name] = {**body, "Properties": {**properties, "ExecutionRoleArn": arn}}
    return {**template, "Resources": own}


def _rewritten(text: bytes) -> str:
    source = parse(text, "template.yaml")
    expansion = expand(source.template)
    if expansion.problems:
        raise MeasurementError("the generated template has problems")
    return rewrite(source, expansion.edits)


def plug_in(run: Run) -> Iterator[Row]:
    """cfn-lint with the rules of `macro.lint` and without them, on a template that has none of the
    shorthand."""
    template = of_size(50_000, as_yaml)
    resources = template["Resources"]
    assert isinstance(resources, dict)
    others = {name: one for name, one in resources.items() if not name.startswith("Task")}
    file = run.file("plain.yaml", as_yaml({**template, "Resources": others}))
    what = f"cfn-lint with `macro.lint`, {file.stat().st_size / 1000:.0f} kB without shorthand"
    try:
        found = package("cfn-lint")
    except UnavailableError as error:
        yield Row(what, "cfn-lint", f"not measured: {error}", "1.0")
        return
    lint = (found.programs / "python", "-c", LINT, "--non-zero-exit-code", "error")
    with_rules, alone = in_turns(
        run.repeats(10),
        run.processes.program(*lint, "--append-rules", "macro.lint", "--", file),
        run.processes.program(*lint, "--", file),
    )
    yield ratio(what, f"{found.label} alone", with_rules, alone, "1.0", alone)


def folder(run: Run) -> Iterator[Row]:
    """A folder of templates, on two cores and on one."""
    what, against, asked = f"a folder of {FILES} templates on two cores", "one core", "1.8 times"
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        yield Row(what, against, "not measured: two cores cannot be had by choice here", asked)
        return
    source = run.folder / "templates"
    source.mkdir()
    text = as_yaml(of_size(20_000, as_yaml))
    for number in range(FILES):
        (source / f"{number}.yaml").write_text(f"# Template {number}\n{text}", "utf-8")
    command = _expand(run, source, "--output-dir", run.folder / "expanded")

    def on(count: int) -> float:
        with _only(cores[:count]):
            return command()

    two, one = in_turns(run.repeats(5), partial(on, 2), partial(on, 1))
    faster = f"{one.least / two.least:.2f} times as fast"
    what = f"a folder of {FILES} templates of {len(text) / 1000:.0f} kB on two cores"
    yield Row(what, against, faster, f"{asked} as fast", str(two), str(one))


def _expand(run: Run, *arguments: str | Path) -> Side:
    return run.processes.program(sys.executable, "-m", "macro", "expand", *arguments)


def _compared(run: Run, file: Path, mix: str, opponents: list[_Opponent]) -> Iterator[Row]:
    what = f"`python -m macro expand` of {file.stat().st_size / 1000:.0f} kB of YAML{mix}"
    for one in opponents:
        try:
            label, command = one.prepare()
        except UnavailableError as error:
            yield Row(what, one.name, f"not measured: {error}", one.asked)
            continue
        ours, theirs = in_turns(run.repeats(one.repeats), _expand(run, file), command)
        yield ratio(what, label, ours, theirs, one.asked)


def _cdk(run: Run, fragment: Path) -> tuple[str, Side]:
    """The program of a CDK app, which is what `cdk synth` runs: without the CLI, it is quicker."""
    found = node("aws-cdk-lib", "constructs")
    program = run.processes.program(
        found.program,
        ROOT / "benchmarks" / "stack.js",
        fragment,
        NODE_PATH=str(found.modules),
        CDK_OUTDIR=str(run.folder / "cdk.out"),
    )
    return f"synthesis of the equal stack, aws-cdk-lib {found.version}, without its CLI", program


def _lint(run: Run, expanded: Path) -> tuple[str, Side]:
    found = package("cfn-lint")
    program = run.processes.program(
        found.programs / "cfn-lint", "--non-zero-exit-code", "error", expanded
    )
    return f"{found.label} on the expanded file", program


def _ruamel(run: Run, file: Path) -> tuple[str, Side]:
    found = package("ruamel.yaml")
    program = run.processes.program(found.programs / "python", "-c", RUAMEL, file)
    return f"{found.label}, load and dump", program


def _compose(run: Run, file: Path) -> tuple[str, Side]:
    program = run.processes.program(sys.executable, "-c", COMPOSE, file)
    return f"PyYAML {yaml.__version__}, `compose` in C", program


@contextmanager
def _only(cores: list[int]) -> Iterator[None]:
    """Lets the processes that start meanwhile run on these cores alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
