"""An expanded template -> what each container pulls: image, platform, secret, role, grant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeVar

from macro.engine.expand import Expansion
from macro.engine.grants.permissions import Grant, Permission
from macro.engine.shorthand.containers import Container, find_containers
from macro.engine.template.choices import branches
from macro.engine.template.conditions import Conditions
from macro.engine.template.document import NO_VALUE, Json, Path, get
from macro.engine.template.intrinsics import attribute
from macro.engine.template.stack import Context, Stack
from macro.preflight.deployed_values import DeployedValues, UnknownValueError, Variables, filled
from macro.preflight.launch_types import is_on_fargate, run_on_fargate
from macro.preflight.template_policies import RolePolicies, role_policies

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ExecutionRole:
    """An execution role by its name; `account` where it is known to be another one's."""

    name: str
    account: str | None = None


@dataclass(frozen=True, slots=True)
class ImagePull:
    """What a container pulls, in one case; what is not known yet is `UnknownValueError`.

    `path` leads to the container, `container` names it. `secret` is what the service gets: an ARN
    or a name; None: the image is public. `grant` is what the role gets for this container: nothing
    where the author vouches for the role, None where the container has no shorthand; then
    `policies` has what the template's own policies are of a role that is in the template.
    `on_fargate`: the template says that Fargate runs it.
    """

    path: Path
    container: str
    image: str | UnknownValueError
    platform: str | UnknownValueError
    secret: str | None | UnknownValueError
    role: ExecutionRole | UnknownValueError
    grant: tuple[Permission, ...] | None | UnknownValueError
    policies: RolePolicies | None = None
    on_fargate: bool = False


def read_pulls(
    expansion: Expansion, expanded: dict[str, Json], context: Context, values: DeployedValues
) -> Iterator[ImagePull]:
    """What the containers of a template pull that have shorthand, or credentials written by hand.

    `expanded` is what the expansion makes of the template. What a known condition leaves out is not
    among them; where a condition is not known, both cases are.
    """
    short = {container.path for container in expansion.containers}
    by_place: dict[Path, list[Grant]] = {}
    for grant in expansion.grants:
        above = (grant.path[:end] for end in range(len(grant.path), 0, -1))
        by_place.setdefault(next(path for path in above if path in short), []).append(grant)
    stack = Stack(expanded, context)

    def reached(turn: Variables, *whens: Conditions) -> Conditions | None:
        """The conditions together, if some deployment has them at once."""
        together: set[tuple[str, bool]] = set()
        for when in whens:
            together |= when
        if len({name for name, _ in together}) < len(together):
            return None
        known = ((values.holds(name, turn), value) for name, value in together)
        if any(holds not in (None, value) for holds, value in known):
            return None
        return Conditions(together) if stack.solver.possible(Conditions(together)) else None

    on_fargate = run_on_fargate(stack, values)
    for resource in stack.resources:
        for container in find_containers(resource):
            if (there := reached({}, container.when)) is None:
                continue
            has_shorthand = container.path in short
            if has_shorthand or container.place.credentials.key in container.body:
                own = by_place.get(container.path, []) if has_shorthand else None
                reader = _ContainerReader(container, stack, own, values, reached, on_fargate)
                yield from reader.read(there)


@dataclass(frozen=True, slots=True)
class _ContainerReader:
    """Reads one container."""

    container: Container
    stack: Stack
    grants: list[Grant] | None
    values: DeployedValues
    reached: Callable[..., Conditions | None]
    on_fargate: frozenset[str]

    def read(self, when: Conditions) -> list[ImagePull]:
        """What the container pulls in each case; one that cannot be read takes no other with it."""
        try:
            return list(self._read(when))
        except UnknownValueError as error:
            unknown = error
        except Exception as error:  # noqa: BLE001 # a fault of ours is not the template's
            unknown = UnknownValueError(f"This cannot be read ({type(error).__name__}).")
        label = self.container.resource.logical_id
        return [ImagePull(self.container.path, label, *(unknown,) * 5)]

    def _read(self, when: Conditions) -> Iterator[ImagePull]:
        turns = list(self.values.turns(self.container.resource.loops))
        images = list(branches(self.container.body.get("Image"), (), when))
        roles = list(
            branches(self.container.owner.get(self.container.place.execution_role), (), when)
        )
        for (_, image, a), (secret, b), (_, role, c) in product(
            images, list(self._secrets(when)), roles
        ):
            for turn in turns:
                if (together := self.reached(turn, a, b, c)) is None:
                    continue
                pull = self._pull(image, secret, role, turn)
                yield replace(pull, grant=self._granted(together, turn))

    def _secrets(self, when: Conditions) -> Iterator[tuple[Json, Conditions]]:
        """What the credentials name; nothing where there are none."""
        shape = self.container.place.credentials
        for _, credentials, holds in branches(self.container.body.get(shape.key), (), when):
            if not isinstance(credentials, dict) or credentials == NO_VALUE:
                yield None, holds
                continue
            for _, secret, inner in branches(credentials.get(shape.parameter), (), holds):
                yield (None if secret == NO_VALUE else secret), inner

    def _pull(self, image: Json, secret: Json, role: Json, turn: Variables) -> ImagePull:
        def known(value: Json) -> str | UnknownValueError:
            return _or_unknown(lambda: self.values.text(value, turn))

        name = get(self.container.body, "Name") or get(self.container.body, "ContainerName")
        shown = known(name) if name else ""
        label = filled(self.container.resource.logical_id, turn)
        return ImagePull(
            self.container.path,
            f"{label}/{shown}" if isinstance(shown, str) and shown else label,
            known(image),
            _or_unknown(lambda: self._platform(turn)),
            None if secret is None else known(secret),
            _or_unknown(lambda: self._role(role, turn)),
            None,
            self._policies(role, turn) if self.grants is None else None,
            on_fargate=is_on_fargate(self.container, turn, self.on_fargate, self.values),
        )

    def _platform(self, turn: Variables) -> str:
        """The platform that a task or a build runs on, as images name it.

        Sources:
        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html,
        https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectEnvironment.html
        """
        if "Type" in self.container.body:  # a build environment; a container of a task has none
            kind = self.values.text(self.values.chosen(self.container.body["Type"], turn), turn)
            system = "windows" if kind.startswith("WINDOWS") else "linux"
            return f"{system}/{'arm64' if kind.startswith('ARM') else 'amd64'}"
        runtime = self.values.chosen(self.container.owner.get("RuntimePlatform"), turn)
        family = self.values.chosen(get(runtime, "OperatingSystemFamily"), turn)
        cpu = self.values.chosen(get(runtime, "CpuArchitecture"), turn)
        absent = (None, NO_VALUE)
        system = "LINUX" if family in absent else self.values.text(family, turn)
        processor = "X86_64" if cpu in absent else self.values.text(cpu, turn)
        return "/".join(
            (
                "windows" if system.startswith("WINDOWS") else "linux",
                "arm64" if processor == "ARM64" else "amd64",
            )
        )

    def _role(self, value: Json, turn: Variables) -> ExecutionRole:
        if value in (None, NO_VALUE):
            raise UnknownValueError("No execution role is named.")
        value = self.values.settled(value, turn)
        if own := self._own_role(value, turn):
            return ExecutionRole(self.values.physical(own, turn).rpartition("/")[2])
        text = self.values.text(value, turn)
        fields = text.split(":", 5)
        account = fields[4] if len(fields) == 6 else None
        return ExecutionRole(text.rpartition("/")[2], account)

    def _policies(self, role: Json, turn: Variables) -> RolePolicies | None:
        try:
            own = self._own_role(self.values.settled(role, turn), turn)
        except UnknownValueError:
            return None
        return role_policies(own, self.stack, self.values) if own else None

    def _own_role(self, value: Json, turn: Variables) -> str | None:
        """The logical id of the template's role that a value is; None: it is none of them."""
        named = attribute(value)
        if named and named[1] in ("", "Arn") and self.values.declares(named[0], turn):
            return filled(named[0], turn)
        return None

    def _granted(
        self, when: Conditions, turn: Variables
    ) -> tuple[Permission, ...] | None | UnknownValueError:
        """What the role gets for this container, with all values filled in."""
        if self.grants is None:
            return None

        def known() -> tuple[Permission, ...]:
            found = {
                grant.permission.key: self._filled(grant.permission, turn)
                for grant in self.grants or ()
                if dict(grant.turn) in ({}, turn)  # a grant may be that of one turn alone
                if self.reached(turn, when, grant.when) is not None
            }
            return tuple(found.values())

        return _or_unknown(known)

    def _filled(self, permission: Permission, turn: Variables) -> Permission:
        def text(value: Json) -> Json:
            return None if value is None else self.values.text(value, turn)

        return Permission(
            permission.action,
            text(permission.resource),
            text(permission.via),
            text(permission.alias),
        )


def _or_unknown(work: Callable[[], T]) -> T | UnknownValueError:
    try:
        return work()
    except UnknownValueError as unknown:
        return unknown
