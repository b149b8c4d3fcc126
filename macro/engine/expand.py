"""A template and what is known of its stack -> the edits that expand it, or the problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby

from macro.engine.grants.additions import Placed
from macro.engine.grants.boundaries import boundary_warnings
from macro.engine.grants.key_policies import key_policy_warnings
from macro.engine.grants.needs import Need, Vacancy, read_grants, read_needs
from macro.engine.grants.one_deployment import Used, contradictions, used_values
from macro.engine.grants.permissions import Grant
from macro.engine.grants.placement import place
from macro.engine.grants.separate_policies import turns_differ
from macro.engine.grants.trust import trust_warnings
from macro.engine.grants.turns import across_turns
from macro.engine.shorthand.block import (
    NAME,
    BlockReader,
    Shorthand,
    problems_beside,
    read_shorthand,
)
from macro.engine.shorthand.container_edits import container_edits
from macro.engine.shorthand.containers import Container, find_containers
from macro.engine.shorthand.macro_calls import (
    Call,
    Macro,
    check_calls,
    check_snippet,
    find_macro,
    find_snippet_calls,
    leave,
    note_on_calls,
    note_on_name,
    take_out_snippet,
)
from macro.engine.shorthand.misplaced import misplaced, misspelt, misspelt_above
from macro.engine.shorthand.registry_table import Level
from macro.engine.shorthand.settings import Settings, read_settings
from macro.engine.template.choices import Fork, graft, leaves, written
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path
from macro.engine.template.edits import Edit
from macro.engine.template.loops import Turn, generalized
from macro.engine.template.problems import Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Context, Site, Stack

__all__ = ["Context", "Expansion", "expand"]


class PrivateContainer(NamedTuple):
    """A container with the shorthand: its image and the parameter of its credentials as they are
    written, `AWS::NoValue` where the image is public. It exists where `when` holds.

    `levels` names the settings that its secrets come from; empty: its own block has them.
    """

    resource: Resource
    path: Path
    when: Conditions
    image: Json
    parameter: Json
    levels: tuple[Level, ...] = ()


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
    used: tuple[Used, ...] = ()


def expand(template: Json, context: Context | None = None) -> Expansion:
    """What the shorthand in a template comes to. The template is left as it is.

    `template` is a fragment as CloudFormation hands it to a macro: JSON, intrinsics unevaluated.
    Raises nothing for what an author may write: whatever is wrong is among the problems.
    """
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        message = "This is not a template: it has no Resources."
        fix = "Write a mapping with Resources, as CloudFormation expects."
        return Expansion(problems=(Problem("PI004", (), message, fix),))
    stack = Stack(template, context or Context())
    settings, wrong_settings = read_settings(template, stack.context.settings)
    macro = find_macro(stack)
    shared = list(_containers_by_role(stack.resources, macro))
    tasks = [_read_task(containers, settings, macro, stack) for containers in shared]
    private = {one.container.path for one in chain(*shared) if one.is_private}
    grants = tuple(grant for task in tasks for grant in task.grants)
    placement = place(
        grants, (one for task in tasks for one in task.vacancies), settings.role, stack
    )
    containers = tuple(container for task in tasks for container in task.containers)
    problems = (
        *wrong_settings,
        *(problem for task in tasks for problem in task.problems),
        *check_calls(template, macro, bool(private)),
        *(problem for one in stack.resources for problem in misspelt_above(one)),
        *misplaced(stack, private, macro),
        *placement.problems,
    )
    uncalled = note_on_calls(template, macro) if any(task.needs_transform for task in tasks) else ()
    policies = [placed.policy for placed in placement.policies]
    of_roles = [
        *boundary_warnings(policies, settings.role, stack),
        *trust_warnings(policies),
        *key_policy_warnings(policies, stack),
    ]
    warnings = tuple(
        dict.fromkeys(
            [
                *(warning for task in tasks for warning in task.warnings),
                *contradictions((used for task in tasks for used in task.used), stack),
                *of_roles,
                *uncalled,
            ]
        )
    )
    if problems:
        return Expansion(problems=tuple(dict.fromkeys(problems)), warnings=warnings)
    edits = (edit for task in tasks for edit in task.edits)
    return Expansion(
        (*edits, *placement.edits, *leave(template, macro)),
        warnings=warnings,
        containers=containers,
        grants=grants,
        policies=placement.policies,
    )


class Called(NamedTuple):
    """A container, and the calls of the macro on it alone."""

    container: Container
    calls: tuple[Call, ...]

    @property
    def is_private(self) -> bool:
        """Whether it has the shorthand."""
        return NAME in self.container.body or bool(self.calls)

    @property
    def block(self) -> tuple[Json, Path]:
        """The shorthand of the container, and where it is."""
        body, path = self.container.body, self.container.path
        if NAME in body:
            return body[NAME], (*path, NAME)
        call = self.calls[0]
        return call.parameters, (*call.path, "Parameters")


def _containers_by_role(resources: Iterable[Resource], macro: Macro) -> Iterator[list[Called]]:
    """The containers of all resources, those together that share an execution role."""
    found = chain.from_iterable(map(find_containers, resources))
    for _, sharing in groupby(found, lambda one: one.owner_path):
        yield [Called(one, tuple(find_snippet_calls(one.body, one.path, macro))) for one in sharing]


def _read_task(containers: list[Called], settings: Settings, macro: Macro, stack: Stack) -> Task:
    """What the containers that share one execution role come to."""
    problems = [problem for one in containers for problem in misspelt(one.container)]
    private = [one for one in containers if one.is_private]
    if not private:
        return Task(problems=tuple(problems))
    resource = private[0].container.resource
    sites = stack.sites(resource)
    turns = [site.turn for site in sites]
    in_turns = [_read_turn(private, settings, site, stack) for site in sites]
    warnings: list[Problem] = []
    for turn in in_turns:
        problems += turn.problems
        warnings += turn.warnings
    if resource.loops and (defaults := stack.turn_defaults(resource.loops)):
        in_any = _read_turn(private, settings, Site(resource), stack)
        warnings += _doubts_of_turns(in_any, in_turns, defaults)
    warnings += [
        note_on_name(call.path, call.name)
        for one in private
        for call in one.calls
        if not macro.is_called(call.name)
    ]
    if not resource.has_plain_condition:
        problems.append(_odd_condition(resource))
    edits: list[Edit] = []
    found: list[PrivateContainer] = []
    for one, *readings in zip(private, *(turn.containers for turn in in_turns), strict=True):
        parameters = _general([reading.parameters for reading in readings], turns)
        if parameters is None:
            problems.append(turns_differ(one.block[1]))
            continue
        edits += _container_edits(one, readings[0].shorthand, parameters)
        found.append(_private_container(one.container, readings[0].shorthand, parameters))
    grants = across_turns([turn.grants for turn in in_turns], turns)
    if grants is None:
        problems.append(turns_differ(private[0].block[1]))
    vacancies = {vacancy.path: vacancy for turn in in_turns for vacancy in turn.vacancies}
    return Task(
        tuple(edits),
        tuple(found),
        tuple(grants or ()),
        tuple(vacancies.values()) if grants is not None else (),
        tuple(dict.fromkeys(problems)),
        tuple(dict.fromkeys(warnings)),
        not all(one.calls for one in private),
        tuple(used_values(private[0].container, map(_used, found), grants or (), stack)),
    )


def _used(container: PrivateContainer) -> Used:
    site = Site(container.resource)
    return Used(container.parameter, container.path, container.when, ("partition",), site)


class ContainerInTurn(NamedTuple):
    """A container in one turn of the loops around it, and what its credentials take there."""

    shorthand: Shorthand
    parameters: Fork[Json] | Json


class TaskInTurn(NamedTuple):
    """What the containers that share a role come to in one turn of the loops around them."""

    containers: tuple[ContainerInTurn, ...]
    grants: tuple[Grant, ...]
    vacancies: tuple[Vacancy, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def _read_turn(
    containers: list[Called], settings: Settings, site: Site, stack: Stack
) -> TaskInTurn:
    found: list[ContainerInTurn] = []
    wanted: list[Need] = []
    problems: list[Problem] = []
    problems_of_needs: list[Problem] = []
    warnings: list[Problem] = []
    warnings_of_needs: list[Problem] = []
    for called in containers:
        container, calls = called
        value, path = called.block
        # A call on a container sees no more than the container.
        own = settings._replace(template={}) if calls else settings
        short = read_shorthand(value, path, BlockReader(container, site, own, stack))
        needs = read_needs(short.access, path, container, site, stack)
        found.append(ContainerInTurn(short, needs.parameters))
        problems += problems_beside(container)
        problems += short.problems
        problems_of_needs += needs.problems
        warnings += short.warnings
        warnings_of_needs += needs.warnings
        if calls:
            opened = [access for access, _ in leaves(short.access, container.when)]
            granted = any(one.grant and one.secret.value != NO_VALUE for one in opened)
            problems += check_snippet(calls[0], granted, NAME in container.body)
        else:
            wanted += needs.needs
    attached = settings.role.managed_policy_arns is not None
    role = read_grants(containers[0].container, wanted, attached, site, stack)
    return TaskInTurn(
        tuple(found),
        role.grants,
        role.vacancies,
        (*problems, *problems_of_needs, *role.problems),
        (*warnings, *warnings_of_needs, *role.warnings),
    )


def _doubts_of_turns(
    in_any: TaskInTurn, in_turns: Sequence[TaskInTurn], defaults: Sequence[str]
) -> Iterator[Problem]:
    """The warning that the turns which a parameter's default gives decide what is granted: where
    that differs from what can be said of any turn."""
    known = {problem for turn in in_turns for problem in turn.problems}
    counts = {len(turn.grants) for turn in in_turns}
    if set(in_any.problems) <= known and counts == {len(in_any.grants)}:
        return
    grants = [grant for turn in in_turns for grant in turn.grants]
    for path in dict.fromkeys(grant.path for grant in grants):
        for name in defaults:
            message = f"This is expanded for the items that the default of parameter {name} gives."
            fix = f"Where others are deployed, give its value with -p {name}=..."
            yield Problem("PI903", path, message, fix)


def _general(
    parameters: Sequence[Fork[Json] | Json], turns: Sequence[Turn]
) -> Fork[Json] | Json | None:
    """The credentials of a loop's container, which one text says for all turns; None: none can."""
    first = parameters[0]
    if len(parameters) == 1 or all(one == first for one in parameters):
        return first
    return generalized([written(one) for one in parameters], turns)


def _container_edits(called: Called, short: Shorthand, parameters: Fork[Json] | Json) -> list[Edit]:
    container, calls = called
    edits = container_edits(
        short, parameters, container.body, container.path, container.place, called.block[1]
    )
    if calls:
        edits += take_out_snippet(container.body, container.path, list(calls))
    return edits


def _private_container(
    container: Container, short: Shorthand, parameters: Fork[Json] | Json
) -> PrivateContainer:
    levels = {access.level for access, _ in leaves(short.access, container.when) if access.level}
    return PrivateContainer(
        container.resource,
        container.path,
        container.when,
        written(graft(short.image, lambda leaf: leaf.value)),
        written(parameters),
        tuple(sorted(levels)),
    )


def _odd_condition(resource: Resource) -> Problem:
    return Problem(
        "PI409",
        (*resource.path, "Condition"),
        f"The condition of {resource.logical_id} is neither a name nor Fn::Sub of one.",
        "Write the condition's name, in a loop with Fn::Sub.",
    )
