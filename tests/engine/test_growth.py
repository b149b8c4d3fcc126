"""However large or deep a template is, the handler answers, and its work grows with it alone."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from contract import TransformFailedError, event, processed
from macro.engine.handler import handler
from macro.engine.template.document import Json


def nested(depth: int, *wrap: str) -> Json:
    node: Json = "x"
    for level in range(depth):
        kind = wrap[level % len(wrap)]
        node = [node] if kind == "list" else {kind: node}
    return node


def task(*containers: Json, role: str = "Role", **others: Json) -> dict[str, Json]:
    properties: Json = {
        "ExecutionRoleArn": {"Fn::GetAtt": [role, "Arn"]},
        "ContainerDefinitions": list(containers),
    }
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": properties, **others}


def secret(*depends_on: str) -> dict[str, Json]:
    return {"Type": "AWS::SecretsManager::Secret", "DependsOn": list[Json](depends_on)}


def within(conditions: list[str], value: Json) -> Json:
    """The value where all the conditions hold, and else nothing."""
    for condition in conditions:
        value = {"Fn::If": [condition, value, {"Ref": "AWS::NoValue"}]}
    return value


def private(secret: Json) -> Json:
    return {"Name": "web", "PrivateImage": {"Image": "quay.io/acme/web:1", "Secret": secret}}


def named(image: str) -> Json:
    return {"Name": "web", "PrivateImage": image}


def holes(count: int) -> list[Json]:
    return [{"Ref": "Parameter"}, "x"] * count


ROLE: Json = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}


@pytest.mark.parametrize(
    ("deep", "code"),
    [
        (nested(100_000, "list"), "PI004"),
        ({"Resources": {"Role": ROLE, "Task": task(private(nested(100_000, "list")))}}, "PI306"),
        ({"Resources": {"Role": ROLE, "Task": task(private(nested(100_000, "Fn::Sub")))}}, "PI005"),
        ({"Resources": {"Role": nested(100_000, "Policies"), "Task": task(private("a"))}}, "PI005"),
        ({"PrivateImage": nested(100_000, "list")}, "PI202"),
        ({"Resources": {}, "Metadata": nested(100_000, "list")}, "PI005"),
    ],
    ids=["fragment", "secret", "function", "role", "container", "elsewhere"],
)
def test_what_nests_too_deep_is_a_problem(deep: Json, code: str) -> None:
    with pytest.raises(TransformFailedError, match=f"failed with: {code}"):
        processed(handler(event(deep), None))


# What an author may have many of, each a template with so many.
SHAPES: dict[str, Callable[[int], dict[str, Json]]] = {
    "containers": lambda n: {
        "Resources": {"Role": ROLE, "Task": task(*(private(f"registry/{i}") for i in range(n)))}
    },
    "tasks": lambda n: {
        "Resources": {"Role": ROLE, **{f"Task{i}": task(private("registry/web")) for i in range(n)}}
    },
    "tasks with conditions": lambda n: {
        "Conditions": {f"C{i}": {"Fn::Equals": [{"Ref": "AWS::Region"}, i]} for i in range(n)},
        "Resources": {
            "Role": ROLE,
            **{f"Task{i}": task(private("registry/web"), Condition=f"C{i}") for i in range(n)},
        },
    },
    "loops": lambda n: {
        "Resources": {
            "Role": ROLE,
            **{
                f"Fn::ForEach::L{i}": ["V", ["A"], {f"T{i}${{V}}": task(private("registry/web"))}]
                for i in range(n)
            },
        }
    },
    "registries": lambda n: {
        "Metadata": {"PrivateImage": {"Registries": {f"quay.io/t{i}": f"s/{i}" for i in range(n)}}},
        "Resources": {
            "Role": ROLE,
            "Task": task(*(named(f"quay.io/t{i}/web:1") for i in range(n))),
        },
    },
    "parts of a secret": lambda n: {
        "Resources": {
            "Role": ROLE,
            "Task": task(private({"Fn::Join": ["", ["arn:", *holes(n)]]})),
        }
    },
    "branches of a secret": lambda n: {
        "Resources": {
            "Role": ROLE,
            "Task": task(*(private({"Fn::If": [f"C{i}", "a", "b"]}) for i in range(n))),
        }
    },
    "unknown keys": lambda n: {
        "Resources": {
            "Task": task({"Name": "web", "PrivateImage": {f"Imag{i:04}": "x" for i in range(n)}})
        }
    },
    "blocks that are misplaced": lambda n: {
        "Resources": {f"Topic{i}": {"Type": "T", "PrivateImage": "x"} for i in range(n)}
    },
    "policies that a role has": lambda n: {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"Policies": [{"PolicyName": f"PrivateImage{i}"} for i in range(n)]},
            },
            "Task": task(private("registry/web")),
        }
    },
    "secrets of a policy that stands apart": lambda n: {
        "Resources": {
            "Task": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {
                    "ExecutionRoleArn": "exec",
                    "ContainerDefinitions": [private(f"registry/{i}") for i in range(n)],
                },
            }
        }
    },
    "containers under conditions made of conditions": lambda n: {
        "Conditions": {
            **{f"C{i}": {"Fn::Not": [{"Condition": f"C{i + 1}"}]} for i in range(10)},
            "C10": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]},
        },
        "Resources": {
            "Role": ROLE,
            "Task": task(*(within([f"C{i % 10}", "C0"], private("a")) for i in range(n))),
        },
    },
    "containers deep within conditions": lambda n: {
        "Resources": {
            "Role": ROLE,
            "Task": task(*(within([f"C{i}" for i in range(10)], private("a")) for _ in range(n))),
        }
    },
    "secrets that depend on their role": lambda n: {
        "Resources": {
            name: body
            for i in range(n)
            for name, body in {
                f"Role{i}": ROLE,
                f"Secret{i}": secret(f"Role{i}"),
                f"Task{i}": task(private({"Ref": f"Secret{i}"}), role=f"Role{i}"),
            }.items()
        }
    },
    "a chain of secrets that depend on each other": lambda n: {
        "Resources": {
            "Role": ROLE,
            **{f"Secret{i}": secret(*([f"Secret{i - 1}"] if i else [])) for i in range(n)},
            **{f"Task{i}": task(private({"Ref": f"Secret{i}"})) for i in range(n)},
        }
    },
    "outputs": lambda n: {
        "Resources": {"Role": ROLE, "Task": task(private("registry/web"))},
        "Outputs": {f"Output{i}": {"Value": {"Ref": "Task"}} for i in range(n)},
    },
}


@contextmanager
def without_collector() -> Iterator[None]:
    """When the collector runs depends on what ran before; here it does not, so counts are exact."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def steps(sent: Json) -> int:
    """How many functions the handler calls to answer."""
    count = 0

    def counted(frame: object, kind: str, argument: object) -> None:
        nonlocal count
        count += kind in ("call", "c_call")

    with without_collector():
        sys.setprofile(counted)
        try:
            handler(sent, None)
        finally:
            sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", SHAPES)
def test_the_work_grows_no_faster_than_the_template(name: str) -> None:
    steps(event(SHAPES[name](10)))  # what is done once only
    small, large = (steps(event(SHAPES[name](n))) for n in (100, 200))
    assert large < 2.3 * small


@pytest.mark.parametrize("name", SHAPES)
def test_the_memory_grows_no_faster_than_the_template(name: str) -> None:
    def peak(sent: Json) -> int:
        with without_collector():
            tracemalloc.start()
            try:
                handler(sent, None)
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    peak(event(SHAPES[name](10)))
    small, large = (peak(event(SHAPES[name](n))) for n in (200, 400))
    assert large < 2.3 * small + 100_000
