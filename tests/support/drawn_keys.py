"""KMS keys: of the template or outside of it, in all the forms that name one."""

from __future__ import annotations

from author import AWS_MANAGED_KEY, Author
from drawn_values import known, opaque, some_of
from evaluator import ACCOUNT_ID, REGION, Json, key_arn
from meaning import NO_VALUE, Declared, Piece, Scope, always, filled, substituted

_HEAD = f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:"
_PSEUDO_HEAD = "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:"


def key(author: Author, scope: Scope) -> Piece[str | None]:
    """A key in any form, or AWS::NoValue in some cases."""
    nothing: Piece[str | None] = always(NO_VALUE, None)
    if author.tries("no value alone"):
        return nothing
    if "optional parameter" in author.classes and not author.texts:
        arn, _ = outside_key(author)
        if found := author.optional(scope, arn, lambda case: arn, None):
            return found
    return author.fork(scope, lambda within: key_form(author, within), absent=nothing)


def outside_key(author: Author) -> tuple[str, str]:
    """The ARN and the alias of a key outside the template."""
    if not author.outside_keys or author.one_in(2):
        number = author.number()
        author.outside_keys.append((key_arn(f"outside {number}"), f"alias/team{number}"))
    arn, alias = author.pick(*author.outside_keys)
    author.aliases[alias] = (arn, None)
    return arn, alias


def key_form(author: Author, scope: Scope) -> Piece[str | None]:
    """A key in one form."""
    form = author.pick("arn", "template", "id", "alias", "alias arn", "other")
    if form == "template":
        return template_key(author, scope)
    if author.one_in(8):
        return always(author.pick("", _HEAD) + AWS_MANAGED_KEY, None)
    arn, alias = outside_key(author)
    texts = {
        "arn": arn,
        "id": arn.split("/")[1],
        "alias": alias,
        "alias arn": _HEAD + alias,
    }
    other = {"arn": arn, "id": texts["id"], "alias": alias}
    if found := opaque(author, some_of(author, other), {"arn"}):
        return Piece(found.text, lambda case: arn)
    if several := _one_of_several(author, form):
        return several
    if form != "other":
        return filled(texts[form], arn)
    team = author.parameter(alias[len("alias/") :], told=author.pick(True, False))["Ref"]
    text: Json = author.pick(
        author.parameter(author.pick(arn, texts["id"], alias)),
        author.parameter(arn, told=False),
        author.exported(arn),
        {"Fn::Sub": f"{_PSEUDO_HEAD}key/{texts['id']}"},
        {"Fn::Sub": _PSEUDO_HEAD + alias},
        {"Fn::Sub": f"alias/${{{team}}}"},
    )
    return filled(text, arn)


def _one_of_several(author: Author, form: str) -> Piece[str | None] | None:
    """A mapping or the like, whose rows are keys in the same form."""
    pairs = [outside_key(author) for _ in range(author.pick(2, 1))] if author.classes else []
    texts = [arn.split("/")[1] if form == "id" else arn for arn, _ in pairs]
    if form == "alias":
        texts = [alias for _, alias in pairs]
    found = known(author, texts) if pairs else None
    if not found:
        return None
    means = found.means
    return Piece(found.text, lambda case: pairs[means(case)][0])


def template_key(author: Author, scope: Scope) -> Piece[str | None]:
    """A key of the template that exists in every case of the scope, or an alias of it."""
    if author.one_in(3) or author.tries("alias by text"):
        return _template_alias(author, scope)
    declared = declared_key(author, scope)
    logical_id = declared.logical_id
    forms: list[Json] = [
        {"Fn::GetAtt": [logical_id, "Arn"]},
        {"Ref": logical_id},
        {"Fn::GetAtt": f"{logical_id}.Arn"},
    ]
    if not declared.looped:
        forms.append({"Fn::Sub": f"${{{logical_id}.Arn}}"})
    return Piece(author.pick(*forms), lambda case: key_arn(case.fill(logical_id)))


def _template_alias(author: Author, scope: Scope) -> Piece[str | None]:
    target = ""
    name = f"alias/app{author.number()}"
    text = name
    if author.tries("alias by text") and not scope.loop:
        part = author.parameter(name[len("alias/") :], told=author.pick(True, False))["Ref"]
        text = f"alias/${{{part}}}"

    def body(own: Scope, logical_id: str) -> dict[str, Json]:
        nonlocal target, name, text
        declared = declared_key(author, own)
        target, name, text = declared.logical_id, name + own.suffix, text + own.suffix
        refers = author.pick(
            {"Ref": declared.logical_id}, {"Fn::GetAtt": [declared.logical_id, "Arn"]}
        )
        properties = {"AliasName": substituted(text) if text != name else name}
        return {
            "Type": "AWS::KMS::Alias",
            "Properties": {**properties, "TargetKeyId": refers},
        }

    sometimes = (
        bool(scope.conditions) and not scope.loop and author.tries("by text under a condition")
    )
    alias = author.declare(scope, "Alias", body, sometimes=sometimes)
    written = substituted(text) if text != name else name
    if sometimes and not scope.always(alias.condition):
        outside = key_arn(f"outside {author.number()}")
        author.aliases[name] = (outside, alias.condition)
        return Piece(
            written,
            lambda case: key_arn(case.fill(target)) if case.holds(alias.condition) else outside,
        )
    refers: Json = author.pick({"Ref": alias.logical_id}, written)
    if author.tries("alias by text"):
        refers = author.pick(_HEAD + name, {"Fn::Sub": _PSEUDO_HEAD + text})
    return Piece(refers, lambda case: key_arn(case.fill(target)))


def declared_key(author: Author, scope: Scope) -> Declared:
    """A key that the template declares, for a reference from this scope."""
    known_keys = [one for one in author.keys if one.is_in(scope)]
    if not known_keys or author.one_in(2):
        known_keys = [author.declare(scope, "Key", lambda own, _: _key_body(author, own))]
        author.keys += known_keys
    return author.pick(*known_keys)


def _key_body(author: Author, scope: Scope) -> dict[str, Json]:
    """A key resource; its policy may name a role."""
    principal: Json = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
    named = [role.declared for role in author.roles if role.declared.is_in(scope)]
    if named and author.one_in(2):
        principal = {"Fn::GetAtt": [author.pick(*named).logical_id, "Arn"]}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "kms:*",
        "Resource": "*",
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": document}}
