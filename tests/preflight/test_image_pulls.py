"""What `verify` takes containers to pull is what their authors mean, in every known deployment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings

from evaluator import ACCOUNT_ID, PSEUDO_PARAMETERS, REGION, Deployment, lookup, unroll
from laws import context, is_excused, law
from macro.engine.expand import Context, Expansion, expand
from macro.engine.grants.permissions import Permission
from macro.engine.template.document import Json
from macro.engine.template.edits import apply
from macro.preflight.deployed_values import Deployed, DeployedValues, UnknownValueError
from macro.preflight.image_pulls import ExecutionRole, read_pulls
from macro.text.source import SourceError, parse
from strategies import Intent, Stack, stacks

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(
    path for folder in ("examples", "tests/cases/*") for path in ROOT.glob(f"{folder}/*.[yj]*")
)


class Pulled(NamedTuple):
    """An image as it is pulled: by a container of which resource, with which secret, by which role,
    and with which key the role may decrypt it because of the shorthand."""

    logical_id: str
    image: str
    secret: str | None
    role: str | None
    key: str | None


@law
@given(stacks())
def test_each_container_pulls_just_what_its_author_means(stack: Stack) -> None:
    """In every deployment whose stack exists already, and for each container once."""
    expansion = expand(stack.template, context(stack))
    assume(not expansion.problems)  # that there are none is a law of its own
    expanded = apply(stack.template, expansion.edits)
    assert isinstance(expanded, dict)
    for intent in stack.deployments:
        if is_excused(stack, expansion, intent):
            continue
        deployment = Deployment(unroll(expanded, intent.account.parameters), intent.account)
        found = sorted(found_pulls(stack, intent, expansion, expanded, deployment), key=repr)
        assert found == sorted(meant_pulls(intent, deployment), key=repr)


def meant_pulls(intent: Intent, deployment: Deployment) -> Iterator[Pulled]:
    """What the author means. Where a new role must come, it is that of the expanded template."""
    for logical_id, containers in intent.containers.items():
        deployed = deployment.containers(logical_id)
        for one, container in zip(containers, deployed, strict=True):
            if one.private and one.secret:
                key = one.key if one.grant else None
                role = one.role or container.role
                yield Pulled(logical_id, one.image, one.secret, role, key)
            elif one.private:
                yield Pulled(logical_id, one.image, None, None, None)


def found_pulls(
    stack: Stack,
    intent: Intent,
    expansion: Expansion,
    expanded: dict[str, Json],
    deployment: Deployment,
) -> Iterator[Pulled]:
    """What `verify` reads from the template and from the stack as it is deployed."""
    existing = {name: str(deployment.resolve({"Ref": name})) for name in deployment.resources}
    known = Context(dict(intent.account.parameters), REGION, ACCOUNT_ID)
    name = PSEUDO_PARAMETERS["AWS::StackName"]
    values = DeployedValues(
        expanded, known, Deployed(name, existing, {}, lambda: intent.account.exports)
    )
    for pull in read_pulls(expansion, expanded, known, values):
        if pull.grant is None:
            continue
        assert isinstance(pull.image, str)
        assert isinstance(pull.grant, tuple)
        logical_id = pull.container.partition("/")[0]
        if pull.secret is None:
            assert pull.grant == ()
            yield Pulled(logical_id, pull.image, None, None, None)
            continue
        assert isinstance(pull.secret, str)
        assert isinstance(pull.role, ExecutionRole)
        secret = lookup(pull.secret, stack.secrets)
        keys: set[str | None] = {
            key_of(one, stack, deployment) for one in pull.grant if one.action == "kms:Decrypt"
        }
        role = name_of(pull.role)
        keys -= spare_keys(intent, logical_id, pull.image, secret)
        for key in keys or {None}:
            yield Pulled(logical_id, pull.image, secret, role, key)


def spare_keys(intent: Intent, logical_id: str, image: str, secret: str | None) -> set[str | None]:
    """The keys of secrets that a container might have selected in place of this one, which its role
    may be granted too."""
    alike = [
        one for one in intent.containers[logical_id] if (one.image, one.secret) == (image, secret)
    ]
    own = {one.key for one in alike}
    return {other.key for one in alike for other in one.others} - own


def name_of(role: ExecutionRole) -> str:
    """A role as the meaning has it: one of another account by its ARN."""
    elsewhere = role.account not in (None, ACCOUNT_ID)
    return f"arn:aws:iam::{role.account}:role/{role.name}" if elsewhere else role.name


def key_of(permission: Permission, stack: Stack, deployment: Deployment) -> str:
    """The key that a permission is for; of an alias, whichever of them all has it."""
    if permission.alias:
        (key,) = (one for one in stack.keys if permission.alias in deployment.aliases(one))
        return key
    return str(permission.resource)


def test_the_law_draws_what_it_judges() -> None:
    """A law on nothing holds: among the drawn templates are pulls with a key, by a role of either
    kind, and public images."""
    kinds: set[tuple[bool, ...]] = set()

    @settings(max_examples=300, database=None, derandomize=True, deadline=None)
    @given(stacks())
    def draw(stack: Stack) -> None:
        for intent in stack.deployments:
            for containers in intent.containers.values():
                kinds.update(
                    (bool(one.secret), bool(one.secret and one.key and one.grant), bool(one.role))
                    for one in containers
                    if one.private
                )

    draw()
    assert kinds >= {
        *((True, key, role) for key in (True, False) for role in (True, False)),
        *((False, False, role) for role in (True, False)),
    }


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
    values = DeployedValues(expanded, known, Deployed())
    for pull in read_pulls(expansion, expanded, known, values):
        assert isinstance(pull.image, (str, UnknownValueError))
        assert isinstance(pull.role, (ExecutionRole, UnknownValueError))
