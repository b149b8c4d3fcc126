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


def relocated(
    template: dict[str, Json], source: File, target: File, moved: Callable[[File], File | None]
) -> Iterator[Edit]:
    """The edits that keep the local paths of a template right which moves from one file to another.

    `moved` gives for a file that moves too the place where it comes to stand. What is no path to a
    file or folder that is there, such as a URL, stays as it is.
    """
    here, there = source.parent.resolve(), target.parent.resolve()
    if here == there:
        return
    for path, value in _candidates(template):
        if not isinstance(value, str) or File(value).is_absolute() or "://" in value:
            continue
        named = (here / value).resolve()
        if named.exists():
            way = os.path.relpath((moved(named) or named).resolve(), there)
            if File(way) != File(value):
                yield Edit("replace", path, way if way.startswith(".") else f"./{way}")


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
    """The files that `AWS::Include` takes in, wherever it stands."""
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
