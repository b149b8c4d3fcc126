"""What statements allow: for sure, possibly, and as far as others allow it too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from macro.adoption.patterns import (
    action_covers,
    covers,
    has_slash,
    in_one_partition,
    may_meet,
    named_by,
    pattern_of,
    service_of,
)
from macro.adoption.policies import Statement, read_policies
from macro.engine.expand import Expansion
from macro.engine.grants.secret_forms import Reader
from macro.engine.grants.secret_values import Secret
from macro.engine.grants.secrets import read_secret
from macro.engine.shorthand.places import REPOSITORY
from macro.engine.template.conditions import Conditions, ConditionSolver
from macro.engine.template.document import Json, Path, get, intrinsic
from macro.engine.template.edits import apply
from macro.engine.template.intrinsics import Text, literal, parse_text
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import Site, Stack

READ = "secretsmanager:GetSecretValue"
DECRYPT = "kms:Decrypt"


def may_allow(statement: Statement, action: str, targets: list[Text], stack: Stack) -> bool:
    """Whether a statement may allow an action on one of the targets: false only where it is known
    that it does not. What its conditions ask of a request is not judged."""
    body = statement.body
    if not isinstance(body, dict) or intrinsic(body):
        return True
    if body.get("Effect") == "Deny":
        return False
    if not statement.actions or "NotResource" in body:
        return True
    if not any(action_covers(one, action) for one in statement.actions):
        return False
    site = Site(statement.policy.carrier)
    return any(
        _may_be(pattern_of(value, when, site, stack), target, site, stack)
        for _, value, when in statement.resources()
        for target in targets
    )


def may_deny(statements: Iterable[Statement], action: str) -> bool:
    """Whether one of the statements may deny an action, on whatever resource."""
    for statement in statements:
        body = statement.body
        if not isinstance(body, dict) or intrinsic(body):
            return True
        if body.get("Effect") != "Allow" and (
            not statement.actions or any(action_covers(one, action) for one in statement.actions)
        ):
            return True
    return False


def _may_be(pattern: Text, target: Text, site: Site, stack: Stack) -> bool:
    """Whether a pattern may match a target; two resources of the template are not one."""
    own, other = (named_by(text, site, stack) for text in (pattern, target))
    if own and other:
        return pattern == target
    for named, text in ((own, target), (other, pattern)):
        if named and named.is_generated and has_slash(text):
            return False
    return may_meet(own.arn if own else pattern, other.arn if other else target)


class Pair(NamedTuple):
    """An action on a resource that a statement allows, where `when` holds; `path` is the
    resource's. `condition` is what it asks of a request."""

    action: str
    resource: Text
    condition: Json
    when: Conditions
    path: Path


def pairs_of(statement: Statement, stack: Stack) -> Iterator[Pair]:
    """What a plain statement allows: its actions on the resources that they are for."""
    site = Site(statement.policy.carrier)
    condition = _condition(get(statement.body, "Condition"), statement, stack)
    for path, value, when in statement.resources():
        pattern = pattern_of(_completed(value, when, site, stack), when, site, stack)
        service = service_of(pattern, site, stack)
        for action in statement.actions:
            own = action.partition(":")[0].lower()
            if service is None or own == service or set(own) & set("*?"):
                yield Pair(action, pattern, condition, when, path)


def _completed(value: Json, when: Conditions, site: Site, stack: Stack) -> Json:
    """A resource; the ARN of a secret without the characters that Secrets Manager adds, which
    matches nothing, with a place for them."""
    text = literal(parse_text(value)[:1]) or ""
    if not text.startswith("arn:") or ":secretsmanager:" not in text:
        return value
    reading = read_secret(value, when, Reader(REPOSITORY, site, stack))
    if isinstance(reading, Secret) and len(reading.resources) == 1 and not reading.declarations:
        return reading.resources[0]
    return value


def _condition(value: Json, statement: Statement, stack: Stack) -> Json:
    """What a statement asks of requests, so that what means the same is equal."""
    if not isinstance(value, dict) or intrinsic(value):
        return value

    def normal(node: Json) -> Json:
        items = node if isinstance(node, list) else [node]
        site = Site(statement.policy.carrier)
        texts = [
            in_one_partition(pattern_of(item, statement.when, site, stack))
            if isinstance(item, str) or intrinsic(item)
            else (str(item),)
            for item in items
        ]
        return [*sorted(str(text) for text in texts)]

    return {
        operator: {key: normal(values) for key, values in keys.items()}
        if isinstance(keys, dict) and not intrinsic(keys)
        else keys
        for operator, keys in value.items()
    }


def pairs_by_role(statements: Iterable[Statement], stack: Stack) -> dict[str, list[Pair]]:
    """What plain statements allow each role, by the roles' keys."""
    found: dict[str, list[Pair]] = {}
    for statement in statements:
        if statement.is_plain:
            found.setdefault(statement.policy.holder, []).extend(pairs_of(statement, stack))
    return found


class Granted(NamedTuple):
    """A template that was expanded, and what that has added for each role, by the roles' keys."""

    stack: Stack
    pairs: Mapping[str, list[Pair]]


def granted(stack: Stack, expansion: Expansion) -> Granted:
    """What expanding a template adds to what its author allows; the expansion has no problems."""
    template = apply(stack.template, expansion.edits)
    assert isinstance(template, dict)
    whole = Stack(template, stack.context)
    own = {one.path for one in read_policies(stack).statements}  # what is added comes behind them
    added = [one for one in read_policies(whole).statements if one.path not in own]
    return Granted(whole, pairs_by_role(added, whole))


def is_covered(pair: Pair, others: Iterable[Pair], solver: ConditionSolver) -> bool:
    """Whether what a pair allows the others allow too, in every case of the conditions."""
    found = [
        other.when
        for other in others
        if action_covers(other.action, pair.action)
        and other.condition in (None, pair.condition)
        and covers(other.resource, pair.resource)
    ]
    return is_always(pair.when, found, solver)


def is_always(when: Conditions, others: list[Conditions], solver: ConditionSolver) -> bool:
    """Whether, wherever some conditions hold, one of the others holds too."""
    cases = [when]
    for other in others:
        cases = [
            case.also(name, not truth)
            for case in cases
            for name, truth in other
            if solver.possible(case.also(name, not truth))
        ]
        if len(cases) > 64:
            return False
    return not [case for case in cases if solver.possible(case)]
