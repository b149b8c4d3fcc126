"""A template with hand-written credentials -> the edits that turn them into the shorthand."""

from __future__ import annotations

from macro.adoption.access import granted
from macro.adoption.blocks import transform_edits
from macro.adoption.drafts import adopted, draft, draft_edits, expandable, with_known_keys
from macro.adoption.hand_written import find_hand_written
from macro.adoption.narrowing import Narrowing, narrowing
from macro.adoption.policies import read_policies
from macro.adoption.proof import doubts
from macro.adoption.shared_secrets import share_secrets
from macro.adoption.takeovers import take_over
from macro.engine.expand import expand
from macro.engine.shorthand.spelling import NAME
from macro.engine.template.document import Json, Path
from macro.engine.template.edits import Edit, apply
from macro.engine.template.problems import Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import Context, Stack


class Adoption(NamedTuple):
    """What adopting a template comes to: `edits` to make, or `problems` that stand in the way.

    `notes` say what stays as it is, and why. `containers` are those that get the shorthand.
    """

    edits: tuple[Edit, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    containers: tuple[Path, ...] = ()


def adopt(
    template: Json,
    context: Context,
    *,
    narrow: bool = False,
    transform: bool = True,
    registry_table: bool = False,
) -> Adoption:
    """What adopting the hand-written credentials of a template comes to, which is left as it is.

    `narrow`: a role of ECS or Batch tasks that reads more secrets than its containers need is left
    with those. `transform`: a call of the macro is added. `registry_table`: secrets that several
    containers share go into the template's settings. Raises nothing.
    """
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        return Adoption(problems=expand(template, context).problems)
    stack = Stack(template, context)
    found = list(find_hand_written(stack))
    if not found:
        return Adoption()
    before = expand(template, context)
    if before.problems:
        return Adoption(problems=before.problems)
    deployed = apply(template, before.edits)
    assert isinstance(deployed, dict)
    whole = Stack(deployed, context)
    call = list(transform_edits(template, context.macro_name or NAME)) if transform else []
    possible = expandable(draft(found, read_policies(whole), narrow, stack), call, stack)
    drafts, notes = with_known_keys(possible, call, whole, stack)
    if not drafts:
        return Adoption(notes=notes)
    written = adopted(drafts, call, stack)
    given = granted(written, expand(written.template, context))
    narrowed = narrowing(drafts, found, stack) if narrow else Narrowing()
    taken = take_over(read_policies(stack), given, narrowed, stack)
    shared = share_secrets(drafts, stack) if registry_table else None
    blocks = [*shared.edits, *draft_edits(shared.drafts)] if shared else draft_edits(drafts)
    edits = (*taken.edits, *blocks, *call)
    if why := _unproven(stack, whole, edits, narrowed):
        message = f"The template is left alone: {why}."
        fix = "Write the shorthand by hand, and look at what expand makes of it."
        return Adoption(notes=(Problem("PI653", (), message, fix),))
    return Adoption(edits, (), (*notes, *taken.notes), tuple(one.path for one in drafts))


def _unproven(
    stack: Stack, before: Stack, edits: tuple[Edit, ...], narrowed: Narrowing
) -> str | None:
    """The first that is not proven of the adopted template, where what its author deploys is
    `before`; None: it deploys the same."""
    template = apply(stack.template, edits)
    assert isinstance(template, dict)
    result = Stack(template, stack.context)
    expansion = expand(template, stack.context)
    for problem in expansion.problems:
        return problem.message.rstrip(".")
    return next(doubts(before, granted(result, expansion), narrowed), None)
