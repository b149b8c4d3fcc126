"""Templates as teams have them, made up: the same for the same numbers, as fragments and as YAML.

Every tenth resource is a task definition with one private container. Ten tasks share an execution
role, which stands in the template, and pull with one of three secrets. The rest are queues, log
groups, security groups, functions, alarms, tables, buckets, topics and roles, about as many of
each, with the properties that most people give them. In a dense template every second resource is
a task.

500 resources, the most that CloudFormation takes, are some 250 kB. What makes a template larger is
its bulk: so many more environment variables or tags in each resource.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml

from macro.engine.template.document import Json, intrinsic

SPARSE, DENSE = 10, 2  # one resource of so many is a task
TASKS_OF_A_ROLE = 10
MOST = 500  # resources: CloudFormation's limit
MEGABYTE = 950_000  # near CloudFormation's limit, with room for what the expansion adds


def generated(resources: int, every: int = SPARSE, bulk: int = 0) -> dict[str, Json]:
    """A template with so many resources, as CloudFormation hands it to a macro."""
    made: dict[str, Json] = {}
    for number in range(resources):
        role = number - number % (every * TASKS_OF_A_ROLE) + 1
        if number % every == 0:
            arn: Json = "arn:aws:iam::111122223333:role/execution"
            if role < resources:
                arn = {"Fn::GetAtt": [f"ExecutionRole{role}", "Arn"]}
            made[f"Task{number}"] = _task(number, arn, bulk)
        elif number == role:
            made[f"ExecutionRole{number}"] = _role("ecs-tasks", bulk)
        else:
            name, make = _OTHERS[number % len(_OTHERS)]
            made[f"{name}{number}"] = make(number, bulk)
    parameters: Json = {"Vpc": {"Type": "AWS::EC2::VPC::Id"}}
    return {"Description": "A benchmark", "Parameters": parameters, "Resources": made}


def bulky(
    size: int, every: int = SPARSE, text: Callable[[Json], str] = json.dumps
) -> dict[str, Json]:
    """A template of about so many characters, written as `text` does, with MOST resources."""
    least, more = (len(text(generated(MOST, every, bulk))) for bulk in (0, 1))
    return generated(MOST, every, (size - least) // (more - least))


def of_size(size: int, text: Callable[[Json], str]) -> dict[str, Json]:
    """A template of about so many characters, written as `text` does, with as many resources as
    that takes."""
    return generated(MOST * size // len(text(generated(MOST))))


def as_yaml(template: Json) -> str:
    """The template as people write it: with short tags, a comment on each resource, and empty lines
    between them."""
    assert isinstance(template, dict)
    resources = template["Resources"]
    assert isinstance(resources, dict)
    head = {key: value for key, value in template.items() if key != "Resources"}
    entries = []
    for name, resource in resources.items():
        lines = _dumped({name: resource}).splitlines(keepends=True)
        entries.append(f"\n  # What {name} is for\n" + "".join(f"  {line}" for line in lines))
    return f"Transform: PrivateImage\n{_dumped(head)}Resources:{''.join(entries)}"


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_call(self, data: dict[str, Any]) -> yaml.Node:
        """A mapping, or a short tag where it is an intrinsic function."""
        call = intrinsic(data)
        if call is None:
            return self.represent_dict(data)
        name, argument = call
        tag = f"!{name.removeprefix('Fn::')}"
        if name == "Fn::GetAtt" and isinstance(argument, list):
            return self.represent_scalar(tag, ".".join(map(str, argument)))
        if isinstance(argument, list):
            return self.represent_sequence(tag, argument)
        return self.represent_scalar(tag, str(argument))


_Dumper.add_representer(dict, _Dumper.represent_call)


def _dumped(value: Json) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1000)
    return text


def _task(number: int, role: Json, bulk: int) -> Json:
    log = {"awslogs-group": f"/ecs/service{number}", "awslogs-stream-prefix": "web"}
    container: Json = {
        "Name": "web",
        "PrivateImage": {
            "Image": f"registry.example.com/team/service{number}:1.4.2",
            "Secret": f"registry/team{number % 3}",
        },
        "Essential": True,
        "PortMappings": [{"ContainerPort": 8080}],
        "Environment": [
            {"Name": "STAGE", "Value": "production"},
            *_variables(number, bulk),
        ],
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {**log, "awslogs-region": {"Ref": "AWS::Region"}},
        },
    }
    return _resource(
        "AWS::ECS::TaskDefinition",
        {
            "Family": {"Fn::Sub": f"${{AWS::StackName}}-service{number}"},
            "Cpu": "256",
            "Memory": "512",
            "NetworkMode": "awsvpc",
            "RequiresCompatibilities": ["FARGATE"],
            "ExecutionRoleArn": role,
            "ContainerDefinitions": [container],
        },
    )


def _role(service: str, bulk: int) -> Json:
    trust: Json = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    managed = "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    return _resource(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "ManagedPolicyArns": [{"Fn::Sub": managed}],
            "Tags": _tags(0, bulk),
        },
    )


def _queue(number: int, bulk: int) -> Json:
    properties: dict[str, Json] = {
        "QueueName": {"Fn::Sub": f"${{AWS::StackName}}-queue{number}"},
        "VisibilityTimeout": 180,
        "MessageRetentionPeriod": 1209600,
        "SqsManagedSseEnabled": True,
    }
    return _resource("AWS::SQS::Queue", {**properties, "Tags": _tags(number, bulk)})


def _log_group(number: int, bulk: int) -> Json:
    name: Json = {"Fn::Sub": f"/service{number}/${{AWS::StackName}}"}
    properties: dict[str, Json] = {"LogGroupName": name, "RetentionInDays": 30}
    return _resource("AWS::Logs::LogGroup", {**properties, "Tags": _tags(number, bulk)})


def _security_group(number: int, bulk: int) -> Json:
    rules: list[Json] = [
        {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "10.0.0.0/8"}
        for port in (443, 8080)
    ]
    properties: dict[str, Json] = {
        "GroupDescription": f"Access to service {number}",
        "VpcId": {"Ref": "Vpc"},
        "SecurityGroupIngress": rules,
    }
    return _resource("AWS::EC2::SecurityGroup", {**properties, "Tags": _tags(number, bulk)})


def _function(number: int, bulk: int) -> Json:
    variables: dict[str, Json] = {
        "STAGE": "production",
        "TABLE": {"Fn::Sub": "${AWS::StackName}-table"},
        **{f"SETTING_{index}": f"value {index} of function {number}" for index in range(bulk)},
    }
    return _resource(
        "AWS::Lambda::Function",
        {
            "Handler": "index.handler",
            "Runtime": "nodejs22.x",
            "Architectures": ["arm64"],
            "Code": {"S3Bucket": "example-artefacts", "S3Key": f"functions/{number}.zip"},
            "Role": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/function"},
            "MemorySize": 256,
            "Timeout": 30,
            "Environment": {"Variables": variables},
        },
    )


def _alarm(number: int, bulk: int) -> Json:
    properties: dict[str, Json] = {
        "AlarmDescription": f"Messages of service {number} fail",
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": f"service{number}-failed"}],
        "Statistic": "Maximum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    return _resource("AWS::CloudWatch::Alarm", {**properties, "Tags": _tags(number, bulk)})


def _table(number: int, bulk: int) -> Json:
    properties: dict[str, Json] = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "SSESpecification": {"SSEEnabled": True},
    }
    table = _resource("AWS::DynamoDB::Table", {**properties, "Tags": _tags(number, bulk)})
    return {**table, "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def _bucket(number: int, bulk: int) -> Json:
    encryption: Json = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    properties: dict[str, Json] = {
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]},
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "VersioningConfiguration": {"Status": "Enabled"},
    }
    return _resource("AWS::S3::Bucket", {**properties, "Tags": _tags(number, bulk)})


def _topic(number: int, bulk: int) -> Json:
    properties: dict[str, Json] = {
        "TopicName": {"Fn::Sub": f"${{AWS::StackName}}-topic{number}"},
        "KmsMasterKeyId": "alias/aws/sns",
    }
    return _resource("AWS::SNS::Topic", {**properties, "Tags": _tags(number, bulk)})


_OTHERS: list[tuple[str, Callable[[int, int], Json]]] = [
    ("Queue", _queue),
    ("LogGroup", _log_group),
    ("SecurityGroup", _security_group),
    ("Function", _function),
    ("Alarm", _alarm),
    ("Table", _table),
    ("Bucket", _bucket),
    ("Topic", _topic),
    ("Role", lambda number, bulk: _role("lambda", bulk)),
]


def _resource(kind: str, properties: dict[str, Json]) -> dict[str, Json]:
    return {"Type": kind, "Properties": properties}


def _variables(number: int, bulk: int) -> list[Json]:
    return [
        {"Name": f"SETTING_{index}", "Value": f"value {index} of service {number}"}
        for index in range(bulk)
    ]


def _tags(number: int, bulk: int) -> list[Json]:
    more: list[Json] = [{"Key": f"tag-{index}", "Value": f"value {index}"} for index in range(bulk)]
    return [
        {"Key": "service", "Value": f"service{number}"},
        {"Key": "team", "Value": "platform"},
        *more,
    ]
