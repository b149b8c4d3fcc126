"""The resources that run containers, in all their places, and the loops around them."""

from __future__ import annotations

from author import Author, turn_of
from drawn_containers import container
from drawn_roles import puller
from drawn_secrets import declared_secret
from evaluator import ACCOUNT_ID, Json
from meaning import NO_VALUE, Containers, Declared, Piece, Puller, Scope

_COLLECTIONS = {"Name": ("web", "api"), "Tier": ("a", "b"), "Host": ("web-1", "api-2")}


def _task(author: Author, scope: Scope, key: str) -> Containers:
    """What holds a role and, by this key, a list of containers."""
    its = puller(author, scope)
    containers = author.several(scope, lambda within: container(author, within, its))
    return Piece({key: containers.text, **_role_keys(author, its)}, containers.means)


def _role_keys(
    author: Author, its: Puller, *, task_role: str | None = "TaskRoleArn"
) -> dict[str, Json]:
    """The execution role, where there is one, and perhaps the same as the task's role."""
    role = its.role.text
    if role is None:
        return {}
    if task_role and author.tries("no value alone"):
        return {"ExecutionRoleArn": role, task_role: NO_VALUE}
    if task_role and author.one_in(8):
        return {"ExecutionRoleArn": role, task_role: role}
    return {"ExecutionRoleArn": role}


def _task_definition(author: Author, scope: Scope) -> Containers:
    return _task(author, scope, "ContainerDefinitions")


def _unnamed(author: Author, scope: Scope, its: Puller) -> Containers:
    found = container(author, scope, its)
    del found.text["Name"]
    return found


def _express_service(author: Author, scope: Scope) -> Containers:
    its = puller(author, scope)
    found = author.fork(scope, lambda within: _unnamed(author, within, its))
    infrastructure = {"InfrastructureRoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/express"}
    roles = {**_role_keys(author, its, task_role=None), **infrastructure}
    return Piece({"PrimaryContainer": found.text, **roles}, found.means)


def _project(author: Author, scope: Scope) -> Containers:
    its = puller(author, scope, required=True)
    environment = author.fork(scope, lambda within: container(author, within, its, codebuild=True))
    properties = {"ServiceRole": its.role.text, "Environment": environment.text}
    return Piece(properties, environment.means)


def _job(author: Author, scope: Scope) -> Containers:
    if author.one_in(2):
        nodes = author.several(scope, lambda within: _job_body(author, within, "Container"))
        properties = {"Type": "multinode", "NodeProperties": {"NodeRangeProperties": nodes.text}}
        return Piece(properties, nodes.means)
    body = _job_body(author, scope, "ContainerProperties")
    return Piece({"Type": "container", **body.text}, body.means)


def _job_body(author: Author, scope: Scope, single: str) -> Containers:
    """Either form of a job's containers; the single container goes by this key."""
    if author.pick(True, False):
        found = author.fork(scope, lambda within: _single(author, within))
        return Piece({single: found.text}, found.means)

    def properties(within: Scope) -> Containers:
        tasks = author.several(within, lambda inner: _task(author, inner, "Containers"))
        return Piece({"TaskProperties": tasks.text}, tasks.means)

    ecs = author.fork(scope, properties)
    return Piece({"EcsProperties": ecs.text}, ecs.means)


def _single(author: Author, scope: Scope) -> Containers:
    """A container that holds its own role."""
    its = puller(author, scope)
    found = _unnamed(author, scope, its)
    return Piece({**found.text, **_role_keys(author, its, task_role="JobRoleArn")}, found.means)


def runner(author: Author, scope: Scope) -> None:
    """A resource that runs containers, beside the others of the scope."""
    resource_type, make = author.pick(
        ("AWS::ECS::TaskDefinition", _task_definition),
        ("AWS::CodeBuild::Project", _project),
        ("AWS::Batch::JobDefinition", _job),
        ("AWS::ECS::ExpressGatewayService", _express_service),
        ("AWS::ECS::DaemonTaskDefinition", _task_definition),
    )
    condition = author.pick(None, *scope.conditions) if author.one_in(3) else None
    properties = make(author, scope.where(condition))
    resource: dict[str, Json] = {"Type": resource_type, "Properties": properties.text}
    if condition:
        resource["Condition"] = condition
    if author.one_in(4):
        resource["DependsOn"] = author.pick("Queue", ["Queue"])
    if author.one_in(4):
        resource["Metadata"] = {"Team": {"Ref": "Queue"}}
    stem = f"Run{author.number()}"
    if author.tries("long names"):
        stem += "OfTheTeamThatWritesLongNames" * author.pick(1, 2, 4)
    logical_id = stem + "".join(turn_of(name) for name in scope.loop)
    scope.body[logical_id] = resource
    author.intents.append((scope, stem, condition, properties))
    if scope.has_references:
        author.runners.append(Declared(logical_id, condition, scope.body if scope.loop else None))


def loop(author: Author, scope: Scope, *, depth: int = 2) -> None:
    """An Fn::ForEach with resources that run containers, and perhaps one inside it."""
    variable, values, collection = _collection(author, scope)
    around = tuple(case.turn({variable: value}) for case in scope.around for value in values)
    conditions = scope.conditions
    if variable == "Host":  # a policy on a loop's condition would have to be referred to
        conditions = author.top.conditions
    elif variable == "Name" and scope.has_references and "Isweb" in around[0].truths:
        if {*values} <= {"web", "api"}:
            conditions += ("Is${Name}",)
    body: dict[str, Json] = {}
    inside = Scope(around, conditions, body, around, (*scope.loop, variable))
    for _ in range(author.pick(1, 2)):
        runner(author, inside)
    if depth > 1 and author.one_in(4):
        loop(author, inside, depth=depth - 1)
    scope.body[f"Fn::ForEach::Loop{author.number()}"] = [variable, collection, body]


def _collection(author: Author, scope: Scope) -> tuple[str, tuple[str, ...], Json]:
    """A loop's variable, the values that it has, and the collection as written."""
    if "Id" not in scope.loop and not author.loop_secrets and author.tries("loop over logical ids"):
        there = Scope(scope.around, author.top.conditions, scope.body, scope.around, scope.loop)
        found = [declared_secret(author, there, base=author.top) for _ in range(author.pick(2, 1))]
        author.loop_secrets = {one.declared.logical_id: one for one in found}
        return "Id", tuple(author.loop_secrets), [*author.loop_secrets]
    collections = dict(_COLLECTIONS)
    if author.tries("long names"):
        collections = {
            "Name": ("w" * author.pick(50, 62, 64), "a" * author.pick(50, 60)),
            "Tier": ("alpha" * 10, "beta" * 12),
        }
    if author.tries("numbers in a loop"):
        collections = {"Number": ("1", "2"), "Other": ("10", "1")}
    if author.tries("variables named like ours"):
        collections = {"Value": ("web", "api"), "Value1": ("a", "b")}
    free = [name for name in collections if name not in scope.loop] or ["Last"]
    variable = author.pick(*free)
    values = collections.get(variable, ("x", "y"))[: author.pick(2, 1)]
    if "1" in values or "10" in values:
        return variable, values, [int(value) for value in values]
    for name, told in (("list parameter", True), ("unknown list parameter", False)):
        if author.tries(name):
            if not told and scope.loop:
                # No name can be kept short enough for two long values that are not known.
                values = tuple(value[:8] for value in values)
            return variable, values, _list_parameter(author, values, told=told)
    if author.one_in(4):
        return variable, values, author.parameter(",".join(values))
    return variable, values, [*values]


def _list_parameter(author: Author, values: tuple[str, ...], *, told: bool) -> Json:
    reference = author.parameter(",".join(values), told=told)
    declaration = {"Type": "CommaDelimitedList"}
    if told and author.one_in(2):
        declaration["Default"] = ",".join(values)
    author.declarations[reference["Ref"]] = declaration
    return reference
