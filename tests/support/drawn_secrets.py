"""Secrets, of the template or outside of it, and the keys `Secret` and `KmsKey` of a shorthand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from author import Author, DeclaredSecret, Given, stem_of, turn_of
from drawn_keys import key, outside_key, template_key
from drawn_values import known, opaque, selection, some_of
from evaluator import ACCOUNT_ID, REGION, Json, generated_name, key_arn, secret_arn
from meaning import NO_VALUE, Case, Piece, Scope, Secret, always, substituted

OTHER_ACCOUNT = "444455556666"
OTHER_REGION = "us-east-1"

_HEAD = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:"
_PSEUDO_HEAD = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"

_ABSENT: Piece[Secret | None] = always(NO_VALUE, None)


def credentials(author: Author, scope: Scope, *, codebuild: bool) -> Piece[Secret | None]:
    """The keys `Secret` and `KmsKey` of a shorthand."""
    if author.one_in(10):
        return _far_credentials(author, scope)

    def outside(within: Scope) -> Piece[Secret | None]:
        return outside_secret(author, within, codebuild=codebuild)

    def any_secret(within: Scope) -> Piece[Secret | None]:
        if author.pick(True, False):
            return template_secret(author, within, codebuild=codebuild)
        return outside(within)

    if author.tries("key beside a template's secret"):
        secret = template_secret(author, scope, codebuild=codebuild)
        no_key: Piece[str | None] = always(NO_VALUE, None)
        beside = author.fork(scope, lambda within: template_key(author, within), absent=no_key)
        return _with_key(secret, beside)
    if not author.one_in(3):
        plain = author.fork(scope, any_secret, absent=_ABSENT)
        return Piece({"Secret": plain.text}, plain.means)
    return _with_key(author.fork(scope, outside, absent=_ABSENT), key(author, scope))


def _with_key(secret: Piece[Secret | None], kms_key: Piece[str | None]) -> Piece[Secret | None]:
    """Both keys of the shorthand; where KmsKey is left out, the secret's own key counts."""

    def means(case: Case) -> Secret | None:
        found = secret.means(case)
        if not found or _is_left_out(kms_key.text, case):
            return found
        key_of_all = kms_key.means(case)
        others = tuple(replace(other, key=None) for other in found.others)
        return Secret(found.arn, key_of_all, others)

    return Piece({"Secret": secret.text, "KmsKey": kms_key.text}, means)


def _is_left_out(node: Json, case: Case) -> bool:
    """Whether this is AWS::NoValue in this case."""
    match node:
        case {"Fn::If": [str(condition), then, otherwise]}:
            return _is_left_out(then if case.holds(condition) else otherwise, case)
    return bool(node == NO_VALUE)


def _far_credentials(author: Author, scope: Scope) -> Piece[Secret | None]:
    """A secret of another region or account, where only a full ARN works."""
    region, account = author.pick((OTHER_REGION, ACCOUNT_ID), (REGION, OTHER_ACCOUNT))
    number = author.number()
    arn = secret_arn(f"far{number}", region=region, account=account)
    # Only a customer-managed key opens a secret to another account.
    has_key = account == OTHER_ACCOUNT or author.one_in(2)
    own_key = key_arn(f"far {number}", region=region, account=account) if has_key else None
    far: Piece[Secret | None] = always(arn, Secret(arn, own_key))
    secret = author.fork(scope, lambda _: far, absent=_ABSENT)
    text = {"Secret": secret.text}
    if own_key:
        text["KmsKey"] = own_key
        if account == ACCOUNT_ID:
            alias = f"alias/far{number}"
            author.aliases[alias] = (own_key, None)
            text["KmsKey"] = author.pick(own_key, own_key.split("/")[1], alias)
    return Piece(text, secret.means)


def outside_secret(author: Author, scope: Scope, *, codebuild: bool) -> Piece[Secret | None]:
    """A secret outside the template in any form that Secrets Manager resolves to it."""
    name = f"team{author.number()}/registry"
    ending = "-" + author.pick("AbCdEf", "a1B2c3", "qwerty")
    if found := _secret_by_value(author, name, ending, codebuild=codebuild):
        return found
    form = author.pick("full", "name", "partial", "parameter", "opaque", "assembled")
    if form in ("full", "name", "partial") and scope.has_references and author.one_in(2):
        name += scope.suffix
    if form == "name":
        name += author.pick("", "-abcdef", "-Prod01")
    if form == "partial" and codebuild:
        form = "full"
    arn = _HEAD + name + ending
    values = (arn, name) if codebuild else (arn, name, _HEAD + name)
    text: Json
    if form == "parameter":
        text = author.parameter(author.pick(*values))
    elif form == "opaque":
        text = author.pick(author.parameter(arn, told=False), author.exported(arn))
    elif form == "assembled":
        text, arn = _assembled(author, name, ending)
    else:
        text = {"full": arn, "name": name, "partial": _HEAD + name}[form]
    return Piece(text, lambda case: Secret(case.fill(arn), None))


def _assembled(author: Author, name: str, ending: str) -> tuple[Json, str]:
    """A secret put together of parts, and its ARN."""
    arn = _HEAD + name + ending
    parts = ["arn", {"Ref": "AWS::Partition"}, "secretsmanager", {"Ref": "AWS::Region"}]
    parts += [{"Ref": "AWS::AccountId"}, "secret", name + ending]
    stage = author.parameter("prod", told=author.pick(True, False))
    given = author.parameter(ending[1:], told=author.pick(True, False))["Ref"]
    staged = _HEAD + f"{name}/prod" + ending
    return author.pick(
        ({"Fn::Sub": _PSEUDO_HEAD + name + ending}, arn),
        ({"Fn::Join": [":", parts]}, arn),
        ({"Fn::Sub": f"{_PSEUDO_HEAD}{name}-${{{given}}}"}, arn),
        ({"Fn::Sub": f"{name}/${{{stage['Ref']}}}"}, staged),
        ({"Fn::Join": ["/", [name, stage]]}, staged),
        ({"Fn::Sub": [name + "/${Stage}", {"Stage": stage}]}, staged),
    )


def _secret_by_value(
    author: Author, name: str, ending: str, *, codebuild: bool
) -> Piece[Secret | None] | None:
    """A secret whose form is a mapping's, unknown, or not alike in all cases."""
    forms = {"full": _HEAD + name + ending, "name": name, "partial": _HEAD + name}
    secret = Secret(forms["full"], None)
    right = {"full"} if codebuild else {"full", "partial"}
    if codebuild and "partial ARN for CodeBuild" not in author.classes:
        del forms["partial"]
    if unknown := opaque(author, some_of(author, forms), right):
        return Piece(unknown.text, lambda case: secret)
    if author.tries("unknown parts"):
        tails = {"full": name + ending, "name": name} if not codebuild else {"full": name + ending}
        tail = author.pick(*tails)
        part = author.parameter(tails[tail], told=False)
        text: Json = author.pick(
            {"Fn::Sub": f"{_PSEUDO_HEAD}${{{part['Ref']}}}"},
            {"Fn::Join": ["", [_HEAD, part]]},
            {"Fn::Sub": [_PSEUDO_HEAD + "${It}", {"It": part}]},
        )
        return Piece(text, lambda case: secret)
    names = [f"{name}-{index}" for index in range(author.pick(2, 1))] if author.classes else []
    form = author.pick("full", "name", "full" if codebuild else "partial") if names else ""
    written = [
        {"full": _HEAD + one + ending, "partial": _HEAD + one}.get(form, one) for one in names
    ]
    index = known(author, written) if names else None
    if not index:
        return None
    means = index.means
    return Piece(index.text, lambda case: Secret(_HEAD + names[means(case)] + ending, None))


def secret_within_text(author: Author, scope: Scope, *, codebuild: bool) -> Piece[Secret | None]:
    """A secret that Fn::If chooses inside another function, of the template or outside of it."""
    condition = author.pick(*scope.conditions)
    sides = {
        truth: template_secret(author, scope.where(condition, truth), codebuild=codebuild)
        for truth in (True, False)
    }
    if author.one_in(2):
        choice: Json = {"Fn::If": [condition, sides[True].text, sides[False].text]}
        text: Json = author.pick(
            {"Fn::Sub": ["${It}", {"It": choice}]},
            {"Fn::Join": ["", [choice]]},
            {"Fn::Select": [0, [choice, "other"]]},
        )
        return Piece(text, lambda case: sides[case.holds(condition)].means(case))
    names = {truth: f"team{author.number()}/registry" for truth in (True, False)}
    choice = {"Fn::If": [condition, names[True], names[False]]}
    text = author.pick(
        {"Fn::Sub": ["${It}", {"It": choice}]},
        {"Fn::Sub": [_PSEUDO_HEAD + "${It}-AbCdEf", {"It": choice}]},
        {"Fn::Join": ["", [_HEAD, choice, "-AbCdEf"]]},
        {"Fn::Join": [":", [_HEAD[:-1], {"Fn::Join": ["-", [choice, "AbCdEf"]]}]]},
    )
    return Piece(text, lambda case: Secret(secret_arn(names[case.holds(condition)]), None))


def template_secret(author: Author, scope: Scope, *, codebuild: bool) -> Piece[Secret | None]:
    """A secret of the template that exists in every case of the scope."""
    if "Id" in scope.loop and author.loop_secrets and author.one_in(2):
        return _by_loop_id(author)
    if author.tries("made in a loop"):
        return _made_in_loop(author, scope)
    if scope.loop and scope.has_references and author.tries("declared one by one"):
        return _one_by_one(author, scope)
    if scope.conditions and author.tries("by text under a condition"):
        return _sometimes(author, scope)
    if author.tries("selected by a parameter"):
        return _selected(author, scope)
    if not author.has_opaque and author.tries("resource of unknown name"):
        return _perhaps(author, scope, codebuild=codebuild)
    found = [one for one in author.secrets if one.declared.is_in(scope)]
    if not found or author.one_in(2):
        found = [declared_secret(author, scope)]
    secret = author.pick(*found)
    if secret.at_times and author.one_in(2):
        named = Secret(secret_arn(secret.at_times), None)
        return always(_by_text(author, secret.at_times, codebuild=codebuild), named)
    if secret.name and author.tries("secret by text"):
        return Piece(_by_text(author, secret.name, codebuild=codebuild), secret.means)
    return Piece(_reference(author, secret.declared.logical_id), secret.means)


def _reference(author: Author, logical_id: str) -> Json:
    forms: list[Json] = [
        {"Ref": logical_id},
        {"Fn::GetAtt": [logical_id, "Id"]},
        {"Fn::GetAtt": f"{logical_id}.Id"},
    ]
    forms += [{"Ref": {"Fn::Sub": logical_id}}] if "$" in logical_id else []
    forms += [{"Fn::Sub": f"${{{logical_id}}}"}] if "$" not in logical_id else []
    return author.pick(*forms)


def _by_text(author: Author, name: str, *, codebuild: bool) -> Json:
    """The secret of the template by its name or the beginning of its ARN."""
    forms = [substituted(name)]
    if "${" not in name:
        forms.append({"Fn::Join": ["/", name.split("/")]})
    if not codebuild:
        forms += [{"Fn::Sub": _PSEUDO_HEAD + name}, substituted(_HEAD + name)]
        forms.append({"Fn::Join": ["", [_HEAD, substituted(name)]]})
    return author.pick(*forms)


def declared_secret(
    author: Author, scope: Scope, *, base: Scope | None = None, stem: str = "", named: bool = False
) -> DeclaredSecret:
    """A new secret of the template, for references from this scope."""
    return _declare(author, scope, base=base, stem=stem, named=named, sometimes=False)


def _declare(
    author: Author, scope: Scope, *, base: Scope | None, stem: str, named: bool, sometimes: bool
) -> DeclaredSecret:
    by_text = "secret by text" in author.classes
    name = f"app{author.number()}/registry" if named or by_text or author.one_in(2) else ""
    text = name
    varied: Given | None = None
    own_key: Piece[str | None] = always(None, None)

    def body(own: Scope, logical_id: str) -> dict[str, Json]:
        nonlocal name, text, own_key, varied
        properties: dict[str, Json] = {}
        if name:
            name = text = name + own.suffix
            if by_text and not own.loop and author.one_in(2):
                head, _, rest = name.partition("/")
                part = author.name_part(head)
                text = f"${{{part}}}/{rest}"
                varied = author.parameters[part]
            properties["Name"] = name if text == name else {"Fn::Sub": text}
        elif author.tries("no value alone"):
            properties["Name"] = NO_VALUE
        if author.one_in(2) or sometimes:
            own_key = key(author, own)
            properties["KmsKeyId"] = own_key.text
        name = name or generated_name(logical_id)
        resource: dict[str, Json] = {"Type": "AWS::SecretsManager::Secret"}
        if properties:
            resource["Properties"] = properties
        earlier = [one.declared for one in author.roles if one.declared.is_in(own)]
        earlier += [other for other in author.runners if other.is_in(own)]
        if earlier and author.one_in(4):
            resource["DependsOn"] = author.pick(*earlier).logical_id
        return resource

    declared = author.declare(scope, "Secret", body, base=base, stem=stem, sometimes=sometimes)

    def means(case: Case) -> Secret:
        real = name
        if varied:
            real = varied.values[varied.index(case)] + name.removeprefix(varied.values[0])
        return Secret(secret_arn(case.fill(real)), own_key.means(case))

    # Where it has a key, no expansion is right with and without it.
    at_times = name if varied and len(varied.values) > 1 and own_key.text is None else None
    found = DeclaredSecret(declared, text or None, means, at_times)
    author.secrets.append(found)
    return found


def _sometimes(author: Author, scope: Scope) -> Piece[Secret | None]:
    """A secret by its name, which the template declares in some cases; it exists in all."""
    secret = _declare(author, scope, base=None, stem="", named=True, sometimes=True)
    condition = secret.declared.condition

    def means(case: Case) -> Secret:
        found = secret.means(case)
        return found if case.holds(condition) else replace(found, key=None)

    assert secret.name
    return Piece(_by_text(author, secret.name, codebuild=True), means)


def _selected(author: Author, scope: Scope) -> Piece[Secret | None]:
    """One of a few secrets, of the template or named outside of it, by an index."""
    secrets: list[tuple[Json, Callable[[Case], Secret]]] = []
    for _ in range(author.pick(2, 3)):
        if author.pick(True, False):
            inside = declared_secret(author, scope)
            secrets.append((_reference(author, inside.declared.logical_id), inside.means))
        else:
            name = f"team{author.number()}/registry"
            outside = Secret(secret_arn(name), None)
            secrets.append((author.pick(name, outside.arn), partial(_same, outside)))
    given, index = selection(author, len(secrets))

    def means(case: Case) -> Secret:
        found = [means_of(case) for _, means_of in secrets]
        chosen = found.pop(int(given.values[given.index(case)]))
        return replace(chosen, others=tuple(found))

    return Piece({"Fn::Select": [index, [text for text, _ in secrets]]}, means)


def _same(secret: Secret, case: Case) -> Secret:
    return secret


def _perhaps(author: Author, scope: Scope, *, codebuild: bool) -> Piece[Secret | None]:
    """A secret by its name, which that of the template has where a parameter says so."""
    author.has_opaque = True
    name = f"app{author.number()}/registry"
    own_key = outside_key(author)[0] if author.pick(True, False) else None
    given = Given((name, f"{name}-other"), None, frozenset({name} if own_key else ()), shown=name)

    def body(own: Scope, logical_id: str) -> dict[str, Json]:
        default = author.pick({}, {"Default": f"{name}-default"})
        properties: dict[str, Json] = {"Name": {"Ref": author.given(given, **default)}}
        if own_key:
            properties["KmsKeyId"] = own_key
        return {"Type": "AWS::SecretsManager::Secret", "Properties": properties}

    author.declare(scope, "Secret", body, base=author.top)

    def means(case: Case) -> Secret:
        return Secret(secret_arn(name), None if given.index(case) else own_key)

    return Piece(_by_text(author, name, codebuild=codebuild), means)


def _one_by_one(author: Author, scope: Scope) -> Piece[Secret | None]:
    """A secret for each turn of a loop, each declared on its own outside of it."""
    variable = scope.loop[-1]
    stem = f"Secret{author.number()}"
    values = {case.variables[variable]: None for case in scope.around}
    found: dict[str, DeclaredSecret] = {}
    for value in values:
        cases = tuple(case for case in scope.cases if case.variables[variable] == value)
        there = replace(scope, cases=cases)
        found[value] = declared_secret(author, there, base=author.top, stem=stem + value)
    return Piece(
        _reference(author, f"{stem}${{{variable}}}"),
        lambda case: found[case.variables[variable]].means(case),
    )


def _by_loop_id(author: Author) -> Piece[Secret | None]:
    """The secret whose logical id is the loop's variable."""
    text = author.pick(
        {"Ref": "${Id}"}, {"Ref": {"Fn::Sub": "${Id}"}}, {"Fn::GetAtt": ["${Id}", "Id"]}
    )
    return Piece(text, lambda case: author.loop_secrets[case.variables["Id"]].means(case))


def _made_in_loop(author: Author, scope: Scope) -> Piece[Secret | None]:
    """One of the secrets that a loop makes, by its whole logical id."""
    loops = {"Name": ("web", "webapi"), "Tier": ("a", "b")}
    if not author.tries("adjacent variables"):
        loops = author.pick({"Name": ("web", "api")}, {"Host": ("web-1", "api-2")})
    body: dict[str, Json] = author.top.body
    around = author.top.around
    for variable, values in loops.items():
        inner: dict[str, Json] = {}
        body[f"Fn::ForEach::Made{author.number()}"] = [variable, list(values), inner]
        body = inner
        around = tuple(case.turn({variable: value}) for case in around for value in values)
    base = Scope(around, author.top.conditions, body, around, tuple(loops))
    secret = declared_secret(author, scope, base=base, named="Host" in loops)
    turn = {variable: author.pick(*values) for variable, values in loops.items()}
    made = secret.declared.logical_id
    for variable, value in turn.items():
        made = made.replace(turn_of(variable), value.replace("-", ""))
    if "names like a loop's" in author.classes:
        body_like = {"Type": "AWS::SQS::Queue"}
        author.resources[stem_of(secret.declared) + "other"] = body_like
    return Piece(_reference(author, made), lambda case: secret.means(case.turn(turn)))
