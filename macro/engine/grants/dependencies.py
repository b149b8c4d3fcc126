"""Separate policies -> edits by which the resources that they serve are created after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from macro.engine.template.choices import choice
from macro.engine.template.document import NO_VALUE, Json
from macro.engine.template.edits import Edit
from macro.engine.template.intrinsics import ref
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource

METADATA_KEY = "PrivateImagePolicies"


class Dependency(NamedTuple):
    """A policy that a resource must come after. `condition` is that of the policy (None: it exists
    whenever the resource does)."""

    served: Resource
    policy: str
    condition: str | None


def depend(dependencies: Iterable[Dependency]) -> Iterator[Edit]:
    """Lets each resource come after the separate policies that serve it."""
    by_served: dict[str, list[Dependency]] = {}
    for dependency in dependencies:
        by_served.setdefault(str(dependency.served.path), []).append(dependency)
    for _, of_one in sorted(by_served.items()):
        served = of_one[0].served
        own = served.body.get("DependsOn")
        takes_text = own is None or isinstance(own, (str, list))
        direct = {
            one.policy
            for one in of_one
            if takes_text and one.condition is None and "${" not in one.policy
        }
        yield from _depend_on(served, sorted(direct))
        others = {(one.policy, one.condition or "") for one in of_one if one.policy not in direct}
        yield from _refer(served, sorted(others))


def _depend_on(served: Resource, policies: list[str]) -> Iterator[Edit]:
    """`DependsOn`: right for policies that exist whenever the resource does, outside of loops."""
    path = (*served.path, "DependsOn")
    own = served.body.get("DependsOn")
    named = own if isinstance(own, list) else [own]
    listed: list[Json] = [policy for policy in policies if policy not in named]
    if not listed:
        return
    if isinstance(own, list):
        yield from (Edit("add", (*path, "-"), policy) for policy in listed)
    elif isinstance(own, str):
        yield Edit("replace", path, [own, *listed])
    else:
        value = listed[0] if len(listed) == 1 else listed
        exists = "DependsOn" in served.body
        yield Edit("replace" if exists else "add", path, value, after=_head(served))


def _refer(served: Resource, policies: list[tuple[str, str]]) -> Iterator[Edit]:
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
        exists = "Metadata" in served.body
        value: Json = {METADATA_KEY: items}
        yield Edit("replace" if exists else "add", path, value, after=_head(served))
    elif isinstance(own.get(METADATA_KEY), list):
        yield from (Edit("add", (*path, METADATA_KEY, "-"), item) for item in items)
    else:
        exists = METADATA_KEY in own
        yield Edit("replace" if exists else "add", (*path, METADATA_KEY), items)


def _head(served: Resource) -> str:
    """The key behind which a resource's attributes read best."""
    return "Condition" if "Condition" in served.body else "Type"
