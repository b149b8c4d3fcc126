"""Files and streams under faults: what is written, what is kept, and how the command ends."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from macro.commands.cli import main
from macro.commands.exit_codes import UsageError
from macro.commands.file_writing import write
from terminal import on_a_terminal, start

PRIVATE = """\
Transform: PrivateImage
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: arn:aws:iam::111122223333:role/exec
      ContainerDefinitions:
        - Name: web
          PrivateImage:
            Image: registry.example.com/team/web:1
            Secret: registry/web
"""
PLAIN = "Resources:\n  Topic: {Type: AWS::SNS::Topic}\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def put(name: str, text: str = PRIVATE) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def expanded(path: Path) -> bool:
    return "RepositoryCredentials" in path.read_text("utf-8")


def names() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file()}


# Where it goes


def test_the_folder_of_an_output_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    put("a.yaml")
    assert main(["expand", "a.yaml", "-o", "new/er/x.yaml"]) == 0
    assert expanded(Path("new/er/x.yaml"))


@pytest.mark.parametrize(
    ("output", "written"),
    [
        ("stacks", {"stacks/a.yaml", "stacks/deep/b.yaml"}),
        (".", {"a.yaml", "deep/b.yaml"}),
        ("stacks/deep", {"stacks/deep/a.yaml", "stacks/deep/deep/b.yaml"}),
    ],
)
def test_the_folder_of_the_sources_its_parent_or_one_within(
    output: str, written: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    put("stacks/a.yaml")
    put("stacks/deep/b.yaml")
    command = ["expand", "stacks", "--output-dir", output]
    assert main(command) == 0
    assert {name for name in names() if expanded(Path(name))} == written
    assert main([*command, "--check"]) == 0
    before = names()
    assert main(command) == 0
    assert names() == before


def test_no_source_is_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    put("stacks/a.yaml")
    put("stacks/stacks/a.yaml", PRIVATE.replace("web:1", "web:2"))
    assert main(["expand", "stacks", "--output-dir", "."]) == 2
    assert capsys.readouterr().err.endswith(
        "error: stacks/stacks/a.yaml would be written over stacks/a.yaml, which is a source\n"
    )
    assert not any(expanded(Path(name)) for name in names())


def test_a_pattern_leaves_out_what_a_folder_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("stacks", "stacks/.aws-sam/build", "stacks/node_modules/x", "stacks/.git"):
        put(f"{folder}/a.yaml")
    assert main(["expand", "stacks/**/*.yaml", "--output-dir", "out"]) == 0
    assert {name for name in names() if name.startswith("out")} == {"out/a.yaml"}
    assert main(["expand", "stacks/.git/*.yaml", "--output-dir", "git"]) == 0
    assert expanded(Path("git/a.yaml"))


@pytest.mark.parametrize("name", ["a\0b.yaml", "a" * 300, "", "a\0*"])
def test_a_name_that_no_file_can_have(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["expand", name]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    put("a.yaml")
    assert main(["expand", "a.yaml", "-o", name]) == 2
    assert names() == {"a.yaml"}


@pytest.mark.parametrize("value", ["a\\0b", "a" * 300, "\\ud800"])
def test_a_local_path_that_no_file_can_have(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    lambda_ = "  F:\n    Type: AWS::Serverless::Function\n    Properties: {CodeUri: "
    put("a.yaml", f'{PRIVATE}{lambda_}"{value}"}}\n')
    assert main(["expand", "a.yaml", "-o", "out/a.yaml"]) in (0, 1)
    assert "unexpected" not in capsys.readouterr().err


def test_a_large_file_in_a_folder_is_not_read_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("large.yaml").open("wb") as file:
        file.write(b"PrivateImage: 1\nResources:\n")
        file.truncate(1 << 40)  # sparse: a terabyte that takes no space
    assert main(["expand", ".", "--check"]) == 1
    assert capsys.readouterr().err.startswith("large.yaml:1:1: PI005 ")


# What is kept


def test_several_names_of_a_file_still_show_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    put("a.yaml")
    Path("b.yaml").hardlink_to("a.yaml")
    Path("a.yaml").chmod(0o604)
    assert main(["expand", "a.yaml", "--in-place"]) == 0
    assert expanded(Path("b.yaml"))
    assert Path("a.yaml").samefile("b.yaml")
    assert stat.S_IMODE(Path("a.yaml").stat().st_mode) == 0o604
    assert names() == {"a.yaml", "b.yaml"}


@pytest.mark.parametrize("allowed", [True, False])
def test_the_owner_is_kept(
    allowed: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root gives files away")
    put("a.yaml")
    os.chown("a.yaml", 1234, 4321)
    if not allowed:

        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "chown", refuse)
    assert main(["expand", "a.yaml", "--in-place"]) == 0
    status = Path("a.yaml").stat()
    assert (status.st_uid, status.st_gid) == (1234, 4321) and expanded(Path("a.yaml"))
    assert names() == {"a.yaml"}


def test_a_failure_among_the_last_steps_names_what_was_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in "abc":
        put(name, "before")
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target.name == "b":
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(UsageError) as raised:
        write([(name, b"after") for name in "abc"])
    here = Path.cwd()
    assert str(raised.value) == (
        f"{here}/b cannot be written: Input/output error. Replaced before that: {here}/a"
    )
    assert [Path(name).read_text("utf-8") for name in "abc"] == ["after", "before", "before"]
    assert names() == {"a", "b", "c"}


def test_signals_wait_until_all_files_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        put(name, "before")
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target.name == "b":
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        write([(name, b"after") for name in "abc"])
    assert {Path(name).read_text("utf-8") for name in "abc"} == {"after"}
    assert names() == {"a", "b", "c"}


def test_folders_that_were_made_go_when_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put("stacks/a.yaml")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    assert main(["expand", "stacks", "--output-dir", "new/er"]) == 2
    assert not Path("new").exists()


# Streams


def ended(*arguments: str, **options: object) -> tuple[int, bytes]:
    process = start(*arguments, stderr=subprocess.PIPE, **options)
    error = process.communicate(timeout=60)[1]
    return process.returncode, error


def test_standard_output_by_its_name() -> None:
    put("a.yaml")
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        with Path("out").open("wb") as out:
            out.write(b"# before\n")
            out.flush()
            assert ended("expand", "a.yaml", "-o", name, stdout=out) == (0, b"")
        text = Path("out").read_text("utf-8")
        assert text.startswith("# before\n") and "RepositoryCredentials" in text
    assert names() == {"a.yaml", "out"}


@pytest.mark.parametrize(
    "command",
    [
        ["expand", "a.yaml", "-o", "/dev/full"],
        ["expand", "a.yaml"],
        ["expand", "a.yaml", "--diff"],
    ],
)
def test_a_full_device(command: list[str]) -> None:
    put("a.yaml")
    with Path("/dev/full").open("wb") as full:
        code, error = ended(*command, stdout=full)
    assert code == 2
    assert error.endswith(b"cannot be written: No space left on device\n")
    assert error.count(b"\n") == 1


@pytest.mark.parametrize(("device", "mode"), [("/dev/full", "wb"), ("/dev/null", "rb")])
@pytest.mark.parametrize(
    ("command", "code"),
    [(["--in-place"], 0), (["--in-place", "-p", "None=x"], 2), (["none.yaml"], 2), (["b.yaml"], 1)],
)
def test_messages_that_cannot_be_written_change_no_exit_code(
    command: list[str], code: int, device: str, mode: str
) -> None:
    put("a.yaml")
    put("b.yaml", "a: b: c\n")
    paths = ["a.yaml", *command] if command[0] == "--in-place" else command
    with Path(device).open(mode) as error:
        process = start("expand", *paths, stdout=subprocess.PIPE, stderr=error)
        assert process.communicate(timeout=60)[0] == b""
    assert process.returncode == code
    assert ("RepositoryCredentials" in Path("a.yaml").read_text("utf-8")) == (code == 0)


def test_a_dash_is_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    put("a.yaml")
    assert main(["expand", "a.yaml"]) == 0
    expected = capfdbinary.readouterr().out
    assert b"RepositoryCredentials" in expected
    assert main(["expand", "a.yaml", "-o", "-"]) == 0
    assert capfdbinary.readouterr().out == expected
    assert names() == {"a.yaml"}


def test_a_name_that_is_a_folders_is_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    put("a.yaml")
    assert main(["expand", "a.yaml", "-o", "new/"]) == 2
    assert capsys.readouterr().err == "error: new/ cannot be written: Is a directory\n"
    assert not Path("new").exists()


def test_a_parameter_file_without_end(capsys: pytest.CaptureFixture[str]) -> None:
    put("a.yaml")
    for option in ("--parameter-file", "--config-file"):
        assert main(["expand", "a.yaml", option, "/dev/zero"]) == 2
        assert "/dev/zero is larger than all parameters" in capsys.readouterr().err


def test_a_pipe_is_written_into() -> None:
    put("a.yaml")
    os.mkfifo("pipe")
    process = start("expand", "a.yaml", "-o", "pipe")
    assert b"RepositoryCredentials" in Path("pipe").read_bytes()
    assert process.wait(60) == 0
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


@pytest.mark.parametrize(
    ("closed", "code"), [("<&-", 0), ("2>&-", 0), (">&-", 2), ("<&- >&- 2>&-", 2)]
)
def test_closed_standard_streams(closed: str, code: int, tmp_path: Path) -> None:
    put("a.yaml")
    process = start("expand", "a.yaml")  # the command line as it is
    assert isinstance(process.args, list)
    command = shlex.join(map(str, process.args))
    process.wait(60)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        ["bash", "-c", f"{command} {closed}"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    if closed == ">&-":
        assert done.stderr == b"error: standard output cannot be written: Bad file descriptor\n"


# How it ends


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [(signal.SIGINT, 130, b"interrupted\n"), (signal.SIGTERM, 143, b"")],
)
def test_a_signal_amid_many_files_leaves_nothing(
    number: signal.Signals, code: int, message: bytes
) -> None:
    for index in range(40):
        put(f"many/{index:03}.yaml", PRIVATE)
    os.mkfifo("many/020.pipe.yaml")
    before = names()
    process = start("expand", "many", "--in-place", stderr=subprocess.PIPE, start_new_session=True)
    writer = os.open("many/020.pipe.yaml", os.O_WRONLY)  # returns once the command reads
    time.sleep(0.2)
    process.send_signal(number)  # to the first process alone, and the pipe stays open
    assert process.communicate(timeout=20)[1] == message
    os.close(writer)
    assert process.returncode == code
    assert names() == before and not any(expanded(Path(name)) for name in before)
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a process is left")


def test_a_process_that_is_ended_from_outside(capsys: pytest.CaptureFixture[str]) -> None:
    for index in range(40):
        put(f"many/{index:03}.yaml", PRIVATE)
    os.mkfifo("many/020.pipe.yaml")
    process = start("expand", "many", "--in-place", stderr=subprocess.PIPE)
    writer = os.open("many/020.pipe.yaml", os.O_WRONLY)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("utf-8").split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    error = process.communicate(timeout=20)[1]
    os.close(writer)
    assert (process.returncode, error) == (
        2,
        b"error: a worker process was killed; nothing was written\n",
    )


def test_a_fault_is_one_line_without_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError("hunter2")

    put("a.yaml")
    monkeypatch.setattr("macro.engine.expand.Stack", fault)
    assert main(["expand", "a.yaml"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: unexpected ZeroDivisionError at test_files.py:")
    assert "hunter2" not in error and error.count("\n") == 1


# Up to date or not


Change = Callable[[], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: put("stacks/a.yaml", PLAIN), "stacks/a.yaml no longer has a PrivateImage block"),
        (lambda: Path("stacks/a.yaml").unlink(), "its source does not exist"),
        (lambda: Path("stacks/a.yaml").rename("stacks/z.yaml"), "its source does not exist"),
        (lambda: shutil.rmtree("stacks/deep"), "its source does not exist"),
    ],
)
def test_an_expansion_without_its_source_is_stale(
    change: Change, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put("stacks/a.yaml")
    put("stacks/b.yaml")
    put("stacks/deep/c.yaml")
    put("stacks/plain.yaml", PLAIN)
    command = ["expand", "stacks", "--output-dir", "out"]
    assert main(command) == 0
    put("out/plain.yaml", PLAIN)  # a copy, so that the folder deploys
    put("out/parameters.json", '{"Parameters": {}}')
    assert main([*command, "--check"]) == 0
    change()
    capsys.readouterr()
    assert main([*command, "--check"]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("sources", [".", "**/*.yaml", "./"])
def test_in_a_folder_within_the_sources_an_expansion_is_no_source(
    sources: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put("a.yaml")
    put("b.yaml")
    put("out/other.yaml", PLAIN)  # whoever put it there
    command = ["expand", sources, "--output-dir", "out"]
    assert main(command) == 0
    assert main([*command, "--check"]) == 0
    Path("a.yaml").rename("c.yaml")
    capsys.readouterr()
    assert main([*command, "--check"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "out/a.yaml: its source does not exist; remove this file" in lines
    assert "out/c.yaml: not up to date with c.yaml; expand it again" in lines
    assert lines[-1] == "1 up to date, 1 unchanged, 2 not up to date"
    Path("c.yaml").rename("a.yaml")
    assert main([*command, "--check"]) == 0


def test_a_source_that_is_an_expansion_in_place_is_none_of_the_folder_above(
    capsys: pytest.CaptureFixture[str],
) -> None:
    put("stacks/a.yaml")
    put("stacks/old.yaml")
    assert main(["expand", "stacks/old.yaml", "--in-place"]) == 0
    command = ["expand", "stacks", "--output-dir", "."]
    assert main(command) == 0
    assert main([*command, "--check"]) == 0


def test_what_a_pattern_matched_once_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.yaml", "b.yaml", "deep/c.yaml"):
        put(f"stacks/{name}")
        put(f"more/{name}")
    assert main(["expand", "stacks", "--output-dir", "out"]) == 0
    assert main(["expand", "more", "--output-dir", "out/more"]) == 0
    command = ["expand", "stacks/*.yaml", "--output-dir", "out", "--check"]
    assert main(command) == 0
    Path("stacks/a.yaml").unlink()
    Path("stacks/deep/c.yaml").unlink()  # which the pattern does not match
    capsys.readouterr()
    assert main(command) == 1
    assert capsys.readouterr().err.splitlines() == [
        "out/a.yaml: its source does not exist; remove this file",
        "1 up to date, 1 not up to date",
    ]


def test_in_a_shared_folder_only_what_looks_like_an_expansion_is_stale(
    capsys: pytest.CaptureFixture[str],
) -> None:
    put("stacks/a.yaml")
    put("other/plain.yaml", PLAIN)
    put("other/source.yaml")
    command = ["expand", "stacks", "--output-dir", "."]
    assert main(command) == 0
    assert main([*command, "--check"]) == 0
    Path("a.yaml").rename("b.yaml")
    capsys.readouterr()
    assert main([*command, "--check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "a.yaml: not up to date with stacks/a.yaml; expand it again",
        "b.yaml: its source does not exist; remove this file",
        "2 not up to date",
    ]


def test_an_output_whose_source_lost_its_shorthand(capsys: pytest.CaptureFixture[str]) -> None:
    put("a.yaml")
    command = ["expand", "a.yaml", "-o", "x.yaml"]
    assert main(command) == 0
    put("a.yaml", PLAIN)
    assert main([*command, "--check"]) == 1
    assert main(command) == 0
    assert main([*command, "--check"]) == 0


# Names in GitHub Actions


def test_no_name_of_a_file_is_a_workflow_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for name in ("::warning::a.yaml", "a\n::warning::b.yaml", "##[error]c.yaml", "\x1b[31m.yaml"):
        put(name, f"{PRIVATE}            Secrt: x\n")
    assert main(["expand", ".", "--output-dir", "out", "--check"]) == 1
    lines = capsys.readouterr().err.splitlines()
    commands = [line for line in lines if line.lstrip().startswith("::") or "##[" in line]
    assert len(commands) == 4 and all(line.startswith("::error file=") for line in commands)
    assert "\x1b" not in "".join(lines)


def test_no_name_in_what_is_shown_is_a_workflow_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    text = PRIVATE.replace("Name: web", 'Name: "::error::##[error]x"')
    put("a.yaml", text.replace("Task:", '"T##[error]":'))
    for view in (["--explain"], ["--format", "mermaid"], ["--format", "json"]):
        assert main(["expand", "a.yaml", *view]) == 0
        text = capsys.readouterr().out
        assert "error" in text and "##[" not in text
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert "T##[error]" in json.dumps(json.loads(text))


@pytest.mark.parametrize(
    "command",
    [
        ["expand", "/no/*\n::warning::y"],
        ["expand", "--x\n::warning::y"],
        ["--x\n::warning::y", "expand"],
        ["expand", "a\n::warning::y"],
        ["settings", "a.yaml"],
    ],
)
def test_no_argument_or_key_begins_a_line(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    put("a.yaml", 'Registries: {"a\\e[31m\\n::warning::b": 1, "c##[error]": 2}')
    try:
        code: object = main(command)
    except SystemExit as end:
        code = end.code
    assert code == 2
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if not line.startswith("::error file=")]
    assert not any(line.lstrip().startswith("::") for line in lines)
    assert "\x1b" not in error and "##[" not in error


@pytest.mark.parametrize("quiet", ["", "1"])
def test_a_diff_on_a_terminal_shows_what_is_not_printable(quiet: str) -> None:
    put("a.yaml", f"# \u202eevil\u2066\n{PRIVATE}")
    seen = on_a_terminal("expand", "a.yaml", "--diff", NO_COLOR=quiet)
    assert r"# \u202eevil\u2066" in seen and "\u202e" not in seen
    assert ("\x1b[" in seen) is not bool(quiet)
    process = start("expand", "a.yaml", "--diff", stdout=subprocess.PIPE)
    assert "\u202eevil" in process.communicate(timeout=60)[0].decode()  # as it is, for a program


def test_a_name_with_a_line_break_in_a_diff(capsys: pytest.CaptureFixture[str]) -> None:
    put("a\n+++ b.yaml")
    assert main(["expand", "a\n+++ b.yaml", "--diff"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        r"--- a\n+++ b.yaml",
        r"+++ a\n+++ b.yaml (expanded)",
    ]


# Nested templates


def nesting(child: str) -> str:
    return f"""\
Resources:
  Child: # of the stack
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: {child}
"""


def test_a_parent_comes_along_with_its_expanded_child(capsys: pytest.CaptureFixture[str]) -> None:
    put("stacks/top.yaml", nesting("deep/parent.yaml"))
    put("stacks/deep/parent.yaml", nesting("child.yaml"))
    put("stacks/deep/child.yaml")
    put("stacks/other.yaml", nesting("plain.yaml"))
    put("stacks/plain.yaml", PLAIN)
    put("stacks/circle.yaml", nesting("circle.yaml"))
    command = ["expand", "stacks", "--output-dir", "out"]
    assert main(command) == 0
    written = {name for name in names() if name.startswith("out/")}
    assert written == {"out/top.yaml", "out/deep/parent.yaml", "out/deep/child.yaml"}
    assert Path("out/top.yaml").read_text("utf-8") == nesting("deep/parent.yaml")
    assert Path("out/deep/parent.yaml").read_text("utf-8") == nesting("child.yaml")
    assert main([*command, "--check"]) == 0


@pytest.mark.parametrize("command", [["--in-place"], [], ["-o", "out/p.yaml"], ["--check"]])
def test_a_child_that_is_not_expanded_is_reported(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    put("stacks/top.yaml", nesting("deep/parent.yaml"))
    put("stacks/deep/parent.yaml", nesting("child.txt"))
    put("stacks/deep/child.txt")
    put("stacks/plain.yaml", nesting("plain2.yaml"))
    put("stacks/plain2.yaml", PLAIN)
    assert main(["expand", "stacks/top.yaml", *command]) == 0
    error = capsys.readouterr().err
    assert error.splitlines()[0] == (
        "stacks/top.yaml: warning: it nests stacks/deep/child.txt, whose PrivateImage blocks are"
        " not expanded. Expand the folder of both, or name both."
    )
    assert main(["expand", "stacks/plain.yaml"]) == 0
    assert capsys.readouterr().err == ""


def test_an_expanded_child_that_a_parent_does_not_lead_to_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    put("stacks/top.yaml", nesting("middle.yaml"))
    put("stacks/middle.yaml", nesting("child.yaml"))
    put("stacks/child.yaml")
    ends = ["stacks/top.yaml", "stacks/child.yaml"]
    assert main(["expand", *ends, "--output-dir", "out"]) == 0
    assert names() >= {"out/child.yaml"} and "out/top.yaml" not in names()
    warning = (
        "stacks/top.yaml: warning: it nests stacks/child.yaml by way of a template that is not"
        " named, so its expansion is not used. Expand the folder of all, or name all.\n"
    )
    assert warning in capsys.readouterr().err
    assert main(["expand", *ends, "stacks/middle.yaml", "--output-dir", "all"]) == 0
    assert main(["expand", *ends, "--in-place"]) == 0  # its place is the one that is nested
    assert "warning" not in capsys.readouterr().err


def test_a_copy_still_finds_its_local_files(capsys: pytest.CaptureFixture[str]) -> None:
    put("stacks/parent.yaml", nesting("child.yaml"))
    put("stacks/child.yaml", PLAIN)
    command = ["expand", "stacks/parent.yaml", "-o", "out/p.yaml"]
    assert main(command) == 0
    assert "TemplateURL: '../stacks/child.yaml'" in Path("out/p.yaml").read_text("utf-8")
    assert main([*command, "--check"]) == 0
    put("out/p.yaml", nesting("child.yaml"))
    assert main([*command, "--check"]) == 1


def test_a_parent_points_to_what_does_not_move(capsys: pytest.CaptureFixture[str]) -> None:
    put("stacks/child.yaml")
    put("stacks/plain.yaml", PLAIN)
    code = "  F:\n    Type: AWS::Serverless::Function\n    Properties: {CodeUri: src}\n"
    plain = nesting("plain.yaml").partition("\n")[2].replace("Child", "Plain")
    put("stacks/src/app.py")
    put("stacks/parent.yaml", nesting("child.yaml") + code + plain)
    assert main(["expand", "stacks", "--output-dir", "out"]) == 0
    text = Path("out/parent.yaml").read_text("utf-8")
    assert "TemplateURL: child.yaml" in text
    assert "CodeUri: '../stacks/src'" in text and "TemplateURL: '../stacks/plain.yaml'" in text
