"""What containers pull -> the checks that would tell of a mistake before the deploy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Generic, TypeVar

from macro.engine.grants.permissions import Permission
from macro.engine.shorthand.images import find_flaw
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Context, Site, Stack
from macro.preflight.aws_calls import Account
from macro.preflight.evaluation import UnknownValueError
from macro.preflight.http import RegistryError, UnreachableError, Wire
from macro.preflight.image_pulls import Pull, Role
from macro.preflight.image_reference import api_host, read_reference
from macro.preflight.registry_client import find_platforms
from macro.preflight.role_checks import check_role
from macro.preflight.secret_checks import Finding, Secret, check_key, failed, read_secret, unknown

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class At:
    """A container in a file; line and column from 1."""

    file: str
    line: int
    column: int
    container: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.container}"


@dataclass(frozen=True, slots=True)
class Check:
    """A question, what it is about, the containers that it is about, and how it is answered."""

    kind: str
    subject: str
    places: tuple[At, ...]
    work: Callable[[], Finding]


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom the checks may ask. `skipped` has the registries that are not asked."""

    account: Account
    wire: Wire
    skipped: frozenset[str] = frozenset()


def plan(pulls: Iterable[tuple[At, Pull]], reach: Reach) -> list[Check]:
    """The checks of all containers: each once, in the order of the containers."""
    planner = _Planner(reach)
    for at, pull in pulls:
        planner.add(at, pull)
    return list(planner.checks.values())


class _Once(Generic[T]):
    """A value that several threads want and the first of them works out."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work, self._lock, self._values = work, Lock(), list[T]()

    def __call__(self) -> T:
        with self._lock:
            if not self._values:
                self._values.append(self._work())
            return self._values[0]


class _Planner:
    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._secrets: dict[str, _Once[Secret]] = {}
        self.checks: dict[tuple[object, ...], Check] = {}

    def add(self, at: At, pull: Pull) -> None:
        """Adds what is to be asked of one container's image, secret, key and role."""
        if pull.secret is None:
            self._image(at, pull, None)
            return
        if isinstance(pull.secret, UnknownValueError):
            for kind in ("secret", "key", "role"):
                self._unknown(at, kind, pull.container, pull.secret.reason)
            image = pull.image if isinstance(pull.image, str) else pull.container
            self._unknown(at, "image", image, "The login is in a secret that is not known.")
            return
        name, account = pull.secret, self._reach.account
        if name not in self._secrets:
            self._secrets[name] = _Once(lambda: read_secret(account, name))
        secret = self._secrets[name]
        own = f"arn:{account.partition}:secretsmanager:{account.region}:{account.id}:secret:"
        shown = name.removeprefix(own)
        self._put(at, "secret", shown, (), lambda: secret().finding)
        self._key(at, pull, shown, secret)
        self._role(at, pull, shown, secret)
        self._image(at, pull, secret)

    def _key(self, at: At, pull: Pull, name: str, secret: Callable[[], Secret]) -> None:
        grant = pull.grant
        if isinstance(grant, UnknownValueError):
            self._unknown(at, "key", name, grant.reason)
            return
        account = self._reach.account
        # Without a grant the author vouches for the role: there is no key that must be in it.
        work = lambda: check_key(account, secret(), grant or None)  # noqa: E731
        self._put(at, "key", name, _identity(grant), work)

    def _role(self, at: At, pull: Pull, name: str, secret: Callable[[], Secret]) -> None:
        grant, role = pull.grant, pull.role
        if isinstance(role, UnknownValueError):
            self._unknown(at, "role", pull.container, role.reason)
        elif isinstance(grant, UnknownValueError):
            self._unknown(at, "role", role.name, grant.reason)
        elif grant is None:
            reason = "The template writes the credentials by hand, and the role's policies too."
            self._unknown(at, "role", role.name, reason)
        else:
            account = self._reach.account
            work = _role_check(account, role, secret, grant)
            self._put(at, "role", role.name, (name, role, *_identity(grant)), work)

    def _image(self, at: At, pull: Pull, secret: Callable[[], Secret] | None) -> None:
        image, platform, reach = pull.image, pull.platform, self._reach
        if isinstance(image, UnknownValueError):
            self._unknown(at, "image", pull.container, image.reason)
        elif isinstance(platform, UnknownValueError):
            self._unknown(at, "image", image, platform.reason)
        else:
            work = lambda: check_image(image, platform, secret, reach)  # noqa: E731
            self._put(at, "image", image, (platform, pull.secret), work)

    def _unknown(self, at: At, kind: str, subject: str, reason: str) -> None:
        self._put(at, kind, subject, (reason,), lambda: unknown(reason))

    def _put(
        self, at: At, kind: str, subject: str, more: tuple[object, ...], work: Callable[[], Finding]
    ) -> None:
        key = (kind, subject, *more)
        found = self.checks.get(key)
        if found is None:
            self.checks[key] = Check(kind, subject, (at,), work)
        elif at not in found.places:
            self.checks[key] = replace(found, places=(*found.places, at))


def _role_check(
    account: Account, role: Role, secret: Callable[[], Secret], grant: tuple[Permission, ...]
) -> Callable[[], Finding]:
    return lambda: check_role(account, role, secret(), grant)


def _identity(grant: tuple[Permission, ...] | None) -> tuple[object, ...]:
    return (None,) if grant is None else tuple(sorted(permission.key for permission in grant))


_NOTHING = Stack({}, Context())
_NOBODY = Site(Resource((), "", "", {}, ()))


def check_image(
    image: str, platform: str, secret: Callable[[], Secret] | None, reach: Reach
) -> Finding:
    """Whether the registry accepts the login, if there is one, and has the image for a platform."""
    flaw = find_flaw(image, _NOBODY, _NOTHING, "")
    if flaw and (secret or not flaw.takes_no_secret):
        return failed(flaw.error.message, flaw.error.fix)
    reference = read_reference(image)
    if reference.host in {api_host(host) for host in reach.skipped}:
        return unknown(f"{reference.host} is not asked, as --skip-registry says.")
    login = secret().login if secret else None
    if secret and not login:
        return unknown("The login could not be read from the secret.")
    try:
        platforms = find_platforms(reference, login, reach.wire)
    except UnreachableError as silence:
        fix = f"Where the tasks' network alone reaches it: --skip-registry {reference.host}"
        return failed(silence.message, fix)
    except RegistryError as refusal:
        return (failed if refusal.certain else unknown)(refusal.message, refusal.fix)
    if platform in platforms:
        accepts = "accepts the login and " if login else ""
        return Finding("passed", f"the registry {accepts}has it for {platform}")
    return failed(
        f"It is not there for {platform}, but for {', '.join(platforms) or 'no platform'}.",
        f"Build it for {platform}, or name its own in RuntimePlatform (for CodeBuild, in Type).",
    )
