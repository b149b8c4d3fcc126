"""Hand-written credentials -> drafts of the shorthand for them: which containers, which key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from macro.adoption.access import (
    DECRYPT,
    Granted,
    Pair,
    granted,
    is_covered,
    pairs_by_role,
    pairs_of,
)
from macro.adoption.blocks import Draft, block_edits
from macro.adoption.hand_written import HandWritten, RoleInCase, is_declared, roles_of
from macro.adoption.patterns import pattern_of
from macro.adoption.policies import Policies, read_policies
from macro.engine.expand import expand
from macro.engine.grants.key_forms import Key
from macro.engine.grants.kms_keys import read_keys
from macro.engine.grants.secret_forms import Reader
from macro.engine.grants.secret_values import Secret
from macro.engine.grants.secrets import read_secret
from macro.engine.template.choices import choice, leaves
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, canonical, get
from macro.engine.template.edits import Edit, apply
from macro.engine.template.intrinsics import Text, mentions
from macro.engine.template.problems import InvalidValueError, Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Stack


class Drafts(NamedTuple):
    """The drafts of the containers that are adopted, and notes on those that stay as they are."""

    drafts: tuple[Draft, ...] = ()
    notes: tuple[Problem, ...] = ()


def draft(found: Iterable[HandWritten], before: Policies, narrow: bool, stack: Stack) -> Drafts:
    """The shorthand for every container that can have it. `before` is what the policies say of
    roles that the template and its expansion have."""
    by_path: dict[Path, list[HandWritten]] = {}
    known_keys: dict[str | None, set[Text]] = {}
    for written in found:
        by_path.setdefault(written.container.path, []).append(written)
        for role in roles_of(written, stack):
            known_keys.setdefault(role.key, set()).update(_declared_keys(written, stack))
    policies = read_policies(stack)
    known = frozenset(one.policy.holder for one in before.statements)
    drafts: list[Draft] = []
    notes: list[Problem] = []
    for turns in by_path.values():
        if why := next(filter(None, map(_obstacle, turns)), None):
            notes.append(_left(turns[0], *why))
        else:
            reader = KeySource(policies, known, known_keys, narrow, stack)
            drafts.append(_of_turns([_draft(one, reader) for one in turns]))
    return Drafts(tuple(drafts), tuple(notes))


def _obstacle(written: HandWritten) -> tuple[str, str] | None:
    """Why image and credentials cannot be moved, and what helps."""
    container = written.container
    fix = "Write the shorthand by hand."
    if written.secret is None:
        return "its credentials are not of the form that this resource takes.", fix
    if container.body.get("Image") is None:
        return "it has no image.", fix
    if container.resource.loops:
        fix = "Give the values of the collection's parameters with -p."
        return "it is in Fn::ForEach, and the values of the loop are not known.", fix
    if "Fn::Transform" in container.body:
        return "a macro works on it.", fix
    return None


def _left(written: HandWritten, why: str, fix: str) -> Problem:
    return Problem("PI651", written.path, f"This container stays as it is: {why}", fix)


def _of_turns(turns: list[Draft]) -> Draft:
    """One draft for all turns of a loop."""
    first = turns[0]
    is_key_shared = all(one.key == first.key for one in turns)
    return first._replace(
        key=first.key if is_key_shared else None, grant=any(one.grant for one in turns)
    )


class KeySource(NamedTuple):
    """What keys are read from: the statements, and for each role (its key) the keys that secrets of
    the template are known to have. `known`: the roles that policies of this stack are on."""

    policies: Policies
    known: frozenset[str]
    known_keys: Mapping[str | None, set[Text]]
    narrow: bool
    stack: Stack


def _draft(written: HandWritten, reader: KeySource) -> Draft:
    """The block for a container; a role outside of the template keeps what it has."""
    roles = roles_of(written, reader.stack)
    if roles and all(
        role.key is None or (role.resource is None and role.key not in reader.known)
        for role in roles
    ):
        return Draft(written, grant=False)
    # A key in the block would be that of every case, in place of those that the template declares.
    if is_declared(written, reader.stack) or any(_declared_keys(written, reader.stack)):
        return Draft(written)
    keys = list({canonical(key): key for key in _keys_of(written, roles, reader)}.values())
    return Draft(written, keys[0] if len(keys) == 1 and keys[0] != "*" else None)


def _keys_of(written: HandWritten, roles: list[RoleInCase], reader: KeySource) -> Iterator[Json]:
    """The keys that the roles of a container may use already, and no other secret is known to
    have."""
    holders = {role.key for role in roles}
    for statement in reader.policies.statements:
        if not statement.is_plain or statement.policy.holder not in holders:
            continue
        for pair in pairs_of(statement, reader.stack):
            if pair.action.lower() != DECRYPT.lower() or not (pair.condition or reader.narrow):
                continue
            if pair.resource not in reader.known_keys[statement.policy.holder]:
                carrier = statement.policy.carrier
                yield _key_of(pair, statement.body, carrier, written, reader.stack)


def _declared_keys(written: HandWritten, stack: Stack) -> Iterator[Text]:
    """The keys of a container's secrets, as far as the template declares them."""
    if written.secret is None:
        return
    reader = Reader(written.container.place.credentials, written.site, stack)
    for leaf, when in leaves(written.secret, written.container.when):
        readings: list[tuple[Secret | InvalidValueError, Conditions]]
        readings = leaves(read_secret(leaf.value, when, reader), when)
        for secret, holds in readings:
            if isinstance(secret, Secret):
                for found in read_keys(None, leaf.path, holds, secret, written.site, stack):
                    if isinstance(found.key, Key):
                        yield pattern_of(found.key.resource, found.when, written.site, stack)


def _key_of(
    pair: Pair, statement: Json, carrier: Resource, written: HandWritten, stack: Stack
) -> Json:
    """The key of a statement as the block of a container can name it; None: it cannot."""
    aliases = get(statement, "Condition", "ForAnyValue:StringEquals", "kms:ResourceAliases")
    resource = value_at(stack.template, pair.path)
    value = aliases or resource
    if isinstance(aliases, str) and isinstance(resource, str) and resource.endswith(":key/*"):
        value = resource.removesuffix("key/*") + aliases  # an alias of that account and Region
    missing = sorted(pair.when.without(written.container.when))
    if carrier.turn != written.container.resource.turn and (
        missing or mentions(value, (name for name, _ in carrier.turn))
    ):
        return None
    for name, truth in missing:
        value = choice(name, *((value, NO_VALUE) if truth else (NO_VALUE, value)))
    return value


def value_at(template: Json, path: Path) -> Json:
    """The value at a path of the template."""
    node = template
    for step in path:
        node = node[step]  # type: ignore[index]
    return node


def expandable(found: Drafts, call: list[Edit], stack: Stack) -> Drafts:
    """The drafts that the engine has nothing against. A key that it does not take is left out of
    its block, and so is the grant to a role that can have none."""
    drafts = list(found.drafts)
    notes = list(found.notes)
    while drafts:
        problems = expand(adopted(drafts, call, stack).template, stack.context).problems
        if not problems:
            break
        kept: list[Draft] = []
        for one in drafts:
            own = [problem for problem in problems if _is_about(problem, one)]
            if not own:
                kept.append(one)
            elif one.key is not None:
                kept.append(one._replace(key=None))
            elif one.grant and all(problem.code.startswith("PI4") for problem in own):
                kept.append(one._replace(grant=False))
            else:
                notes.append(_left(one.written, own[0].message, own[0].fix))
        if kept == drafts:
            notes += [_left(one.written, problems[0].message, problems[0].fix) for one in drafts]
            kept = []
        drafts = kept
    return Drafts(tuple(drafts), tuple(notes))


def with_known_keys(found: Drafts, call: list[Edit], before: Stack, stack: Stack) -> Drafts:
    """The drafts; without their keys, where a block with its key lets a role use that more widely
    than what is deployed, `before`, lets it."""
    if all(one.key is None for one in found.drafts):
        return found
    bare = found._replace(drafts=tuple(one._replace(key=None) for one in found.drafts))
    known = pairs_by_role(read_policies(before).statements, before)
    for holder, pairs in _granted(bare.drafts, call, stack).pairs.items():
        known.setdefault(holder, []).extend(pairs)
    given = _granted(found.drafts, call, stack)
    if all(
        is_covered(pair, known.get(holder, ()), given.stack.solver)
        for holder, pairs in given.pairs.items()
        for pair in pairs
    ):
        return found
    return expandable(bare, call, stack)


def _granted(drafts: Iterable[Draft], call: list[Edit], stack: Stack) -> Granted:
    """What expanding drafts adds to what the author allows; nothing where they cannot be."""
    written = adopted(drafts, call, stack)
    return granted(written, expand(written.template, stack.context))


def _is_about(problem: Problem, one: Draft) -> bool:
    container = one.written.container
    role = (*container.owner_path, container.place.execution_role)
    return any(problem.path[: len(path)] == path for path in (container.path, role))


def adopted(drafts: Iterable[Draft], call: Iterable[Edit], stack: Stack) -> Stack:
    """The template with the shorthand, and all of its statements."""
    template = apply(stack.template, [*draft_edits(drafts), *call])
    assert isinstance(template, dict)
    return Stack(template, stack.context)


def draft_edits(drafts: Iterable[Draft]) -> Iterator[Edit]:
    """The edits of all drafts."""
    for one in drafts:
        yield from block_edits(one)
