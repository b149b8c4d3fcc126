"""A template and what is known of its stack -> the edits that expand it, or the problems."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from macro.engine.grants.permissions import (
    Created,
    Grant,
    Permission,
    key_permission,
    secret_permissions,
)
from macro.engine.grants.placement import Placed, Vacancy, attach
from macro.engine.grants.role import Inside, Outside, read_role
from macro.engine.grants.secret import REGION, Secret, read_keys, read_secret
from macro.engine.shorthand.block import NAME, Access, problems_beside, read_shorthand
from macro.engine.shorthand.container_edits import container_edits, written
from macro.engine.shorthand.containers import Container, find_containers
from macro.engine.shorthand.macro_calls import (
    Call,
    check_calls,
    check_snippet,
    find_macro,
    find_snippet_calls,
    leave,
    note_on_calls,
    note_on_name,
    take_out_snippet,
)
from macro.engine.shorthand.misplaced import misplaced, misspelt
from macro.engine.shorthand.places import Credentials, Place
from macro.engine.shorthand.settings import read_settings
from macro.engine.template.arn import InvalidValueError
from macro.engine.template.choices import ALWAYS, Fork, When, both, branches, graft, leaves
from macro.engine.template.document import NO_VALUE, Json, Path, get
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import canonical
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Context, Stack

__all__ = ["Context", "Expansion", "expand"]


class Pulled(NamedTuple):
    """A container that pulls with the shorthand: its image and the parameter of its credentials as
    they are written, `AWS::NoValue` where the image is public. It is there where `when` holds."""

    resource: Resource
    path: Path
    when: When
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
    containers: tuple[Pulled, ...] = ()
    grants: tuple[Grant, ...] = ()
    policies: tuple[Placed, ...] = ()


def expand(template: Json, context: Context | None = None) -> Expansion:
    """What the shorthand in a template comes to. The template is left as it is.

    `template` is a fragment as CloudFormation hands it to a macro: JSON, intrinsics unevaluated.
    Raises nothing for what an author may write: whatever is wrong is among the problems.
    """
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        message = "This is no template: it has no Resources."
        fix = "Write a mapping with Resources, as CloudFormation expects."
        return Expansion(problems=(Problem("PI004", (), message, fix),))
    run = _Run(Stack(template, context or Context()))
    run.read()
    attached = attach(run.grants, run.vacancies, run.stack)
    problems = tuple(dict.fromkeys([*run.problems, *attached.problems]))
    uncalled = note_on_calls(template, run.macro) if run.found - run.called else ()
    warnings = tuple(dict.fromkeys([*run.warnings, *uncalled]))
    if problems:
        return Expansion(problems=problems, warnings=warnings)
    return Expansion(
        (*run.edits, *attached.edits, *leave(template, run.macro)),
        warnings=warnings,
        containers=tuple(run.containers),
        grants=tuple(run.grants),
        policies=tuple(attached.policies),
    )


class _Need(NamedTuple):
    """What a container needs its role to be allowed, in the worlds where `when` holds.

    `permission` None: nothing, but a role there must be.
    """

    path: Path
    when: When
    permission: Permission | None


class _Run:
    """One expansion under way: what has been found so far."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.settings, settings_problems = read_settings(stack.template, stack.context.settings)
        self.problems = list(settings_problems)
        self.macro = find_macro(stack)
        self.secrets: dict[tuple[str, Credentials], Secret] = {}
        self.warnings: list[Problem] = []
        self.edits: list[Edit] = []
        self.containers: list[Pulled] = []
        self.grants: list[Grant] = []
        self.vacancies: list[Vacancy] = []
        self.found: set[Path] = set()  # the containers with shorthand
        self.called: set[Path] = set()  # those that call the macro on their own

    def read(self) -> None:
        """Reads every place of the table, then looks for shorthand that stands elsewhere."""
        for resource in self.stack.resources:
            found = find_containers(resource)
            for _, sharing in groupby(found, lambda container: container.owner_path):
                self._read_owner(list(sharing))
        shorthand = bool(self.found)
        self.problems += check_calls(self.stack.template, self.macro, shorthand)
        self.problems += misplaced(self.stack, self.found, self.macro)

    def _read_owner(self, containers: list[Container]) -> None:
        """Reads the containers that share one execution role, then the role."""
        needs: list[_Need] = []
        for container in containers:
            self.problems += misspelt(container)
            calls = find_snippet_calls(container.body, container.path, self.macro)
            if NAME in container.body or calls:
                needs += self._read_container(container, calls)
        if needs:
            one = containers[0]
            self._read_role(one.owner, one.owner_path, one.around, one.place, one.resource, needs)

    def _read_container(self, site: Container, calls: list[Call]) -> list[_Need]:
        """Turns the shorthand of one container into edits; what its role needs is returned."""
        container, path, when = site.body, site.path, site.when
        place, resource = site.place, site.resource
        self.found.add(path)
        value, at = container.get(NAME), (*path, NAME)
        if NAME not in container:
            value, at = calls[0].parameters, (*calls[0].path, "Parameters")
        # A call here sees no more than the container.
        settings = self.settings._replace(template={}) if calls else self.settings
        short = read_shorthand(value, at, site, settings, self.stack)
        self.problems += [*problems_beside(site), *short.problems]
        self.warnings += short.warnings
        needs: list[_Need] = []
        parameters = self._parameters(short.access, when, place, resource, at, needs)
        self.edits += container_edits(short, parameters, container, path, place, at)
        image = written(graft(short.image, lambda leaf: leaf.value))
        self.containers.append(Pulled(resource, path, when, image, written(parameters)))
        if not calls:
            return needs
        self.called.add(path)
        pulls = [pull for pull, _ in leaves(short.access, when)]
        granted = any(pull.grant and pull.secret.value != NO_VALUE for pull in pulls)
        self.problems += check_snippet(calls[0], granted, NAME in container)
        self.warnings += [
            note_on_name(call.path, call.name)
            for call in calls
            if not self.macro.is_called(call.name)
        ]
        self.edits += take_out_snippet(container, path, calls)
        return []

    def _parameters(
        self,
        pull: Fork[Access] | Access,
        when: When,
        place: Place,
        resource: Resource,
        path: Path,
        needs: list[_Need],
    ) -> Fork[Json] | Json:
        """The credentials parameter in every world; `AWS::NoValue` where the image is public."""
        if isinstance(pull, Fork):
            then, otherwise = (
                self._parameters(
                    side, both(when, pull.condition, value), place, resource, path, needs
                )
                for side, value in ((pull.then, True), (pull.otherwise, False))
            )
            return Fork(pull.condition, then, otherwise)
        if pull.secret.value == NO_VALUE:
            return NO_VALUE
        try:
            secret = self._secret(pull.secret.value, place.credentials, resource)
        except InvalidValueError as mistake:
            self.problems.append(pull.reported(mistake.at(pull.secret.path)))
            secret = Secret(NO_VALUE, (NO_VALUE,), REGION)  # so that key and role are read too
        if not pull.grant:
            needs.append(_Need(path, when, None))
            return secret.parameter
        self._note_defaults(secret.defaults, pull.secret.path)
        needs += [_Need(path, when, permission) for permission in secret_permissions(secret)]
        key, key_path, reader = pull.key.value, pull.key.path, resource
        if key is None and secret.declaration:
            reader = secret.declaration
            key = get(reader.body, "Properties", "KmsKeyId")
            key_path = (*reader.path, "Properties", "KmsKeyId")
        for at, holds, found in read_keys(key, key_path, when, secret, self.stack, reader):
            if isinstance(found, InvalidValueError):
                self.problems.append(pull.reported(found.at(at)))
                continue
            self._note_defaults(found.defaults, at)
            needs.append(_Need(path, holds, key_permission(found, secret)))
        return secret.parameter

    def _secret(self, value: Json, credentials: Credentials, resource: Resource) -> Secret:
        """As `read_secret`; a name or an ARN, which many containers share, is read once."""
        if not isinstance(value, str) or resource.loops:
            return read_secret(value, credentials, self.stack, resource)
        if (value, credentials) not in self.secrets:
            secret = read_secret(value, credentials, self.stack, resource)
            self.secrets[value, credentials] = secret
        return self.secrets[value, credentials]

    def _read_role(
        self,
        owner: dict[str, Json],
        path: Path,
        when: When,
        place: Place,
        resource: Resource,
        needs: list[_Need],
    ) -> None:
        """Finds the role in every world where a container needs one."""
        key = place.execution_role
        for at, role, holds in branches(owner.get(key), (*path, key), when):
            wanted = [
                (need, together)
                for need in needs
                if (together := _together(need.when, holds)) is not None
                and self.stack.possible(together)
            ]
            if not wanted or holds is None:
                continue
            if role in (None, NO_VALUE):
                absent = key not in owner
                self._read_vacancy(Vacancy(resource, place, at, holds, absent), wanted)
                continue
            granted = [(need, together) for need, together in wanted if need.permission]
            try:
                found = read_role(role, self.stack, resource)
                for need, together in granted:
                    self._grant(found, need, together, resource, at)
            except InvalidValueError as mistake:
                if granted:
                    self.problems.append(mistake.at(at))
                continue
            if granted and not isinstance(found, Inside):
                self._note_defaults(found.defaults, at)
            if granted and place.task_role in owner:
                self._note_on_task_role(owner, path, place, role)

    def _grant(
        self,
        role: Inside | Outside,
        need: _Need,
        when: frozenset[tuple[str, bool]],
        resource: Resource,
        path: Path,
    ) -> None:
        assert need.permission
        if isinstance(role, Inside):
            there = _together(when, role.resource.when)
            if there is None:
                # Where no stack has these conditions at once this is harmless, and where one has,
                # CloudFormation refuses the reference before it creates anything.
                message = f"The role {role.resource.logical_id} is not there when the container is."
                fix = "Name another role for this case with Fn::If."
                self.warnings.append(Problem("PI904", path, message, fix))
                return
            when = there
        self.grants.append(Grant(role, when, need.permission, resource, need.path))

    def _read_vacancy(
        self, vacancy: Vacancy, wanted: list[tuple[_Need, frozenset[tuple[str, bool]]]]
    ) -> None:
        """Lets a role be made where there is none, if one can be."""
        place, path = vacancy.place, wanted[0][0].path
        granted = [(need, when) for need, when in wanted if need.permission]
        if place.managed_policy is None or not granted:
            key = place.execution_role
            message = f"There is no {key} that could pull the image."
            fix = f"Name a role in {key}"
            fix += "." if granted else ", or leave out Grant: false to have one made."
            self.problems.append(Problem("PI403", path, message, fix))
            return
        self.vacancies.append(vacancy)
        for need, when in granted:
            assert need.permission
            role = Created(vacancy.owner)
            self.grants.append(Grant(role, when, need.permission, vacancy.owner, need.path))

    def _note_defaults(self, parameters: tuple[str, ...], path: Path) -> None:
        for name in parameters:
            message = f"This is expanded for the form that the default of parameter {name} has."
            fix = f"Where another form is deployed, give its value with -p {name}=..."
            self.warnings.append(Problem("PI903", path, message, fix))

    def _note_on_task_role(
        self, owner: dict[str, Json], path: Path, place: Place, role: Json
    ) -> None:
        assert place.task_role
        for at, task_role, _ in branches(owner[place.task_role], (*path, place.task_role), ALWAYS):
            if canonical(task_role) == canonical(role):
                message = "The execution role is the task role too: the application's code can read"
                message += " the registry's credentials."
                fix = f"Give {place.task_role} a role of its own."
                self.warnings.append(Problem("PI901", at, message, fix))


def _together(one: When, other: When) -> frozenset[tuple[str, bool]] | None:
    """Both conjunctions at once; None where they contradict each other."""
    if one is None or other is None:
        return None
    together = one | other
    return together if len({name for name, _ in together}) == len(together) else None
