"""The account's settings in a file, and `settings FILE`, which prints them for the deployment."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from macro.commands import files
from macro.commands.exit_codes import OK, UsageError
from macro.engine.account_settings import ENVIRONMENT_BYTES, environment_bytes
from macro.engine.expand import Context, expand
from macro.engine.shorthand.settings import read_account_settings
from macro.engine.template.document import Json

if TYPE_CHECKING:
    from yaml import MappingNode


def read_settings_file(name: str) -> Json:
    """The account's settings in a file of YAML or JSON. Raises UsageError for what they cannot be;
    it names all that is wrong."""
    from yaml import YAMLError  # slow to import, and needed here only

    from macro.text.nodes import MAX_DEPTH, TooDeepError, compose_yaml, value_of

    data = files.read(name)
    odd: list[int] = []

    def note(mapping: MappingNode) -> None:
        odd.append(mapping.start_mark.line + 1)

    try:
        root = compose_yaml(data.decode("utf-8-sig"))
        settings = None if root is None else value_of(root, note)
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8") from None
    except TooDeepError:
        raise UsageError(f"{name} nests deeper than {MAX_DEPTH} levels") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise UsageError(f"{name}{where}: this is neither YAML nor JSON") from None
    if odd:
        raise UsageError(f"{name}:{odd[0]}: a key is given twice here, merged, or not text")
    if settings is None:
        raise UsageError(f"{name} holds no settings")
    _, problems = read_account_settings(settings)
    if problems:
        raise UsageError(*(f"{name}: {one.code} {one}" for one in problems))
    return settings


def settings_file(options: argparse.Namespace) -> int:
    """Prints the settings as the parameter `Settings` of the macro's deployment takes them: JSON in
    one line, which may be within single quotes. Returns 0; raises UsageError where they are wrong,
    or longer than Lambda takes."""
    settings = read_settings_file(options.file)
    if wrong := [f"{options.file}: {text}" for text in _wrong_entries(settings)]:
        raise UsageError(*wrong)
    text = json.dumps(settings, ensure_ascii=False, separators=(",", ":")).replace("'", r"\u0027")
    size = environment_bytes(text)
    if size > ENVIRONMENT_BYTES:
        raise UsageError(
            f"{options.file} is too large: {size} bytes as Lambda counts, which takes"
            f" {ENVIRONMENT_BYTES}. Put some into the templates' own Metadata.PrivateImage"
        )
    print(text)
    return OK


def _wrong_entries(settings: Json) -> Iterator[str]:
    """What is wrong with the secrets and keys of the registries: what any template would meet that
    pulls from them."""
    read, _ = read_account_settings(settings)
    for registry in read.account:
        for problem in expand(
            _puller(f"{registry}/repository:1"), Context(settings=settings)
        ).problems:
            text = str(problem).removeprefix("In the account's settings: ")
            yield f"{problem.code} In the account's settings, at Registries.{registry}: {text}"


def _puller(image: str) -> dict[str, Json]:
    """The least template that pulls an image."""
    role: Json = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/execution"}
    containers: Json = [{"Name": "container", "PrivateImage": image}]
    properties: Json = {"ExecutionRoleArn": role, "ContainerDefinitions": containers}
    task: Json = {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}
    return {"Resources": {"Task": task}}
