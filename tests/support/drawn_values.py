"""Texts whose value comes from outside: parameters, mappings, imports, dynamic references."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from author import Author, Given
from evaluator import Json
from meaning import Piece


def known(author: Author, values: Sequence[str]) -> Piece[int] | None:
    """A text that is one of the values, all of them right alike: which one, in each case.

    None where no class of this kind is tried.
    """
    if author.tries("mapping"):
        return _mapped(author, values)
    if author.tries("allowed values") and len(values) > 1:
        default = {"Default": values[0]} if author.one_in(2) else {}
        return _parameter(author, Given(tuple(values)), AllowedValues=[*values], **default)
    return None


def _parameter(author: Author, given: Given, **declaration: Json) -> Piece[int]:
    return Piece({"Ref": author.given(given, **declaration)}, given.index)


def _mapped(author: Author, values: Sequence[str], *, doubtful: Collection[str] = ()) -> Piece[int]:
    """A mapping with a row for each value, or one that stands for all that have no row."""
    table = f"Table{author.number()}"
    if author.pick(False, True):
        rows = {"eu-west-1": {"Value": values[0]}, "us-east-1": {"Value": values[-1]}}
        author.mappings[table] = rows
        return Piece({"Fn::FindInMap": [table, {"Ref": "AWS::Region"}, "Value"]}, lambda case: 0)
    stages = tuple(f"stage{index}" for index in range(len(values)))
    rows = {stage: {"Value": value} for stage, value in zip(stages, values, strict=True)}
    doubts = frozenset(
        stage for stage, value in zip(stages, values, strict=True) if value in doubtful
    )
    find: list[Json] = [table, {"Ref": "?"}, "Value"]
    told, declaration = None, dict[str, Json]()
    if author.one_in(2) and not doubtful:
        told = stages[0]
        stages = stages[:1]
    elif author.one_in(3):
        declaration["AllowedValues"] = list(stages)
    elif author.one_in(3) and len(stages) > 1:
        del rows[stages[-1]]
        find.append({"DefaultValue": values[-1]})
        author.extended = True
    given = Given(stages, told, doubts, refusable=bool(doubts))
    name = author.given(given, **declaration)
    find[1] = {"Ref": name}
    if author.one_in(2):
        author.mappings[table] = rows
    else:
        by_value: dict[str, Json] = {"Value": {stage: row["Value"] for stage, row in rows.items()}}
        author.mappings[table] = by_value
        find[1], find[2] = find[2], find[1]
    return Piece({"Fn::FindInMap": find}, given.index)


def selection(author: Author, count: int) -> tuple[Given, Json]:
    """An index into a list of so many, which may be known, and what gives it."""
    numbers = tuple(map(str, range(min(count, 2))))
    if author.one_in(4):
        given = Given(numbers[-1:], numbers[-1])
        return given, {"Ref": author.given(given, Type="Number")}
    given = Given(numbers)
    default = author.pick(dict[str, Json](), {"Default": 0}, {"AllowedValues": [0, 1]})
    return given, {"Ref": author.given(given, Type=author.pick("Number", "String"), **default)}


def opaque(
    author: Author, values: Mapping[str, str], right: Collection[str], *, resolved_late: bool = True
) -> Piece[str] | None:
    """A text that `expand` cannot know: in each case, which of the values (by form) it is.

    An expansion can be right for all the forms in `right` at once; for another it can only warn.
    Without `resolved_late` a dynamic reference comes too late, and may be refused.
    None where no class of this kind is tried.
    """
    if author.has_opaque:  # one at a time, so that a warning on one hides no fault of another
        return None
    found = _opaque(author, values, right, resolved_late=resolved_late)
    author.has_opaque = found is not None
    return found


def _opaque(
    author: Author, values: Mapping[str, str], right: Collection[str], *, resolved_late: bool
) -> Piece[str] | None:
    forms = [*values]
    texts = tuple(values.values())
    wrong = frozenset(text for form, text in values.items() if form not in right)
    unknown = Given(texts, None, wrong)

    def piece(text: Json, given: Given) -> Piece[str]:
        return Piece(text, lambda case: values[forms[given.index(case)]])

    def parameter(given: Given, **declaration: Json) -> Piece[str]:
        return piece({"Ref": author.given(given, **declaration)}, given)

    if author.tries("parameter of any form"):
        return parameter(unknown)
    if author.tries("import of any form"):
        return piece(author.exported(*texts, doubtful=wrong), unknown)
    if author.tries("SSM parameter type"):
        kind = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/team/value"}
        return parameter(replace(unknown, told=author.pick(None, "/other/value")), **kind)
    if author.tries("dynamic reference"):
        path = f"/team/value{author.number()}"
        author.stored[path] = replace(unknown, refusable=not resolved_late)
        text: Json = f"{{{{resolve:ssm:{path}}}}}"
        if author.one_in(2):
            stem = author.parameter("/team", told=author.pick(True, False))["Ref"]
            rest = path.removeprefix("/team")
            text = {"Fn::Sub": f"{{{{resolve:ssm:${{{stem}}}{rest}}}}}"}
        return piece(text, unknown)
    if author.tries("placeholder"):
        shown = f"private/Shared{author.number()}.Outputs.Value/Fn::GetAtt"
        return parameter(replace(unknown, told=f"{{{{IntrinsicFunction:{shown}}}}}"))
    if author.tries("default of another form"):
        # CodeBuild refuses a partial ARN, and so does the expansion for a default that is one.
        never = forms[0] == "partial" and "partial" not in right
        given = Given(texts, None, frozenset(texts[1:]), refusable=never)
        return parameter(given, Default=texts[0])
    if author.tries("rows of several forms"):
        never = "partial" in values and "partial" not in right  # refused alone, too
        doubts = frozenset(texts if never or (wrong and len(texts) > 1) else ())
        if author.pick(False, True):
            given = Given(texts, None, doubts, refusable=True)
            return parameter(given, AllowedValues=[*texts])
        found = _mapped(author, texts, doubtful=doubts)
        return Piece(found.text, lambda case: texts[found.means(case)])
    return None


def some_of(author: Author, values: Mapping[str, str]) -> dict[str, str]:
    """A few of the values, by their form, in any order."""
    forms = [*values]
    drawn = {author.pick(*forms): None for _ in range(author.pick(1, 2, 3))}
    return {form: values[form] for form in drawn}
