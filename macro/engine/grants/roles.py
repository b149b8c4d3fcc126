"""A role as written -> where its grant goes."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TypeAlias

from macro.engine.grants.secret_values import open_reference
from macro.engine.template.arn import (
    ROLE_ARN,
    in_another_account,
    read_arn,
    refuse_arn_within,
    refuse_type,
)
from macro.engine.template.bearers import NO_BEARERS, Bearers
from macro.engine.template.choices import Fork, chosen
from macro.engine.template.conditions import ALWAYS, Conditions
from macro.engine.template.document import Json, canonical
from macro.engine.template.intrinsics import (
    Text,
    Unknown,
    attribute,
    is_dynamic,
    is_text,
    join,
    literal_parts,
    parse_text,
    ref,
    references,
    split,
    write_text,
)
from macro.engine.template.problems import Caution, InvalidValueError
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import (
    PSEUDO_PARAMETERS,
    Site,
    Sought,
    Stack,
)

_ROLE = "AWS::IAM::Role"

# A pattern that takes the ARN of a role without a path alone: no slash may follow role/.
_PATHLESS_ARN = r"arn:(?![*?{]).*role/\[(\^[^\]]*/[^\]]*|[^^\]/][^\]/]*)\]([+*]|\{[\d,]+\})"

_MAKE_SURE = "Make sure that it is."
_GIVE = (
    f"{_MAKE_SURE} For a parameter, give its value with -p, or prove it with an"
    " AllowedPattern such as arn:.+:role/[^/]+."
)
_FIX = "Write GetAtt of a role in the template, a role's ARN, or a parameter that holds one."


class TemplateRole:
    """A role that the template declares beside whoever names it, or outside of all loops.

    `by_name`: it is named by its text, which CloudFormation does not count as a reference. It
    exists where `when` holds. `identity` is the same for roles that are one.
    """

    __slots__ = ("by_name", "identity", "resource", "when")

    def __init__(self, resource: Resource, by_name: bool = False) -> None:
        self.resource, self.by_name, self.when = resource, by_name, resource.when
        self.identity = f"TemplateRole{resource.path}"


class NamedRole(NamedTuple):
    """A role by its name: what `AWS::IAM::Policy` takes. It exists where `when` holds.

    `defaults` names the parameters whose default decided how the name is found; `cautions` say
    what would not work. `nameless` are roles of the template of whose name nothing is known, so
    that it may be this one.
    """

    name: Json
    when: Conditions = ALWAYS
    defaults: tuple[str, ...] = ()
    cautions: tuple[Caution, ...] = ()
    nameless: tuple[Resource, ...] = ()

    @property
    def identity(self) -> str:
        """The same for roles that are one."""
        return canonical(self.name)


class CreatedRole:
    """A role that is made for a resource which names none. `identity` is the same for roles that
    are one."""

    __slots__ = ("identity", "owner")

    def __init__(self, owner: Resource) -> None:
        self.owner = owner
        self.identity = f"CreatedRole{owner.path}"


Role: TypeAlias = TemplateRole | NamedRole
RoleOrError: TypeAlias = Role | InvalidValueError


def read_role(
    value: Json, when: Conditions, site: Site, stack: Stack
) -> Fork[RoleOrError] | RoleOrError:
    """Where the grant of a role as written (no `Fn::If`, no `AWS::NoValue`) goes, where `when`
    holds: a tree, where conditions within the value, or of the role that it names, decide.

    A leaf is an `InvalidValueError` where it is no role, or one that no policy of this stack can be
    attached to.
    """
    if not is_text(value):
        return InvalidValueError("PI402", "A role must be text or an intrinsic function.", _FIX)
    return stack.once(("role", when), value, site, lambda: _read_text(value, when, site, stack))


def _read_text(
    value: Json, when: Conditions, site: Site, stack: Stack
) -> Fork[RoleOrError] | RoleOrError:
    tree = chosen(value)
    if tree is None:
        message = "The role has too many cases of Fn::If to tell apart."
        fix = "Put Fn::If around the whole role, or pass the role as a parameter."
        return InvalidValueError("PI315", message, fix)
    return _read_tree(tree, when, site, stack)


def _read_tree(
    tree: Fork[Json] | Json, when: Conditions, site: Site, stack: Stack
) -> Fork[RoleOrError] | RoleOrError:
    if isinstance(tree, Fork):
        return Fork(
            tree.condition,
            _read_tree(tree.then, when.also(tree.condition, True), site, stack),
            _read_tree(tree.otherwise, when.also(tree.condition, False), site, stack),
        )
    try:
        return _read(tree, when, site, stack)
    except InvalidValueError as error:
        return error


def _read(
    value: Json, when: Conditions, site: Site, stack: Stack
) -> Fork[RoleOrError] | RoleOrError:
    if named := attribute(value):
        logical_id, name = named
        found = stack.resource(logical_id, site)
        if found and found.type == _ROLE and name in ("", "Arn"):
            return _of(found)
        if found:
            refuse_type(found, name, "PI402", "role", _FIX)
        elif stack.is_open(logical_id, site):
            raise open_reference("role")
    text = parse_text(value, site.loop_variables)
    possible = stack.known(text, site, when)
    names = [_name(Sought(known, text, when, site), stack) for known in possible.texts]
    first = names[0]
    if any(other.name != first.name for other in names):
        raise InvalidValueError(
            "PI314",
            "The values that the role can have are of different forms.",
            "Give all of them as ARNs, or all as names, of roles with equally long paths.",
        )
    role = NamedRole(first.name, ALWAYS, possible.defaults, first.cautions)
    last = split(text, "/", -1)[-1]
    bearers = [
        _declared(Sought(one.last, last, when, site), stack) if one.last else NO_BEARERS
        for one in names
    ]
    declared = bearers[0].always if all(one == bearers[0] for one in bearers) else []
    cautions = [may_be(found) for one in bearers for found in one.sometimes]
    if len(names) == 1 and first.last and not declared and _may_have_a_path(first.last, site):
        message = (
            "Nothing is known about a part of this role's name: it is taken for a name without a"
        )
        message += " path."
        cautions.append(Caution("PI906", message, _how_to_prove(text, stack)))
    role = role._replace(
        cautions=(*role.cautions, *dict.fromkeys(cautions)),
        nameless=tuple(found for one in bearers for found in one.nameless),
    )
    referenced = [stack.resource(name, site) for name in references(value)]
    here = stack.holds_at(when, site.turn)
    tree: Fork[RoleOrError] | RoleOrError = role
    for found in reversed(declared):
        own = stack.holds_at(found.when, site.turn)
        if not stack.solver.possible(here.both(own)):
            continue
        role_of = _of(found, by_name=found not in referenced)
        if stack.solver.implies(here, own):
            tree = role_of
        else:
            ((condition, _),) = found.when
            tree = Fork(condition, role_of, tree)
    return tree


def _of(found: Resource, *, by_name: bool = False) -> Role:
    if found.turn:
        return NamedRole(ref(found.logical_id), found.when)
    return TemplateRole(found, by_name)


def _declared(sought: Sought, stack: Stack) -> Bearers:
    """The roles of the template that have this name; one whose `Ref` it is, too."""
    match sought.text:
        case (Unknown({"Ref": str(logical_id) | {"Fn::Sub": str(logical_id)}}),):
            found = stack.resource(logical_id, sought.site)
            if found and found.type == _ROLE:
                return Bearers([found], [], [])
    return stack.with_property(_ROLE, "RoleName", sought)


def may_be(found: Resource) -> Caution:
    """The doubt whether a name is that of a role in the template, which must then come first."""
    message = f"The deployment decides whether this names {found.logical_id}; it is taken for a"
    message += " role outside of the template."
    return Caution("PI912", message, f"Where {found.logical_id} is meant, write GetAtt of its Arn.")


class _Name(NamedTuple):
    """How a role's name is written, and what is known of it (None: it is not to be looked up)."""

    name: Json
    last: Text | None = None
    cautions: tuple[Caution, ...] = ()


def _name(sought: Sought, stack: Stack) -> _Name:
    """The name of the role that a text names, for one of the texts that it can be.

    Raises `InvalidValueError`.
    """
    known, text, _, site = sought
    taken = site.loop_variables
    refuse_arn_within(known, site, stack, "PI402")
    match known:
        case ():
            raise InvalidValueError("PI402", "The role is empty.", _FIX)
        case (str(head), *_) if head.startswith("arn:"):
            return _name_in_arn(text, known, site, stack)
        case (str(), *_):
            return _name_by_name(text, known, site)
        case (Unknown({"Ref": str(name)}), *_) if name in PSEUDO_PARAMETERS | site.loop_variables:
            return _name_by_name(text, known, site)
        case (Unknown(), str(tail), *_) if not re.search("[:/]", tail):
            # What follows an ARN would be part of a name; what is part of a name is no ARN.
            return _name_by_name(text, known, site)
    if is_dynamic(known[0]):
        raise InvalidValueError(
            "PI407",
            "CloudFormation resolves a dynamic reference too late to find the role's name in it.",
            "Pass the role as a parameter, of type AWS::SSM::Parameter::Value<String> if need be,"
            " or write Grant: false and let it read the secret by a policy of your own.",
        )
    if stack.with_property(_ROLE, "RoleName", sought).always:
        return _Name(write_text(text, site.loop_variables), known)
    opaque = known[0].value if isinstance(known[0], Unknown) else None
    if re.fullmatch(_PATHLESS_ARN, stack.values.parameters.pattern(opaque)):
        return _Name(_after_role(text, taken))
    message = "Nothing is known about this role's value: it is taken for the ARN of a role"
    message += " without a path."
    caution = Caution("PI906", message, _how_to_prove(text, stack))
    return _Name(_after_role(text, taken), None, (caution,))


def _how_to_prove(text: Text, stack: Stack) -> str:
    """How to prove what is assumed of a role's value; that of an import or of an SSM type cannot
    be given."""
    named = (attribute(part.value) for part in text if isinstance(part, Unknown))
    return (
        _GIVE
        if any(one and stack.values.parameters.takes_value(one[0]) for one in named)
        else _MAKE_SURE
    )


def _after_role(arn: Text, taken: Collection[str]) -> Json:
    """The role's name where only CloudFormation knows its ARN: right for a role without path.

    With the separator behind it there is a second part also of the placeholders that change sets
    with nested stacks have in place of values.
    """
    return {"Fn::Select": [1, {"Fn::Split": ["role/", write_text(join(*arn, "role/"), taken)]}]}


def _last_of(slashes: int, text: Text, taken: Collection[str]) -> Json:
    """What is behind the last of so many slashes: the name without its path."""
    return {"Fn::Select": [slashes, {"Fn::Split": ["/", write_text(text, taken)]}]}


def _name_in_arn(text: Text, known: Text, site: Site, stack: Stack) -> _Name:
    taken = site.loop_variables
    arn = read_arn(known, ROLE_ARN, stack.context)
    if arn is None:
        return _Name(_after_role(text, taken))
    head = arn.resource[0] if arn.resource else ""
    if isinstance(head, str) and not head.startswith("role/"):
        raise InvalidValueError("PI402", "This ARN is not a role's.", _FIX)
    if isinstance(head, str) and head.startswith("role/aws-service-role/"):
        raise InvalidValueError(
            "PI402",
            "No policy can be attached to a service-linked role.",
            "Name a role of your own as the execution role.",
        )
    if isinstance(head, str) and head.startswith("role/aws-reserved/"):
        raise InvalidValueError(
            "PI402",
            "IAM Identity Center manages this role, and no policy can be attached to it.",
            "Name a role of your own as the execution role.",
        )
    if in_another_account(arn, stack.context):
        raise InvalidValueError(
            "PI401",
            "The role belongs to another account, where this stack cannot attach a policy.",
            "Let its owner grant access to the secret and write Grant: false, or use a role of"
            " this account.",
        )
    _check_letters(arn.resource)
    return _last_name(text, known, site)


def _name_by_name(text: Text, known: Text, site: Site) -> _Name:
    """The role of a name; a path before it, which `Roles` does not take, is left out."""
    _check_letters(known)
    return _last_name(text, known, site)


def _check_letters(name: Text) -> None:
    if not re.fullmatch(r"[\w+=,.@/-]*", literal_parts(name), re.ASCII):
        message = "A role's name can contain only letters, digits and +=,.@-_."
        raise InvalidValueError("PI402", message, _FIX)


def _last_name(text: Text, known: Text, site: Site) -> _Name:
    """The name without its path."""
    taken = site.loop_variables
    last, known_last = split(text, "/", -1)[-1], split(known, "/", -1)[-1]
    slashes = literal_parts(known).count("/")
    if not known_last:
        raise InvalidValueError("PI402", "The role's name is empty.", _FIX)
    if literal_parts(text).count("/") == slashes:
        return _Name(write_text(last, taken), known_last)
    if any(is_dynamic(part) for part in text):
        return _Name(write_text(known_last, taken), known_last)
    return _Name(_last_of(slashes, text, taken), known_last)


def _may_have_a_path(name: Text, site: Site) -> bool:
    """Whether a part of a name is not known, and so may be more than a name."""
    plain = PSEUDO_PARAMETERS | site.loop_variables
    return any(
        isinstance(part, Unknown) and (attribute(part.value) or ("", ""))[0] not in plain
        for part in name
    )
