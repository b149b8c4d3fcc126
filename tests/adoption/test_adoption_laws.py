"""What holds of every adoption, judged by what templates mean in each deployment.

A drawn template is expanded, so that its credentials are as people write them, and adopted; all
laws look at it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from hypothesis import assume, given
from hypothesis import strategies as st

from evaluator import Deployment, credential, generated_name, key_arn, lookup, secret_arn, unroll
from hand_work import worked_over
from laws import context, slow_law
from macro.adoption.access import READ
from macro.adoption.adopt import Adoption, adopt
from macro.adoption.hand_written import find_hand_written
from macro.engine.expand import expand
from macro.engine.template.document import Json, get
from macro.engine.template.edits import apply
from macro.engine.template.stack import Stack as Lookup
from meaning import Stack
from strategies import opaque_stacks, stacks


def by_hand(stack: Stack) -> Json:
    """The template as if it had been written without shorthand."""
    expansion = expand(stack.template, context(stack))
    assume(not expansion.problems and expansion.containers)
    return apply(stack.template, expansion.edits)


class Adopted(NamedTuple):
    """A stack, its template as if it had been written without shorthand, and what adopting it
    comes to."""

    stack: Stack
    template: Json
    adoption: Adoption


@slow_law
@given(stacks(), st.integers(0, 999), st.booleans())
def test_laws(stack: Stack, seed: int, narrow: bool) -> None:
    template = by_hand(stack)
    adopted = Adopted(stack, template, adopt(template, context(stack)))
    for law_of_all in LAWS:
        law_of_all(adopted)
    policies_that_people_have_changed_allow_what_they_did(stack, template, Random(seed), narrow)


@slow_law
@given(opaque_stacks())
def test_laws_where_values_are_not_known(stack: Stack) -> None:
    template = by_hand(stack)
    adopted = Adopted(stack, template, adopt(template, context(stack)))
    expanding_what_is_adopted_gives_the_access_that_was_there(adopted)


def again(stack: Stack, template: Json, adoption: Adoption) -> Json:
    """What expanding the adopted template gives."""
    adopted = apply(template, adoption.edits)
    expansion = expand(adopted, context(stack))
    assert expansion.problems == ()
    return apply(adopted, expansion.edits)


def check_access(stack: Stack, before: Json, after: Json) -> None:
    """Every container pulls the same with the same, and every role may do what it could; in every
    deployment."""
    for intent in stack.deployments:
        if intent.doubts:
            continue  # a form of a value that nothing can be right for: there is a warning
        parameters = intent.account.parameters
        one = Deployment(unroll(before, parameters), intent.account)
        other = Deployment(unroll(after, parameters), intent.account)
        for logical_id in intent.containers:
            kind = one.resources[logical_id]["Type"] if logical_id in one.resources else ""
            if not kind:
                continue
            pairs = zip(one.containers(logical_id), other.containers(logical_id), strict=True)
            for mine, theirs in pairs:
                assert mine.body["Image"] == theirs.body["Image"]
                assert mine.role in (theirs.role, None)  # one that it needs is made
                secrets = [credential(kind, each.body) for each in (mine, theirs)]
                found = [secret and lookup(secret, stack.secrets) for secret in secrets]
                assert found[0] == found[1]
        for role in {*one.roles, *one.account.roles}:
            for secret in stack.secrets:
                assert one.may_read(role, secret) <= other.may_read(role, secret), (role, secret)
            for key in stack.keys:
                assert one.may_decrypt(role, key) <= other.may_decrypt(role, key), (role, key)


def expanding_what_is_adopted_gives_the_access_that_was_there(adopted: Adopted) -> None:
    stack, template, adoption = adopted
    assume(adoption.edits)
    check_access(stack, template, again(stack, template, adoption))


def every_container_gets_back_its_shorthand(adopted: Adopted) -> None:
    """Every container whose credentials are written out gets a block, with the same image; what is
    left is reported."""
    stack, template, adoption = adopted
    assert isinstance(template, dict)
    found = list(find_hand_written(Lookup(template, context(stack))))
    assert adoption.problems == ()
    assert "PI653" not in {note.code for note in adoption.notes}, adoption.notes
    left = {note.path for note in adoption.notes if note.code == "PI651"}
    assert {one.container.path for one in found if one.path not in left} == {*adoption.containers}
    after = apply(template, adoption.edits)
    for one in found:
        if one.path not in left:
            path = one.container.path
            assert at(after, (*path, "PrivateImage", "Image")) == at(template, (*path, "Image"))
    assert get(after, "Transform") or not adoption.edits


def what_an_expansion_granted_is_taken_back(adopted: Adopted) -> None:
    """Where nothing is reported to stay, no statement does."""
    _, template, adoption = adopted
    if not adoption.notes:
        assert READ not in json.dumps(apply(template, adoption.edits))


def the_registry_table_changes_nothing(adopted: Adopted) -> None:
    stack, template, _ = adopted
    adoption = adopt(template, context(stack), registry_table=True)
    expanding_what_is_adopted_gives_the_access_that_was_there(Adopted(stack, template, adoption))


def adopting_twice_is_adopting_once(adopted: Adopted) -> None:
    stack, template, adoption = adopted
    # With what has gone, nothing may be in the way any more of a container that was left.
    if "PI651" not in {note.code for note in adoption.notes}:
        second = adopt(apply(template, adoption.edits), context(stack))
        assert second.edits == ()


def narrowing_leaves_what_containers_need(adopted: Adopted) -> None:
    stack, template, _ = adopted
    adoption = adopt(template, context(stack), narrow=True)
    assume(adoption.edits)
    after = again(stack, template, adoption)
    for intent in stack.deployments:
        parameters = intent.account.parameters
        one = Deployment(unroll(template, parameters), intent.account)
        other = Deployment(unroll(after, parameters), intent.account)
        for logical_id, expected in intent.containers.items():
            if logical_id not in one.resources:
                continue
            containers = other.containers(logical_id)
            for container, meant in zip(containers, expected, strict=True):
                role, secret, key = container.role, meant.secret, meant.key
                if role and secret and one.may_read(role, secret):
                    assert other.may_read(role, secret)
                if role and key and one.may_decrypt(role, key):
                    assert other.may_decrypt(role, key)


LAWS = (
    every_container_gets_back_its_shorthand,
    expanding_what_is_adopted_gives_the_access_that_was_there,
    what_an_expansion_granted_is_taken_back,
    the_registry_table_changes_nothing,
    adopting_twice_is_adopting_once,
    narrowing_leaves_what_containers_need,
)


def policies_that_people_have_changed_allow_what_they_did(
    stack: Stack, written: Json, random: Random, narrow: bool
) -> None:
    """No access is lost but, with `narrow`, such as no container needs; and none is won but to the
    secrets and the keys of containers."""
    assert isinstance(written, dict)
    template = worked_over(written, random)
    adoption = adopt(template, context(stack), narrow=narrow)
    assume(adoption.edits)
    after = again(stack, template, adoption)
    secrets, keys = {*stack.secrets, secret_arn("another/one")}, {*stack.keys, key_arn("another")}
    for intent in stack.deployments:
        if intent.doubts:
            continue
        parameters = intent.account.parameters
        one = Deployment(unroll(template, parameters), intent.account)
        try:
            roles = {*one.roles, *one.account.roles, *(grant.role for grant in one.grants)}
        except AssertionError:
            continue  # IAM refuses what was drawn
        other = Deployment(unroll(after, parameters), intent.account)
        needed = {
            (container.role, what)
            for logical_id, expected in intent.containers.items()
            for container, meant in zip(other.containers(logical_id), expected, strict=True)
            for what in (meant.secret, meant.key)
        }
        needed |= {
            (role, key)
            for secret, key in declared_keys(other, keys)
            for role, what in needed
            if what == secret
        }
        for role in roles:
            for secret in secrets:
                had, has = one.may_read(role, secret), other.may_read(role, secret)
                assert has or not had or (narrow and (role, secret) not in needed), (role, secret)
                assert had or not has or (role, secret) in needed, (role, secret)
            for key in keys:
                for service in ("secretsmanager", "s3"):
                    had = one.may_decrypt(role, key, service=service)
                    has = other.may_decrypt(role, key, service=service)
                    is_needed = service == "secretsmanager" and (role, key) in needed
                    assert has or not had or (narrow and not is_needed), (role, key)
                    assert had or not has or is_needed, (role, key)


def declared_keys(deployment: Deployment, keys: set[str]) -> Iterator[tuple[str, str]]:
    """The secrets that a template declares, with their keys."""
    for logical_id, body in deployment.resources.items():
        if body["Type"] == "AWS::SecretsManager::Secret":
            properties = deployment.properties(logical_id)
            secret = secret_arn(properties.get("Name", generated_name(logical_id)))
            written = str(properties.get("KmsKeyId"))
            for key in keys:
                names = {key, key.split("/")[1], *deployment.aliases(key)}
                if written in names or f"alias/{written.partition(':alias/')[2]}" in names:
                    yield secret, key


def at(node: Json, path: tuple[str | int, ...]) -> Json:
    for step in path:
        node = node[step]  # type: ignore[index]
    return node
