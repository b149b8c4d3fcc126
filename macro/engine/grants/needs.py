"""A container's secret, key and role as written -> what the role needs to be allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from macro.engine.grants.key_forms import Key
from macro.engine.grants.kms_keys import key_doubts, read_keys
from macro.engine.grants.permissions import (
    Grant,
    Permission,
    key_permission,
    secret_permissions,
)
from macro.engine.grants.roles import CreatedRole, NamedRole, Role, may_be, read_role
from macro.engine.grants.secret_forms import REGION, Reader
from macro.engine.grants.secret_values import Secret
from macro.engine.grants.secrets import parameter_of, read_secret
from macro.engine.grants.trust import may_assume
from macro.engine.shorthand.block import Access
from macro.engine.shorthand.containers import Container
from macro.engine.shorthand.places import Place
from macro.engine.template.choices import Fork, branches, leaves
from macro.engine.template.conditions import ALWAYS, Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, canonical, get
from macro.engine.template.intrinsics import is_text
from macro.engine.template.problems import Caution, InvalidValueError, Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource, completed_by, unseen
from macro.engine.template.stack import Site, Stack


class Need(NamedTuple):
    """What a container needs its role to be allowed, where `when` holds; `path` is the shorthand's.

    `permission` None: nothing, but a role there must be.
    """

    path: Path
    when: Conditions
    permission: Permission | None


class ContainerNeeds(NamedTuple):
    """What a container's credentials take (`AWS::NoValue`: the image is public), as a tree like the
    shorthand's; what its role needs; and what is or may be wrong."""

    parameters: Fork[Json] | Json
    needs: tuple[Need, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def read_needs(
    access: Fork[Access] | Access, path: Path, container: Container, site: Site, stack: Stack
) -> ContainerNeeds:
    """What a container with the shorthand at `path` needs, in one turn of the loops around it."""
    return _read_needs(access, container.when, path, container.place, site, stack)


def _read_needs(
    access: Fork[Access] | Access,
    when: Conditions,
    path: Path,
    place: Place,
    site: Site,
    stack: Stack,
) -> ContainerNeeds:
    if isinstance(access, Fork):
        sides = [
            _read_needs(side, when.also(access.condition, truth), path, place, site, stack)
            for side, truth in ((access.then, True), (access.otherwise, False))
        ]
        then, otherwise = sides
        return ContainerNeeds(
            Fork(access.condition, then.parameters, otherwise.parameters),
            then.needs + otherwise.needs,
            then.problems + otherwise.problems,
            then.warnings + otherwise.warnings,
        )
    if access.secret.value == NO_VALUE:
        return ContainerNeeds(NO_VALUE)
    parameter, cases = _read_cases(
        access.secret.value, when, Reader(place.credentials, site, stack)
    )
    needs: list[Need] = []
    faults: list[_Fault] = []
    at = access.secret.path
    for error, secret, holds, permissions in cases:
        if error:
            faults.append(_Fault(at, holds, error))
        faults += [_Fault(at, holds, caution) for caution in secret.service_cautions]
        if not access.grant:
            needs.append(Need(path, holds, None))
            faults += [] if secret.as_written else _assumed(secret, at, holds)
            continue
        faults += _doubts(secret, at, holds)
        needs += [Need(path, holds, permission) for permission in permissions]
        faults += [
            _Fault(at, where, doubt)
            for where, doubt in key_doubts(access.key.value, holds, secret)
            if stack.possible(where, site)
        ]
        for found in read_keys(access.key.value, access.key.path, holds, secret, site, stack):
            if found.key is None or not stack.possible(found.when, site):
                continue
            if isinstance(found.key, (InvalidValueError, Caution)):
                faults.append(_Fault(found.path, found.when, found.key))
                continue
            faults += _doubts(found.key, found.path, found.when)
            needs.append(
                Need(path, found.when, key_permission(found.key, secret, site.loop_variables))
            )
    problems, warnings = _sorted_out(faults, site, stack)
    reported = tuple(map(access.reported, problems))
    return ContainerNeeds(parameter, tuple(needs), reported, warnings)


class _SecretCase(NamedTuple):
    """A secret where some conditions hold, and what a role needs to read it; `error`: the value is
    none, and the secret is an empty one in its stead, so that its key and its role are read all the
    same and all problems are found at once."""

    error: InvalidValueError | None
    secret: Secret
    when: Conditions
    permissions: tuple[Permission, ...]


class _SecretCases(NamedTuple):
    """What the credentials take for a secret, and the cases of it that some deployment has."""

    parameter: Json
    cases: tuple[_SecretCase, ...]


def _read_cases(value: Json, when: Conditions, reader: Reader) -> _SecretCases:
    site, stack = reader.site, reader.stack
    if not is_text(value):
        return _cases(value, when, reader)
    about = "secret", reader.credentials, when
    return stack.once(about, value, site, lambda: _cases(value, when, reader))


def _is_far(reading: Secret | InvalidValueError) -> bool:
    """Whether a secret, in the Region and account of this deployment, is wrong or another's."""
    return isinstance(reading, InvalidValueError) or reading.elsewhere


def _cases(value: Json, when: Conditions, reader: Reader) -> _SecretCases:
    site, stack = reader.site, reader.stack
    tree = read_secret(value, when, reader)
    readings: list[tuple[Secret | InvalidValueError, Conditions]] = leaves(tree, when)
    if any(_is_far(one) for one, _ in readings) and not stack.reached(when, site):
        tree = read_secret(value, when, reader._replace(stack=stack.elsewhere))
        readings = leaves(tree, when)
    cases: list[_SecretCase] = []
    for reading, holds in readings:
        if not stack.possible(holds, site):
            continue
        error = reading if isinstance(reading, InvalidValueError) else None
        if isinstance(reading, InvalidValueError):
            resources = (NO_VALUE,) if stack.reached(holds, site) else ()
            reading = Secret(NO_VALUE, resources, REGION)
        cases.append(_SecretCase(error, reading, holds, tuple(secret_permissions(reading))))
    return _SecretCases(parameter_of(value, tree), tuple(cases))


class _Fault(NamedTuple):
    """What is wrong at a place, or may be, where some conditions hold."""

    path: Path
    when: Conditions
    error: InvalidValueError | Caution


def _doubts(found: Secret | Key | NamedRole, path: Path, when: Conditions) -> list[_Fault]:
    """What may be wrong with a value whose deployed form is not known for sure."""
    if not found.cautions and not found.defaults:
        return []
    cautions = [_Fault(path, when, caution) for caution in found.cautions]
    return [*cautions, *_assumed(found, path, when)]


def _assumed(found: Secret | Key | NamedRole, path: Path, when: Conditions) -> list[_Fault]:
    """What is written for the form of a parameter's default alone."""
    return [
        _Fault(
            path,
            when,
            Caution(
                "PI903",
                f"This expansion fits the form of the default of parameter {name}.",
                f"If you deploy a value of another form, give it with -p {name}=...",
            ),
        )
        for name in found.defaults
    ]


def _sorted_out(
    faults: Sequence[_Fault], site: Site, stack: Stack
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Problems and warnings: what this deployment does not reach is no problem of it."""
    if not faults:
        return (), ()
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for path, when, error in faults:
        reached = stack.reached(when, site)
        if isinstance(error, InvalidValueError) and reached:
            problems.append(error.at(path))
        elif isinstance(error, InvalidValueError):
            message = f"A case that this deployment does not reach is wrong: {error}"
            warnings.append(Problem("PI908", path, message, error.fix))
        elif reached:
            warnings.append(error.at(path))
    return tuple(problems), tuple(warnings)


class Vacancy(NamedTuple):
    """Where a resource names no role but needs one: at `path`, where `when` holds.

    `absent`: the key does not exist, rather than `AWS::NoValue`.
    """

    owner: Resource
    place: Place
    path: Path
    when: Conditions
    absent: bool


class RoleReading(NamedTuple):
    """What the role of some containers is granted, and the roles that have to be made for it."""

    grants: tuple[Grant, ...] = ()
    vacancies: tuple[Vacancy, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def read_grants(
    container: Container, needs: list[Need], attached: bool, site: Site, stack: Stack
) -> RoleReading:
    """Finds the role in every case where one of the containers that share it needs one.

    `container` is any of them; `attached`: the settings attach policies to the roles that are made.
    """
    place, owner = container.place, container.owner
    key = place.execution_role
    grants: list[Grant] = []
    vacancies: list[Vacancy] = []
    problems: list[Problem] = []
    faults: list[_Fault] = []
    is_granted = False
    for at, role, holds in branches(owner.get(key), (*container.owner_path, key), container.around):
        wanted = _within(needs, holds, site, stack)
        if not wanted:
            continue
        granted = [need for need in wanted if need.permission]
        if key not in owner and _is_completed(container):
            hidden = unseen(key, container.resource.logical_id, f"Write {key} without them.")
            problems.append(hidden.at(wanted[0].path))
            continue
        if role in (None, NO_VALUE):
            if place.managed_policy is None or not granted:
                problems.append(_no_role(place, wanted[0].path, bool(granted)))
                continue
            if not attached:
                problems += [_unread(place, need.path) for need in wanted if not need.permission]
            vacancies.append(Vacancy(container.resource, place, at, holds, key not in owner))
            made = CreatedRole(container.resource)
            grants += [
                Grant(made, need.when, need.permission, container.resource, need.path)
                for need in granted
                if need.permission
            ]
            continue
        if not granted:
            continue
        tree = read_role(role, holds, site, stack)
        readings: list[tuple[Role | InvalidValueError, Conditions]] = leaves(tree, holds)
        is_wrong = any(isinstance(one, InvalidValueError) for one, _ in readings)
        if is_wrong and not stack.reached(holds, site):
            readings = leaves(read_role(role, holds, site, stack.elsewhere), holds)
        for found, inner in readings:
            needed = _within(granted, inner, site, stack)
            if not needed:
                continue
            if isinstance(found, InvalidValueError):
                faults.append(_Fault(at, inner, found))
                continue
            if isinstance(found, NamedRole):
                faults += _doubts(found, at, inner)
                faults += [
                    _Fault(at, inner.both(one.when), may_be(one))
                    for one in found.nameless
                    if may_assume(one, place.service)
                ]
            given, missing = _granted(found, needed, container.resource, site, stack)
            grants += given
            faults += [_Fault(at, inner, caution) for caution in missing]
            is_granted = is_granted or bool(given)
    found_problems, warnings = _sorted_out(faults, site, stack)
    if is_granted:
        warnings += tuple(_task_role_warnings(container))
    return RoleReading(tuple(grants), tuple(vacancies), (*problems, *found_problems), warnings)


def _is_completed(container: Container) -> bool:
    """Whether a loop or `Fn::Transform` may name the role. Where the container itself has the role,
    a macro that is not AWS's is this one."""
    owner = container.owner
    by = completed_by(owner)
    if by == "Fn::Transform" and owner is container.body:
        name = get(owner, by, "Name")
        return isinstance(name, str) and name.startswith("AWS::")
    return by is not None


def _within(needs: Iterable[Need], when: Conditions, site: Site, stack: Stack) -> list[Need]:
    """The needs, as far as they arise where `when` holds."""
    if when:
        needs = [Need(need.path, need.when.both(when), need.permission) for need in needs]
    return [need for need in needs if not need.when or stack.possible(need.when, site)]


def _granted(
    role: Role, needs: list[Need], served: Resource, site: Site, stack: Stack
) -> tuple[list[Grant], list[Caution]]:
    """Grants to a role where it exists, and a warning where it does not exist with a container."""
    grants: list[Grant] = []
    missing: list[Caution] = []
    for need in needs:
        assert need.permission
        when = need.when.both(role.when)
        if stack.possible(when, site):
            grants.append(Grant(role, when, need.permission, served, need.path))
        else:
            # CloudFormation refuses the reference before it creates anything.
            message = "This role does not exist when the container does."
            fix = "Name another role for this case with Fn::If."
            missing.append(Caution("PI904", message, fix))
    return grants, missing


def _no_role(place: Place, path: Path, granted: bool) -> Problem:
    key = place.execution_role
    fix = f"Name a role in {key}"
    fix += "." if granted else ", or leave out Grant: false to have one made."
    return Problem("PI403", path, f"{key} names no role that could pull the image.", fix)


def _unread(place: Place, path: Path) -> Problem:
    """Grant: false says that the role can read the secret; one that is new can read none."""
    key = place.execution_role
    message = f"There is no {key}, and the role that is created for it cannot read this secret."
    return Problem("PI403", path, message, f"Leave out Grant: false, or name a role in {key}.")


def _task_role_warnings(container: Container) -> Iterator[Problem]:
    """The warning that the application's code has the rights of the execution role."""
    place, owner = container.place, container.owner
    if place.task_role is None or place.task_role not in owner:
        return
    roles = {
        canonical(role) for _, role, _ in branches(owner.get(place.execution_role), (), ALWAYS)
    }
    path = (*container.owner_path, place.task_role)
    for at, task_role, _ in branches(owner[place.task_role], path, ALWAYS):
        if canonical(task_role) in roles and task_role != NO_VALUE:
            message = "The execution role is also the task role, so the application's code can read"
            message += " the registry credentials."
            fix = f"Give {place.task_role} a role of its own."
            yield Problem("PI901", at, message, fix)
