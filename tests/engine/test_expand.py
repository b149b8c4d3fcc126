"""Expansions that no golden case shows, for cfn-lint does not read their loops to the end."""

from __future__ import annotations

from macro.engine.expand import expand
from macro.engine.template.document import Json, get
from macro.engine.template.edits import apply


def loop(collection: list[Json], logical_id: str) -> Json:
    container: Json = {
        "Name": "web",
        "PrivateImage": {
            "Image": "quay.io/acme/app:1",
            "Secret": {"Fn::If": ["Is${Name}", {"Ref": "AWS::NoValue"}, "registry/web"]},
        },
    }
    task: Json = {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {
            "ExecutionRoleArn": "arn:aws:iam::111122223333:role/exec",
            "ContainerDefinitions": [container],
        },
    }
    return ["Name", collection, {logical_id: task}]


def test_a_condition_that_is_added_for_a_loop_runs_over_what_the_loop_runs_over() -> None:
    template: Json = {
        "Transform": ["PrivateImage", "AWS::LanguageExtensions"],
        "Conditions": {},
        "Resources": {
            "Fn::ForEach::Tasks": loop(["Web"], "Task${Name}"),
            "Fn::ForEach::Jobs": loop(["Web", "Api"], "Job${Name}"),
        },
    }
    expanded = apply(template, expand(template).edits)
    assert get(expanded, "Conditions") == {
        "NotIsApi": {"Fn::Not": [{"Condition": "IsApi"}]},
        "NotIsWeb": {"Fn::Not": [{"Condition": "IsWeb"}]},
    }
    resources = get(expanded, "Resources")
    assert isinstance(resources, dict)
    for name, condition in (("Tasks", "NotIs${Name}"), ("Jobs", "NotIs${Name}")):
        body = resources[f"Fn::ForEach::{name}"]
        assert isinstance(body, list)
        policy = f"{'Task' if name == 'Tasks' else 'Job'}${{Name}}PrivateImagePolicy"
        assert get(body[2], policy, "Condition") == {"Fn::Sub": condition}
