"""Whatever stands in a template, the engine answers: with edits that can be made, or problems."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import given, settings

from hostile import JSON, damaged
from macro.engine.expand import Context, expand
from macro.engine.template.document import Json
from macro.engine.template.edits import apply

CONTEXT = Context(region="eu-west-1", account="111122223333")


@settings(max_examples=500, deadline=None)
@given(damaged())
def test_a_damaged_template_gives_edits_or_problems(template: Json) -> None:
    before = deepcopy(template)

    expansion = expand(template, CONTEXT)

    assert template == before
    assert not (expansion.edits and expansion.problems)
    assert all(problem.message and problem.fix for problem in expansion.problems)
    apply(template, expansion.edits)
    assert template == before


@given(JSON)
def test_what_is_no_template_is_a_problem(junk: Json) -> None:
    if isinstance(junk, dict):
        junk.pop("Resources", None)
    (problem,) = expand(junk).problems
    assert problem.code == "PI004"
