"""cfn-lint with our rules, and the command `lint`: what they find where, and all of cfn-lint's ways
to format, configure and ignore it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cfnlint.api import ManualArgs, lint_file
from cfnlint.api import lint as lint_text

from golden_cases import template
from lint_cases import BAD, CASES, GOOD, findings, options, parsed
from macro.commands.cli import main
from macro.commands.lint_files import lint
from macro.engine.problem_codes import CODES
from macro.lint.rules import rule_id

ROOT = Path(__file__).parents[2]
BAD_FINDINGS = """\
10:20: EPI103 No secret is named, and the registry table has no entry for this image. Write Secret \
beside Image, or the registry in Metadata.PrivateImage.Registries.
11:13: EPI101 PrivateImage has no key Grnat. Did you mean Grant?
""".splitlines()


def cfn_lint(
    *arguments: str, cwd: Path, text: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs the program cfn-lint as people do, with nothing of the user's own configuration."""
    program = Path(sys.executable).with_name("cfn-lint")
    environment = {**os.environ, "HOME": str(cwd), "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [program, *arguments],
        cwd=cwd,
        env={name: value for name, value in environment.items() if name != "AWS_REGION"},
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that has our rules in its `.cfnlintrc`, and a template `t.yaml` without fault."""
    (tmp_path / ".cfnlintrc").write_text("append_rules: [macro.lint]\n", "utf-8")
    (tmp_path / "t.yaml").write_text(GOOD, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    return tmp_path


@pytest.fixture
def linted(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """A text -> what the command finds in it."""

    def run(text: str, *arguments: str) -> list[str]:
        (folder / "t.yaml").write_text(text, "utf-8")
        lint(["--format", "parseable", *arguments, "--", "t.yaml"])
        return parsed(capsys.readouterr().out)

    return run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_command_finds_what_the_case_says(
    case: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = lint(["--format", "parseable", *options(case), "--", str(template(case))])
    assert parsed(capsys.readouterr().out) == findings(case)
    bits = {"E": 2, "W": 4}  # of cfn-lint's exit code
    assert code == sum({bits[line.split()[1][0]] for line in findings(case)})


def test_each_wrong_template_explains_itself() -> None:
    texts = [template(case) for case in CASES if template(case).suffix == ".yaml"]
    assert [path for path in texts if not path.read_text("utf-8").startswith("# ")] == []


def test_each_code_has_the_words_of_the_documentation() -> None:
    """Those of a text are not among them: cfn-lint has a rule of its own for a text."""
    table = (ROOT / "docs/problems.md").read_text("utf-8")
    rows = re.findall(r"^\| (PI\d{3}) \| (.*?) \| (.*?) \|$", table, re.MULTILINE)
    of_texts = {"PI001", "PI002", "PI003", "PI004", "PI005", "PI006", "PI504"}
    listed = {code: (what, why) for code, what, why in rows if code not in of_texts}
    assert listed == CODES


def test_each_code_has_a_rule_that_cfn_lint_lists(folder: Path) -> None:
    listed = cfn_lint("--list-rules", cwd=folder).stdout
    missing = [code for code in CODES if f"\n{rule_id(code)}: PrivateImage: " not in listed]
    assert missing == []


def test_the_documented_configuration_is_enough(folder: Path) -> None:
    text = (ROOT / "docs/linting.md").read_text("utf-8")
    documented = re.search(r"`\.cfnlintrc`:\n\n```yaml\n(.*?)```", text, re.DOTALL)
    assert documented
    (folder / ".cfnlintrc").write_text(documented[1], "utf-8")
    (folder / "t.yaml").write_text(BAD, "utf-8")
    run = cfn_lint("--format", "parseable", "t.yaml", cwd=folder)
    assert parsed(run.stdout) == BAD_FINDINGS
    printed = cfn_lint("t.yaml", cwd=folder).stdout.replace("t.yaml", "template.yaml")
    last = printed.strip().split("\n\n")[-1]
    assert f"```\n{last}\n```\n" in text


def test_the_documented_hooks_are_there() -> None:
    names = [
        re.findall(r"^ *- id: (private-image-\w+)$", text, re.MULTILINE)
        for path in ("docs/linting.md", ".pre-commit-hooks.yaml")
        for text in [(ROOT / path).read_text("utf-8")]
    ]
    assert names[0] == names[1] != []


# Ways to ignore and to include


@pytest.mark.parametrize("ignored", ["EPI103", "EPI10"])
def test_a_code_can_be_ignored_by_an_option(ignored: str, linted: Callable[..., list[str]]) -> None:
    assert linted(BAD, "--ignore-checks", ignored) == (
        BAD_FINDINGS[1:] if ignored[-1] == "3" else []
    )


def test_findings_are_sarif_with_what_the_extra_installs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "t.yaml").write_text(BAD, "utf-8")
    assert lint(["--format", "sarif", "--", "t.yaml"]) == 2
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert [one["ruleId"] for one in run["results"]] == ["EPI103", "EPI101"]
    described = {rule["id"]: rule["fullDescription"] for rule in run["tool"]["driver"]["rules"]}
    assert described["EPI101"] == {"text": CODES["PI101"][1]}


def test_a_code_can_be_ignored_in_the_template(linted: Callable[..., list[str]]) -> None:
    ignoring = "Metadata: {cfn-lint: {config: {ignore_checks: [EPI103]}}}\n"
    assert linted(BAD + ignoring) == BAD_FINDINGS[1:]


def test_a_code_can_be_ignored_in_a_resource(linted: Callable[..., list[str]]) -> None:
    ignoring = "    Metadata: {cfn-lint: {config: {ignore_checks: [EPI101, EPI103]}}}\n"
    assert linted(BAD + ignoring) == []
    assert linted(BAD + ignoring, "--mandatory-checks", "EPI103") == BAD_FINDINGS[:1]


LOOP = """\
Transform: [PrivateImage, AWS::LanguageExtensions]
Resources:
  Fn::ForEach::Tasks:
    - Name
    - [Web, Api]
    - ${{Name}}Task:
        Type: AWS::ECS::TaskDefinition
        Metadata: {{cfn-lint: {{config: {{ignore_checks: [{ignored}]}}}}}}
        Properties:
          ContainerDefinitions:
            - Name: web
              Memory: 512
              PrivateImage: {image}
"""


def test_a_code_can_be_ignored_in_a_resource_of_a_loop(linted: Callable[..., list[str]]) -> None:
    text = LOOP.format(ignored="EPI103", image="quay.io/acme/web:1")
    assert linted(text) == []
    assert [line[:13] for line in linted(text.replace("EPI103", "EPI101"))] == ["13:29: EPI103"]


def test_where_all_is_ignored_the_template_is_expanded_nonetheless(
    linted: Callable[..., list[str]],
) -> None:
    assert linted(GOOD.replace("512", "much"), "--ignore-checks", "EPI,WPI,IPI") == [
        "8:11: E3012 'much' is not of type 'integer'"
    ]


# Configuration


def test_parameters_are_those_that_are_deployed(linted: Callable[..., list[str]]) -> None:
    text = GOOD.replace("registry/team", "!Ref Secret").replace(
        "Resources:", "Parameters: {Secret: {Type: String, Default: registry/team}}\nResources:"
    )
    default = "12:21: WPI903 This expansion fits the form of the default of parameter Secret."
    assert [line[: len(default)] for line in linted(text)] == [default]
    (found,) = linted(text, "--parameters", "Secret=arn:aws:s3:::bucket")
    assert found.startswith("12:21: EPI304 This ARN is not a secret's.")
    assert "bucket" not in found


NO_SECRET = GOOD.replace("\n            Secret: registry/team", "")


def configured(**values: str) -> tuple[str, ...]:
    given = ",".join(f"{name}={value}" for name, value in values.items())
    return ("--configure-rule", f"IPI000:{given}")


@pytest.mark.parametrize(
    "text", ["Registries: {registry.example.com: registry/team}\n", '{"Registries": {}}']
)
def test_the_settings_of_the_account_are_those_of_a_file(
    text: str, folder: Path, linted: Callable[..., list[str]]
) -> None:
    (folder / "settings.yaml").write_text(text, "utf-8")
    found = [] if "example" in text else ["10:20: EPI103"]
    assert [one[:13] for one in linted(NO_SECRET)] == ["10:20: EPI103"]
    assert [one[:13] for one in linted(NO_SECRET, *configured(settings="settings.yaml"))] == found


@pytest.mark.parametrize(
    "options", [("--settings", "own,file.yaml"), ("--settings=own,file.yaml",)]
)
def test_the_command_takes_the_settings_as_the_others_do(
    options: tuple[str, ...], folder: Path, linted: Callable[..., list[str]]
) -> None:
    text = "Registries: {registry.example.com: registry/team}\n"
    (folder / "own,file.yaml").write_text(text, "utf-8")
    assert linted(NO_SECRET, *options) == []
    assert linted(NO_SECRET, *configured(settings="nowhere.yaml"), *options) == []


def test_settings_without_a_file_are_wrong_usage(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["--settings"], ["--settings="], ["--settings", "--", "a.yaml"]):
        assert main(["lint", *arguments]) == 2
        assert capsys.readouterr().err == "error: --settings needs a FILE\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "The file settings.yaml with the account's settings cannot be read."),
        ("Registries: {a: b, a: c}", "The file settings.yaml with the account's settings"),
        ("Registries: [", "The file settings.yaml with the account's settings cannot be read."),
        ("Registrys: {}", "In the account's settings, at Registrys:"),
    ],
)
def test_settings_that_cannot_be_read_are_a_problem(
    text: str | None, message: str, folder: Path, linted: Callable[..., list[str]]
) -> None:
    if text is not None:
        (folder / "settings.yaml").write_text(text, "utf-8")
    (found,) = linted(GOOD, *configured(settings="settings.yaml"))
    assert found.startswith(f"1:1: EPI107 {message}")


def test_the_macro_has_the_name_that_is_configured(linted: Callable[..., list[str]]) -> None:
    text = GOOD.replace("Transform: PrivateImage", "Transform: TeamImage")
    assert [one[:12] for one in linted(text)] != []
    assert linted(text, *configured(macro_name="TeamImage")) == []


def test_parameters_come_from_a_file_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD.replace("registry/team", "!Ref Secret").replace(
        "Resources:", "Parameters: {Secret: {Type: String}}\nResources:"
    )
    (folder / "t.yaml").write_text(text, "utf-8")
    deployment = {"template-file-path": "t.yaml", "parameters": {"Secret": "arn:aws:s3:::bucket"}}
    (folder / "d.json").write_text(json.dumps(deployment), "utf-8")
    assert lint(["--format", "parseable", "--deployment-files", "d.json"]) == 2
    assert "t.yaml:12:21:12:32:EPI304:" in capsys.readouterr().out


def test_one_region_is_that_of_the_stack(linted: Callable[..., list[str]]) -> None:
    secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:registry/team-AbC12x"
    text = GOOD.replace("registry/team", secret)
    assert [line[:13] for line in linted(text, "--regions", "cn-north-1")] == ["11:21: EPI307"]
    assert linted(text, "--regions", "eu-west-1") == []
    # With Regions of several partitions no ARN as text is right for all of them, nor wrong for all.
    assert linted(text, "--regions", "eu-west-1,cn-north-1") == []
    assert linted(text.replace("arn:aws:", "arn:aws-cn:").replace("eu-west", "cn-north")) == []


def test_it_works_in_every_region(linted: Callable[..., list[str]]) -> None:
    assert linted(GOOD, "--regions", "ALL_REGIONS") == []


OWN_RULE = """\
from cfnlint.rules import CloudFormationLintRule, RuleMatch


class NoRole(CloudFormationLintRule):
    id = "E9901"
    shortdesc = description = "No role that is made"

    def match(self, cfn):
        for name in cfn.get_resources("AWS::IAM::Role"):
            path = ["Resources", name, "Properties", "Policies", 0, "PolicyDocument"]
            yield RuleMatch(path, "A role was made.")
"""


@pytest.fixture
def own_rule(folder: Path) -> str:
    """A rule of the user's own, which is against what the macro adds."""
    (folder / "rules").mkdir()
    (folder / "rules/own.py").write_text(OWN_RULE, "utf-8")
    return "9:11: E9901 A role was made."


def test_rules_of_the_users_own_see_what_is_added(
    own_rule: str, linted: Callable[..., list[str]]
) -> None:
    assert linted(GOOD, "--append-rules", "rules") == [own_rule]


def test_what_is_found_in_something_added_can_be_ignored(
    own_rule: str, linted: Callable[..., list[str]]
) -> None:
    ignoring = "Metadata: {cfn-lint: {config: {ignore_checks: [E9901]}}}\n"
    assert linted(GOOD + ignoring, "--append-rules", "rules") == []


def test_the_command_needs_no_configuration(folder: Path, linted: Callable[..., list[str]]) -> None:
    (folder / ".cfnlintrc").unlink()
    assert linted(BAD) == BAD_FINDINGS


def test_the_configuration_of_the_project_holds(
    folder: Path, own_rule: str, linted: Callable[..., list[str]]
) -> None:
    rc = "append_rules: [rules]\nignore_checks: [E3012]\n"
    (folder / ".cfnlintrc").write_text(rc, "utf-8")
    assert linted(GOOD.replace("512", "much")) == [own_rule]


# How templates come in, and how the command ends


def test_a_template_comes_from_standard_input(folder: Path) -> None:
    run = cfn_lint("--format", "parseable", cwd=folder, text=BAD)
    assert parsed(run.stdout) == BAD_FINDINGS
    loop = LOOP.format(ignored="", image="quay.io/acme/web:1")
    run = cfn_lint("--format", "parseable", cwd=folder, text=loop)
    assert [line[:13] for line in parsed(run.stdout)] == ["13:29: EPI103"]


def test_a_template_comes_from_a_program(folder: Path) -> None:
    """So `sam validate --lint` hands it over."""
    config = ManualArgs(regions=["us-east-1"])
    assert lint_text(GOOD, config=config) == []
    found = lint_text(BAD, config=config)
    assert sorted(match.rule.id for match in found) == ["EPI101", "EPI103"]
    assert lint_file(folder / "t.yaml") == []


def test_each_of_several_templates_is_linted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in {"a.yaml": BAD, "b.yaml": GOOD, "c.yaml": BAD}.items():
        (folder / name).write_text(text, "utf-8")
    assert lint(["--format", "parseable", "a.yaml", "b.yaml", "c.yaml"]) == 2
    output = capsys.readouterr().out
    assert [line[:9] for line in output.splitlines()] == [
        *["a.yaml:10", "a.yaml:11"],
        *["c.yaml:10", "c.yaml:11"],
    ]


@pytest.mark.parametrize(
    ("text", "arguments", "code"),
    [
        (GOOD, [], 0),
        (BAD, [], 2),
        (GOOD.replace("Transform: PrivateImage\n", ""), [], 4),
        (BAD, ["--non-zero-exit-code", "none"], 0),
        (GOOD, ["--regions", "nowhere-1"], 32),
        (GOOD, ["--format", "none"], 1),
        (GOOD, ["--append-rules", "no.such.module"], 1),
    ],
)
def test_it_ends_with_the_exit_code_of_cfn_lint(
    text: str, arguments: list[str], code: int, folder: Path
) -> None:
    (folder / "t.yaml").write_text(text, "utf-8")
    assert lint([*arguments, "--", "t.yaml"]) == code


def test_a_file_that_is_not_there_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(["missing.yaml"]) == 2
    assert "missing.yaml" in capsys.readouterr().out


def test_where_cfn_lint_itself_fails_the_command_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "t.yaml").write_text(GOOD + "Metadata: []\n", "utf-8")
    assert lint(["t.yaml"]) == 1
    assert capsys.readouterr().err.startswith("error: cfn-lint stopped: ")
