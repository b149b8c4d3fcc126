"""A text with edits made in it, for tests of what comes out to the letter."""

from __future__ import annotations

from macro.engine.template.document import Json, Path
from macro.engine.template.edits import Edit
from macro.text.rewrite import rewrite
from macro.text.source import parse

CONTAINER: Path = ("Resources", "Task", "Properties", "ContainerDefinitions", 0)


def edited(text: str, *edits: Edit) -> str:
    """The text with the edits, having been checked that it then comes back as it is."""
    new = rewrite(parse(text.encode(), "t.yaml"), edits)
    assert rewrite(parse(new.encode(), "t.yaml"), []) == new
    return new


def expansion(at: Path = CONTAINER, *, conditional: bool = False) -> list[Edit]:
    """What becomes of the shorthand in a container."""
    credentials: Path = (*at, "RepositoryCredentials")
    holder: Json = {"Fn::If": ["C", {}, {"Ref": "AWS::NoValue"}]} if conditional else {}
    hole: Path = (*credentials, "Fn::If", 1) if conditional else credentials
    return [
        Edit("move", (*at, "Image"), source=(*at, "PrivateImage", "Image")),
        Edit("add", credentials, holder),
        Edit("move", (*hole, "CredentialsParameter"), source=(*at, "PrivateImage", "Secret")),
        Edit("remove", (*at, "PrivateImage")),
    ]


def containers(text: str) -> str:
    """A template with this text, from its third column on, as the list of its containers."""
    head = "Resources:\n  Task:\n    Properties:\n      ContainerDefinitions:\n"
    return head + "".join(line[2:] or "\n" for line in text.splitlines(keepends=True))
