"""A secret as written -> what the service gets, and what IAM allows.

Sources:
https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html (partial ARNs),
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RepositoryCredentials.html (names).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from itertools import zip_longest

from macro.engine.shorthand.places import Credentials
from macro.engine.template.arn import (
    SECRET_ARN,
    Arn,
    arn_fields,
    arn_of,
    in_another_account,
    in_own_account,
    read_arn,
    refuse_type,
    ssm_parameter,
)
from macro.engine.template.choices import Fork, Leaf, chosen, forked, graft, leaves, written
from macro.engine.template.conditions import ALWAYS, Conditions
from macro.engine.template.document import NO_VALUE, Json, Path
from macro.engine.template.intrinsics import (
    Text,
    Unknown,
    attribute,
    is_dynamic,
    is_text,
    join,
    literal,
    literal_parts,
    parse_text,
    ref,
    split,
    write_text,
)
from macro.engine.template.loops import Turn
from macro.engine.template.problems import Caution, InvalidValueError
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import PSEUDO_PARAMETERS, Bearers, Site, Sought, Stack

REGION: Json = {"Ref": "AWS::Region"}
ANY_SUFFIX = "-??????"
_SECRET = "AWS::SecretsManager::Secret"

_FIX = "Write the secret's ARN, its name, or Ref to a secret in the template."


class Secret(NamedTuple):
    """What a secret comes to: `parameter` names it to the service, `resources` name it to IAM.

    `as_written`: the parameter is what the author wrote. `region` is where the secret lives;
    `declarations` are the resources that it may be, where the template has it. `elsewhere`: it is
    known to be of another account; `anywhere`: nothing is known of its account. `defaults` names
    the parameters whose default decided the form; `cautions` say what IAM would not take,
    `service_cautions` what the service would not.
    """

    parameter: Json
    resources: tuple[Json, ...]
    region: Json
    declarations: tuple[Resource, ...] = ()
    elsewhere: bool = False
    defaults: tuple[str, ...] = ()
    cautions: tuple[Caution, ...] = ()
    as_written: bool = True
    service_cautions: tuple[Caution, ...] = ()
    anywhere: bool = False


_NO_PARTIAL_ARN = Caution(
    "PI906",
    "The end of this secret's ARN is not known: CodeBuild takes no part of an ARN.",
    "Make sure that it is the full ARN. For a parameter, give its value with -p, or end its"
    " AllowedPattern with -[A-Za-z0-9]{6} to prove it.",
)


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
            raise InvalidValueError("PI304", message, _FIX)
        return self._replace(site=self.stack.site_of(found, self.site), seen=self.seen | {here})


SecretOrError = Secret | InvalidValueError


def read_secret(
    value: Json, when: Conditions, reader: Reader
) -> Fork[SecretOrError] | SecretOrError:
    """What a secret as written (no `Fn::If`, no `AWS::NoValue`) comes to, where `when` holds: a
    tree, where conditions within the value, or of the resource that it names, decide.

    A leaf is an `InvalidValueError` where it is no secret, or one that this kind of container
    cannot use.
    """
    if not is_text(value):
        return InvalidValueError("PI306", "A secret must be text or an intrinsic function.", _FIX)
    tree = chosen(value)
    if tree is None:
        return InvalidValueError(
            "PI315",
            "The secret has too many cases of Fn::If to tell apart.",
            "Put Fn::If around the whole secret, or pass the secret as a parameter.",
        )
    return _read_tree(tree, when, reader)


def _read_tree(
    tree: Fork[Json] | Json, when: Conditions, reader: Reader
) -> Fork[SecretOrError] | SecretOrError:
    if isinstance(tree, Fork):
        return Fork(
            tree.condition,
            _read_tree(tree.then, when.also(tree.condition, True), reader),
            _read_tree(tree.otherwise, when.also(tree.condition, False), reader),
        )
    try:
        return _read(tree, when, reader)
    except InvalidValueError as error:
        return error


def _read(value: Json, when: Conditions, reader: Reader) -> Fork[SecretOrError] | SecretOrError:
    site, stack = reader.site, reader.stack
    if named := attribute(value):
        if found := stack.resource(named[0], site):
            if declared := _declared_secret(value, named[1], found, when, reader):
                return declared
        elif stack.is_open(named[0], site):
            raise open_reference("secret")
    text = parse_text(value, site.loop_variables)
    possible = stack.known(text, site, when)
    forms: list[_Form] = []
    errors: list[InvalidValueError] = []
    for known in possible.texts:
        try:
            forms.append(_form(Sought(known, text, when, site), reader))
        except InvalidValueError as error:
            errors.append(error)
    if not forms:
        raise errors[0]
    cautions = tuple(
        Caution("PI905", f"This fails if another value is deployed: {error}", error.fix)
        for error in errors
    ) + tuple(_may_be(found) for found in _unique(one for form in forms for one in form.perhaps))
    if all(form.is_name for form in forms):
        secret = _by_name(value, text, forms, reader)
    elif any(form.is_name for form in forms):
        raise InvalidValueError(
            "PI314",
            "Some values that the secret can have are names and others are ARNs.",
            "Give all of them as full ARNs, or all as names.",
        )
    else:
        secret = _by_arn(value, text, forms, reader)
    secret = secret._replace(defaults=possible.defaults, cautions=cautions + secret.cautions)
    if len(forms) == 1 and forms[0].declared and not forms[0].complete:
        return _as_declared(secret, forms[0].declared, when, site, stack)
    return secret


def open_reference(what: str) -> InvalidValueError:
    """A reference to what a loop may make, where the loop's collection is not known."""
    return InvalidValueError(
        "PI406",
        f"Which {what} this names depends on a loop whose collection is not known.",
        "Give the collection's value with -p, or write it as a list in the template.",
    )


def _json_key() -> InvalidValueError:
    return InvalidValueError(
        "PI301",
        "A JSON key follows the secret; registry credentials take the whole secret.",
        "Leave out what follows the secret's name; the secret holds username and password.",
    )


# What `Ref` gives for these is the ARN of the secret in their SecretId.
_NAME_THEIR_SECRET = frozenset(
    f"AWS::SecretsManager::{name}"
    for name in ("ResourcePolicy", "RotationSchedule", "SecretTargetAttachment")
)


def _declared_secret(
    value: Json, name: str, found: Resource, when: Conditions, reader: Reader
) -> Fork[SecretOrError] | SecretOrError | None:
    """The secret that the template declares, where the value is a reference to it."""
    if found.type == _SECRET and name in ("", "Id"):
        return Secret(value, (value,), REGION, (found,))
    if found.type == _SECRET and name == "Arn":
        raise InvalidValueError(
            "PI304", "A secret has no attribute Arn.", f"Write Ref: {found.logical_id}."
        )
    if found.type in _NAME_THEIR_SECRET and not name:
        return _secret_behind(value, found, when, reader)
    if found.type == "AWS::SSM::Parameter" and not name:
        raise ssm_parameter()
    refuse_type(found, name, "PI304", "secret", _FIX)
    return None


def _secret_behind(
    value: Json, found: Resource, when: Conditions, reader: Reader
) -> Fork[SecretOrError] | SecretOrError:
    """The secret of an attachment, a rotation or a policy, whose `Ref` is the secret's full ARN
    however they name it themselves."""
    following = reader.following(found)

    def under_its_arn(behind: SecretOrError) -> SecretOrError:
        if isinstance(behind, InvalidValueError):
            return behind if behind.code == "PI304" else Secret(value, (value,), REGION)
        doubts = tuple(caution for caution in behind.cautions if caution.code == "PI912")
        return Secret(
            value, (value,), behind.region, behind.declarations, behind.elsewhere, cautions=doubts
        )

    def read(leaf: Leaf) -> Fork[SecretOrError] | SecretOrError:
        return _grown(read_secret(leaf.value, when, following), under_its_arn)

    return graft(forked(found.property("SecretId"), ()), read)


def _grown(
    tree: Fork[SecretOrError] | SecretOrError, grow: Callable[[SecretOrError], SecretOrError]
) -> Fork[SecretOrError] | SecretOrError:
    if isinstance(tree, Fork):
        return Fork(tree.condition, _grown(tree.then, grow), _grown(tree.otherwise, grow))
    return grow(tree)


class _Form(NamedTuple):
    """The form of one value: a name, or an ARN that may be `complete`, `partial`, or either.

    `declared` are the resources whose name it is, `perhaps` those whose name it is in some
    deployments. `opaque`: nothing is known of the value.
    """

    is_name: bool
    complete: bool
    partial: bool
    elsewhere: bool = False
    declared: tuple[Resource, ...] = ()
    opaque: bool = False
    perhaps: tuple[Resource, ...] = ()
    anywhere: bool = False


def _form(sought: Sought, reader: Reader) -> _Form:
    """The form of a value, as far as it is known. Raises `InvalidValueError`."""
    known, site, stack = sought.text, reader.site, reader.stack
    for part in known:
        if is_dynamic(part):
            _check_dynamic_reference(part)
    match known:
        case ():
            raise InvalidValueError("PI306", "The secret is empty.", _FIX)
        case (str(head), *_) if head.startswith("arn:"):
            return _form_of_arn(sought, reader)
        case (str(), *_):
            return _form_of_name(sought, stack)
        case (Unknown({"Ref": str(name)}), *_) if name in PSEUDO_PARAMETERS | site.loop_variables:
            return _form_of_name(sought, stack)
        case (Unknown(), str(tail), *_) if re.match(r":(?!secret:|secretsmanager:)", tail):
            raise _json_key()
        case (Unknown(value),) if stack.values.is_arn(value):
            # A pattern may prove the suffix too.
            is_full = stack.values.pattern(value).endswith(("-[A-Za-z0-9]{6}", r"-\w{6}"))
            return _Form(False, True, not is_full)
    # Of a value that is not known it may be known that it is the name of a secret in the template.
    declared, perhaps = stack.with_property(_SECRET, "Name", sought)
    if declared:
        return _Form(True, False, False, declared=tuple(declared), perhaps=tuple(perhaps))
    return _Form(False, True, True, opaque=True)


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


def _form_of_arn(sought: Sought, reader: Reader) -> _Form:
    stack = reader.stack
    arn = read_arn(sought.text, SECRET_ARN, stack.context)
    if arn is None:
        return _Form(False, True, True)
    kind, *rest = split(arn.resource, ":", 2)
    if literal(kind) not in (None, "secret") or (not rest and literal(kind) is not None):
        raise InvalidValueError("PI306", "The secret's ARN is malformed.", _FIX)
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
    declared, perhaps = _of_this_name(name, arn, sought, reader)
    if ending == "partial" and not reader.credentials.takes_partial_arn and not declared:
        raise InvalidValueError(
            "PI309",
            "CodeBuild takes a secret's full ARN or its name, but not a partial ARN.",
            "Write the name, or add the hyphen and six characters at the ARN's end.",
        )
    complete = ending != "partial"
    return _Form(
        False,
        complete,
        ending != "full" and not elsewhere,
        elsewhere,
        tuple(declared),
        perhaps=tuple(perhaps),
        anywhere=literal(arn.account) is None and not in_own_account(arn, stack.context),
    )


def _of_this_name(name: Text, arn: Arn, sought: Sought, reader: Reader) -> Bearers:
    """The secrets of the template that an ARN may name: those of its name, with or without the
    suffix that Secrets Manager adds."""
    stack, context = reader.stack, reader.stack.context
    if not _may_be_own(arn.region, context.region) or not _may_be_own(arn.account, context.account):
        return Bearers([], [])
    as_written = arn_fields(sought.written)
    written = split(as_written.resource, ":", 1)[-1] if as_written else ()
    found = [
        stack.with_property(_SECRET, "Name", sought._replace(text=one, written=other))
        for one, other in zip_longest(_with_and_without(name), _with_and_without(written))
        if one is not None
    ]
    always = [one for of_one in found for one in of_one.always]
    sometimes = [one for of_one in found for one in of_one.sometimes]
    regions = (Unknown(REGION),), (context.region,)
    if arn.region in regions and in_own_account(arn, context):
        return Bearers(always, sometimes)
    return Bearers([], always + sometimes)


def _may_be_own(field: Text, own: str | None) -> bool:
    """Whether a field of an ARN may be the stack's own Region or account."""
    return None in (literal(field), own) or literal(field) == own


def _with_and_without(name: Text) -> list[Text]:
    """A name, and the same without what may be the suffix."""
    if name and isinstance(name[-1], str) and re.search(r"-[A-Za-z0-9]{6}$", name[-1]):
        return [name, join(*name[:-1], name[-1][:-7])]
    return [name]


def _form_of_name(sought: Sought, stack: Stack) -> _Form:
    _check_name(sought.text)
    ending = _ending(sought.text)
    declared, perhaps = stack.with_property(_SECRET, "Name", sought)
    return _Form(True, False, ending == "partial", declared=tuple(declared), perhaps=tuple(perhaps))


def _unique(resources: Iterable[Resource]) -> Iterable[Resource]:
    return {(one.path, one.turn): one for one in resources}.values()


def _may_be(found: Resource) -> Caution:
    """The doubt whether a name is that of a secret in the template, whose key it then needs."""
    message = f"The deployment decides whether this names {found.logical_id}; it is taken for a"
    message += " secret outside of the template."
    return Caution("PI912", message, f"Where {found.logical_id} is meant, write Ref to it.")


def _by_name(value: Json, text: Text, forms: list[_Form], reader: Reader) -> Secret:
    taken = reader.site.loop_variables
    arn = arn_of("secretsmanager", "secret:", *text)
    # Secrets Manager takes an ARN that ends in a hyphen and six characters for a full one, so a
    # name that ends like that, or may, is found by its name alone.
    builds_arn = reader.credentials.builds_arn_from_name
    by_arn = builds_arn and all(form.partial for form in forms)
    cautions = []
    if builds_arn and not by_arn and re.search(r"[^\w-]", literal_parts(text), re.ASCII):
        # https://github.com/aws/aws-cdk/issues/20139
        message = "ECS may refuse this secret's name: it ends, or may end, in a hyphen and six"
        message += " characters, as ARNs do."
        cautions.append(Caution("PI907", message, "Write the secret's full ARN."))
    return Secret(
        write_text(arn, taken) if by_arn else value,
        (write_text(join(*arn, ANY_SUFFIX), taken),),
        REGION,
        tuple(declared for form in forms for declared in form.declared),
        cautions=tuple(cautions),
        as_written=not by_arn,
    )


def _by_arn(value: Json, text: Text, forms: list[_Form], reader: Reader) -> Secret:
    taken = reader.site.loop_variables
    suffixed = write_text(join(*text, ANY_SUFFIX), taken)
    resources = [value] if any(form.complete for form in forms) else []
    resources += [suffixed] if any(form.partial for form in forms) else []
    dynamic = any(is_dynamic(part) for part in text)
    cautions = []
    if any(form.anywhere and form.partial for form in forms):
        message = (
            "Nothing is known about this secret's account: a secret of another account is found"
        )
        message += " by its full ARN only."
        fix = "Write the full ARN, or make sure that the account is the stack's."
        cautions.append(Caution("PI906", message, fix))
    if any(form.opaque for form in forms):
        message = "Nothing is known about this secret's value: a name would not work here"
        message += ", nor a secret of another Region." if dynamic else "."
        cautions.append(Caution("PI906", message, give_arn(text, reader.stack)))
    takes_partial = reader.credentials.takes_partial_arn
    hidden = any(form.complete and form.partial for form in forms) and not takes_partial
    return Secret(
        value,
        tuple(resources),
        REGION if dynamic else _region_of(text, taken),
        tuple(declared for form in forms for declared in form.declared),
        any(form.elsewhere for form in forms),
        cautions=tuple(cautions),
        service_cautions=(_NO_PARTIAL_ARN,) if hidden else (),
        anywhere=any(form.anywhere for form in forms),
    )


def give_arn(text: Text, stack: Stack) -> str:
    """How to prove that a value of which nothing is known is an ARN."""
    match text:
        case (Unknown({"Ref": str(name)}),) if stack.values.is_parameter(name):
            return "Give its value with -p, or begin its AllowedPattern with arn: to prove an ARN."
    return "Make sure that it is an ARN."


def _region_of(text: Text, taken: Collection[str]) -> Json:
    """The Region in a secret's ARN; where CloudFormation alone knows the ARN, cut out of it.

    The colons behind it let `Fn::Select` succeed on the placeholders that change sets with nested
    stacks have in place of values.
    """
    arn = arn_fields(text)
    if arn is not None and isinstance(text[0], str):
        return write_text(arn.region)
    return {"Fn::Select": [3, {"Fn::Split": [":", write_text(join(*text, ":::"), taken)]}]}


def _as_declared(
    secret: Secret, declared: tuple[Resource, ...], when: Conditions, site: Site, stack: Stack
) -> Fork[SecretOrError] | SecretOrError:
    """The secret where it is one of the template by its name; where that one's condition does not
    hold, it is one outside of the template."""
    here = stack.holds_at(when, site.turn)
    tree: Fork[SecretOrError] | SecretOrError = secret._replace(declarations=())
    for found in reversed(declared):
        own = stack.holds_at(found.when, site.turn)
        if not stack.solver.possible(here.both(own)):
            continue
        reference = ref(found.logical_id)
        inside = Secret(
            reference,
            (reference,),
            REGION,
            (found,),
            defaults=secret.defaults,
            as_written=False,
        )
        if stack.solver.implies(here, own):
            tree = inside
        else:
            ((condition, _),) = found.when
            tree = Fork(condition, inside, tree)
    return tree


def parameter_of(value: Json, tree: Fork[SecretOrError] | SecretOrError) -> Json:
    """What the service gets for a secret that is written as `value`."""
    readings: list[tuple[SecretOrError, Conditions]] = leaves(tree, ALWAYS)
    if all(_is_as_written(reading) for reading, _ in readings):
        return value
    return written(graft(tree, _parameter))


def _is_as_written(reading: SecretOrError) -> bool:
    return isinstance(reading, InvalidValueError) or reading.as_written


def _parameter(reading: SecretOrError) -> Json:
    return NO_VALUE if isinstance(reading, InvalidValueError) else reading.parameter


def _check_name(name: Text) -> None:
    """Raises where a secret cannot have this name.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html;
    the names of secrets that other services manage have an exclamation mark too.
    """
    written = literal_parts(name)
    if "*" in written or "?" in written:
        raise InvalidValueError("PI305", "A wildcard would open other secrets than this one.", _FIX)
    if written.startswith("/aws/reference/secretsmanager/"):
        raise ssm_parameter()
    if re.search(r"[^:]:[^:]*:", written):
        raise _json_key()
    if not name or len(written) > 512 or not re.fullmatch(r"[\w/+=.@!-]*", written, re.ASCII):
        raise InvalidValueError(
            "PI306",
            "A secret's name can contain only letters, digits and /_+=.@-, up to 512 in all.",
            _FIX,
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
