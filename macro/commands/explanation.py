"""`--explain`: who may then read what, and where that is written; as a value and as text."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import groupby
from types import NoneType
from typing import Any, cast

from macro.commands.output import printable
from macro.engine.expand import Expansion, PrivateContainer
from macro.engine.grants.additions import Placed
from macro.engine.grants.permissions import Permission
from macro.engine.grants.roles import NamedRole, TemplateRole
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, get
from macro.engine.template.intrinsics import Text, Unknown, parse_text
from macro.engine.template.records import NamedTuple

# Registries that everybody may pull from without a login, and that give no more to whoever has one.
# https://learn.microsoft.com/azure/container-registry/container-registry-firewall-access-rules,
# https://kubernetes.io/blog/2022/11/28/registry-k8s-io-faster-cheaper-ga/
PUBLIC = ("mcr.microsoft.com/", "registry.k8s.io/")


class PulledImage(NamedTuple):
    """A container: its name, its image, the secret of its credentials (None: it has none), and the
    settings that this comes from."""

    container: str
    image: str
    secret: str | None
    when: str
    levels: tuple[str, ...] = ()


class RoleAccess(NamedTuple):
    """One secret that a role reads, or one key that it decrypts with, for some containers."""

    verb: str
    subject: str
    containers: tuple[str, ...]


class RolePolicy(NamedTuple):
    """What a role may do in the cases of `when`. `origin`: where the role is; `policy` and
    `reason`: which separate policy says so, and why it is separate."""

    role: str
    origin: str
    when: str
    accesses: tuple[RoleAccess, ...]
    policy: str = ""
    reason: str = ""


class Explanation(NamedTuple):
    """An expansion in words."""

    images: tuple[PulledImage, ...]
    policies: tuple[RolePolicy, ...]


def explain(template: dict[str, Json], expansion: Expansion) -> Explanation:
    """What an expansion of the template comes to."""
    names = _container_names(template, expansion.containers)
    images = [_image(one, names[one.path]) for one in expansion.containers]
    policies = sorted(
        (_policy(placed, names) for placed in expansion.policies),
        key=lambda one: (one.role, bool(one.when)),
    )
    return Explanation(tuple(images), tuple(policies))


def _container_names(
    template: dict[str, Json], containers: Iterable[PrivateContainer]
) -> dict[Path, str]:
    """A name for each container, by its path: its own where no other one has it. Containers that
    have none, as in the node ranges of a job, are numbered where a resource has several."""
    own: dict[Path, tuple[str, str]] = {}
    nameless: dict[str, list[Path]] = {}
    for one in containers:
        body = reduce(lambda node, step: node[step], one.path, cast("Any", template))
        name = get(body, "Name")
        own[one.path] = one.resource.logical_id, name if isinstance(name, str) else ""
        if not own[one.path][1]:
            nameless.setdefault(one.resource.logical_id, []).append(one.path)
    count = Counter(name for _, name in own.values())

    def shown(path: Path, resource: str, name: str) -> str:
        if name:
            return name if count[name] == 1 else f"{resource}/{name}"
        several = nameless[resource]
        return resource if len(several) == 1 else f"{resource}#{several.index(path) + 1}"

    return {path: shown(path, *names) for path, names in own.items()}


def _image(one: PrivateContainer, name: str) -> PulledImage:
    secret = None if one.parameter == NO_VALUE else _short(one.parameter)
    return PulledImage(name, _short(one.image), secret, _conditions(one.when), one.levels)


def _policy(placed: Placed, names: dict[Path, str]) -> RolePolicy:
    policy = placed.policy
    role = policy.role
    users: dict[tuple[str, str], list[str]] = {}
    for permission in sorted(policy.permissions, key=lambda one: (one.action, one.key)):
        containers = [
            names[path]
            for path in names  # in the order of the template
            for grant in policy.grants
            if grant.permission.key == permission.key and grant.path[: len(path)] == path
        ]
        users.setdefault(_verb_and_subject(permission), []).extend(containers)
    accesses = tuple(
        RoleAccess(verb, subject, tuple(dict.fromkeys(containers)))
        for (verb, subject), containers in sorted(users.items(), key=lambda item: item[0][0][::-1])
    )
    when = _conditions(policy.when)
    if isinstance(role, NamedRole):
        reason = "because the role is outside this template"
        policy_id = placed.logical_id
        return RolePolicy(
            _short(role.name), "outside this template", when, accesses, policy_id, reason
        )
    if not isinstance(role, TemplateRole):
        return RolePolicy(placed.logical_id, "added, since none is named", when, accesses)
    name = role.resource.logical_id
    if placed.kind == "role":
        return RolePolicy(name, "in this template", when, accesses)
    if role.resource.loops != policy.scope:
        reason = "because it needs the loop's variable, which the role does not have"
    elif isinstance(get(role.resource.body, "Properties", "Policies"), (list, NoneType)):
        reason = "because the secret, its key or the container's resource depends on the role"
    else:
        reason = "because the role's own Policies are an intrinsic function"
    return RolePolicy(name, "in this template", when, accesses, placed.logical_id, reason)


def _verb_and_subject(permission: Permission) -> tuple[str, str]:
    verb = "reads" if permission.action == "secretsmanager:GetSecretValue" else "decrypts"
    subject = _short(permission.alias or permission.resource).removesuffix("-??????")
    return verb, _unwrapped(subject)


def _conditions(when: Conditions) -> str:
    return " and ".join(name if value else f"not {name}" for name, value in sorted(when))


def _short(value: Json) -> str:
    """A value in one line and short: `RegistrySecret` for a `Ref` to it."""
    if value == NO_VALUE:
        return "nothing"
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return name
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"{name}.{attribute}"
        case {"Fn::If": [str(condition), then, otherwise]}:
            return f"{_short(then)} (if {condition}, else {_short(otherwise)})"
        case {"Fn::Select": [1, {"Fn::Split": ["role/", role]}]}:
            # As the name of a role is taken out of its ARN, with the separator behind it.
            return _unwrapped(_short(role).removesuffix("role/"))
        case {"Fn::ImportValue": name}:
            return f"import {_short(name)}"
        case {"Fn::GetStackOutput": {"StackName": stack, "OutputName": output}}:
            return f"output {_short(output)} of stack {_short(stack)}"
        case {"Fn::FindInMap": [*names]}:
            return ".".join(_short(name) for name in names)
        case list():
            return f"[{', '.join(_short(one) for one in value)}]"
        case dict() if len(value) == 1 and parse_text(value) == (Unknown(value),):
            ((function, arguments),) = value.items()
            given = arguments if isinstance(arguments, list) else [arguments]
            return f"{function.removeprefix('Fn::')}({', '.join(_short(one) for one in given)})"
        case dict() if len(value) == 1:
            return _text(parse_text(value))
    return json.dumps(value)


def _text(text: Text) -> str:
    """A text with its unknown parts as `Fn::Sub` writes them, without what every ARN of the stack's
    own account begins with."""
    written = "".join(part if isinstance(part, str) else _placeholder(part) for part in text)
    for prefix in _HERE:
        written = written.removeprefix(prefix)
    return written


def _placeholder(part: Unknown) -> str:
    short = _short(part.value)
    return short if short.startswith("${") else f"${{{short}}}"


def _unwrapped(text: str) -> str:
    """`RegistrySecret` for `${RegistrySecret}`."""
    return text[2:-1] if re.fullmatch(r"\$\{[^{}]*\}", text) else text


_HERE = (
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:",
    "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:",
)


# As text

Row = tuple[str, str, str]


def as_text(explanation: Explanation, style: Callable[[str, str], str]) -> str:
    """The explanation grouped by role, aligned. `style` gives a text a look: "bold", "cyan"."""
    policies = [(one, _printable(_rows(one))) for one in explanation.policies]
    images = _printable(_image_row(one) for one in explanation.images)
    rows = [row for _, block in policies for row in block]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    lines: list[str] = []
    for (role, origin), blocks in groupby(policies, lambda pair: (pair[0].role, pair[0].origin)):
        lines += ["", f"{style(printable(role), 'bold')}  ({origin})"]
        for number, (_, block) in enumerate(blocks):
            lines += ["" for _ in range(number > 0)]
            lines += _aligned(block, widths, style)
    if images:
        wide = [max(len(row[column]) for row in images) for column in (0, 1)]
        lines += ["", style("Containers", "bold"), *_aligned(images, wide, style)]
    return "".join(f"{line}\n" for line in lines[1:])


def _printable(rows: Iterable[Row]) -> list[Row]:
    return [(printable(label), printable(value), printable(note)) for label, value, note in rows]


def _rows(policy: RolePolicy) -> Iterator[Row]:
    for access in policy.accesses:
        through = "via Secrets Manager" if access.verb == "decrypts" else ""
        yield access.verb, access.subject, through or ", ".join(access.containers)
    if policy.when:
        yield "when", policy.when, ""
    if policy.policy:
        yield "policy", policy.policy, policy.reason


def _image_row(one: PulledImage) -> Row:
    secret = f"with {one.secret}" if one.secret else "without credentials"
    when = f", when {one.when}" if one.when else ""
    public = " (a public registry: it needs no secret)" if one.image.startswith(PUBLIC) else ""
    settings = "".join(f", from the {level}'s settings" for level in one.levels)
    return one.container, one.image, f"{secret}{settings}{when}{public}"


def _aligned(
    rows: Sequence[Row], widths: Sequence[int], style: Callable[[str, str], str]
) -> Iterator[str]:
    for label, value, note in rows:
        padding = " " * (widths[0] - len(label))
        yield f"  {style(label, 'cyan')}{padding}  {value:{widths[1]}}  {note}".rstrip()
