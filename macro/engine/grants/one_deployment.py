"""ARNs of several partitions, accounts or Regions -> a warning where a deployment has but one.

Where the Region and the account are known, each ARN is held to them as it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal, TypeAlias

from macro.engine.grants.permissions import Grant
from macro.engine.grants.roles import NamedRole
from macro.engine.shorthand.containers import Container
from macro.engine.template.arn import arn_fields
from macro.engine.template.choices import branches, chosen, leaves
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, canonical, intrinsic
from macro.engine.template.intrinsics import is_text, literal, parse_text
from macro.engine.template.problems import Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import Site, Stack

Field: TypeAlias = Literal["partition", "account", "region"]

_PSEUDO: dict[Field, str] = {
    "partition": "AWS::Partition",
    "account": "AWS::AccountId",
    "region": "AWS::Region",
}

# The fields of an ARN up to the account, where none of them is a literal value.
_OWN_ARN = re.compile(r"arn:\$\{AWS::Partition\}:\w+:(\$\{AWS::Region\})?:\$\{AWS::AccountId\}:")

MOST_CASES = 64
"""How many cases of one partition, account or Region are held against those of another; where there
are more of them, they count as meeting."""


class Claim(NamedTuple):
    """What must be the stack's own partition, account or Region, for an ARN to be right."""

    field: Field
    value: str
    when: Conditions
    path: Path


class Used(NamedTuple):
    """A value that holds an ARN, where `when` holds, and which of its fields are the stack's own
    if it is right."""

    value: Json
    path: Path
    when: Conditions
    fields: tuple[Field, ...]
    site: Site


def used_values(
    container: Container, parameters: Iterable[Used], grants: Iterable[Grant], stack: Stack
) -> Iterator[Used]:
    """The values behind the credentials and the grants of containers that share a role; none where
    the Region and the account are known.

    `container` is any of them. A policy is attached to roles of the stack's own account alone, and
    found there are a secret that is named by a part of its ARN, or that has no key of its own.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html
    """
    if not _unknown_fields(stack):
        return
    yield from parameters
    granted = list(grants)
    site = Site(container.resource)
    path = (*container.owner_path, container.place.execution_role)
    role = container.owner.get(container.place.execution_role)
    attached = any(isinstance(grant.role, NamedRole) for grant in granted)
    for at, value, holds in branches(role, path, container.around):
        yield Used(value, at, holds, ("partition", "account") if attached else ("partition",), site)
    opened = {grant.path for grant in granted if grant.permission.action == "kms:Decrypt"}
    for grant in granted:
        own: tuple[Field, ...] = ("partition",)
        if grant.permission.action == "kms:Decrypt":
            in_own_region = "AWS::Region" in canonical(grant.permission.via)
            own = ("partition", "region") if in_own_region else own
        elif grant.path not in opened:
            own = ("partition", "account")
        yield Used(
            grant.permission.resource, grant.path, grant.when, own, Site(grant.served, grant.turn)
        )


def contradictions(used: Iterable[Used], stack: Stack) -> Iterator[Problem]:
    """The warnings for ARNs that are not right in one deployment, though one may need them all."""
    claims: dict[Field, dict[str, dict[Conditions, Claim]]] = {}
    unknown = _unknown_fields(stack)
    telling = (one for one in used if not _fits_any(one, stack))
    for claim in chain.from_iterable(_claims(one, stack) for one in telling):
        if claim.field in unknown:
            by_value = claims.setdefault(claim.field, {})
            by_value.setdefault(claim.value, {}).setdefault(claim.when, claim)
    for field, by_value in claims.items():
        earlier: list[Claim] = []
        for of_value in by_value.values():
            found = list(of_value.values())
            meeting = next((one for one in found if _meets_any(one, earlier, stack)), None)
            if meeting:
                yield _warning(field, meeting.path)
            earlier += found


def _unknown_fields(stack: Stack) -> list[Field]:
    known = stack.context.region, stack.context.account
    return [name for name in _PSEUDO if known[name == "account"] is None]


def _meets_any(claim: Claim, others: list[Claim], stack: Stack) -> bool:
    """Whether this deployment may have the claim beside another one, of which it has but one."""
    if len(others) > MOST_CASES:
        return True
    return any(stack.solver.reached(claim.when.both(other.when)) for other in others)


def _fits_any(used: Used, stack: Stack) -> bool:
    """Whether a value is plainly right in any partition, account and Region, as what is written for
    a name is, and as a reference to a resource is: most are, and need no closer look."""
    match intrinsic(used.value) or used.value:
        case ("Fn::Sub", str(text)):
            return _OWN_ARN.match(text) is not None
        case ("Ref", str(name)):
            return name not in stack.values.parameters and name not in used.site.loop_variables
        case ("Fn::GetAtt", _):
            return True
        case str(text):
            return not text.startswith("arn:") and "{" not in text
    return False


def _claims(used: Used, stack: Stack) -> Iterator[Claim]:
    if not is_text(used.value) and not branches(used.value, (), used.when)[1:]:
        return
    sites = [used.site] if used.site.turn else stack.sites(used.site.resource)
    tree = chosen(used.value)
    cases: list[tuple[Json, Conditions]] = leaves(tree, used.when)
    for site in sites:
        for value, when in cases:
            if value in (None, NO_VALUE) or not is_text(value) or not stack.possible(when, site):
                continue
            possible = stack.known(parse_text(value, site.loop_variables), site, when)
            arns = [arn_fields(text) for text in possible.texts]
            for field in () if possible.defaults else used.fields:
                values = {literal(getattr(arn, field)) if arn else None for arn in arns}
                (only, *others) = values
                if only and not others:
                    yield Claim(field, only, stack.holds_at(when, site.turn), used.path)


def _warning(field: Field, path: Path) -> Problem:
    name = field.title() if field == "region" else field
    message = f"Another ARN in this template is of another {name}, and both have to be of the"
    message += " stack's own: one of them is wrong."
    fix = f"Write ${{{_PSEUDO[field]}}} with Fn::Sub, or choose between them with Fn::If."
    if field != "partition":
        option = f"--{field}"
        fix += f" Give the stack's {name} with {option} to see which is wrong."
    return Problem("PI915", path, message, fix)
