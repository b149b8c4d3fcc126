"""Templates that were damaged, and values that are nothing that CloudFormation knows."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from golden_cases import CASES, template
from macro.engine.template.document import Json
from macro.engine.template.document import Path as JsonPath
from macro.text.source import parse

TEMPLATES = [
    parse(template(case).read_bytes(), case.name).template
    for case in CASES
    if not case.name.startswith(("problem-text", "problem-too-many", "problem-inline"))
]

JUNK: list[Any] = [
    *(None, True, 1, 1.5, "", "x", "a:b:c:d:e:f:g", "arn:", "alias/", "${", "${Name}", [], {}),
    *("arn:aws:iam::111122223333:role/", "quay.io/a/b", "PrivateImage", ["PrivateImage"]),
    *({"Ref": "AWS::NoValue"}, {"Ref": "X"}, {"Ref": 1}, {"Ref": {}}),
    *({"Fn::GetAtt": "A"}, {"Fn::GetAtt": []}, {"Fn::GetAtt": ["ExecutionRole", "Arn"]}),
    *({"Fn::If": []}, {"Fn::If": ["C", 1]}, {"Fn::If": ["C", {"Ref": "AWS::NoValue"}, "x"]}),
    *({"Fn::Sub": ""}, {"Fn::Sub": []}, {"Fn::Sub": ["${a}", {"a": 1}]}, {"Fn::Sub": "${"}),
    *({"Fn::Join": ["", []]}, {"Fn::Join": ["", ["a", 1]]}),
    *({"PrivateImage": {"Image": "a", "Secret": "b"}}, {"Image": "quay.io/x", "Secret": "s"}),
]
KEYS = ["PrivateImage", "Policies", "DependsOn", "Metadata", "Condition", "Fn::If", "Properties"]


def paths(node: Json, path: JsonPath = ()) -> Iterator[JsonPath]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*path, key)
            yield from paths(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield (*path, index)
            yield from paths(value, (*path, index))


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A golden template with a few values replaced, taken away, wrapped or added."""
    drawn: Any = deepcopy(draw(st.sampled_from(TEMPLATES)))
    for _ in range(draw(st.integers(1, 4))):
        found = list(paths(drawn))
        if not found:
            break
        *way, last = draw(st.sampled_from(found))
        parent = drawn
        for step in way:
            parent = parent[step]
        junk = deepcopy(draw(st.sampled_from(JUNK)))
        match draw(st.sampled_from(["replace", "remove", "wrap", "add"])):
            case "replace":
                parent[last] = junk
            case "remove":
                del parent[last]
            case "wrap":
                wrapped = [draw(st.sampled_from("ABC")), parent[last], junk]
                parent[last] = {"Fn::If": wrapped}
            case "add" if isinstance(parent, dict):
                parent[draw(st.sampled_from(KEYS))] = junk
    return drawn


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    max_leaves=20,
)
