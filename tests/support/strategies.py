"""Hypothesis strategies: templates as authors write them, each with what its author means by it.

The meaning is computed from what was drawn, never read from the template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from hypothesis import reject
from hypothesis import strategies as st

from author import AWS_MANAGED_KEY, Author, Given
from classes import enabled
from drawn_containers import registries
from drawn_runners import loop, runner
from drawn_secrets import OTHER_REGION
from evaluator import REGION, Account, Json, key_arn, unroll
from meaning import Expected, Intent, Piece, Secret, Stack

__all__ = ["OTHER_REGION", "Expected", "Intent", "Stack", "opaque_stacks", "stacks"]


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    """Templates with the shorthand, of all forms that are free of problems."""
    return _drawn(Author(draw, enabled(opaque=False)))


@st.composite
def opaque_stacks(draw: st.DrawFn) -> Stack:
    """The same with values that nothing is known of, so that some only get a warning."""
    return _drawn(Author(draw, enabled(opaque=True)))


def _drawn(author: Author) -> Stack:
    registries(author)
    for _ in range(author.pick(1, 2, 3)):
        if author.one_in(4) or (_IN_LOOPS & author.classes and author.one_in(2)):
            loop(author, author.top)
        else:
            runner(author, author.top)
    stack = _stack(author)
    try:
        unroll(stack.template, stack.deployments[0].account.parameters)
    except AssertionError:
        reject()  # two resources have one logical id, in one turn of a loop: no stack is like that
    return stack


_IN_LOOPS = {
    "declared one by one",
    "loop over logical ids",
    "numbers in a loop",
    "list parameter",
    "unknown list parameter",
    "variables named like ours",
}


def _template(author: Author) -> dict[str, Json]:
    """The template with all that was drawn."""
    template: dict[str, Json] = {"Resources": author.resources}
    if author.switched.section:
        template["Conditions"] = author.switched.section
    if author.mappings:
        template["Mappings"] = author.mappings
    settings = _settings(author, author.registries)
    if author.role_settings:
        settings["ExecutionRole"] = author.role_settings
    if settings:
        template["Metadata"] = {"PrivateImage": settings}
    transform: Json = ["AWS::LanguageExtensions", "PrivateImage"]
    if "Fn::ForEach" not in json.dumps(template) and not author.extended:
        transform = author.pick("PrivateImage", ["PrivateImage"], transform)
    text = json.dumps(template)
    declared = {name: one for name, one in author.declarations.items() if name in text}
    switches = {name: {"Type": "String"} for name in author.switched.values[0]}
    template["Parameters"] = {**declared, **switches}
    # As read from a file, no part of it is the same object as another.
    copy = json.loads(json.dumps({"Transform": transform, **template}))
    assert isinstance(copy, dict)
    return copy


def _settings(author: Author, tables: Mapping[str, Piece[Secret | None]]) -> dict[str, Json]:
    entries: dict[str, Json] = {prefix: piece.text for prefix, piece in tables.items()}
    for prefix, entry in entries.items():
        if len(entry) == 1 and author.one_in(2):
            entries[prefix] = entry["Secret"]
    return {"Registries": entries} if entries else {}


def _stack(author: Author) -> Stack:
    """The whole template, and what is meant by it."""
    template = _template(author)
    switched = author.switched
    told = {name: one.told for name, one in author.parameters.items() if one.told is not None}
    told = {name: value for name, value in told.items() if name in template["Parameters"]}
    known = bool(switched.values[0]) and author.pick(True, False)
    if known:
        told |= _switches(author, switched.values[0])
    # What is known decides which problems and warnings are due, and what a parameter is that is
    # `none` elsewhere; all else that is written is right in every deployment.
    only_here = author.has_opaque or bool(author.texts)
    variants = max([1, *(len(one.values) for group in _groups(author) for one in group.values())])
    deployments = [
        _intent(author, number, variant)
        for variant in range(variants)
        for number in range(1 if known and only_here else len(switched.values))
    ]
    everything = [
        container
        for deployment in deployments
        for containers in deployment.containers.values()
        for container in containers
    ]
    secrets = {container.secret for container in everything if container.secret}
    keys = {container.key for container in everything if container.key}
    known_keys = {author.aliases[AWS_MANAGED_KEY][0], key_arn("unrelated")}
    return Stack(
        template,
        told,
        deployments,
        frozenset(secrets | {near for arn in secrets for near in near_misses(arn)}),
        frozenset(keys | known_keys),
        settings=_settings(author, author.account_registries) or None,
        role_settings=author.role_settings,
        refusable=frozenset(
            name for group in _groups(author) for name, one in group.items() if one.refusable
        ),
    )


def _groups(author: Author) -> tuple[Mapping[str, Given], ...]:
    return author.parameters, author.exports, author.stored


def _switches(author: Author, values: Mapping[str, str]) -> dict[str, str]:
    """The parameters that conditions look at, as a deployment has them."""
    return {
        name: author.texts.get(name, "some") if name == "Optional" and value == "given" else value
        for name, value in values.items()
    }


def _intent(author: Author, number: int, variant: int) -> Intent:
    """What the author means in one deployment."""
    truths = author.switched.truths[number]
    switches = _switches(author, author.switched.values[number])
    containers: dict[str, Sequence[Expected]] = {}
    roles: set[str] = set()
    for scope, stem, condition, piece in author.intents:
        for case in scope.around:
            if case.truths != truths or case.variant != variant:
                continue
            roles |= {case.fill(name) for name in author.outside_roles}
            if case.holds(condition):
                run = "".join(case.variables[name] for name in scope.loop)
                containers[stem + re.sub(r"[^A-Za-z0-9]", "", run)] = piece.means(case)

    def values(group: Mapping[str, Given]) -> dict[str, str]:
        return {name: one.values[variant % len(one.values)] for name, one in group.items()}

    outside = {
        name: arn
        for name, (arn, condition) in author.aliases.items()
        if condition is None or "$" in condition or not truths[condition]
    }
    unrelated = {f"{name}2": key_arn("unrelated") for name in outside}
    account = Account(
        {**values(author.parameters), **switches},
        values(author.exports),
        {**unrelated, **outside},
        frozenset(roles),
        stored=values(author.stored),
    )
    doubts = frozenset(
        one.shown or name
        for group in _groups(author)
        for name, one in group.items()
        if one.values[variant % len(one.values)] in one.doubtful
    )
    shown = {
        name: one.told
        for name, one in author.parameters.items()
        if one.told and one.told.startswith("{{IntrinsicFunction:")
    }
    return Intent(account, containers, doubts, shown)


def near_misses(arn: str) -> list[str]:
    """Secrets that a grant on this one (full ARN) must not reach."""
    name, ending = arn[:-7], arn[-7:]
    elsewhere = name.replace(REGION, "ap-south-1")
    return [f"{name}2{ending}", f"{name}-x{ending}", f"{name}/x{ending}", elsewhere + ending]
