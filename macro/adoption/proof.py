"""The proof that an adopted template deploys what the author's did, in every case."""

from __future__ import annotations

from collections.abc import Iterator

from macro.adoption.access import Granted, is_covered, pairs_by_role, pairs_of
from macro.adoption.hand_written import HandWritten, find_hand_written
from macro.adoption.narrowing import Narrowing
from macro.adoption.policies import Statement, read_policies
from macro.engine.template.arn import arn_of
from macro.engine.template.choices import branches, leaves
from macro.engine.template.document import NO_VALUE, Json, Path, canonical
from macro.engine.template.intrinsics import join, parse_text, write_text
from macro.engine.template.loops import Turn
from macro.engine.template.stack import Site, Stack


def doubts(before: Stack, after: Granted, narrowed: Narrowing) -> Iterator[str]:
    """What is not proven of a template that was adopted and expanded, `after`, where `before` is
    what its author deploys. Nothing: every container has the same image, credentials and role, and
    every role the access that it had, with nothing more than its containers need. The roles in
    `narrowed` may have lost more.
    """
    yield from _containers(before, after.stack)
    yield from _access(before, after, narrowed)
    if _transforms(before) != _transforms(after.stack):
        yield "another transform of the template would be lost"


def _transforms(stack: Stack) -> list[str]:
    found = stack.template.get("Transform")
    return [canonical(one) for one in (found if isinstance(found, list) else [found]) if one]


def _containers(before: Stack, after: Stack) -> Iterator[str]:
    found = {_place(one): one for one in find_hand_written(after)}
    for one in find_hand_written(before):
        other = found.pop(_place(one), None)
        if other is None or not _is_alike(one, other, after):
            yield f"a container of {one.container.resource.logical_id} would be another"


def _place(written: HandWritten) -> tuple[Path, Turn]:
    return written.container.path, written.container.resource.turn


def _is_alike(one: HandWritten, other: HandWritten, stack: Stack) -> bool:
    """Whether two containers have one image and one secret wherever both cases hold."""
    key = one.container.place.credentials.key
    if one.secret is None or other.secret is None:
        return one.container.body == other.container.body
    place = one.container.place
    judged = {"Image", key, *([] if place.container else [place.execution_role])}
    own = {name: value for name, value in one.container.body.items() if name not in judged}
    rest = {name: value for name, value in other.container.body.items() if name in own}
    siblings = dict(one.container.place.credentials.siblings)
    if own != rest or not other.container.body.keys() <= {*own, *judged, *siblings}:
        return False
    if not _has_role(one, other, stack):
        return False
    for mine, theirs in ((one.images, other.images), (one.secret, other.secret)):
        for leaf, when in leaves(mine, one.container.when):
            for their, holds in leaves(theirs, other.container.when):
                if not stack.solver.possible(when.both(holds)):
                    continue
                if not _is_same(leaf.value, their.value, one.site):
                    return False
    return True


def _has_role(one: HandWritten, other: HandWritten, stack: Stack) -> bool:
    """Whether one's role is the other's wherever it has one."""
    key = one.container.place.execution_role
    mine, theirs = (
        list(branches(each.container.owner.get(key), (), each.container.around))
        for each in (one, other)
    )
    return all(
        canonical(role) == canonical(their) or not stack.solver.possible(when.both(holds))
        for _, role, when in mine
        if role not in (None, NO_VALUE)
        for _, their, holds in theirs
    )


def _is_same(one: Json, other: Json, site: Site) -> bool:
    """Whether two values are one, be it a secret's name and the ARN of that name."""
    if canonical(one) == canonical(other):
        return True
    if NO_VALUE in (one, other):
        return False
    text = parse_text(one, site.loop_variables)
    arn = write_text(join(*arn_of("secretsmanager", "secret:", *text)), site.loop_variables)
    return canonical(arn) == canonical(other)


def _access(before: Stack, after: Granted, narrowed: Narrowing) -> Iterator[str]:
    old, new = read_policies(before).statements, read_policies(after.stack).statements
    same = {_key(one) for one in old} & {_key(one) for one in new}
    solver = after.stack.solver
    had, have = pairs_by_role(old, before), pairs_by_role(new, after.stack)
    for one in old:
        if _key(one) in same:
            continue
        holder = one.policy.holder
        if not one.is_plain:
            yield "a statement would be lost"
        elif holder not in narrowed.roles and not all(
            is_covered(pair, have.get(holder, []), solver) for pair in pairs_of(one, before)
        ):
            yield "a role would lose access"
    for one in new:
        if _key(one) in same:
            continue
        holder = one.policy.holder
        allowed = [*had.get(holder, ()), *after.pairs.get(holder, ())]
        if not one.is_plain or not all(
            is_covered(pair, allowed, solver) for pair in pairs_of(one, after.stack)
        ):
            yield "a role would have access that its containers do not need"
    for holder, wanted in after.pairs.items():
        if not all(is_covered(pair, have.get(holder, []), solver) for pair in wanted):
            yield "a role would not have the access that its containers need"


def _key(statement: Statement) -> str:
    """The same for statements that say the same of a role under the same conditions."""
    when: Json = [[name, truth] for name, truth in sorted(statement.when)]
    return canonical([statement.policy.holder, when, statement.body])
