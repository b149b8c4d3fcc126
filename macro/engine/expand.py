"""A template and what is known of its stack -> the edits that expand it, or the problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from macro.engine.grants.boundaries import boundary_warnings
from macro.engine.grants.needs import ContainerNeeds, Vacancy, read_grants, read_needs
from macro.engine.grants.permissions import Grant
from macro.engine.grants.placement import Placed, place, turns_differ
from macro.engine.grants.turns import across_turns
from macro.engine.shorthand.block import NAME, Shorthand, read_shorthand
from macro.engine.shorthand.container_edits import container_edits
from macro.engine.shorthand.containers import Container, find_containers
from macro.engine.shorthand.image import Registries, read_registries
from macro.engine.shorthand.macro_calls import (
    SNIPPET,
    Call,
    check_calls,
    check_snippet,
    find_calls,
    leave,
    note_on_calls,
    take_out,
)
from macro.engine.shorthand.misplaced import misplaced
from macro.engine.template.choices import Fork, graft, leaves, written
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path
from macro.engine.template.edits import Edit
from macro.engine.template.loops import Turn, generalized
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Context, Site, Stack

__all__ = ["Context", "Expansion", "expand"]


class PrivateContainer(NamedTuple):
    """A container with the shorthand: its image and the parameter of its credentials as they are
    written, `AWS::NoValue` where the image is public. It exists where `when` holds."""

    resource: Resource
    path: Path
    when: Conditions
    image: Json
    parameter: Json


class Expansion(NamedTuple):
    """What an expansion comes to: `edits` to make, or `problems` that stand in the way.

    `warnings` are worth a look and stop nothing. `containers` are those with shorthand; `grants`
    are what the edits grant to their roles, unmerged, and `policies` the same as it is written.
    """

    edits: tuple[Edit, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    containers: tuple[PrivateContainer, ...] = ()
    grants: tuple[Grant, ...] = ()
    policies: tuple[Placed, ...] = ()


class Task(NamedTuple):
    """What the containers that share an execution role come to."""

    edits: tuple[Edit, ...] = ()
    containers: tuple[PrivateContainer, ...] = ()
    grants: tuple[Grant, ...] = ()
    vacancies: tuple[Vacancy, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    needs_transform: bool = False


def expand(template: Json, context: Context | None = None) -> Expansion:
    """What the shorthand in a template comes to. The template is left as it is.

    `template` is a fragment as CloudFormation hands it to a macro: JSON, intrinsics unevaluated.
    Raises nothing for what an author may write: whatever is wrong is among the problems.
    """
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        message = "This is no template: it has no Resources."
        fix = "Write a mapping with Resources, as CloudFormation expects."
        return Expansion(problems=(Problem("PI004", (), message, fix),))
    stack = Stack(template, context or Context())
    registries, wrong_registries = read_registries(template)
    shared = [task for resource in stack.resources for task in _containers_by_role(resource)]
    tasks = [_read_task(containers, registries, stack) for containers in shared]
    grants = tuple(grant for task in tasks for grant in task.grants)
    placement = place(grants, (vacancy for task in tasks for vacancy in task.vacancies), stack)
    containers = tuple(container for task in tasks for container in task.containers)
    problems = (
        *wrong_registries,
        *(problem for task in tasks for problem in task.problems),
        *check_calls(template),
        *misplaced(stack, {one.path for task in shared for one in task if _has_shorthand(one)}),
        *placement.problems,
    )
    uncalled = note_on_calls(template) if any(task.needs_transform for task in tasks) else ()
    bounded = boundary_warnings((placed.policy for placed in placement.policies), stack)
    warnings = tuple(
        dict.fromkeys(
            [*(warning for task in tasks for warning in task.warnings), *bounded, *uncalled]
        )
    )
    if problems:
        return Expansion(problems=tuple(dict.fromkeys(problems)), warnings=warnings)
    edits = (edit for task in tasks for edit in task.edits)
    return Expansion(
        (*edits, *placement.edits, *leave(template)),
        warnings=warnings,
        containers=containers,
        grants=grants,
        policies=placement.policies,
    )


def _containers_by_role(resource: Resource) -> Iterator[list[Container]]:
    """The containers of a resource, those together that share an execution role."""
    for _, sharing in groupby(find_containers(resource), lambda found: found.owner_path):
        yield list(sharing)


def _read_task(containers: list[Container], registries: Registries, stack: Stack) -> Task:
    """What the containers that share one execution role come to."""
    private = [container for container in containers if _has_shorthand(container)]
    misspelt = [
        problem
        for container in containers
        if container not in private
        for problem in _misspelt(container.body, container.path)
    ]
    if not private:
        return Task(problems=tuple(misspelt))
    resource = private[0].resource
    sites = stack.sites(resource)
    turns = [site.turn for site in sites]
    in_turns = [_read_turn(private, registries, site, stack) for site in sites]
    problems = [problem for turn in in_turns for problem in turn.problems]
    warnings = [warning for turn in in_turns for warning in turn.warnings]
    if not resource.has_plain_condition:
        problems.append(_odd_condition(resource))
    edits: list[Edit] = []
    found: list[PrivateContainer] = []
    for index, container in enumerate(private):
        short = in_turns[0].shorthands[index]
        parameters = _general([turn.parameters[index] for turn in in_turns], turns)
        if parameters is None:
            problems.append(turns_differ(_block(container)[1]))
            continue
        edits += _container_edits(container, short, parameters)
        image = written(graft(short.image, lambda leaf: leaf.value))
        found.append(
            PrivateContainer(resource, container.path, container.when, image, written(parameters))
        )
    grants = across_turns([turn.grants for turn in in_turns], turns)
    if grants is None:
        problems.append(turns_differ(_block(private[0])[1]))
    return Task(
        tuple(edits),
        tuple(found),
        tuple(grants or ()),
        tuple({one.path: one for turn in in_turns for one in turn.vacancies}.values()),
        (*misspelt, *dict.fromkeys(problems)),
        tuple(dict.fromkeys(warnings)),
        any(not _calls(container) for container in private),
    )


class TaskInTurn(NamedTuple):
    """What the containers that share a role come to in one turn of the loops around them."""

    shorthands: tuple[Shorthand, ...]
    parameters: tuple[Fork[Json] | Json, ...]
    grants: tuple[Grant, ...]
    vacancies: tuple[Vacancy, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def _read_turn(
    containers: list[Container], registries: Registries, site: Site, stack: Stack
) -> TaskInTurn:
    problems: list[Problem] = []
    shorthands: list[Shorthand] = []
    needs: list[ContainerNeeds] = []
    for container in containers:
        value, path = _block(container)
        calls = _calls(container)
        table = {} if calls else registries  # a call here sees no more than the container
        short = read_shorthand(value, path, table, stack, site, problems)
        shorthands.append(short)
        problems += _beside(container)
        needed = read_needs(short.pull, path, container, site, stack)
        if calls:
            pulls = [pull for pull, _ in leaves(short.pull, container.when)]
            granted = any(pull.grant and pull.secret.value != NO_VALUE for pull in pulls)
            problems += check_snippet(calls[0], granted, NAME in container.body)
            needed = needed._replace(needs=())
        needs.append(needed)
    role = read_grants(
        containers[0], tuple(need for one in needs for need in one.needs), site, stack
    )
    return TaskInTurn(
        tuple(shorthands),
        tuple(one.parameters for one in needs),
        role.grants,
        role.vacancies,
        (*problems, *(problem for one in needs for problem in one.problems), *role.problems),
        (*(warning for one in needs for warning in one.warnings), *role.warnings),
    )


def _general(
    parameters: Sequence[Fork[Json] | Json], turns: Sequence[Turn]
) -> Fork[Json] | Json | None:
    """The credentials of a loop's container, which one text says for all turns; None: none can."""
    first = parameters[0]
    if all(one == first for one in parameters[1:]):
        return first
    return generalized([written(one) for one in parameters], turns)


def _has_shorthand(container: Container) -> bool:
    return NAME in container.body or bool(_calls(container))


def _calls(container: Container) -> list[Call]:
    """The calls of the macro on the container alone."""
    return find_calls(container.body.get(SNIPPET), (*container.path, SNIPPET))


def _block(container: Container) -> tuple[Json, Path]:
    """The shorthand of a container, and where it is."""
    if NAME in container.body:
        return container.body[NAME], (*container.path, NAME)
    call = _calls(container)[0]
    return call.parameters, (*call.path, "Parameters")


def _container_edits(
    container: Container, short: Shorthand, parameters: Fork[Json] | Json
) -> Iterator[Edit]:
    _, path = _block(container)
    yield from container_edits(
        short, parameters, container.body, container.path, container.place, path
    )
    if _calls(container):
        yield from take_out(container.body[SNIPPET], (*container.path, SNIPPET))


def _beside(container: Container) -> Iterator[Problem]:
    """The problems of keys that the shorthand would write over."""
    shape, body = container.place.credentials, container.body
    taken = [key for key in ("Image", shape.key) if key in body]
    taken += [key for key, value in shape.siblings if body.get(key, value) != value]
    for key in taken:
        yield Problem(
            "PI104",
            (*container.path, key),
            f"{key} is beside PrivateImage, which writes it.",
            f"Leave out {key}, or write both by hand without PrivateImage.",
            on_key=True,
        )


def _misspelt(container: dict[str, Json], path: Path) -> Iterator[Problem]:
    for key in container:
        if key.lower().rstrip("s") == NAME.lower():
            message = f"A container has no key {key}."
            yield Problem("PI101", (*path, key), message, f"Did you mean {NAME}?", on_key=True)


def _odd_condition(resource: Resource) -> Problem:
    return Problem(
        "PI409",
        (*resource.path, "Condition"),
        f"The condition of {resource.logical_id} is neither a name nor Fn::Sub of one.",
        "Write the condition's name, in a loop with Fn::Sub.",
    )
