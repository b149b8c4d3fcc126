"""However large or deep a template is, the handler answers, and its work grows with it alone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import product
from random import Random

import pytest

from contract import TransformFailedError, event, processed
from growth import counted, without_collector
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


def unnamed(*containers: Json) -> dict[str, Json]:
    """A task that names no role."""
    properties: Json = {"ContainerDefinitions": list(containers)}
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}


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
    "two chains of secrets that depend on each other": lambda n: {
        "Resources": {
            "RoleA": ROLE,
            "RoleB": ROLE,
            **{
                f"{chain}{i}": secret(*([f"{chain}{i - 1}"] if i else []))
                for chain in "AB"
                for i in range(n)
            },
            **{
                f"Task{chain}{i}": task(private({"Ref": f"{chain}{i}"}), role=f"Role{chain}")
                for chain in "AB"
                for i in range(n)
            },
        }
    },
    "tasks, each with two secrets that depend on the task before": lambda n: {
        "Resources": {
            **{f"Role{i}": ROLE for i in range(n)},
            **{
                f"{chain}{i}": secret(*([f"Task{i - 1}"] if i else []))
                for chain in "AB"
                for i in range(n)
            },
            **{
                f"Task{i}": task(
                    private({"Ref": f"A{i}"}), private({"Ref": f"B{i}"}), role=f"Role{i}"
                )
                for i in range(n)
            },
        }
    },
    "two chains of tasks that depend on each other's secrets": lambda n: {
        "Resources": {
            **{f"Role{chain}{i}": ROLE for chain in "AB" for i in range(n)},
            **{
                f"{chain}{i}": secret(*([f"Task{other}{i - 1}"] if i else []))
                for chain, other in ("AB", "BA")
                for i in range(n)
            },
            **{
                f"Task{chain}{i}": task(
                    private({"Ref": f"A{i}"}), private({"Ref": f"B{i}"}), role=f"Role{chain}{i}"
                )
                for chain in "AB"
                for i in range(n)
            },
        }
    },
    "roles that are made, each after the task before": lambda n: {
        "Resources": {
            **{f"Secret{i}": secret(*([f"Task{i - 1}"] if i else [])) for i in range(n)},
            **{f"Task{i}": unnamed(private({"Ref": f"Secret{i}"})) for i in range(n)},
        }
    },
    "outputs": lambda n: {
        "Resources": {"Role": ROLE, "Task": task(private("registry/web"))},
        "Outputs": {f"Output{i}": {"Value": {"Ref": "Task"}} for i in range(n)},
    },
}


def steps(sent: Json) -> int:
    """How many functions the handler calls to answer."""
    _, count = counted(lambda: handler(sent, None))
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


def cases(count: int) -> dict[str, Json]:
    """A template with a secret that is another one under each of so many conditions."""
    value: Json = "registry/web"
    for i in range(count):
        value = {"Fn::If": [f"C{i}", f"registry/{i}", value]}
    region: Json = {"Ref": "AWS::Region"}
    return {
        "Conditions": {f"C{i}": {"Fn::Equals": [region, f"eu-{i}"]} for i in range(count)},
        "Resources": {"Role": ROLE, "Task": task(private(value))},
    }


def test_the_work_for_nested_cases_grows_no_faster_than_what_is_written_of_them() -> None:
    """Each case is written with all conditions around it, so that is with the square of their
    number, until CloudFormation would not take the template."""
    steps(event(cases(10)))  # what is done once only
    small, large = (steps(event(cases(n))) for n in (60, 120))
    assert large < 2 * 2 * small


def loops_within_each_other(depth: int) -> dict[str, Json]:
    """A template with loops whose values are alike, so that a text reads as many orders of their
    variables; and the secrets of their turns, whose logical ids have none in common."""
    variables = [f"V{level}" for level in range(depth)]
    name = "x".join(f"${{{variable}}}" for variable in variables)
    resources: dict[str, Json] = {f"Task{name}": task(private(f"registry/{name}"))}
    for variable in variables:
        resources = {f"Fn::ForEach::Loop{variable}": [variable, ["a", "aa"], resources]}
    for number, turn in enumerate(product(["a", "aa"], repeat=depth)):
        properties: Json = {"Name": f"registry/{'x'.join(turn)}"}
        body: Json = {"Type": "AWS::SecretsManager::Secret", "Properties": properties}
        resources[f"Secret{''.join(turn) * 2}Z{number}"] = body
    return {"Resources": {"Role": ROLE, **resources}}


def test_loop_variables_side_by_side_are_not_tried_in_all_their_orders() -> None:
    """Where no text fits all turns, the search for one ends, and a problem says so."""
    few, many = (steps(event(loops_within_each_other(depth))) for depth in (5, 6))
    assert many < 2.3 * few  # twice as many turns
    with pytest.raises(TransformFailedError, match="PI408"):
        processed(handler(event(loops_within_each_other(6)), None))


def clauses(count: int) -> dict[str, Json]:
    """A template with a condition of so many alternatives over forty parameters, of which many
    have to be tried together, and a role by name under another condition."""
    draw = Random(1)

    def alternative() -> Json:
        terms: list[Json] = [
            {"Fn::Equals": [{"Ref": f"P{number}"}, draw.choice("xy")]}
            for number in draw.sample(range(40), 3)
        ]
        return {"Fn::Or": [{"Fn::Not": [term]} if draw.random() < 0.5 else term for term in terms]}

    tens: list[Json] = [{"Fn::And": [alternative() for _ in range(10)]} for _ in range(count // 10)]
    properties: Json = {
        "ExecutionRoleArn": "exec",
        "ContainerDefinitions": [private("registry/web")],
    }
    return {
        "Parameters": {f"P{number}": {"Type": "String"} for number in range(40)},
        "Conditions": {"Hard": {"Fn::And": tens}, "Other": alternative()},
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Condition": "Other",
                "Properties": {"RoleName": "exec"},
            },
            "Task": {
                "Type": "AWS::ECS::TaskDefinition",
                "Condition": "Hard",
                "Properties": properties,
            },
        },
    }


def test_a_question_about_long_conditions_ends() -> None:
    steps(event(clauses(20)))  # what is done once only
    small, large = (steps(event(clauses(count))) for count in (100, 200))
    assert large < 2.3 * small
