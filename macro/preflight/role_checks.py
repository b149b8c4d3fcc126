"""May an existing role read a secret, once it has its grant? Simulation and policies tell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from macro.engine.grants.permissions import Permission, document
from macro.engine.template.records import NamedTuple
from macro.preflight.aws_account import Account, AwsError, MissingError
from macro.preflight.deployed_values import url_suffix
from macro.preflight.findings import Finding, failed, unanswered, unknown
from macro.preflight.image_pulls import ExecutionRole
from macro.preflight.policy_evaluation import AccessRequest, Verdict, evaluate
from macro.preflight.secret_checks import DECRYPT, READ, StoredSecret


@dataclass(frozen=True, slots=True)
class _Role:
    """A role as it is in the account, and the grant that it gets on top.

    `advice` is for where nothing allows what it needs.
    """

    arn: str
    boundary: str | None
    grant: tuple[Permission, ...]
    advice: str


class Objection(NamedTuple):
    """What speaks against a role's reading a secret, or leaves it open.

    `lacking`: nothing that was looked at allows it; a denial, or a limit, is no lack.
    """

    finding: Finding
    lacking: bool = False


def check_role(
    account: Account,
    role: ExecutionRole,
    secret: StoredSecret,
    grant: Sequence[Permission] | None,
) -> Finding:
    """Whether an existing role may read a secret, once it has the grant as well.

    `grant` None: the author writes the role's policies. IAM's simulation does not know the policies
    of secrets and keys, so those are read beside it. What neither tells is not checked.
    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    if account.id is None:
        return unknown(account.unidentified)
    if role.account not in (None, account.id):
        return unknown("The role is of another account.", "Ask its owner to check it.")
    try:
        found = account.call("iam", "get_role", RoleName=role.name)["Role"]
    except MissingError:
        message = f"The role {role.name} does not exist in the account {account.id}."
        return failed(message, "Check the role's name; a role's ARN ends in it.")
    except AwsError as trouble:
        return unanswered(trouble)
    if secret.unseen:
        return secret.unseen
    advice = "Leave out Grant: false, or let the role's own policies allow it."
    if grant is None:
        advice = "Let the role's own policies allow it, or write PrivateImage."
    existing = _Role(
        str(found["Arn"]),
        found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        tuple(grant or ()),
        "" if grant else advice,
    )
    try:
        against = [
            objection.finding
            for request in requests(account, existing.arn, secret, account.id)
            for objection in weighed(
                account, [*_objections(account, existing, request, secret)], request, secret
            )
        ]
    except AwsError as trouble:
        return unanswered(trouble)
    if worst := worst_of(against):
        return worst
    once = " once it has the grant" if grant else ""
    within = ", within its permissions boundary" if existing.boundary else ""
    return Finding("passed", f"may read the secret{once}{within}")


def worst_of(findings: Iterable[Finding]) -> Finding | None:
    """The first that failed, else the first that could not be checked."""
    return min(findings, key=lambda one: one.status != "failed", default=None)


def requests(
    account: Account, role: str | None, secret: StoredSecret, account_id: str
) -> Iterator[AccessRequest]:
    """What a task asks of AWS to read a secret: its value, and its key's use where one is its own.

    `role` is the ARN of the role that asks, None where it is not known yet. Raises `AwsError`.
    """
    context = {
        "aws:principalaccount": account_id,
        "aws:requestedregion": secret.region,
        "aws:securetransport": "true",
        **({"aws:principalarn": role} if role else {}),
    }
    yield AccessRequest(READ, secret.arn, account_id, role, context)
    if key := _key_to_use(account, secret):
        via = {
            "kms:calleraccount": account_id,
            "kms:encryptioncontext:secretarn": secret.arn,
            "kms:viaservice": _via(account, secret),
        }
        yield AccessRequest(DECRYPT, key, account_id, role, context | via)


def _via(account: Account, secret: StoredSecret) -> str:
    return f"secretsmanager.{secret.region}.{url_suffix(account.partition)}"


def _key_to_use(account: Account, secret: StoredSecret) -> str | None:
    """The ARN of the secret's customer-managed key."""
    if secret.key is None:
        return None
    key = account.call("kms", "describe_key", secret.region, KeyId=secret.key)["KeyMetadata"]
    return None if key["KeyManager"] == "AWS" else str(key["Arn"])


def _objections(
    account: Account, role: _Role, request: AccessRequest, secret: StoredSecret
) -> Iterator[Objection]:
    """What speaks against one request of a role."""
    policy = resource_policy(account, request, secret)
    alone = allowed_alone(policy, request, secret, bounded=role.boundary is not None)
    yield from _simulated(account, role, request, secret, alone)
    yield from policy_objections(account, policy, request, secret)


def allowed_alone(
    policy: list[Any], request: AccessRequest, secret: StoredSecret, *, bounded: bool
) -> Verdict:
    """Whether a resource's policy allows a request without the role's own policies doing so.

    Within an account one that names the role itself is enough, unless a boundary limits the role.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-id-rdp.html
    """
    if bounded or secret.elsewhere:
        return Verdict(None, False)
    return evaluate(policy, replace(request, account=""), of_resource=True)


def weighed(
    account: Account, against: list[Objection], request: AccessRequest, secret: StoredSecret
) -> list[Objection]:
    """The objections, of which a grant of KMS may outweigh those about what policies lack.

    A grant allows what no policy does; denials and the organization's policies outweigh it.
    Source: https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html
    """
    lacking = [one.finding for one in against if one.lacking]
    if request.action != DECRYPT or not lacking:
        return against
    try:
        if not _has_grant(account, request, secret):
            return against
        reason = "A grant of KMS may let it, by conditions that are not checked."
        instead = unknown(f"No policy lets the role use the secret's key. {reason}")
    except AwsError as trouble:
        reason = f"It is not known whether a KMS grant does: {trouble}"
        instead = unknown(f"{lacking[0].message} {reason}", unanswered(trouble).fix)
    return [Objection(instead), *(one for one in against if not one.lacking)]


def _has_grant(account: Account, request: AccessRequest, secret: StoredSecret) -> bool:
    """Whether a grant of KMS lets the role, or its account, decrypt with the key."""
    root = f"arn:{account.partition}:iam::{request.account}:root"
    return any(
        "Decrypt" in grant["Operations"] and grant["GranteePrincipal"] == principal
        for principal in filter(None, (request.principal, root))
        for grant in account.pages(
            "kms",
            "list_grants",
            "Grants",
            secret.region,
            KeyId=request.resource,
            GranteePrincipal=principal,
        )
    )


def _simulated(
    account: Account, role: _Role, request: AccessRequest, secret: StoredSecret, alone: Verdict
) -> Iterator[Objection]:
    """What IAM's policies have against a request.

    `alone`: whether it is allowed elsewhere, so that IAM's policies need only not deny it.
    """
    sent: dict[str, Any] = {
        "PolicySourceArn": role.arn,
        "ActionNames": [request.action],
        "ResourceArns": [request.resource],
    }
    if role.grant:
        sent["PolicyInputList"] = [json.dumps(document(role.grant))]
    if request.action == DECRYPT:
        aliases = [str(permission.alias) for permission in role.grant if permission.alias]
        sent["ContextEntries"] = [_entry("kms:ViaService", "string", [_via(account, secret)])]
        if aliases:
            sent["ContextEntries"] += [_entry("kms:ResourceAliases", "stringList", aliases)]
    answer = account.call("iam", "simulate_principal_policy", **sent)
    (result,) = answer["EvaluationResults"]
    specific = result.get("ResourceSpecificResults", [])
    decisions = {result["EvalDecision"], *(one["EvalResourceDecision"] for one in specific)}
    missing = {
        name for one in (result, *specific) for name in one.get("MissingContextValues") or []
    }
    if request.action == READ:
        missing -= {"kms:ViaService", "kms:ResourceAliases"}  # of the grant's statement on the key
    what = "use the secret's key" if request.action == DECRYPT else "read the secret"
    message = f"The role may not {what}: "
    details = [
        one["PermissionsBoundaryDecisionDetail"]
        for one in (result, *specific)
        if "PermissionsBoundaryDecisionDetail" in one
    ]
    capped = any(not one.get("AllowedByPermissionsBoundary", True) for one in details)
    if role.boundary and decisions != {"allowed"} and capped:
        message += f"its permissions boundary {role.boundary} does not allow {request.action}."
        fix = f"Allow {request.action} there, or use another role."
        yield Objection(failed(message, fix), lacking="explicitDeny" not in decisions)
    elif not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        why = f"{message}a policy of the organization does not allow {request.action}."
        yield Objection(failed(why))
    elif missing:
        # A condition on what only the real call has: the simulation takes it for not met.
        why = f"Whether the role may {what} depends on {', '.join(sorted(missing))}."
        yield Objection(unknown(why))
    elif "explicitDeny" in decisions:
        yield Objection(failed(f"{message}one of its policies denies {request.action}."))
    elif decisions != {"allowed"} and alone.allowed is None:
        why = f"Whether the role may {what} depends on {', '.join(alone.reasons)}."
        yield Objection(unknown(why))
    elif decisions != {"allowed"} and not alone.allowed:
        why = f"{message}none of its policies allows {request.action}."
        yield Objection(failed(why, role.advice), lacking=True)


def _entry(name: str, kind: str, values: list[str]) -> dict[str, Any]:
    return {"ContextKeyName": name, "ContextKeyType": kind, "ContextKeyValues": values}


def resource_policy(account: Account, request: AccessRequest, secret: StoredSecret) -> list[Any]:
    """The policy of the resource of a request; of a secret without one, none."""
    if request.action == DECRYPT:
        sent = {"KeyId": request.resource, "PolicyName": "default"}
        return [json.loads(account.call("kms", "get_key_policy", secret.region, **sent)["Policy"])]
    answer = account.call(
        "secretsmanager", "get_resource_policy", secret.region, SecretId=secret.arn
    )
    if "ARN" not in answer:  # no answer of AWS's, so that it says nothing of a policy
        raise AwsError("The answer of secretsmanager:GetResourcePolicy makes no sense.")
    return [json.loads(answer["ResourcePolicy"])] if answer.get("ResourcePolicy") else []


def policy_objections(
    account: Account, policy: list[Any], request: AccessRequest, secret: StoredSecret
) -> Iterator[Objection]:
    """What the policy of a secret or its key has against a request."""
    verdict = evaluate(policy, request, of_resource=True)
    of_key = request.action == DECRYPT
    must_allow = of_key or secret.elsewhere
    what = "key's policy" if of_key else "resource policy"
    who = request.principal or "the role"
    if verdict.denied:
        fix = f"Take {request.action} out of its Deny, or except {who} from it."
        yield Objection(failed(f"The secret's {what} denies {request.action} to the role.", fix))
    elif must_allow and verdict.allowed is False:
        fix = f"Allow {request.action} there to {who}"
        own = of_key and not secret.elsewhere
        fix += f", or to arn:{account.partition}:iam::{request.account}:root." if own else "."
        yield Objection(failed(f"The secret's {what} does not let the role in.", fix), lacking=True)
    elif verdict.denied is None or (must_allow and verdict.allowed is None):
        reasons = ", ".join(verdict.reasons)
        why = f"Whether the secret's {what} lets the role in depends on {reasons}."
        yield Objection(unknown(why))
