"""Settings at two levels: what they may hold, and which of them wins."""

from __future__ import annotations

import pytest

from macro.engine.expand import Context, expand
from macro.engine.shorthand.role_settings import RoleSettings, Setting
from macro.engine.shorthand.settings import read_account_settings, read_settings
from macro.engine.template.document import Json, get
from macro.engine.template.edits import apply

ROLE: Json = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}


def template(block: Json, settings: Json = None) -> dict[str, Json]:
    """A task with one container, and the template's own settings."""
    properties: Json = {
        "ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        "ContainerDefinitions": [{"Name": "web", "PrivateImage": block}],
    }
    made: dict[str, Json] = {
        "Transform": "PrivateImage",
        "Resources": {
            "Role": ROLE,
            "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties},
        },
    }
    return made if settings is None else {**made, "Metadata": {"PrivateImage": settings}}


def credentials(given: dict[str, Json], account: Json) -> Json:
    """The credentials parameter that the container gets."""
    expansion = expand(given, Context(settings=account))
    assert expansion.problems == ()
    expanded = apply(given, expansion.edits)
    task = get(expanded, "Resources", "Task", "Properties", "ContainerDefinitions")
    assert isinstance(task, list)
    return get(task[0], "RepositoryCredentials", "CredentialsParameter")


def arn(name: str) -> str:
    return f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:{name}-a1B2c3"


def table(**entries: Json) -> Json:
    return {"Registries": {name.replace("_", "."): value for name, value in entries.items()}}


@pytest.mark.parametrize(
    ("block", "own", "account", "expected"),
    [
        ("quay.io/team/web:1", None, table(quay_io=arn("account")), "account"),
        (
            "quay.io/team/web:1",
            table(quay_io=arn("template")),
            table(quay_io=arn("account")),
            "template",
        ),
        # What is nearer wins, even where what is farther is for a longer path.
        (
            "quay.io/team/web:1",
            table(quay_io=arn("template")),
            {"Registries": {"quay.io/team": arn("account")}},
            "template",
        ),
        (
            "quay.io/team/web:1",
            table(docker_io=arn("template")),
            table(quay_io=arn("account")),
            "account",
        ),
        (
            {"Image": "quay.io/team/web:1", "Secret": arn("block")},
            table(quay_io=arn("template")),
            table(quay_io=arn("account")),
            "block",
        ),
    ],
)
def test_what_is_nearer_to_the_container_wins(
    block: Json, own: Json, account: Json, expected: str
) -> None:
    assert credentials(template(block, own), account) == arn(expected)


def test_an_entry_of_the_account_may_leave_the_grant_to_the_role() -> None:
    account: Json = {"Registries": {"quay.io": {"Secret": arn("account"), "Grant": False}}}
    given = template("quay.io/team/web:1")
    assert expand(given, Context(settings=account)).grants == ()
    granting = template({"Image": "quay.io/team/web:1", "Grant": True})
    assert len(expand(granting, Context(settings=account)).grants) == 1


def test_a_key_of_the_account_is_granted() -> None:
    key = "arn:aws:kms:eu-west-1:111122223333:key/0123abcd-0123-0123-0123-0123456789ab"
    account: Json = {"Registries": {"quay.io": {"Secret": arn("account"), "KmsKey": key}}}
    grants = expand(template("quay.io/team/web:1"), Context(settings=account)).grants
    assert key in [grant.permission.resource for grant in grants]


def test_a_mistake_in_the_accounts_secret_is_reported_where_the_image_is() -> None:
    account = table(quay_io="arn:aws:s3:::bucket")
    problems = expand(template("quay.io/team/web:1"), Context(settings=account)).problems
    assert [(problem.code, problem.path[-1]) for problem in problems] == [("PI304", "PrivateImage")]
    assert problems[0].message.startswith("In the account's settings: ")
    own = expand(template("quay.io/team/web:1", account)).problems
    assert [problem.path[-1] for problem in own] == ["quay.io"]
    assert not own[0].message.startswith("In the account's settings: ")


def test_roles_take_each_setting_from_the_nearest_level() -> None:
    boundary = "arn:aws:iam::111122223333:policy/boundary"
    account: Json = {"ExecutionRole": {"PermissionsBoundary": boundary, "Path": "/account/"}}
    own: Json = {"ExecutionRole": {"Path": "/template/", "Tags": [{"Key": "a", "Value": "b"}]}}
    settings, problems = read_settings(template("quay.io/web", own), account)
    assert problems == ()
    path = ("Metadata", "PrivateImage", "ExecutionRole")
    assert settings.role == RoleSettings(
        Setting(boundary, (), "account"),
        Setting("/template/", (*path, "Path"), "template"),
        Setting([{"Key": "a", "Value": "b"}], (*path, "Tags"), "template"),
        None,
    )


def test_novalue_is_as_if_it_were_not_written() -> None:
    no_value: Json = {"Ref": "AWS::NoValue"}
    role: Json = dict.fromkeys(
        ("PermissionsBoundary", "Path", "Tags", "ManagedPolicyArns"), no_value
    )
    settings, problems = read_account_settings({"ExecutionRole": role})
    assert (settings.role, problems) == (RoleSettings(), ())


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "Secret"},
        {"Ref": ["Secret"]},
        {"Fn::GetAtt": ["Secret", "Id"]},
        {"Fn::GetAtt": "Secret.Id"},
        {"Fn::Sub": "registry/${Environment}"},
        {"Fn::Sub": ["registry/${Name}", {"Name": {"Ref": "Environment"}}]},
        {"Fn::Join": ["/", ["registry", {"Ref": "Environment"}]]},
        {"Fn::If": ["Production", "registry/a", "registry/b"]},
        {"Fn::FindInMap": ["Secrets", "a", "b"]},
    ],
)
def test_the_account_has_no_template_to_refer_to(value: Json) -> None:
    _, problems = read_account_settings({"Registries": {"quay.io": {"Secret": value}}})
    assert [problem.code for problem in problems] == ["PI110"]
    assert problems[0].path == ()
    assert "In the account's settings, at Registries.quay.io.Secret" in problems[0].message


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::Sub": "arn:${AWS::Partition}:secretsmanager:eu-west-1:${AWS::AccountId}:secret:a"},
        {"Fn::Sub": ["registry/${Name}", {"Name": {"Ref": "AWS::Region"}}]},
        {"Fn::Join": ["/", ["registry", {"Ref": "AWS::Region"}]]},
        {"Fn::ImportValue": "registry-secret"},
        {"Ref": "AWS::NoValue"},
        "registry/web",
    ],
)
def test_the_account_may_refer_to_pseudo_parameters(value: Json) -> None:
    assert read_account_settings({"Registries": {"quay.io": {"Secret": value}}})[1] == ()


@pytest.mark.parametrize(
    ("settings", "code", "where"),
    [
        ([], "PI107", "settings: "),
        ("quay.io", "PI107", "settings: "),
        ({"Registry": {}}, "PI107", "at Registry: "),
        ({"Registries": []}, "PI107", "at Registries: "),
        ({"Registries": {"https://quay.io": "s"}}, "PI107", "at Registries.https://quay.io: "),
        ({"Registries": {"/": "s"}}, "PI107", "at Registries./: "),
        ({"Registries": {"quay.io": {"KmsKey": "k"}}}, "PI107", "at Registries.quay.io: "),
        ({"Registries": {"quay.io": {"Secret": 7}}}, "PI107", "at Registries.quay.io.Secret: "),
        ({"Registries": {"quay.io": {"password": "hunter2"}}}, "PI312", "at Registries.quay.io: "),
        (
            {"Registries": {"quay.io": {"Secret": "s", "Grant": "no"}}},
            "PI106",
            "at Registries.quay.io.Grant: ",
        ),
        ({"ExecutionRole": []}, "PI107", "at ExecutionRole: "),
        ({"ExecutionRole": {"Path": "x"}}, "PI107", "at ExecutionRole.Path: "),
        (
            {"ExecutionRole": {"PermissionsBoundary": "hunter2"}},
            "PI107",
            "at ExecutionRole.PermissionsBoundary: ",
        ),
        ({"ExecutionRole": {"Tags": {"team": "a"}}}, "PI107", "at ExecutionRole.Tags: "),
        (
            {"ExecutionRole": {"ManagedPolicyArns": ["x"]}},
            "PI107",
            "at ExecutionRole.ManagedPolicyArns.0: ",
        ),
        (
            {"ExecutionRole": {"ManagedPolicyArns": {"Fn::ImportValue": "policies"}}},
            "PI107",
            "at ExecutionRole.ManagedPolicyArns: ",
        ),
    ],
)
def test_problems_of_the_account_name_the_key_and_no_value(
    settings: Json, code: str, where: str
) -> None:
    _, problems = read_account_settings(settings)
    assert [(problem.code, problem.path) for problem in problems] == [(code, ())]
    assert where in problems[0].message
    assert "hunter2" not in str(problems[0])


def test_without_settings_there_is_nothing_to_say() -> None:
    assert read_account_settings(None)[1] == ()
    assert read_settings({"Resources": {}}, None)[1] == ()


def test_fn_transform_on_a_container_knows_the_accounts_settings_alone() -> None:
    call: Json = {"Name": "PrivateImage", "Parameters": {"Image": "quay.io/web", "Grant": False}}
    given = template("x", table(quay_io=arn("template")))
    task = get(given, "Resources", "Task", "Properties")
    assert isinstance(task, dict)
    task["ContainerDefinitions"] = [{"Name": "web", "Fn::Transform": call}]
    assert credentials(given, table(quay_io=arn("account"))) == arn("account")
    assert [problem.code for problem in expand(given).problems] == ["PI103"]
