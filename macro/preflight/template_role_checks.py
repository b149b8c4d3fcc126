"""May a role of the template read a secret by the policies that the template itself gives it?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from macro.engine.template.document import Json
from macro.preflight.aws_account import Account, AwsError
from macro.preflight.deployed_values import UnknownValueError
from macro.preflight.findings import Finding, failed, unanswered, unknown
from macro.preflight.image_pulls import ExecutionRole
from macro.preflight.policy_evaluation import AccessRequest, Verdict, evaluate
from macro.preflight.role_checks import (
    Objection,
    allowed_alone,
    check_role,
    policy_objections,
    requests,
    resource_policy,
    weighed,
    worst_of,
)
from macro.preflight.secret_checks import DECRYPT, StoredSecret
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
        against: list[Objection] = []
        for request in requests(account, None, secret, account.id):
            policy = resource_policy(account, request, secret)
            alone = allowed_alone(policy, request, secret, bounded=boundary is not None)
            objections = [
                *_own_objections(documents, boundary, request, alone),
                *policy_objections(account, policy, request, secret),
            ]
            against += weighed(account, objections, request, secret)
    except AwsError as trouble:
        return unanswered(trouble)
    worst = worst_of(one.finding for one in against)
    if worst is None:
        return Finding("passed", "may read the secret by the template's own policies")
    certain = any(one.finding.status == "failed" and not one.lacking for one in against)
    if worst.status == "failed" and not certain and isinstance(role, ExecutionRole):
        today = check_role(account, role, secret, None)
        if today.status != "failed":
            may = "may read" if today.status == "passed" else "may be able to read"
            message = f"The role {may} the secret today, but not by this template's policies."
            return unknown(message, worst.fix)
    return worst


def _own_objections(
    documents: list[Any], boundary: list[Any] | None, request: AccessRequest, alone: Verdict
) -> Iterator[Objection]:
    """What the template's policies have against a request.

    `alone`: whether it is allowed elsewhere, so that these need only not deny it.
    """
    own = evaluate(documents, request)
    within = Verdict(False, True) if boundary is None else evaluate(boundary, request)
    action = request.action
    if own.denied or within.denied:
        yield Objection(failed(f"A policy of the template denies {action} to the role."))
    elif own.allowed is False and alone.allowed is False:
        fix = f"Allow {action} in a policy of the role, or write PrivateImage, which grants it."
        why = f"No policy of the template allows {action} to the role."
        yield Objection(failed(why, fix), lacking=True)
    elif within.allowed is False:
        fix = f"Allow {action} there, or use another role."
        why = f"The role's permissions boundary does not allow {action}."
        yield Objection(failed(why, fix), lacking=action == DECRYPT)
    elif None in (own.denied, within.denied, within.allowed) or True not in (
        own.allowed,
        alone.allowed,
    ):
        reasons = ", ".join(dict.fromkeys((*own.reasons, *within.reasons, *alone.reasons)))
        yield Objection(unknown(f"Whether the role gets {action} depends on {reasons}."))


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
