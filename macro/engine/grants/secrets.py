"""A secret as written -> what it comes to, in each case of the conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from macro.engine.grants.key_forms import OWN_ALIAS
from macro.engine.grants.secret_forms import (
    REGION,
    SECRET_FIX,
    SECRET_TYPE,
    Reader,
    SecretForm,
    read_form,
)
from macro.engine.grants.secret_values import (
    Secret,
    fails_elsewhere,
    named_secret,
    open_reference,
    secret_of_arn,
)
from macro.engine.template.arn import refuse_type, ssm_parameter
from macro.engine.template.choices import Fork, Leaf, chosen, forked, graft, leaves, written
from macro.engine.template.conditions import ALWAYS, Conditions
from macro.engine.template.document import NO_VALUE, Json, canonical, intrinsic
from macro.engine.template.intrinsics import (
    attribute,
    is_text,
    parse_text,
    ref,
    references,
)
from macro.engine.template.problems import Caution, InvalidValueError
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Selection, Site, Sought, Stack

_WRITE_KEY = f"Write KmsKey beside Secret ({OWN_ALIAS}, if the secret has no key of its own)."

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
        return InvalidValueError(
            "PI306", "A secret must be text or an intrinsic function.", SECRET_FIX
        )
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
    if selection := stack.selectable(value, site, when):
        each = [read_secret(selection.items[number], when, reader) for number in selection.chosen]
        return _across(each, partial(_any_of, value, selection))
    text = parse_text(value, site.loop_variables)
    possible = stack.known(text, site, when)
    forms: list[SecretForm] = []
    errors: list[InvalidValueError] = []
    for known in possible.texts:
        try:
            forms.append(read_form(Sought(known, text, when, site), reader))
        except InvalidValueError as error:
            errors.append(error)
    if not forms:
        raise errors[0]
    cautions = tuple(fails_elsewhere(error) for error in errors) + tuple(
        _may_be(found) for found in _unique(one for form in forms for one in form.perhaps)
    )
    if all(form.is_name for form in forms):
        secret = named_secret(value, text, forms, reader)
    elif any(form.is_name for form in forms):
        raise InvalidValueError(
            "PI314",
            "Some values that the secret can have are names and others are ARNs.",
            "Give all of them as full ARNs, or all as names.",
        )
    else:
        secret = secret_of_arn(value, text, forms, reader)
    secret = secret._replace(
        defaults=possible.defaults,
        cautions=cautions + secret.cautions,
        nameless=tuple(_unique(one for form in forms for one in form.nameless)),
        keyless=tuple(
            _key_of_replica(one)
            for one in _unique(one for form in forms for one in form.replicated)
        ),
    )
    if any(form.opaque for form in forms):
        hidden = (one for one in _hidden(value, stack) if one not in secret.nameless)
        secret = secret._replace(nameless=(*secret.nameless, *hidden))
    if len(forms) == 1 and forms[0].declared and not forms[0].complete:
        return _as_declared(secret, forms[0].declared, when, site, stack)
    return secret


def _across(
    trees: Sequence[Fork[SecretOrError] | SecretOrError],
    combine: Callable[[Sequence[SecretOrError]], SecretOrError],
) -> Fork[SecretOrError] | SecretOrError:
    """What `combine` makes of a leaf of each tree, for each case that they have together."""
    condition = next((tree.condition for tree in trees if isinstance(tree, Fork)), None)
    if condition is None:
        return combine([tree for tree in trees if not isinstance(tree, Fork)])
    then, otherwise = (
        [
            (tree.then if truth else tree.otherwise)
            if isinstance(tree, Fork) and tree.condition == condition
            else tree
            for tree in trees
        ]
        for truth in (True, False)
    )
    return Fork(condition, _across(then, combine), _across(otherwise, combine))


def _any_of(value: Json, selection: Selection, each: Sequence[SecretOrError]) -> SecretOrError:
    """The secret that a deployment selects; the grant is of all that it may select."""
    errors = [one for one in each if isinstance(one, InvalidValueError)]
    found = [one for one in each if not isinstance(one, InvalidValueError)]
    if not found:
        message = "No item of the list can be selected."
        return errors[0] if errors else InvalidValueError("PI306", message, SECRET_FIX)
    wrong = [fails_elsewhere(error) for error in errors]
    parameters, regions = list(selection.items), [REGION for _ in selection.items]
    for number, one in zip(selection.chosen, each, strict=True):
        if not isinstance(one, InvalidValueError):
            parameters[number], regions[number] = one.parameter, one.region
    as_written = all(one.as_written for one in found)
    return Secret(
        value if as_written else _selected(selection.by, parameters),
        tuple(
            {canonical(resource): resource for one in found for resource in one.resources}.values()
        ),
        _selected(selection.by, regions),
        tuple(_unique(declared for one in found for declared in one.declarations)),
        any(one.elsewhere for one in found),
        tuple(dict.fromkeys(name for one in found for name in one.defaults)),
        tuple(dict.fromkeys((*wrong, *(caution for one in found for caution in one.cautions)))),
        as_written,
        tuple(dict.fromkeys(caution for one in found for caution in one.service_cautions)),
        any(one.anywhere for one in found),
        tuple(_unique(other for one in found for other in one.nameless)),
        tuple(dict.fromkeys(caution for one in found for caution in one.keyless)),
        any(one.opaque for one in found),
    )


def _selected(index: Json, items: list[Json]) -> Json:
    """The item of the index; what they all are, where they are alike."""
    if all(item == items[0] for item in items):
        return items[0]
    return {"Fn::Select": [index, items]}


def _hidden(value: Json, stack: Stack) -> list[Resource]:
    """The secrets of the template that a value may be of which nothing is known: those that it
    refers to within another function, or all, where only CloudFormation knows what `Ref` names."""
    call, named = intrinsic(value), attribute(value)
    is_reference = call is not None and call[0] in ("Ref", "Fn::GetAtt")
    may_be_any = is_reference and (named is None or "${" in named[0])
    names = set(references(value))
    return [
        one
        for one in stack.resources
        if one.type == SECRET_TYPE and (may_be_any or one.logical_id in names)
    ]


# What `Ref` gives for these is the ARN of the secret in their SecretId.
_NAME_THEIR_SECRET = frozenset(
    f"AWS::SecretsManager::{name}"
    for name in ("ResourcePolicy", "RotationSchedule", "SecretTargetAttachment")
)


def _declared_secret(
    value: Json, name: str, found: Resource, when: Conditions, reader: Reader
) -> Fork[SecretOrError] | SecretOrError | None:
    """The secret that the template declares, where the value is a reference to it."""
    if found.type == SECRET_TYPE and name in ("", "Id"):
        return Secret(value, (value,), REGION, (found,))
    if found.type == SECRET_TYPE and name == "Arn":
        raise InvalidValueError(
            "PI304", "A secret has no attribute Arn.", f"Write Ref: {found.logical_id}."
        )
    if found.type in _NAME_THEIR_SECRET and not name:
        return _secret_behind(value, found, when, reader)
    if found.type == "AWS::SSM::Parameter" and not name:
        raise ssm_parameter()
    refuse_type(found, name, "PI304", "secret", SECRET_FIX)
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
            value,
            (value,),
            behind.region,
            behind.declarations,
            behind.elsewhere,
            cautions=doubts,
            nameless=behind.nameless,
            keyless=(_unknown_key(found.logical_id),) if behind.opaque else behind.keyless,
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


def _unknown_key(logical_id: str) -> Caution:
    """The doubt about the key of a secret that a resource names, of which nothing is known."""
    message = f"Nothing is known about the secret that {logical_id} names, nor about its key."
    return Caution("PI906", message, _WRITE_KEY)


def _key_of_replica(found: Resource) -> Caution:
    """The doubt about the key of a secret's replica, which has one of its own in each Region."""
    message = f"This may be a replica of {found.logical_id}: then the grant of its key is missing."
    return Caution("PI906", message, _WRITE_KEY)


def _unique(resources: Iterable[Resource]) -> Iterable[Resource]:
    return {(one.path, one.turn): one for one in resources}.values()


def _may_be(found: Resource) -> Caution:
    """The doubt whether a name is that of a secret in the template, whose key it then needs."""
    message = f"The deployment decides whether this names {found.logical_id}; it is taken for a"
    message += " secret outside of the template."
    return Caution("PI912", message, f"Where {found.logical_id} is meant, write Ref to it.")


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
