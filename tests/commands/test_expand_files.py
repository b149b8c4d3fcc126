"""Many files: which are taken, where their expansions go, and what is shown in place of writing."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import jsonpatch
import pytest

from macro.commands.cli import main
from macro.text.source import parse
from terminal import on_a_terminal, start

ROOT = Path(__file__).parents[2]

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
PLAIN = "Resources:\n  Topic:   {Type: AWS::SNS::Topic}   # PrivateImage is only named here\r\n"
WRONG = f"{PRIVATE}            Secrt: registry/web\n"
NO_TEMPLATE = "PrivateImage: [a, list, of, words]\n"
BROKEN = PRIVATE.replace("Task:", "Task: [")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `stacks` with templates and other files; the working directory is above it."""
    for name, text in {
        "stacks/a.yaml": PRIVATE,
        "stacks/plain.yml": PLAIN,
        "stacks/words.yaml": NO_TEMPLATE,
        "stacks/readme.md": "PrivateImage",
        "stacks/deep/er/b ü.yaml": PRIVATE,
        "stacks/.hidden/c.yaml": PRIVATE,
        "stacks/node_modules/d.yaml": PRIVATE,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def expansion(capfdbinary: pytest.CaptureFixture[bytes]) -> bytes:
    """What PRIVATE becomes."""
    assert main(["expand", "stacks/a.yaml"]) == 0
    return capfdbinary.readouterr().out


# Where it goes


def test_a_folder_is_mirrored(tree: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    expected = expansion(capfdbinary)
    before = contents(tree)

    assert main(["expand", "stacks", "--output-dir", "out"]) == 0

    assert contents(tree / "out") == {"a.yaml": expected, "deep/er/b ü.yaml": expected}
    assert {name: before[name] for name in before} == before
    assert capfdbinary.readouterr().err.decode().splitlines() == [
        "expanded stacks/a.yaml -> out/a.yaml",
        "expanded stacks/deep/er/b ü.yaml -> out/deep/er/b ü.yaml",
        "2 expanded, 1 unchanged",
    ]


def test_in_place_touches_what_has_the_shorthand_alone(
    tree: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    expected = expansion(capfdbinary)
    (tree / "stacks/a.yaml").chmod(0o640)
    before = contents(tree)
    untouched = (tree / "stacks/plain.yml").stat()

    assert main(["expand", "stacks", "--in-place"]) == 0

    changed = {"stacks/a.yaml": expected, "stacks/deep/er/b ü.yaml": expected}
    assert contents(tree) == {**before, **changed}
    assert stat.S_IMODE((tree / "stacks/a.yaml").stat().st_mode) == 0o640
    assert (tree / "stacks/plain.yml").stat() == untouched
    assert main(["expand", "stacks", "--in-place"]) == 0
    assert capfdbinary.readouterr().err.endswith(b"\n3 unchanged\n")


@pytest.mark.parametrize("pattern", ["stacks/**/*.yaml", "stacks/*/*/b*.yaml"])
def test_a_pattern_is_mirrored_from_its_fixed_part(tree: Path, pattern: str) -> None:
    assert main(["expand", pattern, "--output-dir", "out"]) == 0
    assert (tree / "out/deep/er/b ü.yaml").exists()


def test_the_folder_that_is_written_to_is_not_read(tree: Path) -> None:
    assert main(["expand", ".", "--output-dir", "stacks/out"]) == 0
    (tree / "stacks/out/stacks/a.yaml").write_text(PRIVATE, "utf-8")
    assert main(["expand", ".", "--output-dir", "stacks/out"]) == 0
    assert not (tree / "stacks/out/stacks/out").exists()


def test_a_file_that_is_named_twice_is_taken_once(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "link.yaml").symlink_to("stacks/a.yaml")
    assert main(["expand", "stacks/a.yaml", "stacks/../stacks/a.yaml", "link.yaml", "--check"]) == 0
    assert main(["expand", "stacks/a.yaml", "link.yaml", "--in-place"]) == 0
    assert capsys.readouterr().err.endswith("expanded stacks/a.yaml\n")
    assert (tree / "link.yaml").is_symlink()


def test_two_files_that_would_meet(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "a.yaml").write_text(PRIVATE, "utf-8")
    assert main(["expand", "a.yaml", "stacks/a.yaml", "--output-dir", "out"]) == 2
    assert capsys.readouterr().err == (
        "error: a.yaml and stacks/a.yaml would both be written to out/a.yaml\n"
    )
    assert not (tree / "out").exists()


# What is wrong


def test_nothing_is_written_where_one_file_has_a_problem(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "stacks/wrong.yaml").write_text(WRONG, "utf-8")
    before = contents(tree)
    assert main(["expand", "stacks", "--in-place"]) == 1
    assert contents(tree) == before
    assert capsys.readouterr().err.startswith("stacks/wrong.yaml:12:13: PI101 PrivateImage has no")


def test_unless_told_to_go_on(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "stacks/wrong.yaml").write_text(WRONG, "utf-8")
    assert main(["expand", "stacks", "--output-dir", "out", "--keep-going"]) == 1
    assert contents(tree / "out").keys() == {"a.yaml", "deep/er/b ü.yaml"}
    assert capsys.readouterr().err.endswith("\n2 expanded, 1 unchanged, 1 with problems\n")


def test_a_broken_template_in_a_folder_is_told(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "stacks/broken.yaml").write_text(BROKEN, "utf-8")
    assert main(["expand", "stacks", "--check"]) == 1
    assert capsys.readouterr().err.startswith("stacks/broken.yaml:")


def test_what_is_named_outright_and_is_no_template_is_a_problem(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["expand", "stacks/words.yaml", "stacks/a.yaml", "--check"]) == 1
    assert "stacks/words.yaml:1:1: PI004 " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["stacks"], "several templates need a place: --output-dir DIR or --in-place"),
        (["stacks/a.yaml", "stacks/plain.yml"], "several templates need a place"),
        (["stacks", "-o", "x.yaml"], "-o takes one template"),
        (["-", "--in-place"], "standard input cannot be written in place"),
        (["-", "--output-dir", "out"], "standard input has no place in a folder"),
        (["nowhere/*.yaml", "--check"], "nowhere/*.yaml matches no file"),
        (["stacks/deep/e?", "--check"], "stacks/deep/e? matches no file"),
        (["stacks", "-p", "Name=x", "--check"], "no template has a parameter Name"),
        (["stacks", "--output-dir", "stacks/a.yaml"], "cannot be written: "),
        (["nowhere.yaml", "stacks/a.yaml", "--check"], "nowhere.yaml cannot be read: No such"),
    ],
)
def test_wrong_usage(
    tree: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(tree)
    assert main(["expand", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err and err.startswith("error: ")
    assert contents(tree) == before


def test_places_exclude_each_other(tree: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["expand", "stacks", "--in-place", "--output-dir", "out"])


def test_a_failure_while_writing_leaves_no_half(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(tree)
    real = os.fdopen
    opened: list[int] = []

    def full(handle: int, mode: str) -> object:
        opened.append(handle)
        if len(opened) == 2:
            os.close(handle)
            raise OSError(28, "No space left on device")
        return real(handle, mode)

    monkeypatch.setattr("macro.commands.files.os.fdopen", full)
    assert main(["expand", "stacks", "--in-place"]) == 2
    assert "b ü.yaml cannot be written: No space left on device" in capsys.readouterr().err
    assert contents(tree) == before


# See it first


def patched(text: bytes, diff: bytes) -> bytes:
    """The text with the hunks of a unified diff applied, which fails where they do not fit."""
    old, new, taken = text.splitlines(keepends=True), list[bytes](), 0
    for line in diff.splitlines(keepends=True)[2:]:
        if hunk := re.match(rb"@@ -(\d+),", line):
            new += old[taken : int(hunk[1]) - 1]
            taken = int(hunk[1]) - 1
            continue
        if line[:1] in b" -":
            assert old[taken] == line[1:]
            taken += 1
        if line[:1] in b" +":
            new.append(line[1:])
    return b"".join([*new, *old[taken:]])


def test_a_diff_applied_is_the_expansion(
    tree: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    expected = expansion(capfdbinary)
    before = contents(tree)
    assert main(["expand", "stacks", "--diff"]) == 0
    diff = capfdbinary.readouterr().out
    assert contents(tree) == before
    assert diff.startswith(b"--- stacks/a.yaml\n+++ stacks/a.yaml (expanded)\n@@ ")
    assert b"-Transform: PrivateImage\n" in diff and b"+          Image: reg" in diff
    first = diff[: diff.index(b"--- stacks/deep")]
    assert patched(PRIVATE.encode(), first) == expected


def test_the_end_of_a_file_without_a_line_break_shows_in_a_diff(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "a.yaml").write_text(PRIVATE.rstrip("\n"), "utf-8")
    assert main(["expand", "a.yaml", "--diff"]) == 0
    assert "\n\\ No newline at end of file\n" in capsys.readouterr().out


def test_json_is_the_edits_the_grants_and_the_problems(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "stacks/wrong.yaml").write_text(WRONG, "utf-8")
    assert main(["expand", "stacks", "--format", "json"]) == 1
    out, err = capsys.readouterr()
    assert "PI101" in err
    told = {one["file"]: one for one in json.loads(out)["files"]}
    assert list(told) == ["stacks/a.yaml", "stacks/wrong.yaml", "stacks/deep/er/b ü.yaml"]
    container = "/Resources/Task/Properties/ContainerDefinitions/0"
    moved = {"op": "move", "path": f"{container}/Image", "from": f"{container}/PrivateImage/Image"}
    assert moved in told["stacks/a.yaml"]["edits"]
    (grant,) = told["stacks/a.yaml"]["grants"]
    assert grant["role"] == {"name": "exec"}
    assert grant["for"] == [f"{container}/PrivateImage"]
    assert grant["policy"] == {"on": "policy", "logicalId": "TaskPrivateImagePolicy"}
    (problem,) = told["stacks/wrong.yaml"]["problems"]
    assert (problem["code"], problem["line"], problem["column"]) == ("PI101", 12, 13)


def test_the_edits_are_a_json_patch(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for case in sorted((ROOT / "tests/cases").iterdir()):
        (golden, *_), (template,) = [*case.glob("expanded.*"), None], case.glob("template.*")
        if golden and not (case / "options.txt").exists():
            assert main(["expand", str(template), "--format", "json"]) == 0
            (told,) = json.loads(capsys.readouterr().out)["files"]
            before = parse(template.read_bytes(), "").template
            after = parse(golden.read_bytes(), "").template
            assert jsonpatch.JsonPatch(told["edits"]).apply(before) == after, case.name


# Hold it in CI


def test_check_passes_while_the_expansion_is_up_to_date(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["expand", "stacks", "--output-dir", "out"]
    assert main(command) == 0
    before = contents(tree)
    capsys.readouterr()
    assert main([*command, "--check"]) == 0
    assert capsys.readouterr() == ("", "2 up to date, 1 unchanged\n")

    (tree / "stacks/a.yaml").write_text(PRIVATE.replace("web:1", "web:2"), "utf-8")
    (tree / "out/deep/er/b ü.yaml").unlink()
    assert main([*command, "--check"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "out/a.yaml: not up to date with stacks/a.yaml; expand it again",
        "out/deep/er/b ü.yaml: not up to date with stacks/deep/er/b ü.yaml; expand it again",
        "1 unchanged, 2 not up to date",
    ]
    del before["out/deep/er/b ü.yaml"]
    assert contents(tree) == {**before, "stacks/a.yaml": (tree / "stacks/a.yaml").read_bytes()}


def test_check_of_one_output(tree: Path) -> None:
    assert main(["expand", "stacks/a.yaml", "-o", "x.yaml", "--check"]) == 1
    assert not (tree / "x.yaml").exists()
    assert main(["expand", "stacks/a.yaml", "-o", "x.yaml"]) == 0
    assert main(["expand", "stacks/a.yaml", "-o", "x.yaml", "--check"]) == 0


def test_check_in_place(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["expand", "stacks/a.yaml", "stacks/plain.yml", "--in-place", "--check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "stacks/a.yaml: not expanded",
        "1 unchanged, 1 not up to date",
    ]


def test_check_shows_the_difference(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["expand", "stacks/a.yaml", "-o", "x.yaml"]) == 0
    (tree / "stacks/a.yaml").write_text(PRIVATE.replace("web:1", "web:2"), "utf-8")
    assert main(["expand", "stacks/a.yaml", "-o", "x.yaml", "--check", "--diff"]) == 1
    out = capsys.readouterr().out
    changed = [line for line in out.splitlines() if re.match("[-+] ", line)]
    assert out.startswith("--- x.yaml\n+++ x.yaml (expanded)\n")
    assert [line.split()[-1] for line in changed] == [
        "registry.example.com/team/web:1",
        "registry.example.com/team/web:2",
    ]


STALE = "not up to date with"
UNKNOWN_KEY = "PrivateImage has no key Secrt. Did you mean Secret?"


def test_problems_are_annotations_in_github_actions(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (tree / "stacks/a,b:50%.yaml").write_text(WRONG, "utf-8")
    (tree / "stacks/deep/er/b ü.yaml").rename("stacks/b.yaml")
    assert main(["expand", "stacks", "--output-dir", "out", "--check"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.removeprefix("::error ") for line in lines if line.startswith("::")] == [
        f"file=stacks/a%2Cb%3A50%25.yaml,line=12,col=13,title=PI101::{UNKNOWN_KEY}",
        f"file=out/a.yaml,title=PrivateImage::{STALE} stacks/a.yaml; expand it again",
        f"file=out/b.yaml,title=PrivateImage::{STALE} stacks/b.yaml; expand it again",
    ]


# As a process


def test_a_diff_has_colours_on_a_terminal(tree: Path) -> None:
    seen = on_a_terminal("expand", "stacks/a.yaml", "--diff")
    assert "\x1b[31m-Transform: PrivateImage\x1b[0m\n" in seen
    assert "\x1b[32m+" in seen
    assert "\x1b[" not in on_a_terminal("expand", "stacks/a.yaml", "--diff", NO_COLOR="1")


def many(tree: Path, count: int) -> None:
    folder = tree / "many"
    folder.mkdir()
    for number in range(count):
        text = PRIVATE.replace("web:1", f"web:{number}")
        (folder / f"{number:03}.yaml").write_text(text, "utf-8")


def test_many_files_show_a_bar_on_a_terminal_and_keep_their_order(tree: Path) -> None:
    many(tree, 90)
    seen = on_a_terminal("expand", "many", "--output-dir", "out")
    assert "\r[###############...............] 45/90" in seen
    assert "] 90/90\r\x1b[Kexpanded many/000.yaml -> out/000.yaml\n" in seen
    assert seen.endswith("\n90 expanded\n")
    process = start("expand", "many", "--format", "json", stdout=subprocess.PIPE)
    out, _ = process.communicate()
    assert [one["file"] for one in json.loads(out)["files"]] == [
        f"many/{number:03}.yaml" for number in range(90)
    ]
    assert (tree / "out/077.yaml").read_text("utf-8").count("web:77") == 1


def test_no_bar_where_nobody_looks(tree: Path) -> None:
    many(tree, 90)
    process = start("expand", "many", "--output-dir", "out", stderr=subprocess.PIPE)
    lines = process.communicate()[1].splitlines()
    assert b"\r" not in b"".join(lines) and (len(lines), lines[-1]) == (91, b"90 expanded")


def test_an_interrupt_ends_it_with_a_word(tree: Path) -> None:
    # A pipe that nobody fills, so that it surely waits.
    os.mkfifo(tree / "pipe.yaml")
    process = start("expand", "pipe.yaml", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writer = os.open(tree / "pipe.yaml", os.O_WRONLY)  # returns once the command reads
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    os.close(writer)
    assert (process.returncode, out, err) == (130, b"", b"interrupted\n")


def test_an_interrupt_amid_many_files_leaves_no_process(tree: Path) -> None:
    many(tree, 40)
    os.mkfifo(tree / "many/020.pipe.yaml")
    process = start("expand", "many", "--in-place", stderr=subprocess.PIPE, start_new_session=True)
    writer = os.open(tree / "many/020.pipe.yaml", os.O_WRONLY)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    os.close(writer)
    assert process.communicate(timeout=60)[1] == b"interrupted\n"
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_folder_without_permission(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Nothing is forbidden to root, who may run this.
    real = os.scandir

    def forbidden(path: str) -> object:
        if path == "stacks/deep":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    assert main(["expand", "stacks", "--check"]) == 2
    assert capsys.readouterr().err == "error: stacks/deep cannot be read: Permission denied\n"


HEAVY = {"yaml", "multiprocessing", "concurrent", "difflib", "tomllib", "configparser", "cfnlint"}


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--help"], set()),
        (["--version"], set()),
        (["expand", "--help"], set()),
        (["expand", str(ROOT / "examples/fargate.yaml")], {"yaml"}),
    ],
    ids=lambda value: " ".join(value[:1]) if isinstance(value, list) else "",
)
def test_nothing_heavy_is_imported_that_is_not_needed(
    arguments: list[str], allowed: set[str]
) -> None:
    program = (
        "import sys\nfrom macro.commands.cli import main\ntry:\n    main(sys.argv[1:])\nfinally:\n"
    )
    program += "    print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stderr.split()) & {*HEAVY, "boto3"} <= allowed


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"PrivateImage {version('private-image-macro')}\n"
