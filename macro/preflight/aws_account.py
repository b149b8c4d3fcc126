"""An account of AWS: what calls answer, or why they do not, in words that hold no secret."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, TypeVar

from macro.engine.template.stack import ACCOUNT_ID, REGION_CODE, Context
from macro.preflight.credential_programs import CredentialPrograms
from macro.preflight.deadline import DeadlineError, within
from macro.preflight.deployed_values import Deployed, UnknownValueError

T = TypeVar("T")

# How many calls at once one client makes; boto3's clients may be shared by threads.
AWS_CONNECTIONS = 10


# What reading an answer raises that has another shape than AWS's own.
MALFORMED = (AttributeError, KeyError, TypeError, ValueError)


def kind_of(error: BaseException) -> str:
    """The kind of a fault: of its text nobody knows what it holds."""
    return type(error).__name__


class AccountError(Exception):
    """No account can be asked as the caller wants it; the text says why, and what to do."""


class AwsError(Exception):
    """A call has failed. Holds nothing of what was sent or of what came back but its code.

    `refused`: AWS itself has refused it, so that it changed nothing.
    """

    def __init__(self, text: str, code: str = "", *, refused: bool = False) -> None:
        super().__init__(text)
        self.code, self.refused = code, refused


class MissingError(AwsError):
    """What a call names does not exist."""


class DeniedError(AwsError):
    """A permission is missing: `action`, as policies name it."""

    def __init__(self, action: str) -> None:
        super().__init__(f"Your credentials lack {action}.", "AccessDenied", refused=True)
        self.action = action


@dataclass
class Account:
    """An account of AWS, by the credentials at hand: its id, and the Region of the stack.

    `id` is None where AWS does not say whose the credentials are; `unidentified` says why.
    """

    session: Any = field(repr=False)
    region: str
    id: str | None
    unidentified: str = ""
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def partition(self) -> str:
        return Context(region=self.region).partition or "aws"

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service, in the stack's Region where no other is named."""
        key = service, region or self.region
        with self._lock:  # to make one is not safe in threads, to use it is
            if key not in self._clients:
                self._clients[key] = _client(self.session, *key)
            return self._clients[key]

    def call(self, service: str, operation: str, region: str | None = None, **sent: Any) -> Any:
        """What AWS answers. Raises `MissingError`, `DeniedError` or `AwsError`."""

        def called() -> Any:
            return getattr(self.client(service, region), operation)(**sent)

        return _answered(_action(service, operation), called)

    def pages(
        self, service: str, operation: str, member: str, region: str | None = None, **sent: Any
    ) -> list[Any]:
        """The members of all pages that AWS answers with. Raises as `call` does."""

        def called() -> list[Any]:
            pages = self.client(service, region).get_paginator(operation).paginate(**sent)
            return [one for page in pages for one in page[member]]

        return _answered(_action(service, operation), called)


CALL_SECONDS = 60.0  # for one call with its attempts, and for finding the credentials


def _action(service: str, operation: str) -> str:
    """An operation as policies name it."""
    return f"{service}:{''.join(word.title() for word in operation.split('_'))}"


def _answered(action: str, called: Callable[[], T]) -> T:
    """What a call returns, in time; whatever it raises becomes an `AwsError`."""
    from botocore.exceptions import ClientError

    try:
        return within(CALL_SECONDS, called)
    except ClientError as error:
        raise _trouble(error.response, action) from None
    except DeadlineError:
        raise AwsError(f"{action} was not answered within {CALL_SECONDS:.0f} s.") from None
    except Exception as error:  # noqa: BLE001 # what parsers, files and programs raise
        raise AwsError(f"{action} could not be called ({kind_of(error)}).") from None


# https://docs.aws.amazon.com/cli/latest/topic/config-vars.html: more attempts than these help
# nobody who waits at a terminal.
def _client(session: Any, service: str, region: str) -> Any:
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=15,
        max_pool_connections=AWS_CONNECTIONS,
        retries={"total_max_attempts": 3, "mode": "standard"},
    )
    return session.client(service, region_name=region, config=config)


_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_MISSING = ("NoSuchEntity", "NotFoundException", "ResourceNotFoundException")


def _trouble(response: Mapping[str, Any], action: str) -> AwsError:
    error = response.get("Error", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    code = str(error.get("Code", ""))
    # botocore gives the status as the code where something between answers in its own words.
    if not re.fullmatch(r"[A-Za-z][\w.:-]{0,79}", code, re.ASCII):
        return AwsError(f"{action} failed: an answer that is no error of AWS, of status {status}.")
    if code in _DENIED:
        # Secrets Manager says so where the secret can be read but not decrypted.
        return DeniedError("kms:Decrypt" if "KMS" in error.get("Message", "") else action)
    kind = MissingError if code in _MISSING else AwsError
    return kind(f"{action} failed: {code}.", code, refused=status < 500)


def connect(profile: str | None, region: str | None, account: str | None) -> Account:
    """The account that the credentials at hand belong to: boto3's default chain, or a profile.

    The Region is the one that is named, else that of `AWS_REGION`, of `AWS_DEFAULT_REGION`, of the
    profile. Where AWS does not answer whose the credentials are, the account has no id.

    Raises AccountError where there are no credentials, no Region or no such profile, or where the
    credentials are of another account than the one that was named.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ProfileNotFound
    from botocore.session import get_session

    programs = CredentialPrograms()
    try:
        core = get_session()
        session = boto3.Session(botocore_session=core, profile_name=profile)
        programs.watch(core)
        found = Account(session, _region(region, session.region_name), None)
    except ProfileNotFound as error:
        # The variables are in the order of boto3.
        variables = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
        source = "--profile" if profile else next(filter(os.environ.get, variables))
        name = error.kwargs["profile"]
        raise AccountError(f"the profile {name} does not exist; it is named by {source}") from None
    except BotoCoreError as error:
        raise AccountError(f"the configuration of AWS cannot be read ({kind_of(error)})") from None
    try:
        credentials = _answered("The search for credentials", session.get_credentials)
        identity = found.call("sts", "get_caller_identity") if credentials else {}
        own = str(identity["Account"]) if credentials else ""
    except AwsError as trouble:
        return replace(found, unidentified=str(trouble))
    except MALFORMED as error:
        return replace(found, unidentified=f"The answer of sts makes no sense ({kind_of(error)}).")
    finally:
        programs.end()
    if not credentials:
        fix = "name them with --profile or in the environment, as for the AWS CLI"
        raise AccountError(f"there are no credentials for AWS: {fix}")
    if not ACCOUNT_ID.fullmatch(own):
        return replace(found, unidentified="The answer of sts makes no sense.")
    if account and account != own:
        text = f"the credentials are of the account {own}, not of {account}"
        raise AccountError(f"{text}: name another --profile")
    return replace(found, id=own)


def _region(named: str | None, of_profile: str | None) -> str:
    """The Region that calls go to. Raises AccountError, which blames what names a wrong one."""
    for source, value in (
        ("--region", named),
        *((name, os.environ.get(name)) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")),
        ("the profile", of_profile),
    ):
        if value:
            if not REGION_CODE.fullmatch(value):
                raise AccountError(f"{source} does not name a Region by its code, as eu-west-1")
            return value
    raise AccountError("the Region is not known: name it with --region")


@dataclass(frozen=True, slots=True)
class ExistingStack:
    """A stack that exists: the values of its parameters beside what `Deployed` has."""

    deployed: Deployed
    parameters: Mapping[str, str]


def find_stack(account: Account, name: str | None) -> ExistingStack:
    """What is known of a stack by its name; of none, what stacks export alone.

    Raises AccountError where no such stack exists. What may not be read of it is not known.
    """
    exports = _Exports(account)
    if name is None:
        return ExistingStack(Deployed(exports=exports, unidentified=account.unidentified), {})
    parameters: dict[str, str] = {}
    resolved: dict[str, str] = {}
    physical: dict[str, str] = {}
    undescribed = unlisted = ""
    try:
        (stack,) = account.call("cloudformation", "describe_stacks", StackName=name)["Stacks"]
        given = stack.get("Parameters", [])
        parameters = {one["ParameterKey"]: one["ParameterValue"] for one in given}
        resolved = {
            one["ParameterKey"]: one["ResolvedValue"] for one in given if "ResolvedValue" in one
        }
    except AwsError as trouble:
        if trouble.code == "ValidationError":
            raise AccountError(f"the stack {name} does not exist in {account.region}") from None
        undescribed = str(trouble)
    except MALFORMED as error:
        undescribed = f"The description of the stack makes no sense ({kind_of(error)})."
    try:
        listed = account.pages(
            "cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=name
        )
        physical = {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for one in listed
            if one.get("PhysicalResourceId") and one["ResourceStatus"] != "DELETE_COMPLETE"
        }
    except AwsError as trouble:
        unlisted = str(trouble)
    except MALFORMED as error:
        unlisted = f"The list of the stack's resources makes no sense ({kind_of(error)})."
    deployed = Deployed(
        name, physical, resolved, exports, unlisted, undescribed, account.unidentified
    )
    return ExistingStack(deployed, parameters)


class _Exports:
    """What stacks export; asked for when it is first needed."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._known: Mapping[str, str] | None = None

    def __call__(self) -> Mapping[str, str]:
        if self._known is None:
            try:
                listed = self._account.pages("cloudformation", "list_exports", "Exports")
                self._known = {one["Name"]: one["Value"] for one in listed}
            except AwsError as trouble:
                raise UnknownValueError(str(trouble)) from None
            except MALFORMED as error:
                text = f"The list of exports makes no sense ({kind_of(error)})."
                raise UnknownValueError(text) from None
        return self._known
