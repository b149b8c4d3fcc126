"""Policies that stand apart -> edits by which the resources that they serve come after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from macro.engine.grants.permissions import Holds
from macro.engine.template.document import NO_VALUE, Json, choice
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import ref
from macro.engine.template.resources import Resource

WAITS_KEY = "PrivateImagePolicies"


class Wait(NamedTuple):
    """A policy that a resource must come after; `condition` names the policy's, if it has one."""

    policy: str
    when: Holds
    condition: str | None


def wait_for(waits: Iterable[tuple[Resource, list[Wait]]]) -> Iterator[Edit]:
    """Lets each resource come after the policies that stand apart for it."""
    for served, policies in sorted(waits, key=lambda item: str(item[0].path)):
        own = served.body.get("DependsOn")
        takes_text = own is None or isinstance(own, (str, list))
        direct = [
            wait.policy
            for wait in policies
            if takes_text and wait.when <= served.when and "${" not in wait.policy
        ]
        yield from _depend(served, sorted(direct))
        rest = sorted(
            (wait.policy, None if wait.when <= served.when else wait.condition)
            for wait in policies
            if wait.policy not in direct
        )
        yield from _refer(served, rest)


def _depend(served: Resource, policies: list[str]) -> Iterator[Edit]:
    """`DependsOn`: right for policies that are there whenever the resource is, outside of loops."""
    if not policies:
        return
    path = (*served.path, "DependsOn")
    own = served.body.get("DependsOn")
    listed: list[Json] = [*policies]
    if isinstance(own, list):
        yield from (Edit("add", (*path, "-"), policy) for policy in listed)
    elif isinstance(own, str):
        yield Edit("replace", path, [own, *listed])
    else:
        value = listed[0] if len(listed) == 1 else listed
        there = "DependsOn" in served.body
        yield Edit("replace" if there else "add", path, value, after=_head(served))


def _refer(served: Resource, policies: list[tuple[str, str | None]]) -> Iterator[Edit]:
    """References in `Metadata`, which CloudFormation counts as dependencies, conditions and all."""
    if not policies:
        return
    items: list[Json] = [
        choice(condition, ref(policy), NO_VALUE) if condition else ref(policy)
        for policy, condition in policies
    ]
    path = (*served.path, "Metadata")
    own = served.body.get("Metadata")
    if not isinstance(own, dict):
        there = "Metadata" in served.body
        value: Json = {WAITS_KEY: items}
        yield Edit("replace" if there else "add", path, value, after=_head(served))
    elif isinstance(own.get(WAITS_KEY), list):
        yield from (Edit("add", (*path, WAITS_KEY, "-"), item) for item in items)
    else:
        there = WAITS_KEY in own
        yield Edit("replace" if there else "add", (*path, WAITS_KEY), items)


def _head(served: Resource) -> str:
    """The key behind which a resource's attributes read best."""
    return "Condition" if "Condition" in served.body else "Type"
