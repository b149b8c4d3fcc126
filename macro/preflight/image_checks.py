"""Checks at the registry: does it accept the login, and could a task pull the image from it?"""

from __future__ import annotations

from collections.abc import Callable

from macro.engine.shorthand.image_reference import read_image_reference
from macro.engine.shorthand.images import find_flaw
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Context, Site, Stack
from macro.preflight.findings import Finding, failed, unknown
from macro.preflight.http import HttpClient, RegistryError, UnreachableError, UntrustedError
from macro.preflight.registry_client import FoundImage, api_host, find_image
from macro.preflight.secret_checks import StoredSecret

MOST_SHOWN = 8  # platforms of an image

_NOTHING = Stack({}, Context())
_NOBODY = Site(Resource((), "", "", {}, ()))


def check_pull(
    image: str,
    platform: str,
    secret: Callable[[], StoredSecret] | None,
    client: HttpClient,
    skipped: frozenset[str],
    on_fargate: bool,
) -> Finding:
    """Whether the registry accepts the login, if there is one, and has the image for a platform.

    Passes only where a task could reach the registry as it was reached from here.
    """
    flaw = find_flaw(image, _NOBODY, _NOTHING, "")
    if flaw and (secret or not flaw.takes_no_secret):
        return failed(flaw.error.message, flaw.error.fix)
    reference = read_image_reference(image)
    if reference.in_ecr:
        return unknown("It is in Amazon ECR, which takes the role's own login.")
    host = api_host(reference.registry)
    if host in {api_host(one.lower()) for one in skipped}:
        return unknown(f"{host} is not asked, as --skip-registry says.")
    login = secret().login if secret else None
    if secret and not login:
        return unknown("The login could not be read from the secret.")
    try:
        found = find_image(reference, platform, login, client)
    except UnreachableError as silence:
        fix = f"Where the tasks' network alone reaches it: --skip-registry {host}"
        return failed(silence.message, fix)
    except UntrustedError as distrust:
        return _where_trusted(distrust.message, on_fargate)
    except RegistryError as refusal:
        return (failed if refusal.certain else unknown)(refusal.message, refusal.fix)
    if platform not in found.platforms:
        return failed(
            f"It does not exist for {platform}, but for {shown_platforms(found.platforms)}.",
            f"Build it for {platform}, or name its own in RuntimePlatform (for CodeBuild, in"
            " Type).",
        )
    if objection := _objection(found, client, on_fargate):
        return objection
    accepts = "accepts the login and " if login and found.asked_for_login else ""
    asks = "" if not login or found.asked_for_login else "; it did not ask for the login"
    return Finding("passed", f"the registry {accepts}has it for {platform}{asks}")


def _objection(found: FoundImage, client: HttpClient, on_fargate: bool) -> Finding | None:
    """Why a task may not reach what was reached from here."""
    for url in found.origins:
        host = url.partition("://")[2]
        if url.startswith("http:"):
            return _where_trusted(f"{host} has the image, but is called without TLS.", on_fargate)
        trusted = client.is_publicly_trusted(url)
        if trusted is None:
            message = f"Whether tasks trust the certificate of {host} is not known from here."
            return unknown(message, "Run this from a network without a proxy.")
        if not trusted:
            message = f"{host} has a certificate that this machine trusts, and a task need not."
            return _where_trusted(message, on_fargate)
    return None


def _where_trusted(message: str, on_fargate: bool) -> Finding:
    """What a registry without TLS, or without a publicly trusted certificate, means for a task."""
    fix = "Give the registry a certificate of a public certificate authority"
    if on_fargate:
        return failed(f"{message} Fargate cannot pull from it.", f"{fix}.")
    return unknown(
        f"{message} Whether the tasks' instances are set up for it is not known.",
        f"{fix}, or set up the instances to trust it.",
    )


def shown_platforms(platforms: tuple[str, ...]) -> str:
    """Platforms for people; of very many, the first."""
    shown = ", ".join(platforms[:MOST_SHOWN]) or "no platform"
    more = len(platforms) - MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
