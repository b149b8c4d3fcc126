"""What is added to a template for its grants, and what that comes after."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from macro.engine.grants import quotas
from macro.engine.grants.dependencies import Dependency
from macro.engine.grants.names import length, widths
from macro.engine.grants.permissions import Grant, Permission, Policy
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import Json, Path
from macro.engine.template.edits import Edit
from macro.engine.template.loops import Loop, variables_in
from macro.engine.template.problems import Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Site, Stack

POLICY_NAME = "PrivateImage"


class Placed(NamedTuple):
    """A policy where it is written: on a role of the template ("role"), on one that is made for it
    ("new role"), or as a resource of its own ("policy"). `logical_id` is that resource's."""

    policy: Policy
    kind: Literal["role", "new role", "policy"]
    logical_id: str


class Added(NamedTuple):
    """A resource that is added within some loops: where some conditions hold, if any are named."""

    logical_id: str
    type: str
    properties: dict[str, Json]
    served: Resource
    scope: tuple[Loop, ...]
    when: Conditions


class Placement(NamedTuple):
    """The edits that write every grant, the policies in them, and the problems that prevent it."""

    edits: tuple[Edit, ...] = ()
    policies: tuple[Placed, ...] = ()
    problems: tuple[Problem, ...] = ()
    added: tuple[Added, ...] = ()
    dependencies: tuple[Dependency, ...] = ()


def needed_resources(permission: Permission, grant: Grant, stack: Stack) -> list[Resource]:
    """The resources of the template that a permission refers to."""
    return referenced(permission.references, grant, stack)


def referenced(names: Iterable[str], grant: Grant, stack: Stack) -> list[Resource]:
    """The resources of these names where a grant writes them, in all turns of its loops."""
    sites = [Site(grant.served, grant.turn)] if grant.turn else stack.sites(grant.served)
    found = {
        resource.path: resource
        for name in names
        for site in (sites if variables_in(name) else sites[:1])
        for resource in [stack.resource(name, site)]
        if resource
    }
    return list(found.values())


def circular_dependency(served: Resource, path: Path) -> Problem:
    """The problem of a resource that must come after its grant, and before it too."""
    return Problem(
        "PI404",
        path,
        f"{served.logical_id} must come after its grant, but the secret, the key or the role"
        " depends on it.",
        "Remove that dependency, or grant access elsewhere and write Grant: false.",
    )


def check_logical_id(
    logical_id: str, served: Resource, scope: tuple[Loop, ...], path: Path, stack: Stack
) -> Iterable[Problem]:
    """What is wrong with the logical id of a resource added in some loops, for `served`."""
    if "&{" in logical_id:
        yield Problem(
            "PI405",
            path,
            f"The resources that {served.logical_id} needs cannot be referred to: CloudFormation"
            " replaces &{} only in logical ids.",
            "Write ${} in the logical id, or name a role outside the loop.",
        )
    longest = length(logical_id, widths(scope, stack))
    if longest > quotas.LOGICAL_ID_LENGTH:
        yield quotas.too_long(longest, path)
