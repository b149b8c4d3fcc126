"""The places where a container can pull with credentials from a secret: one table, a row a place.

Source: the CloudFormation resource schemas; tests/engine/test_places.py holds the table to those
that cfn-lint ships.
"""

from __future__ import annotations

from macro.engine.template.records import NamedTuple


class Credentials(NamedTuple):
    """The shape in which a resource type takes the secret of a private registry.

    The secret goes to `key`.`parameter`; `constants` go beside it, `siblings` beside `key`.
    """

    key: str
    parameter: str
    constants: tuple[tuple[str, str], ...] = ()
    siblings: tuple[tuple[str, str], ...] = ()
    takes_partial_arn: bool = True
    builds_arn_from_name: bool = True


class Place(NamedTuple):
    """Where a resource type holds containers and the role that pulls their images.

    `owner` leads from `Properties` to the object that holds the roles, `container` on from there
    ("*": every item of a list). `execution_role` and `task_role` are keys of the owner. `sign` is a
    key that the container has there and nowhere else: it tells where a container alone is from.
    """

    resource_type: str
    owner: tuple[str, ...]
    container: tuple[str, ...]
    execution_role: str
    task_role: str | None
    service: str
    managed_policy: str | None
    credentials: Credentials
    sign: str | None = None


# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html
REPOSITORY = Credentials(key="RepositoryCredentials", parameter="CredentialsParameter")

# https://docs.aws.amazon.com/codebuild/latest/userguide/sample-private-registry.html
REGISTRY = Credentials(
    key="RegistryCredential",
    parameter="Credential",
    constants=(("CredentialProvider", "SECRETS_MANAGER"),),
    siblings=(("ImagePullCredentialsType", "SERVICE_ROLE"),),
    takes_partial_arn=False,
    builds_arn_from_name=False,
)

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
TASK_EXECUTION = "service-role/AmazonECSTaskExecutionRolePolicy"


def _ecs_tasks(
    resource_type: str, owner: str, container: str, task_role: str | None = "TaskRoleArn"
) -> Place:
    return Place(
        resource_type,
        tuple(owner.split()),
        tuple(container.split()),
        "ExecutionRoleArn",
        task_role,
        "ecs-tasks",
        TASK_EXECUTION,
        REPOSITORY,
    )


_BATCH = "AWS::Batch::JobDefinition"
_NODES = "NodeProperties NodeRangeProperties *"

PLACES = (
    _ecs_tasks("AWS::ECS::TaskDefinition", "", "ContainerDefinitions *"),
    _ecs_tasks("AWS::ECS::DaemonTaskDefinition", "", "ContainerDefinitions *"),
    _ecs_tasks("AWS::ECS::ExpressGatewayService", "", "PrimaryContainer"),
    _ecs_tasks(_BATCH, "ContainerProperties", "", "JobRoleArn"),
    _ecs_tasks(_BATCH, "EcsProperties TaskProperties *", "Containers *"),
    _ecs_tasks(_BATCH, f"{_NODES} Container", "", "JobRoleArn"),
    _ecs_tasks(_BATCH, f"{_NODES} EcsProperties TaskProperties *", "Containers *"),
    Place(
        "AWS::CodeBuild::Project",
        (),
        ("Environment",),
        "ServiceRole",
        None,
        "codebuild",
        None,
        REGISTRY,
        sign="ComputeType",
    ),
)
