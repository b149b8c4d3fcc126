"""What containers pull -> the checks that find a mistake before the deploy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Generic, TypeVar

from macro.engine.grants.permissions import Permission
from macro.preflight.aws_account import Account
from macro.preflight.deployed_values import UnknownValueError
from macro.preflight.findings import Finding, faulty, unknown
from macro.preflight.http import HttpClient
from macro.preflight.image_checks import check_pull
from macro.preflight.image_pulls import ImagePull
from macro.preflight.role_checks import check_role
from macro.preflight.secret_checks import StoredSecret, check_key, fetch_secret
from macro.preflight.template_role_checks import check_template_role

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ContainerLocation:
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
    places: tuple[ContainerLocation, ...]
    work: Callable[[], Finding]

    def find(self) -> Finding:
        """What the check comes to; one that ends in a fault is not checked."""
        try:
            return self.work()
        except BaseException as error:  # noqa: BLE001 # it must not take the report away
            return faulty(error)


@dataclass(frozen=True, slots=True)
class Services:
    """Whom the checks may ask. `skipped` has the registries that are not asked."""

    account: Account
    client: HttpClient
    skipped: frozenset[str] = frozenset()


class ReadOnce(Generic[T]):
    """A value that several threads want and the first of them works out, or the fault it met."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work, self._lock = work, Lock()
        self._outcome: Callable[[], T] | None = None

    def __call__(self) -> T:
        with self._lock:
            if self._outcome is None:
                self._outcome = _outcome(self._work)
        return self._outcome()


def _outcome(work: Callable[[], T]) -> Callable[[], T]:
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 # raised for each who asks
        fault = error

        def fail() -> T:
            raise fault

        return fail
    return lambda: result


def checks_for(
    pulls: Iterable[tuple[ContainerLocation, ImagePull]], services: Services
) -> list[Check]:
    """The checks of all containers: each once, in the order of the containers."""
    known = list(pulls)
    secrets = {
        pull.secret: ReadOnce(partial(fetch_secret, services.account, pull.secret))
        for _, pull in known
        if isinstance(pull.secret, str)
    }
    found: dict[tuple[object, ...], Check] = {}
    for location, pull in known:
        secret = secrets[pull.secret] if isinstance(pull.secret, str) else None
        for question in _questions(pull, secret, services):
            key = question.kind, question.subject, *question.identity
            check = found.get(key)
            if check is None:
                found[key] = Check(question.kind, question.subject, (location,), question.work)
            elif location not in check.places:
                found[key] = replace(check, places=(*check.places, location))
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Question:
    """A check of one container. Those of equal kind, subject and identity are one."""

    kind: str
    subject: str
    work: Callable[[], Finding]
    identity: tuple[object, ...] = field(default=())


def _unknown(kind: str, subject: str, reason: str) -> _Question:
    return _Question(kind, subject, lambda: unknown(reason), (reason,))


def _questions(
    pull: ImagePull, secret: ReadOnce[StoredSecret] | None, services: Services
) -> Iterator[_Question]:
    """What is to be asked of one container's image, secret, key and role."""
    if isinstance(pull.secret, UnknownValueError):
        for kind in ("secret", "key", "role"):
            yield _unknown(kind, pull.container, pull.secret.reason)
        image = pull.image if isinstance(pull.image, str) else pull.container
        yield _unknown("image", image, "The login is in a secret that is not known.")
        return
    if secret:
        account = services.account
        own = f"arn:{account.partition}:secretsmanager:{account.region}:{account.id}:secret:"
        name = str(pull.secret).removeprefix(own)
        yield _Question("secret", name, lambda: secret().finding)
        yield _key_question(pull, name, secret, account)
        yield _role_question(pull, secret, account)
    yield _image_question(pull, secret, services)


def _key_question(
    pull: ImagePull, name: str, secret: ReadOnce[StoredSecret], account: Account
) -> _Question:
    grant = pull.grant
    if isinstance(grant, UnknownValueError):
        return _unknown("key", name, grant.reason)
    # Without a grant the author vouches for the role: there is no key that must be in it.
    work = lambda: check_key(account, secret(), grant or None)  # noqa: E731
    return _Question("key", name, work, _identity(grant))


def _role_question(pull: ImagePull, secret: ReadOnce[StoredSecret], account: Account) -> _Question:
    grant, role, policies = pull.grant, pull.role, pull.policies
    if policies:
        own = lambda: check_template_role(account, role, secret(), policies)  # noqa: E731
        return _Question("role", policies.role, own, (pull.secret,))
    if isinstance(role, UnknownValueError):
        return _unknown("role", pull.container, role.reason)
    if isinstance(grant, UnknownValueError):
        return _unknown("role", role.name, grant.reason)
    work = lambda: check_role(account, role, secret(), grant)  # noqa: E731
    return _Question("role", role.name, work, (pull.secret, role, *_identity(grant)))


def _image_question(
    pull: ImagePull, secret: ReadOnce[StoredSecret] | None, services: Services
) -> _Question:
    image, platform = pull.image, pull.platform
    if isinstance(image, UnknownValueError):
        return _unknown("image", pull.container, image.reason)
    if isinstance(platform, UnknownValueError):
        return _unknown("image", image, platform.reason)

    def work() -> Finding:
        return check_pull(
            image, platform, secret, services.client, services.skipped, pull.on_fargate
        )

    return _Question("image", image, work, (platform, pull.secret, pull.on_fargate))


def _identity(grant: tuple[Permission, ...] | None) -> tuple[object, ...]:
    return (None,) if grant is None else tuple(sorted(permission.key for permission in grant))
