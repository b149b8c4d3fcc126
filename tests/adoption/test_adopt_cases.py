"""Golden cases of `adopt`: cases/<behaviour>/ holds a template and what the command makes of it.

As tests/cases: `options.txt` has options, `adopted.yaml` is what comes out (absent where nothing is
adopted), `stderr.txt` what is reported, without the file's name.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest

from evaluator import (
    ACCOUNT_ID,
    PLACES,
    REGION,
    Account,
    Deployment,
    credential,
    generated_name,
    key_arn,
    lookup,
    secret_arn,
    unroll,
)
from macro.adoption.adopt import adopt
from macro.commands.cli import main
from macro.engine.expand import Context, expand
from macro.engine.template.edits import apply
from macro.text.source import parse

CASES = sorted((Path(__file__).parent / "cases").iterdir())

OWN_OPTIONS = ("--narrow", "--no-transform", "--registry-table")


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
    known = [word for word in arguments if word not in OWN_OPTIONS]
    assert main(["expand", *known, str(golden), "-o", str(tmp_path / "expanded")]) == 0
    assert "error" not in capsys.readouterr().err


GIVEN = {
    "QuaySecret": [secret_arn("registry/team")],
    "RoleArn": ["arn:aws:iam::111122223333:role/pull"],
    "SecretArn": [secret_arn("registry/team"), ""],
    "WithLogs": ["yes", "no"],
}
"""What the parameters of the cases are deployed with."""


def expanded(path: Path) -> dict[str, Any]:
    """A case's template as it is deployed, without loops."""
    template = parse(path.read_bytes(), "").template
    expansion = expand(template, Context({}, REGION, ACCOUNT_ID))
    assert expansion.problems == ()
    return unroll(apply(template, expansion.edits), {})


def probes(template: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The secrets and the keys that a template names, and one of each that nothing names."""
    text = json.dumps(template)
    by_kind: dict[str, set[str]] = {}
    for logical_id, body in template["Resources"].items():
        by_kind.setdefault(body["Type"], set()).add(logical_id)
    secrets = {*re.findall(r"arn:aws:secretsmanager:[\w:/-]+-[A-Za-z0-9]{6}\b", text)}
    secrets |= {f"{arn}-AbCdEf" for arn in re.findall(r"arn:aws:secretsmanager:[\w:/-]+", text)}
    secrets |= {secret_arn("registry/team"), secret_arn("unrelated")}
    names = by_kind.get("AWS::SecretsManager::Secret", set())
    secrets |= {secret_arn(generated_name(name)) for name in names}
    keys = {*re.findall(r"arn:aws:kms:[\w:-]+:key/[\w-]+", text), key_arn("unrelated")}
    return secrets, keys | {key_arn(name) for name in by_kind.get("AWS::KMS::Key", set())}


@pytest.mark.parametrize(
    "case", [case for case in CASES if [*case.glob("adopted.*")]], ids=lambda case: case.name
)
def test_what_is_adopted_deploys_the_same(case: Path) -> None:
    """Judged by the evaluator of the tests, in every case of the conditions."""
    before, after = (expanded(*case.glob(f"{name}.*")) for name in ("template", "adopted"))
    options = case / "options.txt"
    is_narrowed = options.exists() and "--narrow" in options.read_text("utf-8")
    secrets, keys = probes(before)
    declared = before.get("Parameters", {})
    for values in product(*(GIVEN[name] for name in declared)):
        roles = frozenset({"pull"})
        account = Account(parameters=dict(zip(declared, values, strict=True)), roles=roles)
        one, other = Deployment(before, account), Deployment(after, account)
        assert one.resources.keys() - other.resources.keys() <= {*policies(one)}
        needed: set[str] = set()
        for logical_id, body in one.resources.items():
            if body["Type"] not in PLACES:
                continue
            pairs = zip(one.containers(logical_id), other.containers(logical_id), strict=True)
            for mine, theirs in pairs:
                named = [credential(body["Type"], each.body) for each in (mine, theirs)]
                found = [name and lookup(name, secrets) for name in named]
                assert found[0] == found[1]
                assert mine.body["Image"] == theirs.body["Image"]
                assert mine.role in (theirs.role, None)
                needed |= {name for name in found if name}
        for role in {*one.roles, *roles}:
            for secret in secrets:
                had, has = one.may_read(role, secret), other.may_read(role, secret)
                assert had == has or secret in needed or is_narrowed, (role, secret)
                assert not has or had or secret in needed
                assert not had or has or secret not in needed
            for key in keys:
                for service in ("secretsmanager", "s3"):
                    had = one.may_decrypt(role, key, service=service)
                    has = other.may_decrypt(role, key, service=service)
                    assert had == has or (is_narrowed and not has), (role, key)


EXPANSIONS = sorted((Path(__file__).parents[1] / "cases").glob("*/expanded.*"))
NOT_THE_SAME = {
    # The statement of a key stays, which no block can name for just these secrets.
    "arns-of-two-accounts",
    "key-arn-with-an-unknown-end",
    "key-selected-by-a-parameter",
    "parameters-of-ssm-with-patterns",
    # A grant that is written under a condition has the condition by another name.
    "accounts-of-other-deployments",
    "condition-that-is-the-opposite-of-another",
    "conditions-nested",
    "role-if-absent",
}
# A container that another macro works on, one in a loop over unknown values, and no container.
NOT_ADOPTED = {"fn-transform-beside-another-macro", "loop-over-a-parameter", "nothing-to-do"}


@pytest.mark.parametrize("path", EXPANSIONS, ids=lambda path: path.parent.name)
def test_what_expand_has_written_is_adopted_and_expands_to_the_same(path: Path) -> None:
    options = path.with_name("options.txt")
    words = options.read_text("utf-8").split() if options.exists() else []
    pairs = pairwise(words)
    parameters = dict(pair[1].split("=", 1) for pair in pairs if pair[0] == "-p")
    known = Context(parameters)
    template = parse(path.read_bytes(), "").template
    adoption = adopt(template, known)
    if path.parent.name in NOT_ADOPTED:
        assert not adoption.edits
        return
    adopted = apply(template, adoption.edits)
    expansion = expand(adopted, known)
    assert expansion.problems == ()
    again = apply(adopted, expansion.edits)
    if "Grant: false" not in _written(path):  # else a role may have from elsewhere what is granted
        assert (again == template) == (path.parent.name not in NOT_THE_SAME)


@pytest.mark.parametrize(
    ("variable", "others", "left"),
    [("Name", [], 0), ("Value", [], 0), ("Value", [{"Fn::ImportValue": "other"}], 1)],
)
def test_a_role_is_known_again_whatever_its_name_is_called_in_fn_sub(
    variable: str, others: list[Any], left: int
) -> None:
    """A loop whose variable has the name that `expand` gives to what it puts into `Fn::Sub`."""
    block = {"Image": f"quay.io/acme/web:${{{variable}}}", "Secret": "registry/team"}
    properties = {
        "ExecutionRoleArn": {"Fn::ImportValue": "team"},
        "ContainerDefinitions": [{"Name": "web", "PrivateImage": block}],
    }
    task = {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}
    written: Any = {
        "Transform": ["AWS::LanguageExtensions", "PrivateImage"],
        "Resources": {"Fn::ForEach::Tasks": [variable, ["a", "b"], {f"Task${{{variable}}}": task}]},
    }
    template: Any = apply(written, expand(written).edits)
    assert ("${Value1}role/" in json.dumps(template)) == (variable == "Value")
    (policy,) = (one for one in template["Resources"].values() if isinstance(one, dict))
    policy["Properties"]["Roles"] += others
    adopted = apply(template, adopt(template, Context()).edits)
    assert json.dumps(adopted).count("GetSecretValue") == left


@pytest.mark.parametrize("own_key", [True, False])
@pytest.mark.parametrize("narrow", [True, False])
def test_a_key_that_the_template_declares_in_one_case_keeps_its_grant(
    own_key: bool, narrow: bool
) -> None:
    """Beside a key that only a statement names, and that another container's secret may have."""
    declared = {"Name": "declared", **({"KmsKeyId": "alias/own"} if own_key else {})}
    far = {"Secret": secret_arn("far", account="444455556666"), "KmsKey": key_arn("far")}
    either = {"Fn::If": ["Prod", secret_arn("web"), {"Ref": "Secret"}]}
    blocks: list[Any] = [far, {"Secret": either}]
    containers = [
        {"Name": f"c{i}", "PrivateImage": {"Image": "quay.io/acme/web:1", **one}}
        for i, one in enumerate(blocks)
    ]
    properties = {"ContainerDefinitions": containers}
    written: Any = {
        "Transform": "PrivateImage",
        "Parameters": {"Stage": {"Type": "String"}},
        "Conditions": {"Prod": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}},
        "Resources": {
            "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": declared},
            "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties},
        },
    }
    known = Context(region=REGION, account=ACCOUNT_ID)
    template = apply(written, expand(written, known).edits)
    adoption = adopt(template, known, narrow=narrow)
    adopted = apply(template, adoption.edits)
    assert len(adoption.containers) == 2
    after = apply(adopted, expand(adopted, known).edits)
    deployment = Deployment(
        after, Account({"Stage": "test"}, aliases={"alias/own": key_arn("own")})
    )
    (role,) = deployment.roles
    assert deployment.may_decrypt(role, key_arn("far"))
    assert deployment.may_decrypt(role, key_arn("own")) == own_key


def test_narrowing_keeps_the_keys_that_no_block_names() -> None:
    """The grant on a key by its alias is on all keys, as far as its resource goes."""
    blocks: list[dict[str, Any]] = [
        {"Secret": {"Ref": "Secret"}},
        *({"Secret": secret_arn(name), "KmsKey": key_arn(name)} for name in ("one", "other")),
    ]
    containers = [
        {"Name": f"c{i}", "PrivateImage": {"Image": "quay.io/acme/web:1", **block}}
        for i, block in enumerate(blocks)
    ]
    declared = {"Name": "declared", "KmsKeyId": "alias/own"}
    properties = {"ContainerDefinitions": containers}
    written: Any = {
        "Transform": "PrivateImage",
        "Resources": {
            "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": declared},
            "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties},
        },
    }
    known = Context(region=REGION, account=ACCOUNT_ID)
    template = apply(written, expand(written, known).edits)
    adopted = apply(template, adopt(template, known, narrow=True).edits)
    account = Account(aliases={"alias/own": key_arn("own")})
    deployment = Deployment(apply(adopted, expand(adopted, known).edits), account)
    (role,) = deployment.roles
    assert all(deployment.may_decrypt(role, key_arn(name)) for name in ("own", "one", "other"))
    assert not deployment.may_decrypt(role, key_arn("unrelated"))


def _written(expanded: Path) -> str:
    """The template that an expansion of the golden cases has come from."""
    return expanded.with_stem("template").read_text("utf-8")


def policies(deployment: Deployment) -> list[str]:
    """The policies that are resources of their own."""
    kinds = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy")
    return [name for name, body in deployment.resources.items() if body["Type"] in kinds]


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
