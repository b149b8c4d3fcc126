"""A template with hand-written credentials -> the edits that turn them into the shorthand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from macro.adoption.access import (
    DECRYPT,
    Access,
    Pair,
    pairs_of,
    permitted,
    read_access,
)
from macro.adoption.blocks import Draft, block_edits, transform_edits
from macro.adoption.hand_written import HandWritten, find_hand_written
from macro.adoption.proof import doubts
from macro.adoption.takeovers import take_over, value_at
from macro.engine.expand import Expansion, expand
from macro.engine.grants.permissions import identity
from macro.engine.grants.roles import CreatedRole, NamedRole, TemplateRole, read_role
from macro.engine.grants.secrets import Reader, Secret, read_secret
from macro.engine.shorthand.spelling import NAME
from macro.engine.template.choices import branches, choice, leaves
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, get
from macro.engine.template.edits import Edit, apply
from macro.engine.template.intrinsics import references
from macro.engine.template.problems import InvalidValueError, Problem
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Context, Site, Stack

# What of a task has its execution role read other secrets, or parameters that a key encrypts.
_OTHER_SECRETS = ("Secrets", "SecretOptions", "CredentialsParameter", "EnvironmentFiles")


class Adoption(NamedTuple):
    """What adopting a template comes to: `edits` to make, or `problems` that stand in the way.

    `notes` say what stays as it is, and why. `containers` are those that get the shorthand.
    """

    edits: tuple[Edit, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    containers: tuple[Path, ...] = ()


def adopt(
    template: Json, context: Context, *, narrow: bool = False, transform: bool = True
) -> Adoption:
    """What adopting the hand-written credentials of a template comes to, which is left as it is.

    `narrow`: a role of ECS or Batch tasks that reads more secrets than its containers need is left
    with those. `transform`: a call of the macro is added. Raises nothing.
    """
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        return Adoption(problems=expand(template, context).problems)
    stack = Stack(template, context)
    found = list(find_hand_written(stack))
    if not found:
        return Adoption()
    if problems := expand(template, context).problems:
        return Adoption(problems=problems)
    access = read_access(stack)
    call = list(transform_edits(template, context.macro_name or NAME)) if transform else []
    drafts, notes = _usable([_draft(one, access, narrow, stack) for one in found])
    drafts, more = _expandable(drafts, call, stack)
    notes += more
    if not drafts:
        return Adoption(notes=tuple(notes))
    written = _adopted(drafts, call, stack)
    granted = _granted(expand(written.template, context), written)
    roles = _narrowed(drafts, stack) if narrow else frozenset[str]()
    taken = take_over(access, granted, roles, stack)
    edits = (*taken.edits, *_edits(drafts, call))
    adopted = apply(template, edits)
    expansion = expand(adopted, context)
    unproven = [problem.message.rstrip(".") for problem in expansion.problems]
    if not unproven:
        assert isinstance(adopted, dict)
        after = apply(adopted, expansion.edits)
        assert isinstance(after, dict)
        needed = _granted(expansion, Stack(adopted, context))
        unproven = list(doubts(stack, Stack(after, context), needed, roles))
    if unproven:
        message = f"The template is left alone: {unproven[0]}."
        fix = "Write the shorthand by hand, and look at what expand makes of it."
        return Adoption(notes=(Problem("PI653", (), message, fix),))
    return Adoption(edits, (), (*notes, *taken.notes), tuple(one.path for one in drafts))


def _edits(drafts: Iterable[Draft], call: list[Edit]) -> list[Edit]:
    return [*(edit for one in drafts for edit in block_edits(one)), *call]


def _adopted(drafts: Iterable[Draft], call: list[Edit], stack: Stack) -> Stack:
    """The template with the blocks, and all of its statements."""
    template = apply(stack.template, _edits(drafts, call))
    assert isinstance(template, dict)
    return Stack(template, stack.context)


def _granted(expansion: Expansion, stack: Stack) -> dict[str, list[Pair]]:
    """What an expansion grants to roles that exist, by their identities."""
    found: dict[str, list[Pair]] = {}
    for placed in expansion.policies:
        policy = placed.policy
        if isinstance(policy.role, CreatedRole) or policy.scope:
            continue  # a role that is new, or policies in a loop, which are not read
        site = Site(policy.served[0], policy.turn)
        pairs = [permitted(one, policy.when, site, stack) for one in policy.permissions]
        found.setdefault(identity(policy.role), []).extend(pairs)
    return found


# Which containers get a block, and what is in it


def _usable(drafts: list[Draft]) -> tuple[list[Draft], list[Problem]]:
    """The drafts whose image and credentials can be moved, and notes on the other containers."""
    usable: list[Draft] = []
    notes: list[Problem] = []
    for draft in drafts:
        if draft.written.secret is None:
            why = "its credentials are not of the form that this resource takes"
        elif draft.written.container.body.get("Image") is None:
            why = "it has no image"
        elif draft.written.container.resource.loops:
            why = "it is in Fn::ForEach"
        elif "Fn::Transform" in draft.written.container.body:
            why = "a macro works on it"
        else:
            usable.append(draft)
            continue
        notes.append(_left(draft, f"{why}."))
    return usable, notes


def _left(draft: Draft, why: str, fix: str = "Write the shorthand by hand.") -> Problem:
    return Problem("PI651", draft.written.path, f"This container stays as it is: {why}", fix)


def _expandable(
    drafts: list[Draft], call: list[Edit], stack: Stack
) -> tuple[list[Draft], list[Problem]]:
    """The drafts that the engine has nothing against, and notes on the others. A key that it does
    not take is left out of its block."""
    notes: list[Problem] = []
    while drafts:
        problems = expand(_adopted(drafts, call, stack).template, stack.context).problems
        if not problems:
            break
        kept: list[Draft] = []
        for draft in drafts:
            own = [one for one in problems if _is_about(one, draft)]
            if not own:
                kept.append(draft)
            elif draft.key is not None:
                kept.append(draft._replace(key=None))
            elif draft.grant and all(one.code.startswith("PI4") for one in own):
                kept.append(draft._replace(grant=False))
            else:
                notes.append(_left(draft, own[0].message, own[0].fix))
        if kept == drafts:
            notes += [_left(draft, problems[0].message, problems[0].fix) for draft in drafts]
            kept = []
        drafts = kept
    return drafts, notes


def _is_about(problem: Problem, draft: Draft) -> bool:
    container = draft.written.container
    role = (*container.owner_path, container.place.execution_role)
    return any(problem.path[: len(path)] == path for path in (container.path, role))


def _draft(written: HandWritten, access: Access, narrow: bool, stack: Stack) -> Draft:
    """The block for a container: its key is the one that its roles may use already; a role outside
    of the template keeps what it has."""
    holders = _roles(written, stack)
    known = {one.policy.holder for one in access.statements}
    outside = [holder is None or (not own and holder not in known) for holder, own in holders]
    if holders and all(outside):
        return Draft(written, grant=False)
    if written.secret is None or _is_declared(written, stack):
        return Draft(written)
    keys: list[Json] = []
    for statement in access.statements:
        if not statement.is_plain or (statement.policy.holder not in [one for one, _ in holders]):
            continue
        for pair in pairs_of(statement, stack):
            if pair.action.lower() != DECRYPT.lower() or not (pair.condition or narrow):
                continue
            aliases = get(statement.body, "Condition", "ForAnyValue:StringEquals")
            value = get(aliases, "kms:ResourceAliases") if aliases else None
            value = value or value_at(stack.template, pair.path)
            for name, truth in sorted(pair.when.without(written.container.when)):
                value = choice(name, *((value, NO_VALUE) if truth else (NO_VALUE, value)))
            if value not in keys:
                keys.append(value)
    return Draft(written, keys[0] if len(keys) == 1 and keys[0] != "*" else None)


def _roles(written: HandWritten, stack: Stack) -> list[tuple[str | None, bool]]:
    """The roles of a container by their identities (None: no policy of this stack can be attached
    to it), each with whether it is one of the template."""
    container = written.container
    role = container.owner.get(container.place.execution_role)
    found: list[tuple[str | None, bool]] = []
    for site in stack.sites(container.resource):
        for _, value, when in branches(role, (), container.around):
            if value in (None, NO_VALUE) or not stack.possible(when, site):
                continue
            readings: Iterator[tuple[TemplateRole | NamedRole | InvalidValueError, Conditions]]
            readings = leaves(read_role(value, when, site, stack), when)
            for one, _ in readings:
                if isinstance(one, InvalidValueError):
                    found.append((None, False))
                else:
                    found.append((identity(one), isinstance(one, TemplateRole)))
    return list(dict.fromkeys(found))


def _is_declared(written: HandWritten, stack: Stack) -> bool:
    """Whether the template declares the secret, which names its key itself."""
    container = written.container
    assert written.secret is not None
    reader = Reader(container.place.credentials, Site(container.resource), stack)
    for leaf, when in leaves(written.secret, container.when):
        if leaf.value == NO_VALUE:
            continue
        for secret, _ in leaves(read_secret(leaf.value, when, reader), when):
            if isinstance(secret, Secret) and not secret.declarations:
                return False
    return True


# Roles that are left with less


def _narrowed(drafts: Iterable[Draft], stack: Stack) -> frozenset[str]:
    """The roles of the template that do nothing but pull images for containers with a block."""
    tasks = [one.written.container.resource.path for one in drafts]
    exported = set(references(stack.template.get("Outputs")))
    return frozenset(
        identity(TemplateRole(role))
        for role in stack.resources
        if role.type == "AWS::IAM::Role"
        and role.logical_id not in exported
        and all(
            _only_pulls(user, role, tasks)
            for user in stack.resources
            if role.logical_id in set(references(user.body))
            and not user.type.startswith("AWS::IAM")
        )
    )


def _only_pulls(user: Resource, role: Resource, tasks: list[Path]) -> bool:
    """Whether a resource has the role for nothing but to pull images with what it is granted."""
    properties = user.body.get("Properties")
    if user.path not in tasks or user.type == "AWS::CodeBuild::Project":
        return False
    text = [key for key, _ in _members(properties)]
    others = [key for key in text if key in _OTHER_SECRETS]
    if len(others) != tasks.count(user.path) or set(others) - {"CredentialsParameter"}:
        return False
    return not any(
        role.logical_id in set(references(value))
        for key, value in _members(properties)
        if key in ("TaskRoleArn", "JobRoleArn")
    )


def _members(node: Json) -> Iterator[tuple[str, Json]]:
    """Every key below a node, with its value."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from _members(value)
    elif isinstance(node, list):
        for item in node:
            yield from _members(item)
