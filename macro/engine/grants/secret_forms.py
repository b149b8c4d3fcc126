"""Which form a secret has: a name, or an ARN, full or partial.

Source:
https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html (partial ARNs).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

from macro.engine.grants.replicas import has_keyed_replica
from macro.engine.shorthand.places import Credentials
from macro.engine.template.arn import (
    SECRET_ARN,
    Arn,
    arn_fields,
    in_another_account,
    in_own_account,
    read_arn,
    refuse_arn_within,
    ssm_parameter,
)
from macro.engine.template.bearers import NO_BEARERS, Bearers
from macro.engine.template.document import Json, Path
from macro.engine.template.intrinsics import (
    Text,
    Unknown,
    is_dynamic,
    join,
    literal,
    literal_parts,
    split,
)
from macro.engine.template.loops import Turn
from macro.engine.template.problems import InvalidValueError
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import (
    PSEUDO_PARAMETERS,
    Site,
    Sought,
    Stack,
)

REGION: Json = {"Ref": "AWS::Region"}
SECRET_TYPE = "AWS::SecretsManager::Secret"
SECRET_FIX = "Write the secret's ARN, its name, or Ref to a secret in the template."


class Reader(NamedTuple):
    """Where a secret is read: for which kind of credentials, at which site of which stack.

    `seen` has what names a secret and led there.
    """

    credentials: Credentials
    site: Site
    stack: Stack
    seen: frozenset[tuple[Path, Turn]] = frozenset()

    def following(self, found: Resource) -> Reader:
        """Where the secret is read that a resource names. Raises `InvalidValueError` for one that
        was seen."""
        here = found.path, found.turn or self.site.turn
        if here in self.seen:
            message = f"{found.logical_id} names itself as its secret."
            raise InvalidValueError("PI304", message, SECRET_FIX)
        return self._replace(site=self.stack.site_of(found, self.site), seen=self.seen | {here})


class SecretForm(NamedTuple):
    """The form of one value: a name, or an ARN that may be `complete`, `partial`, or either.

    `declared` are the resources whose name it is, `perhaps` those whose name it is in some
    deployments, `nameless` those of whose name nothing is known, and `replicated` those that it may
    be a replica of, with a key of its own. `opaque`: nothing is known of the value.
    """

    is_name: bool
    complete: bool
    partial: bool
    elsewhere: bool = False
    declared: tuple[Resource, ...] = ()
    opaque: bool = False
    perhaps: tuple[Resource, ...] = ()
    anywhere: bool = False
    nameless: tuple[Resource, ...] = ()
    replicated: tuple[Resource, ...] = ()


def read_form(sought: Sought, reader: Reader) -> SecretForm:
    """The form of a value, as far as it is known. Raises `InvalidValueError`."""
    known, site, stack = sought.text, reader.site, reader.stack
    for part in known:
        if is_dynamic(part):
            _check_dynamic_reference(part)
    refuse_arn_within(known, site, stack, "PI306")
    match known:
        case ():
            raise InvalidValueError("PI306", "The secret is empty.", SECRET_FIX)
        case (str(head), *_) if head.startswith("arn:"):
            return _form_of_arn(sought, reader)
        case (str(), *_):
            return _form_of_name(sought, stack)
        case (Unknown({"Ref": str(name)}), *_) if name in PSEUDO_PARAMETERS | site.loop_variables:
            return _form_of_name(sought, stack)
        case (Unknown(), str(tail), *_) if re.match(r":(?!secret:|secretsmanager:)", tail):
            raise _json_key()
        case (Unknown(value),) if stack.values.parameters.is_arn(value):
            # A pattern may prove the suffix too.
            is_full = stack.values.parameters.pattern(value).endswith(
                ("-[A-Za-z0-9]{6}", r"-\w{6}")
            )
            return SecretForm(False, True, not is_full)
    # Of a value that is not known it may be known that it is the name of a secret in the template.
    declared, perhaps, _ = stack.with_property(SECRET_TYPE, "Name", sought)
    if declared:
        return SecretForm(True, False, False, declared=tuple(declared), perhaps=tuple(perhaps))
    return SecretForm(False, True, True, opaque=True)


def _form_of_arn(sought: Sought, reader: Reader) -> SecretForm:
    stack = reader.stack
    arn = read_arn(sought.text, SECRET_ARN, stack.context)
    if arn is None:
        return SecretForm(False, True, True)
    kind, *rest = split(arn.resource, ":", 2)
    if literal(kind) not in (None, "secret") or (not rest and literal(kind) is not None):
        raise InvalidValueError("PI306", "The secret's ARN is malformed.", SECRET_FIX)
    if len(rest) > 1:
        raise _json_key()
    name = rest[0] if rest else kind
    _check_name(name)
    elsewhere = in_another_account(arn, stack.context)
    ending = _ending(name)
    if ending == "partial" and elsewhere:
        raise InvalidValueError(
            "PI308",
            "A secret of another account is found only by its full ARN.",
            "Add the hyphen and six characters that Secrets Manager put at the ARN's end.",
        )
    declared, perhaps, nameless = _of_this_name(name, arn, sought, reader)
    if ending == "partial" and not reader.credentials.takes_partial_arn and not declared:
        raise InvalidValueError(
            "PI309",
            "CodeBuild takes a secret's full ARN or its name, but not a partial ARN.",
            "Write the name, or add the hyphen and six characters at the ARN's end.",
        )
    complete = ending != "partial"
    return SecretForm(
        False,
        complete,
        ending != "full" and not elsewhere,
        elsewhere,
        tuple(declared),
        perhaps=tuple(perhaps),
        anywhere=literal(arn.account) is None and not in_own_account(arn, stack.context),
        nameless=tuple(nameless),
        replicated=tuple(_replicated(name, arn, sought, reader)),
    )


def _form_of_name(sought: Sought, stack: Stack) -> SecretForm:
    _check_name(sought.text)
    ending = _ending(sought.text)
    declared, perhaps, nameless = stack.with_property(SECRET_TYPE, "Name", sought)
    return SecretForm(
        True,
        False,
        ending == "partial",
        declared=tuple(declared),
        perhaps=tuple(perhaps),
        nameless=tuple(nameless),
    )


def _of_this_name(name: Text, arn: Arn, sought: Sought, reader: Reader) -> Bearers:
    """The secrets of the template that an ARN may name."""
    context = reader.stack.context
    if not _may_be_own(arn.region, context.region) or not _may_be_own(arn.account, context.account):
        return NO_BEARERS
    always, sometimes, nameless = _named(name, sought, reader.stack)
    regions = (Unknown(REGION),), (context.region,)
    if arn.region in regions and in_own_account(arn, context):
        return Bearers(always, sometimes, nameless)
    return Bearers([], always + sometimes, nameless)


def _named(name: Text, sought: Sought, stack: Stack) -> Bearers:
    """The secrets of the template of the name in an ARN, with or without the suffix that Secrets
    Manager adds."""
    as_written = arn_fields(sought.written)
    written = split(as_written.resource, ":", 1)[-1] if as_written else ()
    found = [
        stack.with_property(SECRET_TYPE, "Name", sought._replace(text=one, written=other))
        for one, other in zip_longest(_with_and_without(name), _with_and_without(written))
        if one is not None
    ]
    return Bearers(*([one for of_one in found for one in of_one[kind]] for kind in range(3)))


def _replicated(name: Text, arn: Arn, sought: Sought, reader: Reader) -> Iterator[Resource]:
    """The secrets of the template whose replica in another Region an ARN may name, where that has a
    key of its own."""
    context = reader.stack.context
    if _may_be_own(arn.region, context.region) or not _may_be_own(arn.account, context.account):
        return
    for of_kind in _named(name, sought, reader.stack):
        for found in of_kind:
            if has_keyed_replica(found, arn.region):
                yield found


def _may_be_own(field: Text, own: str | None) -> bool:
    """Whether a field of an ARN may be the stack's own Region or account."""
    return None in (literal(field), own) or literal(field) == own


def _with_and_without(name: Text) -> list[Text]:
    """A name, and the same without what may be the suffix."""
    if name and isinstance(name[-1], str) and re.search(r"-[A-Za-z0-9]{6}$", name[-1]):
        return [name, join(*name[:-1], name[-1][:-7])]
    return [name]


def _check_dynamic_reference(part: str | Unknown) -> None:
    written = literal_parts(parse_dynamic(part))
    service = written.removeprefix("{{resolve:").partition(":")[0]
    if service not in ("ssm", ""):
        raise InvalidValueError(
            "PI303",
            "A dynamic reference to a secret would put its value here.",
            "Name the secret itself: its ARN, its name, or Ref.",
        )


def parse_dynamic(part: str | Unknown) -> Text:
    """The text of a dynamic reference, whole or put together with `Fn::Sub`."""
    match part:
        case Unknown(str(written)):
            return (written,)
        case Unknown({"Fn::Sub": str(written)}):
            return (written,)
        case Unknown({"Fn::Sub": [str(written), _]}):
            return (written,)
    return ()


def _json_key() -> InvalidValueError:
    return InvalidValueError(
        "PI301",
        "A JSON key follows the secret; registry credentials take the whole secret.",
        "Leave out what follows the secret's name; the secret holds username and password.",
    )


def _check_name(name: Text) -> None:
    """Raises where a secret cannot have this name.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html;
    the names of secrets that other services manage have an exclamation mark too.
    """
    written = literal_parts(name)
    if "*" in written or "?" in written:
        raise InvalidValueError(
            "PI305", "A wildcard would open other secrets than this one.", SECRET_FIX
        )
    if written.startswith("/aws/reference/secretsmanager/"):
        raise ssm_parameter()
    if re.search(r"[^:]:[^:]*:", written):
        raise _json_key()
    if not name or len(written) > 512 or not re.fullmatch(r"[\w/+=.@!-]*", written, re.ASCII):
        raise InvalidValueError(
            "PI306",
            "A secret's name can contain only letters, digits and /_+=.@-, up to 512 in all.",
            SECRET_FIX,
        )


def _ending(name: Text) -> str:
    """Whether a name as an ARN writes it is "full" (ends in the suffix that Secrets Manager adds),
    "partial" (does not), or "either" (cannot be told apart from what is written)."""
    last = name[-1]
    if isinstance(last, Unknown):
        return "either"
    if found := re.search(r"-([A-Za-z0-9]{6})$", last):
        return "either" if found[1].isalpha() and found[1].islower() else "full"
    hidden = len(name) > 1 and re.fullmatch(r"[A-Za-z0-9]{0,6}", last)
    return "either" if hidden else "partial"
