"""The judge itself: what it accepts, and each fault that it must see."""

from __future__ import annotations

from copy import deepcopy

import pytest

from evaluator import (
    ACCOUNT_ID,
    REGION,
    Account,
    Deployment,
    Json,
    check,
    circular_dependency,
    credential,
    key_arn,
    lookup,
    role_name,
    secret_arn,
    undeclared,
    unroll,
)

SECRET = secret_arn("team/registry")
PROD = {"Prod": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}}


def read(*resources: Json) -> Json:
    """A policy document that allows reading these secrets."""
    return document({"Action": "secretsmanager:GetSecretValue", "Resource": [*resources]})


def document(statement: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


def inline(*documents: Json) -> Json:
    """A role with a policy for each document."""
    policies = [
        {"PolicyName": f"Policy{number}", "PolicyDocument": one}
        for number, one in enumerate(documents)
    ]
    return {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "app", "Policies": policies}}


def separate(policy_document: Json, *roles: Json, **attributes: Json) -> Json:
    """A policy of its own on these roles."""
    properties = {"PolicyName": "Pull", "PolicyDocument": policy_document, "Roles": [*roles]}
    return {"Type": "AWS::IAM::Policy", "Properties": properties, **attributes}


def task(role: Json, **attributes: Json) -> Json:
    container = {
        "Name": "web",
        "Image": "registry.example.com/web:1",
        "RepositoryCredentials": {"CredentialsParameter": SECRET},
    }
    properties = {"ExecutionRoleArn": role, "ContainerDefinitions": [container]}
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": properties, **attributes}


def deployed(resources: Json, stage: str = "prod", **account: Json) -> Deployment:
    template = {"Conditions": PROD, "Parameters": {"Stage": {}}, "Resources": resources}
    return Deployment(template, Account({"Stage": stage}, **account))


# References and functions.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ({"Ref": "AWS::Region"}, REGION),
        ({"Fn::Select": [{"Fn::Sub": "1"}, ["one", "two"]]}, "two"),
        ({"Ref": "Stage"}, "prod"),
        ({"Ref": "Secret"}, SECRET),
        ({"Fn::GetAtt": "Secret.Id"}, SECRET),
        ({"Ref": "Unnamed"}, secret_arn("private-Unnamed-1A2B3C4D5E6F")),
        ({"Ref": "Role"}, "app"),
        ({"Fn::GetAtt": ["Role", "Arn"]}, f"arn:aws:iam::{ACCOUNT_ID}:role/team/app"),
        ({"Ref": "Key"}, key_arn("Key").split("/")[1]),
        ({"Fn::Sub": "${Key.Arn}"}, key_arn("Key")),
        ({"Ref": "Alias"}, "alias/prod"),
        ({"Ref": "Queue"}, "private-Queue-1A2B3C4D5E6F"),
        ({"Fn::Sub": "${Stage}/${!Stage}/${AWS::Partition}"}, "prod/${Stage}/aws"),
        ({"Fn::Sub": ["${A}-${Stage}", {"A": {"Ref": "Role"}}]}, "app-prod"),
        ({"Fn::Join": ["/", ["a", {"Ref": "Stage"}, {"Ref": "AWS::NoValue"}]]}, "a/prod"),
        ({"Fn::Select": ["1", {"Fn::Split": ["role/", "arn:role/app"]}]}, "app"),
        ({"Fn::ImportValue": {"Fn::Sub": "${Stage}-role"}}, "shared"),
        ({"Fn::FindInMap": ["Rows", {"Ref": "Stage"}, "Role"]}, "mapped"),
        ({"Fn::FindInMap": ["Rows", "test", "Role", {"DefaultValue": {"Ref": "Stage"}}]}, "prod"),
        ({"Fn::FindInMap": ["Rows", "prod", "Role", {"DefaultValue": "x"}]}, "mapped"),
        ("{{resolve:ssm:/team/role}}", "stored"),
        ({"Fn::Sub": "role/{{resolve:ssm:/team/${Kind}}}"}, "role/stored"),
        ({"A": {"Fn::If": ["Prod", {"Ref": "AWS::NoValue"}, "b"]}, "C": ["d"]}, {"C": ["d"]}),
        ([{"Fn::If": ["Prod", "a", "b"]}, {"Ref": "AWS::NoValue"}], ["a"]),
    ],
)
def test_resolves(text: Json, value: Json) -> None:
    resources = {
        "Secret": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"Name": "team/registry"},
        },
        "Unnamed": {"Type": "AWS::SecretsManager::Secret"},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "app", "Path": "/team/"}},
        "Key": {"Type": "AWS::KMS::Key"},
        "Alias": {
            "Type": "AWS::KMS::Alias",
            "Properties": {"AliasName": {"Fn::Sub": "alias/${Stage}"}},
        },
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Subject": {"Type": "AWS::SQS::Queue", "Properties": {"Text": text}},
    }
    outside = Account(
        {"Stage": "prod", "Kind": "role"},
        exports={"prod-role": "shared"},
        stored={"/team/role": "stored"},
    )
    rows = {"Rows": {"prod": {"Role": "mapped"}}}
    template = {"Conditions": PROD, "Mappings": rows, "Resources": resources}
    found = Deployment(template, outside)
    assert found.properties("Subject")["Text"] == value


@pytest.mark.parametrize(
    "text",
    [
        {"Fn::ToJsonString": {}},
        {"Fn::Join": ["", [["nested"]]]},
        {"Fn::Select": [1, {"Fn::Split": ["role/", "app"]}]},
        {"Ref": "Nowhere"},
        {"Ref": "Stage", "Other": 1},
        {"Fn::If": ["NoSuchCondition", 1, 2]},
        {"Fn::GetAtt": ["Secret", "Arn"]},
        {"Fn::FindInMap": ["Rows", "test", "Role"]},
        {"Fn::Select": [0, {"Fn::Split": [":", "{{resolve:ssm:/team/role}}"]}]},
    ],
)
def test_sees_what_cannot_be_resolved(text: Json) -> None:
    resources = {
        "Secret": {"Type": "AWS::SecretsManager::Secret"},
        "Subject": {"Type": "AWS::SQS::Queue", "Properties": {"Text": text}},
    }
    with pytest.raises(AssertionError):
        deployed(resources).properties("Subject")


def test_conditions() -> None:
    prod = {"Condition": "Prod"}
    template = {
        "Conditions": {
            **PROD,
            "Not": {"Fn::Not": [prod]},
            "Never": {"Fn::And": [prod, {"Condition": "Not"}]},
            "Always": {"Fn::Or": [prod, {"Fn::Not": [prod]}]},
        },
        "Resources": {
            name: {"Type": "AWS::SQS::Queue", "Condition": name}
            for name in ("Prod", "Not", "Never", "Always")
        },
    }
    check(template)
    assert Deployment(template, Account({"Stage": "prod"})).resources.keys() == {"Prod", "Always"}
    assert Deployment(template, Account({"Stage": "test"})).resources.keys() == {"Not", "Always"}


def test_loops() -> None:
    queue = {
        "Type": "AWS::SQS::Queue",
        "DependsOn": "Key${Name}",
        "Properties": {
            "A": {"Ref": "Name"},
            "Key": {"Fn::GetAtt": [{"Fn::Sub": "Key${Name}"}, "Arn"]},
            "KeyId": {"Ref": {"Fn::Sub": "Key${Name}"}},
            "B": {"Fn::Sub": "${Name}-${Tier}-&{Name}-${Key${Name}}"},
            "Fn::ForEach::Tags": ["Tag", ["x"], {"Tag${Tag}": "${Tag}"}],
        },
    }
    body = {"Queue&{Name}${Tier}": queue}
    nested = {"Fn::ForEach::Tiers": ["Tier", {"Ref": "Tiers"}, body]}
    template = {
        "Transform": ["AWS::LanguageExtensions"],
        "Resources": {"Fn::ForEach::Names": ["Name", ["w-1"], nested]},
    }
    unrolled = unroll(template, {"Tiers": "a,b"})
    assert unrolled["Resources"] == {
        f"Queuew1{tier}": {
            "Type": "AWS::SQS::Queue",
            "DependsOn": "Keyw-1",
            "Properties": {
                "A": "w-1",
                "Key": {"Fn::GetAtt": ["Keyw-1", "Arn"]},
                "KeyId": {"Ref": "Keyw-1"},
                "B": {"Fn::Sub": f"w-1-{tier}-&{{Name}}-${{Keyw-1}}"},
                "Tagx": "x",
            },
        }
        for tier in ("a", "b")
    }


def test_loops_over_numbers() -> None:
    body = {"Queue${Number}": {"Type": "AWS::SQS::Queue", "Properties": {"Text": "${Number}"}}}
    template = {
        "Transform": ["AWS::LanguageExtensions"],
        "Resources": {"Fn::ForEach::Numbers": ["Number", [1, 20], body]},
    }
    unrolled = unroll(template, {})["Resources"]
    assert {name: one["Properties"]["Text"] for name, one in unrolled.items()} == {
        "Queue1": "1",
        "Queue20": "20",
    }


@pytest.mark.parametrize(
    ("transform", "key"),
    [("AWS::LanguageExtensions", "Same"), ("PrivateImage", "Queue${Name}")],
)
def test_sees_a_loop_that_cannot_run(transform: str, key: str) -> None:
    loop = ["Name", ["a", "b"], {key: {"Type": "AWS::SQS::Queue"}}]
    with pytest.raises(AssertionError):
        unroll({"Transform": transform, "Resources": {"Fn::ForEach::Names": loop}}, {})


@pytest.mark.parametrize(
    "resources",
    [
        {"Not-alphanumeric": {"Type": "AWS::SQS::Queue"}},
        {"Queue": {"Type": "AWS::SQS::Queue", "Condition": "NoSuchCondition"}},
        {"Queue": {}},
    ],
)
def test_sees_a_malformed_resource(resources: Json) -> None:
    with pytest.raises(AssertionError):
        check({"Conditions": PROD, "Resources": resources})


# What waits for what.


def test_sees_what_dangles_in_one_deployment() -> None:
    policy = separate(read(SECRET), "app", Condition="Prod")
    for waits in ({"DependsOn": "Policy"}, {"Metadata": {"Waits": {"Ref": "Policy"}}}):
        resources = {"Policy": policy, "Task": task("app", **waits)}
        assert deployed(resources, "prod").dangling() == set()
        assert deployed(resources, "test").dangling() == {("Task", "Policy")}


def test_a_reference_in_the_other_branch_does_not_dangle() -> None:
    waits = {"Metadata": {"Waits": {"Fn::If": ["Prod", {"Ref": "Policy"}, ""]}}}
    policy = separate(read(SECRET), "app", Condition="Prod")
    resources = {"Policy": policy, "Task": task("app", **waits)}
    assert deployed(resources, "test").dangling() == set()
    assert deployed(resources, "prod").before("Task") == {"Policy", "Task"}
    assert deployed(resources, "test").before("Task") == {"Task"}


def test_sees_a_reference_to_nothing_in_a_branch_never_taken() -> None:
    role = {"Fn::If": ["Prod", {"Fn::Sub": "${Nowhere.Arn}"}, {"Ref": "AWS::NoValue"}]}
    assert undeclared({"Resources": {"Task": task(role)}}) == {("Task", "Nowhere")}


@pytest.mark.parametrize(
    "waits",
    [
        {"DependsOn": ["Task"]},
        {"Metadata": {"Waits": {"Ref": "Task"}}},
        {"Properties": {"Text": {"Fn::If": ["Prod", {"Fn::GetAtt": "Task.Arn"}, "x"]}}},
        {"Properties": {"Text": {"Fn::Sub": ["${A}", {"A": {"Fn::Sub": "${Task}"}}]}}},
    ],
)
def test_sees_a_circle(waits: Json) -> None:
    role = {"Type": "AWS::IAM::Role", **waits}
    assert set(
        circular_dependency({"Resources": {"Task": task({"Ref": "Role"}), "Role": role}})
    ) == {
        "Task",
        "Role",
    }


def test_no_circle_where_there_is_none() -> None:
    role = inline(read({"Fn::Sub": ["${Task}${!Task}", {"Task": SECRET}]}))
    assert circular_dependency({"Resources": {"Task": task({"Ref": "Role"}), "Role": role}}) == []


# IAM.


@pytest.mark.parametrize("resource", [SECRET, SECRET[:-6] + "??????", "*", "arn:aws:*:*:*:*"])
def test_a_role_may_read(resource: str) -> None:
    assert deployed({"Role": inline(read(resource))}).may_read("app", SECRET)


@pytest.mark.parametrize(
    "resource",
    [SECRET[:-7], SECRET[:-6] + "?????", SECRET + "-??????", SECRET.replace("team", "Team")],
)
def test_a_role_may_not_read(resource: str) -> None:
    assert not deployed({"Role": inline(read(resource))}).may_read("app", SECRET)


def test_sees_a_wildcard_too_many() -> None:
    neighbour = secret_arn("team/registry-2")
    for resource in (SECRET[:-6] + "*", SECRET.replace("registry-", "registry*")):
        assert deployed({"Role": inline(read(resource))}).may_read("app", neighbour)


def test_sees_a_missing_grant() -> None:
    other_action = document({"Action": "secretsmanager:DescribeSecret", "Resource": SECRET})
    unlikely = deepcopy(read(SECRET))
    unlikely["Statement"].append({**unlikely["Statement"][0], "Effect": "Deny"})
    for policy_document in (read(secret_arn("other")), other_action, unlikely):
        assert not deployed({"Role": inline(policy_document)}).may_read("app", SECRET)
    policy = separate(read(SECRET), {"Ref": "Role"}, Condition="Prod")
    resources = {"Role": inline(), "Policy": policy}
    assert deployed(resources, "prod").may_read("app", SECRET)
    assert not deployed(resources, "test").may_read("app", SECRET)
    assert not deployed(resources, "prod").may_read("other", SECRET)


def test_sees_a_grant_that_may_come_too_late() -> None:
    resources = {
        "Role": inline(),
        "Policy": separate(read(SECRET), {"Ref": "Role"}),
        "Early": task({"Ref": "Role"}),
        "Late": task({"Ref": "Role"}, DependsOn="Policy"),
    }
    found = deployed(resources)
    assert found.may_read("app", SECRET, before="Late")
    assert not found.may_read("app", SECRET, before="Early")


def decrypt(resource: str, **conditions: Json) -> Json:
    """A role that may decrypt with this key under these conditions."""
    statement = {"Action": "kms:Decrypt", "Resource": resource, "Condition": conditions}
    return {"Role": inline(document(statement))}


VIA = {"kms:ViaService": {"Fn::Sub": "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"}}
ALL_KEYS = f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/*"


def test_a_role_decrypts_through_the_service_alone() -> None:
    found = deployed(decrypt(key_arn("Key"), StringEquals=VIA))
    assert found.may_decrypt("app", key_arn("Key"))
    assert not found.may_decrypt("app", key_arn("Other"))
    assert not found.may_decrypt("app", key_arn("Key"), service="s3")
    assert not found.may_decrypt("app", key_arn("Key"), region="us-east-1")
    unlimited = deployed(decrypt(key_arn("Key"), StringLike={"kms:ViaService": "*"}))
    assert unlimited.may_decrypt("app", key_arn("Key"), service="s3")


def test_a_role_decrypts_with_keys_of_an_alias() -> None:
    named = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/team", "alias/app"]}}
    resources = {
        **decrypt(ALL_KEYS, StringEquals=VIA, **named),
        "Key": {"Type": "AWS::KMS::Key"},
        "Alias": {
            "Type": "AWS::KMS::Alias",
            "Properties": {"AliasName": "alias/app", "TargetKeyId": {"Ref": "Key"}},
        },
    }
    aliases = {"alias/team": key_arn("outside"), "alias/team2": key_arn("other")}
    found = deployed(resources, aliases=aliases)
    assert found.may_decrypt("app", key_arn("Key"))
    assert found.may_decrypt("app", key_arn("outside"))
    assert not found.may_decrypt("app", key_arn("other"))


@pytest.mark.parametrize(
    "conditions",
    [
        {"StringEquals": {"kms:ResourceAliases": "alias/team"}},
        {"ForAnyValue:StringEquals": VIA},
        {"StringNotEquals": VIA},
        {"StringEquals": {"kms:CallerAccount": ACCOUNT_ID}},
    ],
)
def test_sees_a_condition_that_fits_no_request(conditions: Json) -> None:
    with pytest.raises(AssertionError):
        deployed(decrypt(ALL_KEYS, **conditions)).may_decrypt("app", key_arn("Key"))


@pytest.mark.parametrize(
    "resources",
    [
        {"Role": inline(read())},
        {"Role": inline(read("team/registry"))},
        {"Role": inline({"Version": "2012-10-17", "Statement": []})},
        {"Role": inline(read(SECRET)), "Policy": separate(read(SECRET))},
        {"Role": inline(), "Policy": separate(read(SECRET), {"Fn::GetAtt": ["Role", "Arn"]})},
        {"Policy": separate(read(SECRET), "nobody")},
        {"A": separate(read(SECRET), "shared"), "B": separate(read(SECRET), "shared")},
        {"Role": inline(), "A": separate(read(SECRET), "app", "app")},
    ],
)
def test_sees_a_policy_that_iam_refuses(resources: Json) -> None:
    with pytest.raises(AssertionError):
        _ = deployed(resources, roles=frozenset({"shared"})).grants


def test_sees_a_policy_that_comes_before_its_role() -> None:
    role = inline(read("*"))
    assert deployed({"Role": role, "Grant": separate(read(SECRET), {"Ref": "Role"})}).grants
    deployment = deployed({"Role": role, "Grant": separate(read(SECRET), "app")})
    with pytest.raises(AssertionError, match="Grant comes before Role"):
        _ = deployment.grants


def test_sees_a_role_name_that_iam_refuses() -> None:
    long = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "x" * 65}}
    with pytest.raises(AssertionError):
        _ = deployed({"Role": long}).roles


def test_sees_more_inline_policies_than_iam_takes() -> None:
    half = read(*[secret_arn(f"team/{number}") for number in range(80)])
    assert len(deployed({"Role": inline(half)}).grants) == 1
    resources = {"Role": inline(half), "Policy": separate(half, {"Ref": "Role"})}
    with pytest.raises(AssertionError):
        _ = deployed(resources).grants


@pytest.mark.parametrize("name", ["x" * 129, "with space", "stack/private", ""])
def test_sees_a_policy_name_that_iam_refuses(name: str) -> None:
    policy = separate(read(SECRET), "shared")
    policy["Properties"]["PolicyName"] = name
    with pytest.raises(AssertionError):
        _ = deployed({"Policy": policy}, roles=frozenset({"shared"})).grants


def test_role_names() -> None:
    assert role_name("app") == "app"
    assert role_name(f"arn:aws:iam::{ACCOUNT_ID}:role/team/apps/app") == "app"
    elsewhere = "arn:aws:iam::999999999999:role/app"
    assert role_name(elsewhere) == elsewhere
    for wrong in ("", "team/app", f"arn:aws:iam::{ACCOUNT_ID}:user/app"):
        with pytest.raises(AssertionError):
            role_name(wrong)


# Containers and their credentials.


def test_containers_with_their_roles_in_all_places() -> None:
    def contained(name: str, **keys: Json) -> Json:
        return {"Image": name, **keys}

    ecs = {"TaskProperties": [{"Containers": [contained("b")], "ExecutionRoleArn": "two"}]}
    nodes = [{"EcsProperties": ecs}, {"Container": contained("a", ExecutionRoleArn="one")}]
    properties = {
        "AWS::ECS::TaskDefinition": {"ContainerDefinitions": [contained("a"), contained("b")]},
        "AWS::ECS::ExpressGatewayService": {"PrimaryContainer": contained("a")},
        "AWS::Batch::JobDefinition": {"NodeProperties": {"NodeRangeProperties": nodes}},
        "AWS::CodeBuild::Project": {"Environment": contained("a"), "ServiceRole": "one"},
    }
    found = {
        resource_type: [
            (container.role, container.body["Image"])
            for container in deployed(
                {"Run": {"Type": resource_type, "Properties": given}}
            ).containers("Run")
        ]
        for resource_type, given in properties.items()
    }
    assert found == {
        "AWS::ECS::TaskDefinition": [(None, "a"), (None, "b")],
        "AWS::ECS::ExpressGatewayService": [(None, "a")],
        "AWS::Batch::JobDefinition": [("two", "b"), ("one", "a")],
        "AWS::CodeBuild::Project": [("one", "a")],
    }


def test_what_secrets_manager_finds() -> None:
    likely_suffix = secret_arn("team-abcdef")
    secrets = {SECRET, likely_suffix}
    assert lookup(SECRET, secrets) == SECRET
    assert lookup(SECRET[:-7], secrets) == SECRET
    assert lookup("team/registry", secrets) == SECRET
    assert lookup("team-abcdef", secrets) == likely_suffix
    assert lookup(likely_suffix[:-7], secrets) is None  # taken as complete
    for wrong in ("registry", SECRET + "x", SECRET[:-8], SECRET[:-6] + "GhIjKl"):
        assert lookup(wrong, secrets) is None


def codebuild(value: str, **keys: Json) -> Json:
    given = {"Credential": value, "CredentialProvider": "SECRETS_MANAGER"}
    return {"RegistryCredential": given, "ImagePullCredentialsType": "SERVICE_ROLE", **keys}


def test_credentials() -> None:
    ecs = "AWS::ECS::TaskDefinition"
    given = {"RepositoryCredentials": {"CredentialsParameter": SECRET}}
    assert credential(ecs, given) == SECRET
    assert credential(ecs, {"Image": "busybox"}) is None
    assert credential("AWS::CodeBuild::Project", codebuild("team/registry")) == "team/registry"
    assert credential("AWS::CodeBuild::Project", {}) is None


@pytest.mark.parametrize(
    ("resource_type", "container"),
    [
        ("AWS::ECS::TaskDefinition", {"PrivateImage": "quay.io/acme/web"}),
        ("AWS::ECS::TaskDefinition", {"RepositoryCredentials": {}}),
        ("AWS::ECS::TaskDefinition", {"RepositoryCredentials": {"CredentialsParameter": ""}}),
        ("AWS::ECS::TaskDefinition", codebuild("team/registry")),
        ("AWS::CodeBuild::Project", {"RepositoryCredentials": {"CredentialsParameter": SECRET}}),
        ("AWS::CodeBuild::Project", codebuild(SECRET[:-7])),
        ("AWS::CodeBuild::Project", codebuild(SECRET, ImagePullCredentialsType="CODEBUILD")),
        ("AWS::CodeBuild::Project", {"RegistryCredential": {"Credential": SECRET}}),
    ],
)
def test_sees_malformed_credentials(resource_type: str, container: Json) -> None:
    with pytest.raises(AssertionError):
        credential(resource_type, container)
