"""What the turns of a loop need, each on its own -> grants that are right for every turn."""

from __future__ import annotations

from collections.abc import Sequence

from macro.engine.grants.permissions import Grant, Permission, identity
from macro.engine.grants.roles import CreatedRole, NamedRole, TemplateRole
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import Json
from macro.engine.template.intrinsics import ref
from macro.engine.template.loops import Turn, fill, fill_text, generalized


def across_turns(grants: Sequence[Sequence[Grant]], turns: Sequence[Turn]) -> list[Grant] | None:
    """The grants of a loop's turns as they are written: once within the loop where they are alike
    in every turn, up to its variables; else turn by turn, outside of it.

    None where neither can be: a role that the loop is to be given needs other permissions in other
    turns.
    """
    signatures = [[_signature(grant) for grant in of_turn] for of_turn in grants]
    if all(signature == signatures[0] for signature in signatures[1:]):
        return list(grants[0])
    general = generalized([list[Json](one) for one in signatures], turns)
    if isinstance(general, list):
        return [
            _written(grant, of_grant) for grant, of_grant in zip(grants[0], general, strict=True)
        ]
    if any(isinstance(grant.role, CreatedRole) for of_turn in grants for grant in of_turn):
        return None
    return [
        _outside(grant, turn)
        for of_turn, turn in zip(grants, turns, strict=True)
        for grant in of_turn
    ]


def _signature(grant: Grant) -> Json:
    """All that may differ between the turns of a grant."""
    name = grant.role.name if isinstance(grant.role, NamedRole) else identity(grant.role)
    when: list[Json] = [[condition, truth] for condition, truth in sorted(grant.when)]
    path: list[Json] = [str(step) for step in grant.path]
    return [type(grant.role).__name__, name, when, grant.permission.values, path]


def _written(grant: Grant, signature: Json) -> Grant:
    """The grant with what its signature says in general."""
    assert isinstance(signature, list)
    _, name, when, values, _ = signature
    assert isinstance(when, list)
    assert isinstance(values, list)
    role = grant.role._replace(name=name) if isinstance(grant.role, NamedRole) else grant.role
    action, *others = values
    return grant._replace(
        role=role,
        when=Conditions((str(item[0]), bool(item[1])) for item in when if isinstance(item, list)),
        permission=Permission(str(action), *others),
    )


def _outside(grant: Grant, turn: Turn) -> Grant:
    """The grant as one turn needs it, written outside of the loop."""
    role = grant.role
    if isinstance(role, TemplateRole) and role.resource.loops:
        made = fill_text(role.resource.logical_id, turn)
        role = NamedRole(ref(made), role.when)
    elif isinstance(role, NamedRole):
        role = role._replace(name=fill(role.name, turn))
    values = [fill(value, turn) for value in grant.permission.values[1:]]
    return grant._replace(
        role=role,
        when=Conditions((fill_text(name, turn), truth) for name, truth in grant.when),
        permission=Permission(grant.permission.action, *values),
        turn=turn,
    )
