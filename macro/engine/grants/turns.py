"""What the turns of a loop need, each on its own -> grants that are right for every turn."""

from __future__ import annotations

from collections.abc import Sequence

from macro.engine.grants.permissions import Grant, Permission
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
    if len(grants) == 1:
        return sorted(grants[0], key=lambda one: not isinstance(one.role, CreatedRole))
    made = [[one for one in turn if isinstance(one.role, CreatedRole)] for turn in grants]
    named = [[one for one in turn if not isinstance(one.role, CreatedRole)] for turn in grants]
    within, others = _within_loop(made, turns), _within_loop(named, turns)
    if within is None:
        return None
    if others is None:
        others = [
            _outside(grant, turn)
            for of_turn, turn in zip(named, turns, strict=True)
            for grant in of_turn
        ]
    return within + others


def _within_loop(grants: Sequence[Sequence[Grant]], turns: Sequence[Turn]) -> list[Grant] | None:
    """The grants written once for all turns; None where they are not alike."""
    signatures = [[_signature(grant) for grant in of_turn] for of_turn in grants]
    if all(signature == signatures[0] for signature in signatures[1:]):
        return list(grants[0])
    general = generalized([list[Json](one) for one in signatures], turns)
    roles = [[_template_role(grant) for grant in of_turn] for of_turn in grants]
    if isinstance(general, list) and all(one == roles[0] for one in roles):
        return [_written(grant, one) for grant, one in zip(grants[0], general, strict=True)]
    return None


def _template_role(grant: Grant) -> str | None:
    """Which role of the template a grant is for: no text says two of them at once."""
    return None if isinstance(grant.role, NamedRole) else grant.role.identity


def _signature(grant: Grant) -> Json:
    """All that may differ between the turns of a grant."""
    name = grant.role.name if isinstance(grant.role, NamedRole) else grant.role.identity
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
