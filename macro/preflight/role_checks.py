"""May a role that is there already read a secret, once it has its grant? IAM's simulation says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from macro.engine.grants.permissions import Permission, document
from macro.preflight.aws_calls import Account, AwsError, MissingError
from macro.preflight.evaluation import url_suffix
from macro.preflight.image_pulls import Role
from macro.preflight.secret_checks import DECRYPT, READ, Finding, Secret, failed, unknown, untold


def check_role(
    account: Account, role: Role, secret: Secret, grant: Sequence[Permission] | None
) -> Finding:
    """Whether a role that is there already may read a secret, once it has the grant as well.

    IAM's simulation does not know the policies of secrets and keys, so those are read beside it.
    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    if role.account not in (None, account.id):
        return unknown("The role is of another account.", "Ask its owner to check it.")
    try:
        there = account.call("iam", "get_role", RoleName=role.name)["Role"]
    except MissingError:
        message = f"There is no role {role.name} in the account {account.id}."
        return failed(message, "Check the role's name; a role's ARN ends in it.")
    except AwsError as trouble:
        return untold(trouble)
    if secret.unseen:
        return secret.unseen
    boundary = there.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    try:
        key = _key_to_use(account, secret)
        for action, arn in ((READ, secret.arn), *([(DECRYPT, key)] if key else [])):
            finding = _simulated(account, there["Arn"], boundary, action, arn, secret, grant or ())
            finding = finding or _policy_of(account, there["Arn"], action, arn, secret)
            if finding:
                return finding
    except AwsError as trouble:
        return untold(trouble)
    told = "may read the secret" + (" once it has the grant" if grant else "")
    return Finding("passed", f"{told}{', within its permissions boundary' if boundary else ''}")


def _key_to_use(account: Account, secret: Secret) -> str | None:
    """The ARN of the secret's customer-managed key."""
    if secret.key is None:
        return None
    key = account.call("kms", "describe_key", secret.region, KeyId=secret.key)["KeyMetadata"]
    return None if key["KeyManager"] == "AWS" else str(key["Arn"])


def _simulated(
    account: Account,
    role: str,
    boundary: str | None,
    action: str,
    arn: str,
    secret: Secret,
    grant: Sequence[Permission],
) -> Finding | None:
    """What IAM's policies have against an action; None: nothing."""
    sent: dict[str, Any] = {
        "PolicySourceArn": role,
        "ActionNames": [action],
        "ResourceArns": [arn],
    }
    if grant:
        sent["PolicyInputList"] = [json.dumps(document(grant))]
    if action == DECRYPT:
        via = f"secretsmanager.{secret.region}.{url_suffix(account.partition)}"
        aliases = [str(permission.alias) for permission in grant if permission.alias]
        sent["ContextEntries"] = [_entry("kms:ViaService", "string", [via])]
        if aliases:
            sent["ContextEntries"] += [_entry("kms:ResourceAliases", "stringList", aliases)]
    answer = account.call("iam", "simulate_principal_policy", **sent)
    (result,) = answer["EvaluationResults"]
    if result["EvalDecision"] == "allowed":
        return None
    what = "use the secret's key" if action == DECRYPT else "read the secret"
    message = f"The role may not {what}: "
    detail = result.get("PermissionsBoundaryDecisionDetail", {})
    if boundary and not detail.get("AllowedByPermissionsBoundary", True):
        message += f"its permissions boundary {boundary} does not allow {action}."
        return failed(message, f"Allow {action} there, or use another role.")
    if not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        return failed(f"{message}a policy of the organization does not allow {action}.")
    if result.get("MissingContextValues"):
        # A condition on what only the real call has: the simulation takes it for not met.
        keys = ", ".join(sorted(result["MissingContextValues"]))
        return unknown(f"Whether the role may {what} depends on {keys}.")
    if result["EvalDecision"] == "explicitDeny":
        return failed(f"{message}one of its policies denies {action}.")
    fix = "Leave out Grant: false, or let the role's own policies allow it."
    return failed(f"{message}none of its policies allows {action}.", "" if grant else fix)


def _entry(name: str, kind: str, values: list[str]) -> dict[str, Any]:
    return {"ContextKeyName": name, "ContextKeyType": kind, "ContextKeyValues": values}


def _policy_of(
    account: Account, role: str, action: str, arn: str, secret: Secret
) -> Finding | None:
    """What the policy of a key, or of another account's secret, has against a role."""
    if action == DECRYPT:
        sent = {"KeyId": arn, "PolicyName": "default"}
        text = account.call("kms", "get_key_policy", secret.region, **sent).get("Policy")
        what, owner = "key's policy", account.id if not secret.elsewhere else ""
    elif secret.elsewhere:
        sent = {"SecretId": arn}
        text = account.call("secretsmanager", "get_resource_policy", secret.region, **sent).get(
            "ResourcePolicy"
        )
        what, owner = "resource policy", ""
    else:
        return None
    if any(_lets_in(statement, role, account.id, action) for statement in _statements(text)):
        return None
    message = f"The secret's {what} does not let the role in."
    fix = f"Allow {action} there to {role}"
    fix += f", or to arn:{account.partition}:iam::{owner}:root." if owner else "."
    return failed(message, fix)


def _statements(text: str | None) -> Iterator[dict[str, Any]]:
    found = json.loads(text or "{}").get("Statement", [])
    yield from (one for one in (found if isinstance(found, list) else [found]))


def _lets_in(statement: dict[str, Any], role: str, account: str, action: str) -> bool:
    """Whether a statement of a resource's policy may allow an action to a role, or leave that to
    the policies of the role's account. Its conditions are taken to be met."""
    if statement.get("Effect") != "Allow":
        return False
    if "NotPrincipal" in statement or "NotAction" in statement:
        return True
    principal = statement.get("Principal")
    named = principal.get("AWS", []) if isinstance(principal, dict) else principal
    root = ":".join([*role.split(":")[:5], "root"])
    actions = _listed(statement.get("Action"))
    return any(one in ("*", role, root, account) for one in _listed(named)) and any(
        fnmatchcase(action.lower(), str(pattern).lower()) for pattern in actions
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
