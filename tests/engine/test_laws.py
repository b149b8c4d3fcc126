"""What holds of every expansion, judged by what the expanded template means in each deployment.

A template is drawn and expanded once, and all laws look at it. HYPOTHESIS_PROFILE=thorough looks at
many more templates.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from random import Random
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from evaluator import (
    PLACES,
    REGION,
    Account,
    Container,
    Deployment,
    Json,
    check,
    circular_dependency,
    credential,
    lookup,
    secret_arn,
    undeclared,
    unroll,
)
from laws import context, is_excused, law
from macro.engine.expand import Expansion, expand
from macro.engine.template.document import Path
from macro.engine.template.edits import apply
from macro.engine.template.problems import Problem
from meaning import Expected, Intent, Stack
from strategies import OTHER_REGION, opaque_stacks, stacks

MANAGED_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


class Judged(NamedTuple):
    """A stack, what `expand` makes of it, and the templates before and after, without loops."""

    stack: Stack
    expansion: Expansion
    after: Json
    flat_before: dict[str, Json]
    flat_after: dict[str, Json]


@law
@given(stacks(), st.integers(0, 99))
def test_laws(stack: Stack, seed: int) -> None:
    faults = broken(stack, Random(seed))
    assert not faults, faults


@law
@given(opaque_stacks())
def test_laws_where_values_are_not_known(stack: Stack) -> None:
    faults = broken(stack, Random(0))
    assert not faults, faults


def stack_of(secret: str, doubts: frozenset[str] = frozenset()) -> Stack:
    """A task whose secret is a parameter without a value, where `secret` is deployed."""
    container = {"Name": "web", "PrivateImage": {"Image": "r.example/web", "Secret": {"Ref": "S"}}}
    task = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [container]}}
    parameters = {"S": {"Type": "String"}}
    template = {"Transform": "PrivateImage", "Parameters": parameters, "Resources": {"Task": task}}
    meant = Expected(True, "r.example/web", None, secret_arn("web"))
    intent = Intent(Account({"S": secret}), {"Task": [meant]}, doubts)
    arns = frozenset({secret_arn("web"), secret_arn("other")})
    return Stack(template, {}, [intent], arns, frozenset())


def test_the_laws_see_a_missing_grant() -> None:
    assert broken(stack_of(secret_arn("web")), Random(0)) == []
    named = {fault.partition(":")[0] for fault in broken(stack_of(secret_arn("other")), Random(0))}
    assert named == {
        "every container has its image and credentials",
        "roles read exactly the secrets their containers need",
        "what runs a container comes after its grants",
        "added names never meet those of the author",
    }


def test_the_laws_excuse_only_what_a_warning_is_on() -> None:
    assert broken(stack_of(secret_arn("other"), frozenset({"S"})), Random(0)) == []
    (silent,) = broken(stack_of(secret_arn("other"), frozenset({"Elsewhere"})), Random(0))
    assert silent.startswith("no warning on Elsewhere")


def test_the_laws_excuse_other_deployments_only_where_a_warning_is_on_them() -> None:
    reached = {"Fn::Equals": [{"Ref": "Live"}, "yes"]}
    container = {"Name": "web", "PrivateImage": {"Image": "r.example/web", "Secret": "web"}}
    role: dict[str, Json] = {"Ref": {"Fn::Sub": "Role${Name}"}}
    properties: dict[str, Json] = {"ContainerDefinitions": [container]}
    task = {"Type": "AWS::ECS::TaskDefinition", "Condition": "Reached", "Properties": properties}
    template: dict[str, Json] = {
        "Transform": ["AWS::LanguageExtensions", "PrivateImage"],
        "Parameters": {"Live": {"Type": "String"}, "Names": {"Type": "CommaDelimitedList"}},
        "Conditions": {"Reached": reached},
        "Resources": {
            "Rolea": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
            "Fn::ForEach::Tasks": ["Name", {"Ref": "Names"}, {"Task${Name}": task}],
        },
    }
    meant = Expected(True, "r.example/web", None, secret_arn("other"))  # which is not granted
    here = Intent(Account({"Live": "no", "Names": "a"}), {})
    there = Intent(Account({"Live": "yes", "Names": "a"}), {"Taska": [meant]})
    arns = frozenset({secret_arn("web"), secret_arn("other")})
    stack = Stack(template, {"Live": "no"}, [here, there], arns, frozenset())
    assert broken(stack, Random(0)) != []
    properties["ExecutionRoleArn"] = role  # which only the turns tell: a warning
    assert broken(stack, Random(0)) == []


def broken(stack: Stack, random: Random) -> list[str]:
    """The laws that an expansion breaks, by name, each with what is wrong."""
    written = deepcopy(stack.template)
    expansion = expand(stack.template, context(stack))
    found = [] if stack.template == written else ["the input is not changed"]
    if problems := [one for one in expansion.problems if not may_be_refused(stack, one)]:
        shown = [f"{one.code} {'/'.join(map(str, one.path))}: {one}" for one in problems]
        return [*found, f"a valid template has no problem: {shown}"]
    if expansion.problems:
        return found
    after = apply(stack.template, expansion.edits)
    parameters = stack.deployments[0].account.parameters
    flat_before = unroll(stack.template, parameters)
    try:
        flat_after = unroll(after, parameters)
        check(flat_after)
    except AssertionError as error:
        return [*found, f"the expanded template is well-formed: {error}"]
    judged = Judged(stack, expansion, after, flat_before, flat_after)
    for law_of_all in LAWS:
        found += fault(law_of_all.__name__, partial(law_of_all, judged))
    reordered = shuffled(stack.template, random)
    again = expand(reordered, context(stack))
    if again.problems or apply(reordered, again.edits) != after:
        found.append("the order of resources does not matter")
    for intent in stack.deployments:
        if not is_excused(stack, expansion, intent):
            found += broken_in(judged, intent)
    return list(dict.fromkeys(found))


def broken_in(judged: Judged, intent: Intent) -> list[str]:
    """The laws that break in one deployment. Where nothing could be right, a warning is enough."""
    found: list[str] = []
    try:
        deployment = Deployment(judged.flat_after, intent.account)
        before = Deployment(judged.flat_before, intent.account)
    except AssertionError as error:
        found.append(f"every deployment has its resources: {error}")
    else:
        for law_of_one in LAWS_OF_DEPLOYMENTS:
            name = law_of_one.__name__
            found += fault(name, partial(law_of_one, judged.stack, intent, deployment, before))
    if found and intent.doubts:
        silent = [name for name in intent.doubts if not warned(judged, name)]
        return [f"no warning on {name}: {found}" for name in silent]
    return found


def fault(name: str, law_of: Callable[[], None]) -> list[str]:
    """The law's name and what it says, where it is broken."""
    try:
        law_of()
    except AssertionError as error:
        return [f"{name.replace('_', ' ')}: {error}"]
    return []


def warned(judged: Judged, name: str) -> bool:
    """Whether a warning is on a value that mentions this name."""
    paths = [warning.path for warning in judged.expansion.warnings]
    return any(mentions(judged.stack.template, path, name) for path in paths)


def may_be_refused(stack: Stack, problem: Problem) -> bool:
    """Whether a problem is right: nothing could be written for a value, or for a loop, as
    docs/limits.md says (names its values make too long, a secret only an unknown turn names)."""
    if problem.code in ("PI405", "PI406", "PI408", "PI505"):
        return "${" in json.dumps(problem.path)
    return any(mentions(stack.template, problem.path, name) for name in stack.refusable)


def mentions(template: Json, path: Path, name: str) -> bool:
    """Whether the value at the path has the name in it."""
    node = template
    for key in path:
        node = node[key]
    return name.rpartition("/")[2] in json.dumps(node)


def containers(deployment: Deployment, intent: Intent) -> Iterator[tuple[str, Container, Expected]]:
    """Each container as deployed and as meant, with the resource it is in."""
    for logical_id, expected in intent.containers.items():
        found = deployment.containers(logical_id)
        assert len(found) == len(expected), f"{logical_id} has other containers"
        for container, one in zip(found, expected, strict=True):
            yield logical_id, container, one


def granted(deployment: Deployment, intent: Intent) -> Iterator[tuple[str, str, Expected]]:
    """Each container that needs a grant: the resource it is in, its role's name, what is meant."""
    for logical_id, container, expected in containers(deployment, intent):
        if expected.private and expected.secret and expected.grant:
            assert container.role, f"{logical_id} has no role"
            yield logical_id, container.role, expected


def region_of(secret: str) -> str:
    return secret.split(":")[3]


# Laws of a deployment.


def every_container_has_its_image_and_credentials(
    stack: Stack, intent: Intent, deployment: Deployment, before: Deployment
) -> None:
    for logical_id, container, expected in containers(deployment, intent):
        if not expected.private:
            continue
        assert container.body["Image"] == expected.image
        given_secret = credential(deployment.resources[logical_id]["Type"], container.body)
        found = lookup(given_secret, stack.secrets) if given_secret else None
        assert found == expected.secret, f"{logical_id} pulls with {given_secret}"


def every_container_is_pulled_by_the_role_its_author_named_or_a_new_one(
    stack: Stack, intent: Intent, deployment: Deployment, before: Deployment
) -> None:
    for logical_id, container, expected in containers(deployment, intent):
        if expected.role or not expected.private or not expected.secret:
            assert container.role == expected.role or not expected.role, f"{logical_id}: role"
            continue
        assert container.role in deployment.roles, f"{logical_id} has no role"
        role = deployment.roles[container.role]
        assert role not in before.resources, f"{role} is not new"
        properties = deployment.properties(role)
        assert properties["ManagedPolicyArns"] == [MANAGED_POLICY]
        trust = properties["AssumeRolePolicyDocument"]["Statement"]
        assert [one["Principal"] for one in trust] == [{"Service": "ecs-tasks.amazonaws.com"}]
        for key, value in stack.role_settings.items():
            assert properties.get(key) == value, f"{role} has no {key}"


def roles_read_exactly_the_secrets_their_containers_need(
    stack: Stack, intent: Intent, deployment: Deployment, before: Deployment
) -> None:
    needed = {(role, expected.secret) for _, role, expected in granted(deployment, intent)}
    readable = {
        (role, secret)
        for role in all_roles(deployment)
        for secret in stack.secrets
        if deployment.may_read(role, secret)
    }
    others = {
        (role, one.arn) for _, role, meant in granted(deployment, intent) for one in meant.others
    }
    assert needed <= readable <= needed | others, f"{readable} instead of {needed}"


def roles_decrypt_with_exactly_the_keys_their_containers_need(
    stack: Stack, intent: Intent, deployment: Deployment, before: Deployment
) -> None:
    needed = {
        (role, expected.key, "secretsmanager", region_of(expected.secret))
        for _, role, expected in granted(deployment, intent)
        if expected.key and expected.secret
    }
    usable = {
        (role, key, service, region)
        for role in all_roles(deployment)
        for key in stack.keys
        for service in ("secretsmanager", "s3")
        for region in (REGION, OTHER_REGION)
        if deployment.may_decrypt(role, key, service=service, region=region)
    }
    others = {
        (role, one.key, "secretsmanager", region_of(one.arn))
        for _, role, meant in granted(deployment, intent)
        for one in meant.others
        if one.key
    }
    assert needed <= usable <= needed | others, f"{usable} instead of {needed}"


def all_roles(deployment: Deployment) -> set[str]:
    return {*deployment.roles, *deployment.account.roles}


def no_reference_or_dependency_dangles(
    stack: Stack, intent: Intent, deployment: Deployment, before: Deployment
) -> None:
    dangling = deployment.dangling()
    assert not dangling, dangling


def what_runs_a_container_comes_after_its_grants(
    stack: Stack, intent: Intent, deployment: Deployment, before: Deployment
) -> None:
    for logical_id, role, expected in granted(deployment, intent):
        assert expected.secret
        readable = deployment.may_read(role, expected.secret, before=logical_id)
        assert readable, f"{logical_id} comes before the grant of {expected.secret}"
        region = region_of(expected.secret)
        assert not expected.key or deployment.may_decrypt(
            role, expected.key, region=region, before=logical_id
        ), f"{logical_id} comes before the grant of {expected.key}"


def a_container_without_shorthand_is_untouched(
    stack: Stack, intent: Intent, deployment: Deployment, before: Deployment
) -> None:
    for logical_id, expected in intent.containers.items():
        pairs = zip(
            before.containers(logical_id), deployment.containers(logical_id), expected, strict=True
        )
        for old, new, one in pairs:
            assert one.private or without_role(new) == without_role(old), logical_id


def without_role(container: Container) -> dict[str, Json]:
    """A container's own keys: a role beside it may serve another container's branch."""
    return {key: value for key, value in container.body.items() if key != "ExecutionRoleArn"}


def a_change_set_of_nested_stacks_can_be_made(
    stack: Stack, intent: Intent, deployment: Deployment, before: Deployment
) -> None:
    """CloudFormation computes all properties with placeholders for values it does not know yet."""
    if not intent.placeholders:
        return
    parameters = {**intent.account.parameters, **intent.placeholders}
    unfinished = deployment.with_parameters(parameters)
    for logical_id in unfinished.resources:
        unfinished.properties(logical_id)


LAWS_OF_DEPLOYMENTS = (
    every_container_has_its_image_and_credentials,
    every_container_is_pulled_by_the_role_its_author_named_or_a_new_one,
    roles_read_exactly_the_secrets_their_containers_need,
    roles_decrypt_with_exactly_the_keys_their_containers_need,
    no_reference_or_dependency_dangles,
    what_runs_a_container_comes_after_its_grants,
    a_container_without_shorthand_is_untouched,
    a_change_set_of_nested_stacks_can_be_made,
)


# Laws of the template.


def no_reference_is_to_nothing(judged: Judged) -> None:
    nowhere = undeclared(judged.flat_after)
    assert not nowhere, nowhere


def no_circular_dependency(judged: Judged) -> None:
    assert not circular_dependency(judged.flat_before)
    circular = circular_dependency(judged.flat_after)
    assert not circular, circular


def conditions_and_resources_of_the_author_stay(judged: Judged) -> None:
    before, after = judged.stack.template, judged.after
    for name, condition in before.get("Conditions", {}).items():
        assert after["Conditions"][name] == condition
    old, new = judged.flat_before["Resources"], judged.flat_after["Resources"]
    for logical_id, resource in old.items():
        assert new[logical_id]["Type"] == resource["Type"]
        if resource["Type"] not in {*PLACES, "AWS::IAM::Role"}:
            assert new[logical_id] == resource


def a_second_pass_changes_nothing(judged: Judged) -> None:
    expansion = expand(judged.after, context(judged.stack))
    assert not expansion.edits, expansion.edits
    assert not expansion.problems, expansion.problems


def added_names_never_meet_those_of_the_author(judged: Judged) -> None:
    stack, after = judged.stack, judged.after
    added = after["Resources"].keys() - stack.template["Resources"].keys()
    if not added:
        return
    queue = {"Type": "AWS::SQS::Queue"}
    taken = {**stack.template, "Resources": dict(stack.template["Resources"])}
    taken["Resources"] |= {name: queue for name in added if not name.startswith("Fn::ForEach")}
    expansion = expand(taken, context(stack))
    assert not expansion.problems
    template: Any = apply(taken, expansion.edits)
    assert all(template["Resources"][name] == taken["Resources"][name] for name in added)
    intent = stack.deployments[0]
    deployment = Deployment(unroll(template, intent.account.parameters), intent.account)
    if not intent.doubts:
        what_runs_a_container_comes_after_its_grants(stack, intent, deployment, deployment)


LAWS = (
    no_reference_is_to_nothing,
    no_circular_dependency,
    conditions_and_resources_of_the_author_stay,
    a_second_pass_changes_nothing,
    added_names_never_meet_those_of_the_author,
)


def shuffled(node: Json, random: Random) -> Json:
    """The same with the keys of every mapping in another order."""
    if isinstance(node, list):
        return [shuffled(item, random) for item in node]
    if not isinstance(node, dict):
        return node
    keys = list(node)
    random.shuffle(keys)
    return {key: shuffled(node[key], random) for key in keys}
