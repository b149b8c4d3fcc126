"""The key of a secret as written -> what `kms:Decrypt` is granted on.

Source: https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html (aliases in
IAM); IAM knows keys by ARN alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from macro.engine.grants.secret_forms import REGION
from macro.engine.grants.secrets import Secret, fails_elsewhere, give_arn, open_reference
from macro.engine.template.arn import (
    KEY_ARN,
    arn_fields,
    arn_of,
    in_own_account,
    read_arn,
    refuse_arn_within,
    refuse_type,
)
from macro.engine.template.choices import branches, chosen, leaves
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path
from macro.engine.template.intrinsics import (
    Text,
    Unknown,
    arn_attribute,
    attribute,
    is_text,
    literal,
    literal_parts,
    parse_text,
    write_text,
)
from macro.engine.template.problems import Caution, InvalidValueError
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource, completed_by, unseen
from macro.engine.template.stack import Selection, Site, Sought, Stack

KEYS = ("AWS::KMS::Key", "AWS::KMS::ReplicaKey")
_ALIAS = "AWS::KMS::Alias"
_OWN_ALIAS = "alias/aws/secretsmanager"
_KEY_ID = r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}|mrk-[0-9a-f]{32}"

_FIX = "Write the key's ARN, its id, its alias (alias/name), or Ref to a key in the template."


class Key(NamedTuple):
    """What `kms:Decrypt` is granted on: a key, or the keys of an account that have `alias`.

    `defaults` names the parameters whose default decided the form; `cautions` say what would not
    work.
    """

    resource: Json
    alias: Json = None
    defaults: tuple[str, ...] = ()
    cautions: tuple[Caution, ...] = ()


class FoundKey(NamedTuple):
    """A key, or what is or may be wrong with it, where it is written and under which conditions;
    None: no key needs a grant."""

    path: Path
    when: Conditions
    key: Key | InvalidValueError | Caution | None


class _Reader(NamedTuple):
    """Where a key is read; `seen` has the aliases that led there."""

    secret: Secret
    site: Site
    stack: Stack
    seen: frozenset[tuple[Path, object]] = frozenset()

    def following(self, alias: Resource) -> _Reader:
        """Where the key of an alias is read. Raises InvalidValueError for one that was seen."""
        here = alias.path, alias.turn or self.site.turn
        if here in self.seen:
            raise InvalidValueError("PI310", f"The alias {alias.logical_id} names itself.", _FIX)
        return self._replace(site=self.stack.site_of(alias, self.site), seen=self.seen | {here})


def read_keys(
    value: Json, path: Path, when: Conditions, secret: Secret, site: Site, stack: Stack
) -> Iterator[FoundKey]:
    """The keys that open a secret whose key is written as `value`, each with its conditions.

    Where no key is written, they are those of the secret's resources in the template. `secret`
    tells the Region of a key that is written by its id alone. The key that AWS manages (which the
    account may use anyhow) gives nothing; for a secret of another account, which that key never
    opens, it is a mistake.
    """
    reader = _Reader(secret, site, stack)
    for at, leaf, holds in branches(value, path, when):
        if leaf not in (None, NO_VALUE):
            yield from _read_value(leaf, at, holds, reader)
            continue
        if secret.elsewhere:
            yield FoundKey(at, holds, _foreign_key())
        if secret.anywhere:
            message = (
                "Nothing is known about this secret's account: a secret of another account opens"
            )
            message += " with a customer-managed key of that account alone."
            fix = "Write KmsKey: and the key's ARN, or make sure that the account is the stack's."
            yield FoundKey(at, holds, Caution("PI906", message, fix))
        for declared in secret.declarations:
            own = reader._replace(site=stack.site_of(declared, site))
            own_path = (*declared.path, "Properties", "KmsKeyId")
            if declared.property("KmsKeyId") is None and completed_by(declared.properties):
                fix = "Write KmsKey beside Secret, or KmsKeyId without them."
                hidden = unseen("KmsKeyId", declared.logical_id, fix)
                yield FoundKey(at, holds.both(declared.when), hidden)
            for key_path, key, inner in branches(
                declared.property("KmsKeyId"), own_path, holds.both(declared.when)
            ):
                if key not in (None, NO_VALUE):
                    yield from _read_value(key, key_path, inner, own)


def key_doubts(
    value: Json, when: Conditions, secret: Secret
) -> Iterator[tuple[Conditions, Caution]]:
    """Where no key is written as `value`, the doubt for each resource that has a key of its own and
    may be the secret, since nothing is known of its name (one without a key needs no other grant),
    and for a secret that the template hides."""
    for found in secret.nameless:
        for _, written, holds in branches(value, (), when.both(found.when)):
            keys = [key for _, key, _ in branches(found.property("KmsKeyId"), (), holds)]
            is_keyed = any(key not in (None, NO_VALUE, _OWN_ALIAS) for key in keys)
            if written in (None, NO_VALUE) and (is_keyed or completed_by(found.properties)):
                name = found.logical_id
                message = (
                    f"This may be {name}, whose name is not known: then the grant of its key is"
                )
                message += " missing."
                fix = f"If {name} is meant, write Ref to it. If not, write KmsKey beside Secret"
                fix += f" ({_OWN_ALIAS}, if the secret has no key of its own)."
                yield holds, Caution("PI912", message, fix)

    for name in secret.hidden_by:
        for _, written, holds in branches(value, (), when):
            if written in (None, NO_VALUE):
                message = f"Nothing is known about the secret that {name} names, nor about its key."
                fix = f"Write KmsKey beside Secret ({_OWN_ALIAS}, if the secret has no key of its"
                yield holds, Caution("PI906", message, f"{fix} own).")


def _read_value(value: Json, path: Path, when: Conditions, reader: _Reader) -> Iterator[FoundKey]:
    """The keys of a value without `Fn::If` at its top; it may have some within."""
    tree = chosen(value)
    if tree is None:
        message = "The key has too many cases of Fn::If to tell apart."
        fix = "Put Fn::If around the whole key, or pass the key as a parameter."
        yield FoundKey(path, when, InvalidValueError("PI315", message, fix))
        return
    cases: list[tuple[Json, Conditions]] = leaves(tree, when)
    for leaf, holds in cases:
        if holds.contradictory:
            continue
        try:
            if not is_text(leaf):
                message = "A key must be text or an intrinsic function."
                raise InvalidValueError("PI310", message, _FIX)
            yield from _read(leaf, path, holds, reader)
        except InvalidValueError as error:
            stack = reader.stack
            if stack.reached(holds, reader.site) or stack.elsewhere is stack:
                yield FoundKey(path, holds, error)
            else:
                yield from _read_value(leaf, path, holds, reader._replace(stack=stack.elsewhere))


def _read(value: Json, path: Path, when: Conditions, reader: _Reader) -> Iterator[FoundKey]:
    site, stack = reader.site, reader.stack
    if named := attribute(value):
        logical_id, name = named
        if found := stack.resource(logical_id, site):
            if found.type in KEYS:
                _check_region(_STACK_REGION, reader)
                yield FoundKey(path, when, Key(arn_attribute(logical_id)))
                return
            if found.type == _ALIAS and not name:
                _check_region(_STACK_REGION, reader)
                yield from _followed(found, path, when, reader)
                return
            refuse_type(found, name, "PI310", "key", _FIX)
        elif stack.is_open(logical_id, site):
            raise open_reference("key")
    if selection := stack.selectable(value, site, when):
        yield from _any_of(selection, path, when, reader)
        return
    text = parse_text(value, site.loop_variables)
    possible = stack.known(text, site, when)
    if len(possible.texts) == 1:
        outside = when
        for alias in _aliases_named(Sought(possible.texts[0], text, when, site), reader):
            own = stack.holds_at(alias.when, site.turn)
            if not stack.solver.possible(stack.holds_at(outside, site.turn).both(own)):
                continue
            yield from _followed(alias, path, outside.both(alias.when), reader)
            if stack.solver.implies(stack.holds_at(outside, site.turn), own):
                return
            ((condition, _),) = alias.when
            outside = outside.also(condition, False)
        when = outside
    found_key = _combined(value, text, possible.texts, reader)
    if found_key is not None:
        yield FoundKey(path, when, found_key._replace(defaults=possible.defaults))
    elif reader.secret.elsewhere:
        raise _foreign_key()


def _any_of(
    selection: Selection, path: Path, when: Conditions, reader: _Reader
) -> Iterator[FoundKey]:
    """All keys that a deployment may select."""
    found = [
        key
        for number in selection.chosen
        for key in _read_value(selection.items[number], path, when, reader)
    ]
    errors = [one for one in found if isinstance(one.key, InvalidValueError)]
    if len(errors) == len(found):
        yield from errors[:1]
        return
    for one in found:
        if isinstance(one.key, InvalidValueError):
            yield one._replace(key=fails_elsewhere(one.key))
        else:
            yield one


def _followed(alias: Resource, path: Path, when: Conditions, reader: _Reader) -> Iterator[FoundKey]:
    """The key that an alias of the template is for."""
    following = reader.following(alias)
    for _, target, holds in branches(alias.property("TargetKeyId"), path, when):
        if target not in (None, NO_VALUE):
            yield from _read_value(target, path, holds, following)


def _aliases_named(sought: Sought, reader: _Reader) -> list[Resource]:
    """The aliases of the template that a text names, by name or by ARN, in the stack's Region.

    One that has the name in some deployments alone is no matter: what is granted by an alias's name
    is right whichever key has it.
    """
    stack = reader.stack
    name, written = sought.text, arn_fields(sought.written)
    region = parse_text(reader.secret.region)
    if name and isinstance(name[0], str) and name[0].startswith("arn:"):
        arn = arn_fields(name)
        if arn is None or not in_own_account(arn, stack.context):
            return []
        region = arn.region
        sought = sought._replace(text=arn.resource, written=written.resource if written else ())
    if region not in (_STACK_REGION, (stack.context.region,)):
        return []
    match sought.text:
        case (Unknown(value),) if named := attribute(value):
            # An ARN that ends in Ref to an alias, which is the alias's name.
            found = None if named[1] else stack.resource(named[0], sought.site)
            if found and found.type == _ALIAS:
                return [found]
    return stack.with_property(_ALIAS, "AliasName", sought).always


def _foreign_key() -> InvalidValueError:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html
    return InvalidValueError(
        "PI311",
        "A secret of another account needs a customer-managed key of that account.",
        "Write KmsKey with the key's ARN, or Grant: false if the role may already use it.",
    )


def _combined(value: Json, text: Text, texts: tuple[Text, ...], reader: _Reader) -> Key | None:
    """The key that is right for every text that the value can have; None: AWS's own."""
    keys: dict[str, Key] = {}
    errors: list[InvalidValueError] = []
    own = 0
    for known in texts:
        try:
            form, key = _key(value, text, known, reader)
        except InvalidValueError as error:
            errors.append(error)
        else:
            own += key is None
            if key is not None:
                keys[form] = key
    if not keys:
        if errors and not own:
            raise errors[0]
        return None
    if len(keys) > 1:
        raise InvalidValueError(
            "PI314",
            "The values that the key can have are of different forms.",
            "Give all of them as the keys' ARNs.",
        )
    (found,) = keys.values()
    wrong = tuple(fails_elsewhere(error) for error in errors)
    return found._replace(cautions=wrong + found.cautions)


def _key(value: Json, text: Text, known: Text, reader: _Reader) -> tuple[str, Key | None]:
    """The form of one text, and the key that it names; None: AWS's own."""
    secret, taken = reader.secret, reader.site.loop_variables
    refuse_arn_within(known, reader.site, reader.stack, "PI310")
    match known:
        case (str(head), *_) if head.startswith("arn:"):
            return _key_by_arn(value, text, known, reader)
        case (str(head), *_) if head.startswith("alias/"):
            _check_alias(known)
            if literal(known) == _OWN_ALIAS:
                return "alias", None
            if secret.elsewhere:
                raise _foreign_key()
            all_keys = arn_of("kms", "key/*", region=parse_text(secret.region))
            return "alias", Key(write_text(all_keys, taken), write_text(text, taken))
        case (str(only),) if re.fullmatch(_KEY_ID, only):
            if secret.elsewhere:
                raise _foreign_key()
            arn = arn_of("kms", "key/", *text, region=parse_text(secret.region))
            return "id", Key(write_text(arn, taken))
        case () | (str(), *_):
            raise InvalidValueError("PI310", "This is not a KMS key.", _FIX)
        case (Unknown(opaque),) if reader.stack.values.is_arn(opaque):
            return "arn", Key(value)
    message = "Nothing is known about this key's value: an id or an alias would not work here."
    caution = Caution("PI906", message, give_arn(text, reader.stack))
    return "arn", Key(value, cautions=(caution,))


_STACK_REGION: Text = (Unknown(REGION),)


def _known_region(region: Text, stack: Stack) -> str | None:
    """A Region, as far as it is known."""
    return stack.context.region if region == _STACK_REGION else literal(region)


def _check_region(region: Text, reader: _Reader) -> None:
    """Raises where a key's Region is known not to be the secret's.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/create-manage-multi-region-secrets.html
    """
    stack = reader.stack
    own, other = (_known_region(one, stack) for one in (parse_text(reader.secret.region), region))
    if None not in (own, other) and own != other:
        raise InvalidValueError(
            "PI310",
            "The key is of another Region than the secret that it should open.",
            "Write the key of the secret's own Region; a multi-Region key has one in each.",
        )


def _check_alias(name: Text) -> None:
    written = literal_parts(name)
    if "*" in written or "?" in written:
        raise InvalidValueError("PI305", "A wildcard would open other keys than this one.", _FIX)
    if written.startswith("alias/aws/") and written != _OWN_ALIAS:
        raise InvalidValueError(
            "PI310",
            "Secrets Manager cannot use the key that AWS manages for another service.",
            _FIX,
        )
    if not re.fullmatch(r"alias/[\w/-]*", written, re.ASCII) or name == ("alias/",):
        raise InvalidValueError("PI310", "This is not an alias of a key.", _FIX)


def _key_by_arn(value: Json, text: Text, known: Text, reader: _Reader) -> tuple[str, Key | None]:
    arn = read_arn(known, KEY_ARN, reader.stack.context)
    if arn:
        _check_region(arn.region, reader)
    match arn and arn.resource:
        case (str(head), *_) if head.startswith("alias/"):
            assert arn
            _check_alias(arn.resource)
            if literal(arn.resource) == _OWN_ALIAS:
                return "arn", None
            written = arn_fields(text)
            if written is None:
                raise InvalidValueError(
                    "PI310",
                    "This is the ARN of an alias, and IAM matches a key only by the key's own ARN.",
                    "Give the value as the key's ARN, or as the alias's name: alias/name.",
                )
            all_keys = arn_of(
                "kms",
                "key/*",
                partition=written.partition,
                region=written.region,
                account=written.account,
            )
            taken = reader.site.loop_variables
            return "alias arn", Key(
                write_text(all_keys, taken), write_text(written.resource, taken)
            )
        case (str(key_id),) if not re.fullmatch(f"key/({_KEY_ID})", key_id):
            raise InvalidValueError("PI310", "This ARN is not a key's.", _FIX)
        case (str(head), *_) if not head.startswith("key/"):
            raise InvalidValueError("PI310", "This ARN is not a key's.", _FIX)
        case (str(), *_):
            return "arn", Key(value)
    message = "It is not known what this ARN is of: that of an alias would not work here."
    caution = Caution("PI906", message, "Make sure that key/ and a key's id are at its end.")
    return "arn", Key(value, cautions=(caution,))
