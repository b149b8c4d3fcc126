"""The roles that pull images: of the template, outside of it, or absent."""

from __future__ import annotations

from author import Author, DeclaredRole, Given
from drawn_values import known, opaque, some_of
from evaluator import ACCOUNT_ID, Json, generated_name
from meaning import NO_VALUE, Piece, Puller, Scope, always, filled, substituted

_FOREIGN = "arn:aws:iam::444455556666:role/elsewhere"
_HEAD = f"arn:aws:iam::{ACCOUNT_ID}:role"
_PSEUDO_HEAD = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role"


def puller(author: Author, scope: Scope, *, required: bool = False) -> Puller:
    """The role of a place, absent or not; its text is None where the key stays away."""
    if author.one_in(12):
        return Puller(always(_FOREIGN, _FOREIGN), granted=False)
    optional = not required and scope.has_references
    if optional and author.tries("no value alone"):
        return Puller(always(NO_VALUE, None), granted=True)
    if optional and author.one_in(4):
        return Puller(always(None, None), granted=True)
    if optional and "optional parameter" in author.classes:
        name = _outside_name(author, "/")
        arn = f"{_HEAD}/{name}"
        if found := author.optional(scope, arn, lambda case: name, None):
            return Puller(found, granted=True)
    absent: Piece[str | None] | None = always(NO_VALUE, None) if optional else None
    found = author.fork(scope, lambda within: role(author, within), absent=absent)
    created = any(found.means(case) is None for case in scope.cases)
    return Puller(found, granted=True if created else None)


def role(author: Author, scope: Scope) -> Piece[str | None]:
    """A role that exists, in the template or outside, in any form."""
    if scope.conditions and author.tries("If within text"):
        return _role_within_text(author, scope)
    if author.pick(True, False):
        return template_role(author, scope)
    return _outside_role(author, scope)


def _outside_name(author: Author, path: str) -> str:
    name = f"outside{author.number()}"
    author.outside_roles[name] = path
    return name


def _outside_role(author: Author, scope: Scope) -> Piece[str | None]:
    if found := _role_by_value(author):
        return found
    form = author.pick("arn", "name", "parameter", "unknown", "import", "sub")
    unknown = form in ("unknown", "import", "sub")  # their path would stay unknown
    known_names = [
        name
        for name, path in author.outside_roles.items()
        if name.startswith("outside") and "$" not in name and (path == "/" or not unknown)
    ]
    if known_names and author.one_in(2):
        name = author.pick(*known_names)
    else:
        name = _outside_name(author, "/" if unknown else author.pick("/", "/team/apps/"))
    suffixed = form in ("arn", "name") and scope.has_references and author.one_in(3)
    if suffixed and _fits(scope.suffix, scope):
        path = author.outside_roles[name]
        name += scope.suffix.replace("/", "-")
        author.outside_roles[name] = path
    arn = f"{_HEAD}{author.outside_roles[name]}{name}"
    text: Json
    match form:
        case "parameter":
            text = author.parameter(author.pick(arn, name))
        case "unknown":
            text = author.parameter(arn, told=False)
        case "import":
            text = author.exported(arn)
        case "sub":
            text = {"Fn::Sub": f"{_PSEUDO_HEAD}/{name}"}
        case _:
            text = arn if form == "arn" else name
    return filled(text, name)


def _fits(suffix: str, scope: Scope) -> bool:
    """Whether a role's name, which has up to 64 characters, has room for what a loop adds."""
    return all(len(case.fill(suffix)) <= 50 for case in scope.around)


def _role_by_value(author: Author) -> Piece[str | None] | None:
    """A role whose form or path comes from a parameter or a mapping, or is unknown."""
    if author.tries("path in a parameter"):
        return _path_in_parameter(author)
    if not author.classes:
        return None
    names = [_outside_name(author, "/") for _ in range(author.pick(2, 1))]
    first = names[0]
    forms = {"arn": f"{_HEAD}/{first}", "name": first, "path": f"{_HEAD}/team/{first}"}
    if unknown := opaque(author, some_of(author, forms), {"arn"}, resolved_late=False):
        return filled(unknown.text, first)
    path = author.pick("/", "", "/team/apps/")
    written = [f"{_HEAD}{path}{name}" if path else name for name in names]
    index = known(author, written)
    if not index:
        return None
    means = index.means
    return Piece(index.text, lambda case: names[means(case)])


def _path_in_parameter(author: Author) -> Piece[str | None]:
    """A role's ARN, a part of which is a parameter that has its path."""
    name = _outside_name(author, "/team/apps/")
    told = True
    path = author.parameter("/team/apps/")["Ref"]
    plain = author.parameter(name, told=author.pick(True, False))["Ref"]
    both = author.parameter(f"team/apps/{name}", told=told)
    form: Json = author.pick(
        {"Fn::Sub": f"{_PSEUDO_HEAD}/${{{both['Ref']}}}"},
        {"Fn::Join": ["", [f"{_HEAD}/", both]]},
        {"Fn::Sub": f"{_PSEUDO_HEAD}${{{path}}}{name}"},
        {"Fn::Sub": f"{_PSEUDO_HEAD}${{{path}}}${{{plain}}}"},
        {"Fn::Sub": f"{_PSEUDO_HEAD}/team/apps/${{{plain}}}"},
    )
    return always(form, name)


def _role_within_text(author: Author, scope: Scope) -> Piece[str | None]:
    """A role that Fn::If chooses inside another function."""
    condition = author.pick(*scope.conditions)
    if author.one_in(2):
        sides = {
            truth: template_role(author, scope.where(condition, truth)) for truth in (True, False)
        }
        choice: Json = {"Fn::If": [condition, sides[True].text, sides[False].text]}
        text: Json = author.pick(
            {"Fn::Sub": ["${It}", {"It": choice}]}, {"Fn::Select": ["0", [choice]]}
        )
        return Piece(text, lambda case: sides[case.holds(condition)].means(case))
    names = {truth: _outside_name(author, author.pick("/", "/team/")) for truth in (True, False)}
    paths = {truth: author.outside_roles[name][1:] + name for truth, name in names.items()}
    choice = {"Fn::If": [condition, paths[True], paths[False]]}
    text = author.pick(
        {"Fn::Sub": [_PSEUDO_HEAD + "/${It}", {"It": choice}]},
        {"Fn::Join": ["/", [_HEAD, choice]]},
    )
    return Piece(text, lambda case: names[case.holds(condition)])


def template_role(author: Author, scope: Scope) -> Piece[str | None]:
    """A role of the template that exists in every case of the scope, in any form."""
    if scope.loop and scope.has_references and author.tries("declared one by one"):
        return _one_by_one(author, scope)
    fits = _fits(scope.suffix, scope)
    if scope.conditions and fits and author.tries("by text under a condition"):
        return _sometimes(author, scope)
    if not author.has_opaque and author.tries("resource of unknown name"):
        return _perhaps(author, scope)
    found = [one for one in author.roles if one.declared.is_in(scope)]
    if not found or author.one_in(3):
        found = [_declare(author, scope)]
    chosen = author.pick(*found)
    if chosen.name and author.tries("role by text"):
        return filled(_by_text(author, chosen), chosen.real)
    return filled(_reference(author, chosen.declared.logical_id), chosen.real)


def _reference(author: Author, logical_id: str) -> Json:
    forms: list[Json] = [
        {"Fn::GetAtt": [logical_id, "Arn"]},
        {"Fn::GetAtt": f"{logical_id}.Arn"},
        {"Ref": logical_id},
    ]
    forms += [{"Ref": {"Fn::Sub": logical_id}}] if "$" in logical_id else []
    forms += [{"Fn::Sub": f"${{{logical_id}.Arn}}"}] if "$" not in logical_id else []
    return author.pick(*forms)


def _by_text(author: Author, chosen: DeclaredRole) -> Json:
    """The role of the template by its name or its ARN spelled out."""
    assert chosen.name
    name = substituted(chosen.name)
    return author.pick(
        name,
        substituted(f"{_HEAD}{chosen.path}{chosen.name}"),
        {"Fn::Sub": f"{_PSEUDO_HEAD}{chosen.path}{chosen.name}"},
        {"Fn::Join": ["", [f"{_HEAD}{chosen.path}", name]]},
    )


def _declare(
    author: Author,
    scope: Scope,
    *,
    base: Scope | None = None,
    stem: str = "",
    sometimes: bool = False,
) -> DeclaredRole:
    by_text = sometimes or "role by text" in author.classes
    name = f"app{author.number()}" if by_text or author.one_in(3) else None
    text, suffix = name, ""
    path = author.pick("/", "/", "/team/")

    def body(own: Scope, logical_id: str) -> dict[str, Json]:
        nonlocal name, suffix, text
        suffix = own.suffix.replace("/", "-")
        if not _fits(suffix, own):
            name = text = None
        if name:
            text = name + suffix
            if by_text and not own.loop and author.one_in(2):
                part = author.parameter("app", told=author.pick(True, False))["Ref"]
                text = f"${{{part}}}{name[3:]}"
        return _role_body(author, own, text, name and name + suffix, path)

    declared = author.declare(scope, "Role", body, base=base, stem=stem, sometimes=sometimes)
    real = name + suffix if name else generated_name(declared.logical_id)
    found = DeclaredRole(declared, text, real, path)
    author.roles.append(found)
    return found


def _sometimes(author: Author, scope: Scope) -> Piece[str | None]:
    """A role by its name, which the template declares in some cases; it exists in all."""
    found = _declare(author, scope, sometimes=True)
    author.outside_roles[found.real] = found.path
    return filled(_by_text(author, found), found.real)


def _perhaps(author: Author, scope: Scope) -> Piece[str | None]:
    """A role by its name, which that of the template has where a parameter says so."""
    author.has_opaque = True
    name = f"perhaps{author.number()}"
    author.outside_roles[name] = "/"
    given = Given((name, f"{name}-other"), None, frozenset({name}), shown=name)

    def body(own: Scope, logical_id: str) -> dict[str, Json]:
        resource = _role_body(author, own, None, None, "/")
        resource["Properties"]["RoleName"] = {"Ref": author.given(given)}
        trust = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
        trust["Principal"] = {"Service": ["ecs-tasks.amazonaws.com", "codebuild.amazonaws.com"]}
        return resource

    author.declare(scope, "Role", body, base=author.top)
    text: Json = author.pick(name, f"{_HEAD}/{name}", {"Fn::Sub": f"{_PSEUDO_HEAD}/{name}"})
    return filled(text, name)


def _one_by_one(author: Author, scope: Scope) -> Piece[str | None]:
    """A role for each turn of a loop, each declared on its own outside of it."""
    variable = scope.loop[-1]
    stem = f"Role{author.number()}"
    values = {case.variables[variable]: None for case in scope.around}
    found: dict[str, DeclaredRole] = {}
    for value in values:
        cases = tuple(case for case in scope.cases if case.variables[variable] == value)
        there = Scope(cases, scope.conditions, scope.body, scope.around, scope.loop)
        found[value] = _declare(author, there, base=author.top, stem=stem + value)
    return Piece(
        _reference(author, f"{stem}${{{variable}}}"),
        lambda case: found[case.variables[variable]].real,
    )


def _role_body(
    author: Author, scope: Scope, text: str | None, name: str | None, path: str
) -> dict[str, Json]:
    """A role resource, with or without policies of its author's."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    properties: dict[str, Json] = {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}
    }
    if text:
        properties["RoleName"] = text if text == name else {"Fn::Sub": text}
    elif author.tries("no value alone"):
        properties["RoleName"] = NO_VALUE
    if path != "/":
        properties["Path"] = path
    elif author.tries("no value alone"):
        properties |= {"Path": NO_VALUE, "PermissionsBoundary": NO_VALUE}
    nothing = always(NO_VALUE, None)

    def policies(within: Scope) -> Piece[None]:
        items = [
            author.fork(within, lambda _: _policy(author), absent=nothing).text
            for _ in range(author.pick(1, 0, 2))
        ]
        if items and author.one_in(3):
            items[0] = {**_policy(author).text, "PolicyName": "PrivateImage"}
        return always(items, None)

    if author.tries("no value alone"):
        properties["Policies"] = NO_VALUE
    elif author.one_in(2):
        properties["Policies"] = author.fork(scope, policies, absent=nothing, depth=1).text
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def _policy(author: Author) -> Piece[None]:
    """A policy that has nothing to do with images."""
    statement = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return always({"PolicyName": f"Logs{author.number()}", "PolicyDocument": document}, None)
