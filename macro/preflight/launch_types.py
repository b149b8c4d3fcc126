"""Which tasks run on Fargate, as far as the template says so.

What pulls an image there is AWS's, so nobody can give it a certificate authority of their own, or a
registry without TLS. Sources: https://github.com/aws/containers-roadmap/issues/1301,
https://github.com/aws/containers-roadmap/issues/740
"""

from __future__ import annotations

from collections.abc import Iterator

from macro.engine.shorthand.containers import Container
from macro.engine.template.document import Json, get
from macro.engine.template.intrinsics import attribute
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Stack
from macro.preflight.deployed_values import DeployedValues, UnknownValueError, Variables, filled

# The property that lists where a definition may run.
_MAY_RUN_ON = {
    "AWS::ECS::TaskDefinition": "RequiresCompatibilities",
    "AWS::Batch::JobDefinition": "PlatformCapabilities",
}
_RUN_TASKS = ("AWS::ECS::Service", "AWS::ECS::TaskSet")
_FARGATE = {"FARGATE", "FARGATE_SPOT"}


def run_on_fargate(stack: Stack, values: DeployedValues) -> frozenset[str]:
    """The logical ids of task definitions that a service of the template runs on Fargate."""
    return frozenset(
        name
        for resource in stack.resources
        if resource.type in _RUN_TASKS
        for turn in values.known_turns(resource)
        if _exists(resource, values, turn) and _launches_fargate(resource, values, turn)
        for name in _task_definition(resource, values, turn)
    )


def is_on_fargate(
    container: Container, turn: Variables, run: frozenset[str], values: DeployedValues
) -> bool:
    """Whether the template says that Fargate runs a container.

    `run` is what `run_on_fargate` gives. False: it runs elsewhere, or the template does not say.
    """
    resource = container.resource
    if resource.type == "AWS::ECS::ExpressGatewayService":
        return True
    listed = get(resource.body, "Properties", _MAY_RUN_ON.get(resource.type, ""))
    return filled(resource.logical_id, turn) in run or _texts(listed, values, turn) == {"FARGATE"}


def _exists(resource: Resource, values: DeployedValues, turn: Variables) -> bool:
    return all(values.holds(name, turn) is value for name, value in resource.when)


def _launches_fargate(resource: Resource, values: DeployedValues, turn: Variables) -> bool:
    properties = get(resource.body, "Properties")
    strategy = _chosen(get(properties, "CapacityProviderStrategy"), values, turn)
    providers = [get(one, "CapacityProvider") for one in _listed(strategy)]
    found = _texts([get(properties, "LaunchType") or "", *providers], values, turn) - {""}
    return bool(found) and found <= _FARGATE


def _task_definition(resource: Resource, values: DeployedValues, turn: Variables) -> Iterator[str]:
    named = attribute(_chosen(get(resource.body, "Properties", "TaskDefinition"), values, turn))
    if named:
        yield filled(named[0], turn)


def _chosen(node: Json, values: DeployedValues, turn: Variables) -> Json:
    try:
        return values.chosen(node, turn)
    except UnknownValueError:
        return None


def _texts(node: Json, values: DeployedValues, turn: Variables) -> set[str]:
    """The texts of a list, however it is written; none where they are not known."""
    found = _chosen(node, values, turn)
    if found is None:
        return set()
    try:
        if isinstance(found, list):
            return {values.text(item, turn) for item in found}
        return {item.strip() for item in values.text(found, turn).split(",")}
    except UnknownValueError:
        return set()


def _listed(node: Json) -> list[Json]:
    return node if isinstance(node, list) else []
