"""Conditions, the parameters that they look at, and their truth in every deployment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import product
from typing import Any, NamedTuple

from evaluator import Json

Values = Mapping[str, str]

SWITCH = ("yes", "no")
STAGES = ("prod", "test", "dev")


class Conditions(NamedTuple):
    """What the section Conditions says, and what it comes to: for each deployment the truths, and
    the values of the parameters that bring them.

    `optional` are a parameter that is given in some deployments, and what it is in the others; its
    name is None where there is none. `given` and `missing` are what the values stand for.
    """

    section: dict[str, Json]
    truths: list[dict[str, bool]]
    values: list[dict[str, str]]
    optional: tuple[str | None, str | None]


class _Condition(NamedTuple):
    text: Json
    holds: Callable[[Values], bool]


def _equals(parameter: str, value: str, *, reversed_: bool = False) -> _Condition:
    sides: list[Json] = [{"Ref": parameter}, value]
    return _Condition(
        {"Fn::Equals": sides[::-1] if reversed_ else sides},
        lambda values: values[parameter] == value,
    )


def draw_conditions(
    pick: Callable[..., Any], one_in: Callable[[int], bool], classes: Collection[str]
) -> Conditions:
    """Draws the conditions of a template."""
    pool: dict[str, _Condition] = {}
    parameters: dict[str, tuple[str, ...]] = {}
    section: dict[str, Json] = {}
    if "conditions of parameters" in classes:
        pool, parameters = _of_parameters(pick)
    else:
        for name in ("Prod", "East", "Beta")[: pick(1, 2, 0, 3)]:
            parameters[f"{name}Switch"] = SWITCH
            pool[name] = _equals(f"{name}Switch", "yes")
        composed = pick(None, "Not", "And", "Or")
        if composed and pool:
            pool["Composed"] = _composed(composed, {k: pool[k] for k in list(pool)[:2]})
    if "optional parameter" in classes:
        parameters["Optional"] = ("given", "none")
        given = _equals("Optional", "none")
        pool["HasNone"] = given
        pool["HasIt"] = pick(
            _Condition({"Fn::Not": [given.text]}, lambda values: values["Optional"] != "none"),
            _Condition(
                {"Fn::Not": [{"Condition": "HasNone"}]}, lambda values: values["Optional"] != "none"
            ),
        )
    if one_in(4) and len(parameters) < 3:
        parameters |= {"webSwitch": SWITCH, "apiSwitch": SWITCH}
        section["Fn::ForEach::Each"] = [
            "Name",
            ["web", "api"],
            {"Is${Name}": {"Fn::Equals": [{"Ref": "${Name}Switch"}, "yes"]}},
        ]
        looped = {"Isweb": _equals("webSwitch", "yes"), "Isapi": _equals("apiSwitch", "yes")}
    else:
        looped = {}
    section = {**{name: one.text for name, one in pool.items()}, **section}
    deployments = [
        dict(zip(parameters, values, strict=True)) for values in product(*parameters.values())
    ]
    truths = [
        {name: one.holds(values) for name, one in {**pool, **looped}.items()}
        for values in deployments
    ]
    optional = ("Optional", "none") if "Optional" in parameters else (None, None)
    return Conditions(section, truths, deployments, optional)


def _composed(function: str, operands: dict[str, _Condition]) -> _Condition:
    names = list(operands)
    first = operands[names[0]]
    if function == "Not" or len(names) == 1:
        return _Condition(
            {"Fn::Not": [{"Condition": names[0]}]}, lambda values: not first.holds(values)
        )
    both = all if function == "And" else any
    return _Condition(
        {f"Fn::{function}": [{"Condition": name} for name in names]},
        lambda values: both(one.holds(values) for one in operands.values()),
    )


def _of_parameters(
    pick: Callable[..., Any],
) -> tuple[dict[str, _Condition], dict[str, tuple[str, ...]]]:
    """Conditions on the same few parameters, so that some imply or exclude others."""
    prod, test = _equals("Stage", "prod"), _equals("Stage", "test")
    small = _equals("Size", "small", reversed_=True)
    others = {
        "Test": test,
        "NotProd": pick(
            _Condition({"Fn::Not": [prod.text]}, lambda values: values["Stage"] != "prod"),
            _Condition(
                {"Fn::Not": [{"Condition": "Prod"}]}, lambda values: values["Stage"] != "prod"
            ),
        ),
        "Live": _Condition(
            {"Fn::Or": [{"Condition": "Prod"}, test.text]},
            lambda values: values["Stage"] in ("prod", "test"),
        ),
        "SmallProd": _Condition(
            {"Fn::And": [prod.text, small.text]},
            lambda values: values["Stage"] == "prod" and values["Size"] == "small",
        ),
        "Never": _Condition({"Fn::And": [prod.text, test.text]}, lambda values: False),
        "Same": _equals("Stage", "prod", reversed_=True),
        "Small": small,
    }
    drawn = {pick(*others): None for _ in range(pick(1, 2, 3))}
    pool = {"Prod": prod, **{name: others[name] for name in drawn}}
    parameters: dict[str, tuple[str, ...]] = {"Stage": STAGES}
    if drawn.keys() & {"SmallProd", "Small"}:
        parameters["Size"] = ("small", "large")
    return pool, parameters
