"""Statements that an expansion makes needless -> the edits that take them out of the template."""

from __future__ import annotations

from collections.abc import Iterable

from macro.adoption.access import DECRYPT, Granted, Pair, is_always, is_covered, pairs_of
from macro.adoption.narrowing import Narrowing
from macro.adoption.patterns import action_covers, covers
from macro.adoption.policies import Policies, Statement
from macro.adoption.removals import dependencies, removal_edits, without_dependencies
from macro.adoption.unrolled import unrolled
from macro.engine.template.document import Json, Path
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import literal_parts, references
from macro.engine.template.problems import Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import Stack

_FAMILIES = ("secretsmanager:", "kms:")


class Takeover(NamedTuple):
    """The statements that go, as edits, and notes on those that stay."""

    edits: tuple[Edit, ...] = ()
    notes: tuple[Problem, ...] = ()


class _Removals(NamedTuple):
    """The paths of the statements, resources and actions that go, and notes on what stays."""

    paths: tuple[Path, ...] = ()
    notes: tuple[Problem, ...] = ()


def take_over(policies: Policies, given: Granted, narrowed: Narrowing, stack: Stack) -> Takeover:
    """What becomes needless of the statements of roles that an expansion has `given` secrets and
    keys; of the roles in `narrowed`, wildcards too."""
    by_path: dict[Path, list[Statement]] = {}
    for statement in policies.statements:
        by_path.setdefault(statement.path, []).append(statement)
    concerned = [alike for alike in by_path.values() if _concerns(alike, given, stack)]
    removals = [_removals(alike, given, narrowed, stack) for alike in concerned]
    gone = {path for one in removals for path in one.paths}
    kept = _needed_for_others(gone, policies, stack)
    notes = [note for one in removals for note in one.notes]
    notes += [_note(path, _NEEDED_FOR_OTHERS) for path in sorted(kept, key=str)]
    edits = removal_edits([path for path in gone if path not in kept], policies, stack)
    return Takeover(tuple(edits), tuple(notes))


_NEEDED_FOR_OTHERS = "without it nothing would be left of its policy where a condition holds"


def _needed_for_others(gone: set[Path], policies: Policies, stack: Stack) -> set[Path]:
    """The statements that have to stay, since those left of their policies do not exist in every
    case in which the policy does: IAM takes no policy without statements."""
    by_policy: dict[tuple[str, Path], list[Statement]] = {}
    for statement in policies.statements:
        key = statement.policy.holder, statement.policy.path
        by_policy.setdefault(key, []).append(statement)
    return {
        one.path
        for alike in by_policy.values()
        if (left := [one.when for one in alike if one.path not in gone])
        and is_always(alike[0].policy.when, [one.when for one in alike], stack.solver)
        and not is_always(alike[0].policy.when, left, stack.solver)
        for one in alike
        if one.path in gone
    }


def _removals(
    alike: list[Statement], given: Granted, narrowed: Narrowing, stack: Stack
) -> _Removals:
    """What goes of a statement: of all roles that have it, in all turns of its loops."""
    first = alike[0]
    if reason := _obstacle(first, stack):
        return _Removals(notes=(_note(first.path, reason),))
    pairs = [(one.policy.holder, pair) for one in alike for pair in pairs_of(one, stack)]
    kept = [
        (holder, pair)
        for holder, pair in pairs
        if not _is_needless(pair, holder, first, given, narrowed)
    ]
    if not kept:
        return _Removals((first.path,))
    at_kept = {pair.path for _, pair in kept}
    gone = [at for at, _, _ in first.resources() if at not in at_kept and isinstance(at[-1], int)]
    if any(not _is_left(one, set(gone), stack) for one in alike):
        gone = []
    if not gone and all(holder in narrowed.roles for holder, _ in pairs):
        # Of a wildcard over secrets and keys, the half for the secrets.
        actions = {pair.action for _, pair in kept}
        listed = enumerate(first.actions)
        gone = [(*first.path, "Action", i) for i, action in listed if action not in actions]

    def note(holder: str, pair: Pair) -> Problem:
        is_shared = narrowed.is_wanted and holder not in narrowed.roles
        reason = _why(pair, given.pairs[holder], is_shared)
        return _note(pair.path, reason, *(["The rest of the statement"] if gone else []))

    notes = {pair.path: note(holder, pair) for holder, pair in kept if holder in given.pairs}
    return _Removals(tuple(dict.fromkeys(gone)), tuple(notes.values()))


def _is_left(statement: Statement, gone: set[Path], stack: Stack) -> bool:
    """Whether a statement is for something wherever it exists, without what goes of it."""
    left = [when for at, _, when in statement.resources() if at not in gone]
    return is_always(statement.when, left, stack.solver)


def _concerns(alike: list[Statement], given: Granted, stack: Stack) -> bool:
    """Whether a statement allows what one of its roles is granted, or lets it use a key."""
    return any(
        action_covers(pair.action, DECRYPT)
        or any(action_covers(pair.action, one.action) and _is_alike(pair, one) for one in own)
        for statement in alike
        if statement.is_plain and (own := given.pairs.get(statement.policy.holder))
        for pair in pairs_of(statement, stack)
    )


def _is_alike(one: Pair, other: Pair) -> bool:
    """Whether the resource of one pair takes in that of another."""
    return covers(one.resource, other.resource) or covers(other.resource, one.resource)


def _obstacle(statement: Statement, stack: Stack) -> str | None:
    """Why a statement cannot go, whatever it allows."""
    policy = statement.policy
    if policy.kind == "managed":
        return "it is in a managed policy, which others may use"
    if not policy.only_roles:
        return "its policy is on users or groups, too"
    if policy.kind == "separate" and _is_referenced(policy.carrier.path, stack):
        return "its policy is referred to elsewhere"
    return None


def _is_referenced(path: Path, stack: Stack) -> bool:
    """Whether anything names a resource, other than dependencies that can be taken out."""
    resources = list(unrolled(stack))
    ids = {one.logical_id for one in resources if one.path == path}
    rest = {key: value for key, value in stack.template.items() if key != "Resources"}
    bodies: list[Json] = [without_dependencies(one.body) for one in resources]
    if ids & set(references([rest, *bodies])):
        return True
    turns: dict[Path, set[bool]] = {}
    for one in resources:
        for named in dependencies(one):
            turns.setdefault(named.path, set()).add(named.logical_id in ids)
    return any(len(found) > 1 for found in turns.values())  # in some turns of a loop it stays


def _is_needless(
    pair: Pair, holder: str, statement: Statement, given: Granted, narrowed: Narrowing
) -> bool:
    own = given.pairs.get(holder, [])
    if is_covered(pair, own, given.stack.solver):
        return True
    if holder not in narrowed.roles or not all(
        action.lower().startswith(_FAMILIES) for action in statement.actions
    ):
        return False
    if "*" in literal_parts(pair.resource):
        return pair.action.lower().startswith("secretsmanager:") or holder in narrowed.keyed
    if holder not in narrowed.keyed:
        return False  # it may be the key of a container whose block does not name it
    # Of a key that the containers need in the same cases, what is not through Secrets Manager.
    keys = [one._replace(condition=None) for one in own if one.action.startswith("kms:")]
    return is_covered(pair._replace(condition=None), keys, given.stack.solver)


def _why(pair: Pair, given: Iterable[Pair], is_shared: bool) -> str:
    """Why a resource of a statement stays."""
    alike = [one for one in given if action_covers(one.action, pair.action)]
    named = [one for one in given if covers(one.resource, pair.resource)]
    if not named and action_covers(pair.action, DECRYPT):
        return "it allows a key that no secret of the containers is known to have"
    if not named and is_shared:
        return "its role is not for pulling these images alone"
    if not named:
        return "it allows more than the secrets and keys of the containers"
    if not alike:
        return f"it allows {pair.action}, which the containers do not need"
    if all(one.condition not in (None, pair.condition) for one in named if one in alike):
        return "it allows the key outside of Secrets Manager, too"
    return "it holds also where no container needs it"


def _note(path: Path, reason: str, what: str = "This statement") -> Problem:
    message = f"{what} stays: {reason}."
    return Problem("PI652", path, message, "Take it out by hand if nothing else needs it.")
