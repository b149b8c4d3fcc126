"""What `verify` takes containers to pull is what their authors mean, in every known world."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from evaluator import ACCOUNT_ID, PSEUDO_PARAMETERS, REGION, Deployment, lookup, unroll
from laws import context, law
from macro.engine.expand import Context, expand
from macro.engine.grants.permissions import Permission
from macro.engine.template.edits import apply
from macro.preflight.deployed_values import Deployed, UnknownValueError, Values
from macro.preflight.image_pulls import ExecutionRole, ImagePull, read_pulls
from macro.text.source import SourceError, parse
from strategies import Intent, Stack, stacks

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(
    path for folder in ("examples", "tests/cases/*") for path in ROOT.glob(f"{folder}/*.[yj]*")
)


def pulls_in(stack: Stack, intent: Intent) -> tuple[list[ImagePull], Deployment]:
    """What the shorthand pulls where the stack is there already, as its author deployed it."""
    expansion = expand(stack.template, context(stack))
    expanded = apply(stack.template, expansion.edits)
    assert isinstance(expanded, dict)
    world = Deployment(unroll(expanded, intent.account.parameters), intent.account)
    there = {name: str(world.resolve({"Ref": name})) for name in world.resources}
    known = Context(dict(intent.account.parameters), REGION, ACCOUNT_ID)
    name = PSEUDO_PARAMETERS["AWS::StackName"]
    deployed = Deployed(name, there, {}, lambda: intent.account.exports)
    values = Values(expanded, known, deployed)
    pulls = read_pulls(expansion, expanded, known, values)
    return [pull for pull in pulls if pull.grant is not None], world


@law
@given(stacks())
def test_a_container_pulls_what_its_author_means(stack: Stack) -> None:
    for intent in stack.deployments:
        pulls, _ = pulls_in(stack, intent)
        found = {
            (
                pull.container.partition("/")[0],
                pull.image,
                lookup(pull.secret, stack.secrets) if isinstance(pull.secret, str) else pull.secret,
            )
            for pull in pulls
        }
        assert found == {
            (logical_id, one.image, one.secret)
            for logical_id, containers in intent.containers.items()
            for one in containers
            if one.private
        }


@law
@given(stacks())
def test_a_container_is_pulled_by_the_role_that_is_there(stack: Stack) -> None:
    for intent in stack.deployments:
        pulls, world = pulls_in(stack, intent)
        for pull in pulls:
            logical_id = pull.container.partition("/")[0]
            named = [one.role for one in intent.containers[logical_id]]
            if pull.secret is None:
                continue
            assert isinstance(pull.role, ExecutionRole)
            names = {role.rpartition("/")[2] for role in named if role}
            assert pull.role.name in names or (None in named and pull.role.name in world.roles)


@law
@given(stacks())
def test_a_container_is_granted_the_key_of_its_secret(stack: Stack) -> None:
    for intent in stack.deployments:
        pulls, _ = pulls_in(stack, intent)
        meant = {
            (logical_id, one.image, one.secret, one.key if one.grant else None)
            for logical_id, containers in intent.containers.items()
            for one in containers
            if one.private
        }
        for pull in pulls:
            assert isinstance(pull.grant, tuple)
            keys = {key_of(one, intent) for one in pull.grant if one.action == "kms:Decrypt"}
            secret = lookup(pull.secret, stack.secrets) if isinstance(pull.secret, str) else None
            logical_id = pull.container.partition("/")[0]
            assert any((logical_id, pull.image, secret, key) in meant for key in keys or [None])


def key_of(permission: Permission, intent: Intent) -> str:
    if permission.alias:
        return intent.account.aliases[str(permission.alias)]
    return str(permission.resource)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_that_expands_is_too_odd_to_read(path: Path) -> None:
    try:
        template = parse(path.read_bytes(), path.name).template
    except SourceError:
        return
    known = Context({}, REGION, ACCOUNT_ID)
    expansion = expand(template, known)
    expanded = apply(template, expansion.edits)
    assert isinstance(expanded, dict)
    values = Values(expanded, known, Deployed())
    for pull in read_pulls(expansion, expanded, known, values):
        assert isinstance(pull.image, (str, UnknownValueError))
        assert isinstance(pull.role, (ExecutionRole, UnknownValueError))
