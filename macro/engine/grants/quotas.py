"""CloudFormation's and IAM's limits on what an expansion makes.

Sources: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from macro.engine.grants.permissions import Policy
from macro.engine.template.document import NO_VALUE, Json, Path, canonical, get, intrinsic
from macro.engine.template.intrinsics import literal_parts, parse_text
from macro.engine.template.loops import Loop
from macro.engine.template.problems import Problem
from macro.engine.template.stack import Stack

LOGICAL_ID_LENGTH = 255
POLICY_NAME_LENGTH = 128
ROLE_NAME_LENGTH = 64
UUID_LENGTH = 36
RESOURCES = 500
TEMPLATE_BYTES = 1_048_576
INLINE_POLICIES = 10_240  # characters without white space, of all inline policies on a role


def too_long(length: int, path: Path) -> Problem:
    """The problem of an added resource whose logical id CloudFormation will not take."""
    return Problem(
        "PI502",
        path,
        f"The logical id of an added resource would have {length} characters; CloudFormation allows"
        f" {LOGICAL_ID_LENGTH}.",
        "Give the resource a shorter logical id.",
    )


def name_too_long(length: int, path: Path) -> Problem:
    """The problem of an added policy whose name IAM will not take in some turn of a loop."""
    return Problem(
        "PI505",
        path,
        f"The name of the added policy would have {length} characters in an iteration of the loop;"
        f" IAM allows {POLICY_NAME_LENGTH}.",
        "Run the loop over shorter values, or name a role that is declared in the same loop.",
    )


def too_large(size: int) -> Problem:
    """The problem of an expanded template that has too many bytes."""
    return Problem(
        "PI504",
        (),
        f"Expanded, the template would have {size} bytes; CloudFormation allows {TEMPLATE_BYTES}.",
        "Split the template into two stacks.",
    )


def check_resources(
    stack: Stack, added: Sequence[tuple[Loop, ...]], created_roles: int
) -> Iterator[Problem]:
    """The problem of more resources than a template may have; loops count as far as they are known.

    `added` has the loops around each resource that the expansion adds; `created_roles` of them are
    roles, which one named role would save.
    """
    if not added:
        return
    loops = [*(resource.loops for resource in stack.resources), *added]
    count = sum(stack.count(around) for around in loops)
    if count > RESOURCES:
        fix = "Split the template into two stacks."
        if count - created_roles + 1 <= RESOURCES:
            fix = f"Name one execution role for all, in place of the {created_roles} that are made."
        message = f"Expanded, the template would have {count} resources; CloudFormation allows"
        message += f" {RESOURCES}."
        yield Problem("PI501", ("Resources",), message, fix, on_key=True)


def check_policies(own: Json, added: Iterable[Policy], path: Path) -> Iterator[Problem]:
    """The problem of a role whose inline policies are surely too long; `own` are those it has.

    Counted is what every deployment has: intrinsic functions by their literal text, and of the
    policies under conditions the longest alone.
    """
    policies = list(added)
    documents = [policy.document for policy in policies]
    if len(canonical([own, *documents])) <= INLINE_POLICIES:
        return  # with every intrinsic as it is written, so for most roles nothing more is counted
    always, sometimes = 0, 0
    for policy, written in zip(policies, documents, strict=True):
        if policy.when:
            sometimes = max(sometimes, _least_length(written))
        else:
            always += _least_length(written)
    for item in own if isinstance(own, list) else []:
        always += _least_length(get(item, "PolicyDocument"))
    total = always + sometimes
    if total > INLINE_POLICIES:
        yield Problem(
            "PI503",
            path,
            f"The role's inline policies would have {total} characters or more; IAM allows"
            f" {INLINE_POLICIES}.",
            "Use fewer secrets for this role, or split the containers over several roles.",
        )


def _least_length(node: Json) -> int:
    """The characters that a value has at the least when written as JSON without white space."""
    if node is None or node == NO_VALUE:
        return 0
    if isinstance(node, str) or intrinsic(node):
        return 2 + len(literal_parts(parse_text(node)))
    if isinstance(node, list):
        return 1 + sum(_least_length(item) + 1 for item in node)
    if isinstance(node, dict):
        return 1 + sum(len(key) + 4 + _least_length(value) for key, value in node.items())
    return 1
