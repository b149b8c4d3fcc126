"""Local files that a template names, such as `CodeUri`: where it is written elsewhere, so that it
still finds them.

Source: https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html, and for SAM's
own types https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path as File

from macro.engine.template.choices import walk
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import Json, Path, get
from macro.engine.template.edits import Edit
from macro.engine.template.resources import resources

_APPSYNC = (
    "CodeS3Location",
    "RequestMappingTemplateS3Location",
    "ResponseMappingTemplateS3Location",
)

# Properties, by resource type, that take a path beside the template's own file.
LOCAL_PATHS: dict[str, tuple[str, ...]] = {
    "AWS::ApiGateway::RestApi": ("BodyS3Location",),
    "AWS::ApiGatewayV2::Api": ("BodyS3Location",),
    "AWS::AppSync::FunctionConfiguration": _APPSYNC,
    "AWS::AppSync::GraphQLSchema": ("DefinitionS3Location",),
    "AWS::AppSync::Resolver": _APPSYNC,
    "AWS::CloudFormation::ModuleVersion": ("ModulePackage",),
    "AWS::CloudFormation::ResourceVersion": ("SchemaHandlerPackage",),
    "AWS::CloudFormation::Stack": ("TemplateURL",),
    "AWS::CloudFormation::StackSet": ("TemplateURL",),
    "AWS::ElasticBeanstalk::ApplicationVersion": ("SourceBundle",),
    "AWS::Glue::Job": ("Command.ScriptLocation",),
    "AWS::Lambda::Function": ("Code",),
    "AWS::Lambda::LayerVersion": ("Content",),
    "AWS::Serverless::Api": ("DefinitionUri",),
    "AWS::Serverless::Application": ("Location",),
    "AWS::Serverless::Function": ("CodeUri",),
    "AWS::Serverless::GraphQLApi": ("SchemaUri", "Functions.*.CodeUri"),
    "AWS::Serverless::HttpApi": ("DefinitionUri",),
    "AWS::Serverless::LayerVersion": ("ContentUri",),
    "AWS::Serverless::StateMachine": ("DefinitionUri",),
    "AWS::StepFunctions::StateMachine": ("DefinitionS3Location",),
}

# The same outside of the properties of resources.
_GLOBALS = ("Function.CodeUri", "Api.DefinitionUri", "HttpApi.DefinitionUri")
_METADATA = (
    "AWS::ServerlessRepo::Application.LicenseUrl",
    "AWS::ServerlessRepo::Application.ReadmeUrl",
)
_RESOURCE_METADATA = ("DockerContext",)


# Those that name another template.
_NESTED = (
    "AWS::CloudFormation::Stack",
    "AWS::CloudFormation::StackSet",
    "AWS::Serverless::Application",
)


def relocated(
    template: dict[str, Json], source: str, target: str, moved: Callable[[str], str | None]
) -> Iterator[Edit]:
    """The edits that keep the local paths of a template right which moves from one file to another.

    `moved` gives for the real path of a file that moves too its new place. What is no path to a
    file or folder that exists, such as a URL, stays as it is.
    """
    here, there = (os.path.realpath(File(file).parent) for file in (source, target))
    if here == there:
        return
    for path, value in _candidates(template):
        if named := _existing(value, here):
            assert isinstance(value, str)
            way = os.path.relpath(os.path.realpath(moved(named) or named), there)
            if File(way) != File(value):
                yield Edit("replace", path, way if way.startswith(".") else f"./{way}")


def nested_templates(template: dict[str, Json], source: str) -> list[str]:
    """The real paths of the templates beside a template's file that it nests."""
    here = os.path.realpath(File(source).parent)
    values = [
        value
        for resource in resources(template)
        if resource.type in _NESTED
        for name in LOCAL_PATHS[resource.type]
        for _, value in _at(resource.body.get("Properties"), name, ())
    ]
    return [named for value in values if (named := _existing(value, here))]


def _existing(value: Json, folder: str) -> str | None:
    """The real path that a relative path of a template means; None where it means no file."""
    if not isinstance(value, str) or not value or os.path.isabs(value) or "://" in value:  # noqa: PTH117
        return None
    named = os.path.join(folder, value)  # noqa: PTH118 # a Path raises for an impossible name
    return os.path.realpath(named) if os.path.exists(named) else None  # noqa: PTH110


def _candidates(template: dict[str, Json]) -> Iterator[tuple[Path, Json]]:
    """The values that may be a local path, and their paths in the template."""
    for resource in resources(template):
        properties = resource.body.get("Properties")
        for name in LOCAL_PATHS.get(resource.type, ()):
            yield from _at(properties, name, (*resource.path, "Properties"))
        for name in _RESOURCE_METADATA:
            yield from _at(resource.body.get("Metadata"), name, (*resource.path, "Metadata"))
    for section, names in (("Globals", _GLOBALS), ("Metadata", _METADATA)):
        for name in names:
            yield from _at(template.get(section), name, (section,))
    yield from _includes(template, ())


def _at(node: Json, name: str, path: Path) -> Iterator[tuple[Path, Json]]:
    """The values below a node at the keys of a dotted name; "*" is any key."""
    head, _, rest = name.partition(".")
    keys = list(node) if head == "*" and isinstance(node, dict) else [head]
    for key in keys:
        for at, value, _ in walk(node, (key,), path, ALWAYS):
            if rest:
                yield from _at(value, rest, at)
            else:
                yield at, value


def _includes(node: Json, path: Path) -> Iterator[tuple[Path, Json]]:
    """The files that `AWS::Include` takes in, wherever it is."""
    if isinstance(node, dict):
        call = node.get("Fn::Transform")
        if get(call, "Name") == "AWS::Include":
            location = (*path, "Fn::Transform", "Parameters", "Location")
            yield location, get(call, "Parameters", "Location")
        for key, value in node.items():
            yield from _includes(value, (*path, key))
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _includes(item, (*path, index))
