"""What holds of every expansion, judged by what the expanded template means in each world.

HYPOTHESIS_PROFILE=thorough looks at many more templates.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from evaluator import (
    PLACES,
    REGION,
    Container,
    Json,
    World,
    check,
    circle,
    credential,
    lookup,
    undeclared,
    unroll,
)
from laws import context, law
from macro.engine.expand import expand
from macro.engine.template.edits import apply
from strategies import OTHER_REGION, Expected, Intent, Stack, stacks

MANAGED_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


def expanded(stack: Stack, template: Json = None) -> Json:
    """The template as `expand` leaves it. That it finds no problem is a law of its own."""
    template = template or stack.template
    expansion = expand(template, context(stack))
    assume(not expansion.problems)
    return apply(template, expansion.edits)


def flat(stack: Stack, template: Json) -> dict[str, Json]:
    """The template without loops, well-formed."""
    unrolled = unroll(template, stack.worlds[0].account.parameters)
    check(unrolled)
    return unrolled


def worlds(stack: Stack, template: Json) -> Iterator[tuple[World, Intent]]:
    """The template in every world, each with what its author means there."""
    unrolled = flat(stack, template)
    for intent in stack.worlds:
        yield World(unrolled, intent.account), intent


def containers(world: World, intent: Intent) -> Iterator[tuple[str, Container, Expected]]:
    """Each container as deployed and as meant, with the resource it is in."""
    for logical_id, expected in intent.containers.items():
        found = world.containers(logical_id)
        assert len(found) == len(expected), f"{logical_id} has other containers"
        for container, one in zip(found, expected, strict=True):
            yield logical_id, container, one


def granted(world: World, intent: Intent) -> Iterator[tuple[str, str, Expected]]:
    """Each container that needs a grant: the resource it is in, its role's name, what is meant."""
    for logical_id, container, expected in containers(world, intent):
        if expected.private and expected.secret and expected.grant:
            assert container.role, f"{logical_id} has no role"
            yield logical_id, container.role, expected


def all_roles(world: World) -> set[str]:
    return {*world.roles, *world.account.roles}


def region_of(secret: str) -> str:
    return secret.split(":")[3]


@law
@given(stacks())
def test_a_valid_template_has_no_problem(stack: Stack) -> None:
    expansion = expand(stack.template, context(stack))
    assert not expansion.problems, [str(problem) for problem in expansion.problems]


@law
@given(stacks())
def test_every_container_has_its_image_and_credentials_in_every_world(stack: Stack) -> None:
    for world, intent in worlds(stack, expanded(stack)):
        for logical_id, container, expected in containers(world, intent):
            if not expected.private:
                continue
            assert container.body["Image"] == expected.image
            given_secret = credential(world.resources[logical_id]["Type"], container.body)
            found = lookup(given_secret, stack.secrets) if given_secret else None
            assert found == expected.secret, f"{logical_id} pulls with {given_secret}"


@law
@given(stacks())
def test_every_container_is_pulled_by_the_role_its_author_named_or_a_new_one(stack: Stack) -> None:
    for world, intent in worlds(stack, expanded(stack)):
        for logical_id, container, expected in containers(world, intent):
            if expected.role or not expected.private or not expected.secret:
                assert container.role == expected.role or not expected.role
                continue
            assert container.role in world.roles, f"{logical_id} has no role"
            role = world.roles[container.role]
            assert role not in flat(stack, stack.template)["Resources"], f"{role} is not new"
            properties = world.properties(role)
            assert properties["ManagedPolicyArns"] == [MANAGED_POLICY]
            trust = properties["AssumeRolePolicyDocument"]["Statement"]
            assert [one["Principal"] for one in trust] == [{"Service": "ecs-tasks.amazonaws.com"}]


@law
@given(stacks())
def test_roles_read_exactly_the_secrets_their_containers_need(stack: Stack) -> None:
    for world, intent in worlds(stack, expanded(stack)):
        needed = {(role, expected.secret) for _, role, expected in granted(world, intent)}
        readable = {
            (role, secret)
            for role in all_roles(world)
            for secret in stack.secrets
            if world.may_read(role, secret)
        }
        assert readable == needed


@law
@given(stacks())
def test_roles_decrypt_with_exactly_the_keys_their_containers_need(stack: Stack) -> None:
    for world, intent in worlds(stack, expanded(stack)):
        needed = {
            (role, expected.key, "secretsmanager", region_of(expected.secret))
            for _, role, expected in granted(world, intent)
            if expected.key and expected.secret
        }
        usable = {
            (role, key, service, region)
            for role in all_roles(world)
            for key in stack.keys
            for service in ("secretsmanager", "s3")
            for region in (REGION, OTHER_REGION)
            if world.may_decrypt(role, key, service=service, region=region)
        }
        assert usable == needed


@law
@given(stacks())
def test_no_reference_or_dependency_dangles_in_any_world(stack: Stack) -> None:
    template = expanded(stack)
    assert not undeclared(flat(stack, template))
    for world, _ in worlds(stack, template):
        assert not world.dangling()


@law
@given(stacks())
def test_no_circle(stack: Stack) -> None:
    assert not circle(flat(stack, stack.template))
    assert not circle(flat(stack, expanded(stack)))


@law
@given(stacks())
def test_what_runs_a_container_comes_after_its_grants(stack: Stack) -> None:
    for world, intent in worlds(stack, expanded(stack)):
        for logical_id, role, expected in granted(world, intent):
            assert expected.secret
            assert world.may_read(role, expected.secret, before=logical_id), logical_id
            region = region_of(expected.secret)
            assert not expected.key or world.may_decrypt(
                role, expected.key, region=region, before=logical_id
            ), logical_id


@law
@given(stacks())
def test_conditions_and_resources_of_the_author_stay(stack: Stack) -> None:
    before, after = stack.template, expanded(stack)
    for name, condition in before.get("Conditions", {}).items():
        assert after["Conditions"][name] == condition
    old, new = flat(stack, before)["Resources"], flat(stack, after)["Resources"]
    for logical_id, resource in old.items():
        assert new[logical_id]["Type"] == resource["Type"]
        if resource["Type"] not in {*PLACES, "AWS::IAM::Role"}:
            assert new[logical_id] == resource


@law
@given(stacks())
def test_a_second_pass_changes_nothing(stack: Stack) -> None:
    expansion = expand(expanded(stack), context(stack))
    assert not expansion.edits
    assert not expansion.problems


@law
@given(stacks(), st.randoms(use_true_random=False))
def test_order_of_resources_does_not_matter(stack: Stack, random: Random) -> None:
    assert expanded(stack, shuffled(stack.template, random)) == expanded(stack)


def shuffled(node: Json, random: Random) -> Json:
    """The same with the keys of every mapping in another order."""
    if isinstance(node, list):
        return [shuffled(item, random) for item in node]
    if not isinstance(node, dict):
        return node
    keys = list(node)
    random.shuffle(keys)
    return {key: shuffled(node[key], random) for key in keys}


@law
@given(stacks())
def test_the_input_is_not_changed(stack: Stack) -> None:
    before = deepcopy(stack.template)
    expanded(stack)
    assert stack.template == before


@law
@given(stacks())
def test_container_without_shorthand_is_untouched(stack: Stack) -> None:
    before = flat(stack, stack.template)
    for world, intent in worlds(stack, expanded(stack)):
        written = World(before, intent.account)
        for logical_id, expected in intent.containers.items():
            pairs = zip(
                written.containers(logical_id), world.containers(logical_id), expected, strict=True
            )
            for old, new, one in pairs:
                assert one.private or without_role(new) == without_role(old)


def without_role(container: Container) -> dict[str, Json]:
    """A container's own keys: a role beside it may serve another container's branch."""
    return {key: value for key, value in container.body.items() if key != "ExecutionRoleArn"}


@law
@given(stacks())
def test_added_names_never_meet_those_of_the_author(stack: Stack) -> None:
    template = expanded(stack)
    added = template["Resources"].keys() - stack.template["Resources"].keys()
    queue = {"Type": "AWS::SQS::Queue"}
    taken = {**stack.template, "Resources": dict(stack.template["Resources"])}
    taken["Resources"] |= {name: queue for name in added if not name.startswith("Fn::ForEach")}
    after = expanded(stack, taken)
    assert all(after["Resources"][name] == taken["Resources"][name] for name in added)
    for world, intent in worlds(stack, after):
        for logical_id, role, expected in granted(world, intent):
            assert expected.secret
            assert world.may_read(role, expected.secret, before=logical_id)
