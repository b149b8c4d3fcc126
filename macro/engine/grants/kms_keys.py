"""The key of a secret as written, or as its resource has it -> the keys that open the secret."""

from __future__ import annotations

from collections.abc import Iterator

from macro.engine.grants.key_forms import (
    KEY_FIX,
    OWN_ALIAS,
    STACK_REGION,
    Key,
    KeyReader,
    check_key_region,
    foreign_key,
    key_of_texts,
)
from macro.engine.grants.secret_values import Secret, fails_elsewhere, open_reference
from macro.engine.template.arn import (
    arn_fields,
    in_own_account,
    refuse_type,
)
from macro.engine.template.choices import branches, chosen, leaves
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path
from macro.engine.template.intrinsics import (
    Unknown,
    arn_attribute,
    attribute,
    is_text,
    parse_text,
)
from macro.engine.template.problems import Caution, InvalidValueError
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource, completed_by, unseen
from macro.engine.template.stack import Selection, Site, Sought, Stack

KEYS = ("AWS::KMS::Key", "AWS::KMS::ReplicaKey")
_ALIAS = "AWS::KMS::Alias"


class FoundKey(NamedTuple):
    """A key, or what is or may be wrong with it, where it is written and under which conditions;
    None: no key needs a grant."""

    path: Path
    when: Conditions
    key: Key | InvalidValueError | Caution | None


def read_keys(
    value: Json, path: Path, when: Conditions, secret: Secret, site: Site, stack: Stack
) -> Iterator[FoundKey]:
    """The keys that open a secret whose key is written as `value`, each with its conditions.

    Where no key is written, they are those of the secret's resources in the template. `secret`
    tells the Region of a key that is written by its id alone. The key that AWS manages (which the
    account may use anyhow) gives nothing; for a secret of another account, which that key never
    opens, it is a mistake.
    """
    reader = KeyReader(secret, site, stack)
    for at, leaf, holds in branches(value, path, when):
        if leaf not in (None, NO_VALUE):
            yield from _read_value(leaf, at, holds, reader)
            continue
        if secret.elsewhere:
            yield FoundKey(at, holds, foreign_key())
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
    """The doubts where no key is written as `value`: of each resource that has a key of its own and
    may be the secret, since nothing is known of its name (one without a key needs no other grant),
    and those that were found with the secret."""
    for found in secret.nameless:
        for _, written, holds in branches(value, (), when.both(found.when)):
            keys = [key for _, key, _ in branches(found.property("KmsKeyId"), (), holds)]
            is_keyed = any(key not in (None, NO_VALUE, OWN_ALIAS) for key in keys)
            if written in (None, NO_VALUE) and (is_keyed or completed_by(found.properties)):
                name = found.logical_id
                message = (
                    f"This may be {name}, whose name is not known: then the grant of its key is"
                )
                message += " missing."
                fix = f"If {name} is meant, write Ref to it. If not, write KmsKey beside Secret"
                fix += f" ({OWN_ALIAS}, if the secret has no key of its own)."
                yield holds, Caution("PI912", message, fix)

    for _, written, holds in branches(value, (), when):
        if written in (None, NO_VALUE):
            yield from ((holds, caution) for caution in secret.keyless)


def _read_value(value: Json, path: Path, when: Conditions, reader: KeyReader) -> Iterator[FoundKey]:
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
                raise InvalidValueError("PI310", message, KEY_FIX)
            yield from _read(leaf, path, holds, reader)
        except InvalidValueError as error:
            stack = reader.stack
            if stack.reached(holds, reader.site) or stack.elsewhere is stack:
                yield FoundKey(path, holds, error)
            else:
                yield from _read_value(leaf, path, holds, reader._replace(stack=stack.elsewhere))


def _read(value: Json, path: Path, when: Conditions, reader: KeyReader) -> Iterator[FoundKey]:
    site, stack = reader.site, reader.stack
    if named := attribute(value):
        logical_id, name = named
        if found := stack.resource(logical_id, site):
            if found.type in KEYS:
                check_key_region(STACK_REGION, reader)
                yield FoundKey(path, when, Key(arn_attribute(logical_id)))
                return
            if found.type == _ALIAS and not name:
                check_key_region(STACK_REGION, reader)
                yield from _followed(found, path, when, reader)
                return
            refuse_type(found, name, "PI310", "key", KEY_FIX)
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
    found_key = key_of_texts(value, text, possible.texts, reader)
    if found_key is not None:
        yield FoundKey(path, when, found_key._replace(defaults=possible.defaults))
    elif reader.secret.elsewhere:
        raise foreign_key()


def _any_of(
    selection: Selection, path: Path, when: Conditions, reader: KeyReader
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


def _followed(
    alias: Resource, path: Path, when: Conditions, reader: KeyReader
) -> Iterator[FoundKey]:
    """The key that an alias of the template is for."""
    following = reader.following(alias)
    for _, target, holds in branches(alias.property("TargetKeyId"), path, when):
        if target not in (None, NO_VALUE):
            yield from _read_value(target, path, holds, following)


def _aliases_named(sought: Sought, reader: KeyReader) -> list[Resource]:
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
    if region not in (STACK_REGION, (stack.context.region,)):
        return []
    match sought.text:
        case (Unknown(value),) if named := attribute(value):
            # An ARN that ends in Ref to an alias, which is the alias's name.
            found = None if named[1] else stack.resource(named[0], sought.site)
            if found and found.type == _ALIAS:
                return [found]
    return stack.with_property(_ALIAS, "AliasName", sought).always
