"""May a role of the template read a secret by the policies that the template itself gives it?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from macro.engine.template.document import Json
from macro.preflight.aws_account import Account, AwsError
from macro.preflight.deployed_values import UnknownValueError
from macro.preflight.findings import Finding, failed, unanswered, unknown
from macro.preflight.image_pulls import ExecutionRole
from macro.preflight.policy_evaluation import Request, Verdict, evaluate
from macro.preflight.role_checks import (
    check_role,
    policy_objections,
    requests,
    resource_policy,
    worst_of,
)
from macro.preflight.secret_checks import StoredSecret
from macro.preflight.template_policies import UNKNOWN, RolePolicies

# Allows no secret and denies nothing; nearly every execution role has it.
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonECSTaskExecutionRolePolicy.html
_TASK_EXECUTION = ":iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


def check_template_role(
    account: Account,
    role: ExecutionRole | UnknownValueError,
    secret: StoredSecret,
    policies: RolePolicies,
) -> Finding:
    """Whether a role of the template may read a secret, by policies that are written by hand.

    `role` is the role where it exists already.
    """
    if account.id is None:
        return unknown(account.unidentified)
    if secret.unseen:
        return secret.unseen
    try:
        documents = [*policies.documents, *_managed_documents(account, policies.managed)]
        boundary = _boundary(account, policies.boundary)
        against = [
            objection
            for request in requests(account, None, secret, account.id)
            for objection in (
                *_own_objections(documents, boundary, request),
                *policy_objections(
                    account, resource_policy(account, request, secret), request, secret
                ),
            )
        ]
    except AwsError as trouble:
        return unanswered(trouble)
    worst = worst_of(against)
    if worst is None:
        return Finding("passed", "may read the secret by the template's own policies")
    if worst.status == "failed" and isinstance(role, ExecutionRole):
        today = check_role(account, role, secret, None)
        if today.status == "passed":
            message = "The role may read the secret today, but not by this template's policies."
            return unknown(message, worst.fix)
    return worst


def _own_objections(
    documents: list[Any], boundary: list[Any] | None, request: Request
) -> Iterator[Finding]:
    """What the template's policies have against a request."""
    own = evaluate(documents, request)
    within = Verdict(False, True) if boundary is None else evaluate(boundary, request)
    action = request.action
    if own.denied or within.denied:
        yield failed(f"A policy of the template denies {action} to the role.")
    elif own.allowed is False:
        fix = f"Allow {action} in a policy of the role, or write PrivateImage, which grants it."
        yield failed(f"No policy of the template allows {action} to the role.", fix)
    elif within.allowed is False:
        fix = f"Allow {action} there, or use another role."
        yield failed(f"The role's permissions boundary does not allow {action}.", fix)
    elif None in (own.denied, own.allowed, within.denied, within.allowed):
        reasons = ", ".join(dict.fromkeys((*own.reasons, *within.reasons)))
        yield unknown(f"Whether the role gets {action} depends on {reasons}.")


def _boundary(account: Account, boundary: Json) -> list[Any] | None:
    """The document of a permissions boundary. Raises `AwsError`."""
    if boundary is None:
        return None
    return _managed_documents(account, (boundary,)) if isinstance(boundary, str) else [boundary]


def _managed_documents(account: Account, arns: tuple[str, ...]) -> list[Any]:
    """The documents of managed policies. Raises `AwsError` where one cannot be read."""
    documents: list[Any] = []
    for arn in arns:
        if arn.endswith(_TASK_EXECUTION):
            continue
        if arn == UNKNOWN:
            raise AwsError("A managed policy of the role is not known before the deploy.")
        version = account.call("iam", "get_policy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = account.call("iam", "get_policy_version", PolicyArn=arn, VersionId=version)
        documents.append(found["PolicyVersion"]["Document"])
    return documents
