"""Containers, with the shorthand and without."""

from __future__ import annotations

from author import Author
from drawn_secrets import credentials, secret_within_text
from evaluator import ACCOUNT_ID, REGION, Json, secret_arn
from meaning import (
    NO_VALUE,
    Case,
    Containers,
    Expected,
    Piece,
    Puller,
    Scope,
    Secret,
    always,
)

# Each prefix of a registry table, with images that it is the longest prefix of.
REGISTRIES = {
    "quay.io": ("quay.io/acme/app:1.4", "quay.io/acme/app@sha256:" + "0a" * 32),
    "registry.example.com": ("registry.example.com/app:2", "registry.example.com/teammate/app"),
    "registry.example.com/team": ("registry.example.com/team/app:1.4.2",),
    "registry.example.com:5000": ("registry.example.com:5000/team/app",),
    "docker.io": ("acme/app:1", "app"),
}


def container(author: Author, scope: Scope, its: Puller, *, codebuild: bool = False) -> Containers:
    """One container, with the shorthand or without, that this role pulls."""
    body: dict[str, Json] = {"Name": f"c{author.number()}"}
    if codebuild:
        body = {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL"}
    role = its.role.means
    if author.one_in(4):
        plain = "public.ecr.aws/docker/library/busybox:1"
        body["Image"] = plain
        if not codebuild and author.one_in(3):
            by_hand = {"CredentialsParameter": secret_arn("by-hand")}
            body["RepositoryCredentials"] = by_hand
        return Piece(body, lambda case: [Expected(False, plain, role(case))])
    shorthand, secret, image = _shorthand(author, scope, codebuild=codebuild)
    granted = its.granted
    grant = author.pick(True, True, False) if granted is None else granted
    if not grant or author.one_in(8):
        shorthand["Grant"] = grant
    short = shorthand.keys() == {"Image"} and author.one_in(2)
    body["PrivateImage"] = shorthand["Image"] if short else shorthand

    def means(case: Case) -> list[Expected]:
        found = secret.means(case)
        arn, key, others = (found.arn, found.key, found.others) if found else (None, None, ())
        return [Expected(True, image.means(case), role(case), arn, key, grant, others)]

    return Piece(body, means)


def _shorthand(
    author: Author, scope: Scope, *, codebuild: bool
) -> tuple[dict[str, Json], Piece[Secret | None], Piece[str]]:
    """A shorthand without `Grant`, the secret it names, and the image."""
    loop_tag = "-" + "-".join(f"${{{name}}}" for name in scope.loop) if scope.loop else ""
    images = _images_of_registries(author)
    if images and author.one_in(3):
        image = author.pick(*images)
        found = images[image]
        if ":" in image.rpartition("/")[2] and "@" not in image:
            image += loop_tag
        return {"Image": image}, found, _image(image, image)
    if scope.conditions and author.tries("nothing to pull with"):
        return _public_in_some_cases(author, scope, codebuild=codebuild)
    if scope.conditions and author.tries("If within text"):
        within = secret_within_text(author, scope, codebuild=codebuild)
        named: Piece[Secret | None] = Piece({"Secret": within.text}, within.means)
    else:
        named = credentials(author, scope, codebuild=codebuild)
    image = f"registry.example.net/team/app{author.number()}:1.4"
    tag = author.parameter("1.4")["Ref"]
    text: Json = author.pick(
        image + loop_tag,
        {"Fn::Sub": image.replace(":1.4", f":${{{tag}}}")},
        author.parameter(image, told=author.pick(True, False)),
    )
    piece = _image(text, text if isinstance(text, str) else image)
    return {"Image": text, **named.text}, named, piece


def _images_of_registries(author: Author) -> dict[str, Piece[Secret | None]]:
    """Each image that a registry table has a secret for; the template's comes before the account's,
    and in one table the longest prefix counts."""
    found: dict[str, Piece[Secret | None]] = {}
    for table in (author.account_registries, author.registries):
        for prefix in sorted(table, key=len):
            found |= {
                image: table[prefix]
                for other, images in REGISTRIES.items()
                if other == prefix or other.startswith(f"{prefix}/")
                for image in images
            }
    return found


def _image(text: Json, meaning: str) -> Piece[str]:
    return Piece(text, lambda case: case.fill(meaning))


def _public_in_some_cases(
    author: Author, scope: Scope, *, codebuild: bool
) -> tuple[dict[str, Json], Piece[Secret | None], Piece[str]]:
    """An image of ECR exactly where there is no secret."""
    condition = author.pick(*scope.conditions)
    truth = author.pick(True, False)
    secret = credentials(author, scope.where(condition, truth), codebuild=codebuild)
    private = f"registry.example.net/team/app{author.number()}:1.4"
    public = author.pick(
        "public.ecr.aws/team/app:1", f"{ACCOUNT_ID}.dkr.ecr.{REGION}.amazonaws.com/app:1"
    )

    def choice(there: Json, elsewhere: Json) -> Json:
        return {"Fn::If": [condition, *([there, elsewhere] if truth else [elsewhere, there])]}

    def means(case: Case) -> Secret | None:
        return secret.means(case) if case.holds(condition) == truth else None

    text = {"Image": choice(private, public)}
    text["Secret"] = choice(secret.text["Secret"], NO_VALUE)
    if "KmsKey" in secret.text:
        text["KmsKey"] = choice(secret.text["KmsKey"], NO_VALUE)
    image = Piece[str](
        text["Image"], lambda case: private if case.holds(condition) == truth else public
    )
    return text, Piece(text, means), image


def registries(author: Author) -> None:
    """Draws the registry tables of the template and of the account, and the settings of roles."""
    from hypothesis import strategies as st

    def table() -> list[str]:
        return sorted(author.draw(st.sets(st.sampled_from(sorted(REGISTRIES)), max_size=2)))

    author.registries = {
        prefix: credentials(author, author.top, codebuild=True) for prefix in table()
    }
    if author.tries("account settings"):
        for prefix in table():
            number = author.number()
            arn, name = secret_arn(f"account{number}"), f"account{number}"
            entry = {"Secret": author.pick(arn, name)}
            author.account_registries[prefix] = always(entry, Secret(arn, None))
    if author.tries("role settings"):
        author.role_settings = author.pick(
            {"Path": "/workloads/"},
            {"PermissionsBoundary": f"arn:aws:iam::{ACCOUNT_ID}:policy/boundary"},
            {"Tags": [{"Key": "team", "Value": "web"}]},
        )
