"""CloudFormation's and IAM's limits on what an expansion makes.

Sources: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

from collections.abc import Iterator

from macro.engine.grants.permissions import Policy
from macro.engine.template.document import NO_VALUE, Json, Path, get, intrinsic
from macro.engine.template.intrinsics import canonical, parse
from macro.engine.template.problems import Problem
from macro.engine.template.resources import Loop
from macro.engine.template.stack import Stack

LOGICAL_ID_LENGTH = 255
POLICY_NAME_LENGTH = 128
UUID_LENGTH = 36
RESOURCES = 500
TEMPLATE_BYTES = 1_048_576
INLINE_POLICIES = 10_240  # characters without white space, of all inline policies on a role


def too_long(logical_id: str, path: Path) -> Problem:
    """The problem of an added resource whose logical id CloudFormation will not take."""
    return Problem(
        "PI502",
        path,
        f"The logical id of what is added would have {len(logical_id)} characters; CloudFormation"
        f" takes {LOGICAL_ID_LENGTH}.",
        "Give the resource a shorter logical id.",
    )


def too_large(size: int) -> Problem:
    """The problem of an expanded template that has too many bytes."""
    return Problem(
        "PI504",
        (),
        f"Expanded, the template would have {size} bytes; CloudFormation takes {TEMPLATE_BYTES}.",
        "Split the template into two stacks.",
    )


def check_resources(stack: Stack, added: list[tuple[Loop, ...]]) -> Iterator[Problem]:
    """The problem of more resources than a template may have; loops count as far as they are
    spelled out. `added` has the loops around each resource that the expansion adds."""
    if not added:
        return
    count = sum(map(_turns, [resource.loops for resource in stack.resources] + added))
    if count > RESOURCES:
        yield Problem(
            "PI501",
            ("Resources",),
            f"Expanded, the template would have {count} resources; CloudFormation takes"
            f" {RESOURCES}.",
            "Split the template into two stacks.",
            on_key=True,
        )


def _turns(loops: tuple[Loop, ...]) -> int:
    turns = 1
    for loop in loops:
        turns *= len(loop.collection) if isinstance(loop.collection, list) else 1
    return turns


def check_policies(own: Json, added: list[Policy], path: Path) -> Iterator[Problem]:
    """The problem of a role whose inline policies are surely too long; `own` are those it has.

    Counted is what every deployment has: intrinsics by their literal text, and of the policies
    under conditions the longest alone.
    """
    documents = [policy.document for policy in added]
    if len(canonical([own, *documents])) <= INLINE_POLICIES:
        return  # with every intrinsic as it is written, so for most roles nothing more is counted
    lengths = {True: [0], False: [0]}
    for policy, written in zip(added, documents, strict=True):
        lengths[bool(policy.when)].append(_least_length(written))
    total = sum(lengths[False]) + max(lengths[True])
    for item in own if isinstance(own, list) else []:
        total += _least_length(get(item, "PolicyDocument"))
    if total > INLINE_POLICIES:
        yield Problem(
            "PI503",
            path,
            f"The role's inline policies would have {total} characters or more; IAM takes"
            f" {INLINE_POLICIES}.",
            "Use fewer secrets for this role, or split the containers over several roles.",
        )


def _least_length(node: Json) -> int:
    """The characters that a value has at the least when written as JSON without white space."""
    if node is None or node == NO_VALUE:
        return 0
    if isinstance(node, str) or intrinsic(node):
        return 2 + sum(len(part) for part in parse(node) if isinstance(part, str))
    if isinstance(node, list):
        return 1 + sum(_least_length(item) + 1 for item in node)
    if isinstance(node, dict):
        return 1 + sum(len(key) + 4 + _least_length(value) for key, value in node.items())
    return 1
