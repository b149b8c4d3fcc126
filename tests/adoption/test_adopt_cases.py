"""Golden cases of `adopt`: cases/<behaviour>/ holds a template and what the command makes of it.

As tests/cases: `options.txt` has options, `adopted.yaml` is what comes out (absent where nothing is
adopted), `stderr.txt` what is reported, without the file's name.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from macro.commands.cli import main

CASES = sorted((Path(__file__).parent / "cases").iterdir())


def template(case: Path) -> Path:
    (found,) = case.glob("template.*")
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_command_writes_what_the_case_says(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = template(case)
    golden = case / f"adopted{source.suffix}"
    options, reported = case / "options.txt", case / "stderr.txt"
    arguments = options.read_text("utf-8").split() if options.exists() else []
    output = tmp_path / f"output{source.suffix}"

    assert main(["adopt", *arguments, str(source), "-o", str(output)]) == 0

    errors = capsys.readouterr().err.replace(f"{source}:", "")
    assert errors == (reported.read_text("utf-8") if reported.exists() else "")
    expected = golden if golden.exists() else source
    assert output.read_bytes() == expected.read_bytes()


@pytest.mark.parametrize(
    "case", [case for case in CASES if [*case.glob("adopted.*")]], ids=lambda case: case.name
)
def test_what_is_adopted_is_not_adopted_again_and_expands(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (golden,) = case.glob("adopted.*")
    options = case / "options.txt"
    arguments = options.read_text("utf-8").split() if options.exists() else []
    assert main(["adopt", *arguments, str(golden), "--check"]) == 0
    known = [word for word in arguments if word not in ("--narrow", "--no-transform")]
    assert main(["expand", *known, str(golden), "-o", str(tmp_path / "expanded")]) == 0
    assert "error" not in capsys.readouterr().err


def test_check_reports_what_could_be_adopted(capsys: pytest.CaptureFixture[str]) -> None:
    source = template(Path(__file__).parent / "cases/role-in-the-template")
    assert main(["adopt", str(source), "--check"]) == 1
    assert capsys.readouterr().err == f"{source}: not adopted\n"


def test_a_folder_is_mirrored_and_what_has_no_credentials_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "stacks"
    folder.mkdir()
    text = template(Path(__file__).parent / "cases/role-outside").read_text("utf-8")
    (folder / "a.yaml").write_text(text, "utf-8")
    (folder / "b.yaml").write_text("Resources:\n  Topic: {Type: AWS::SNS::Topic}\n", "utf-8")

    assert main(["adopt", str(folder), "--output-dir", str(tmp_path / "out")]) == 0

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.yaml"]
    assert capsys.readouterr().err.endswith("1 adopted, 1 unchanged\n")
