"""Calls to AWS: what they answer, or why they do not, in words that hold no secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from macro.preflight.evaluation import Deployed, UnknownValueError

# How many calls at once one client makes; boto3's clients may be shared by threads.
CONNECTIONS = 10


class AccountError(Exception):
    """No account can be asked as the caller wants it; the text says why, and what to do."""


class AwsError(Exception):
    """A call has failed. Holds nothing of what was sent or of what came back but its code."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class MissingError(AwsError):
    """What a call names is not there."""


class DeniedError(AwsError):
    """A permission is missing: `action`, as policies name it."""

    def __init__(self, action: str) -> None:
        super().__init__(f"Your credentials lack {action}.", "AccessDenied")
        self.action = action


@dataclass
class Account:
    """An account of AWS, by the credentials at hand: its id, and the Region of the stack."""

    session: Any = field(repr=False)
    region: str
    id: str
    partition: str
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service, in the stack's Region where no other is named."""
        key = service, region or self.region
        with self._lock:  # to make one is not safe in threads, to use it is
            if key not in self._clients:
                self._clients[key] = _client(self.session, *key)
            return self._clients[key]

    def call(self, service: str, operation: str, region: str | None = None, **sent: Any) -> Any:
        """What AWS answers. Raises `MissingError`, `DeniedError` or `AwsError`."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = self.client(service, region)
        try:
            return getattr(client, operation)(**sent)
        except ClientError as error:
            name = client.meta.method_to_api_mapping[operation]
            raise _trouble(error.response.get("Error", {}), f"{service}:{name}") from None
        except BotoCoreError as error:
            raise AwsError(f"{service} cannot be called: {type(error).__name__}.") from None


# https://docs.aws.amazon.com/cli/latest/topic/config-vars.html: more attempts than these help
# nobody who waits at a terminal.
def _client(session: Any, service: str, region: str) -> Any:
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=15,
        max_pool_connections=CONNECTIONS,
        retries={"total_max_attempts": 3, "mode": "standard"},
    )
    return session.client(service, region_name=region, config=config)


_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_MISSING = ("NoSuchEntity", "NotFoundException", "ResourceNotFoundException")


def _trouble(error: Mapping[str, str], action: str) -> AwsError:
    code = error.get("Code", "")
    if code in _DENIED:
        # Secrets Manager says so where the secret can be read but not decrypted.
        return DeniedError("kms:Decrypt" if "KMS" in error.get("Message", "") else action)
    kind = MissingError if code in _MISSING else AwsError
    return kind(f"{action} failed: {code}.", code)


def connect(profile: str | None, region: str | None, account: str | None) -> Account:
    """The account that the credentials at hand belong to: boto3's default chain, or a profile.

    Raises AccountError where there are no credentials that work, no Region, or where they are of
    another account than the one that was named.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        if not session.region_name:
            raise AccountError("the Region is not known: name it with --region")
        client = _client(session, "sts", session.region_name)
        identity = client.get_caller_identity()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise AccountError(f"AWS does not accept the credentials at hand: {code}") from None
    except BotoCoreError as error:
        what = f"{type(error).__name__}: {error}"
        fix = "Name credentials with --profile or in the environment, as for the AWS CLI."
        raise AccountError(f"AWS cannot be asked: {what}. {fix}") from None
    if account and account != identity["Account"]:
        text = f"the credentials are of the account {identity['Account']}, not of {account}"
        raise AccountError(f"{text}: name another --profile")
    partition = identity["Arn"].split(":")[1]
    return Account(session, session.region_name, identity["Account"], partition)


@dataclass(frozen=True, slots=True)
class Found:
    """A stack that is there: the values of its parameters beside what `Deployed` has."""

    deployed: Deployed
    parameters: Mapping[str, str]


def find_stack(account: Account, name: str | None) -> Found:
    """What is known of a stack by its name; of none, what stacks export alone.

    Raises AccountError where there is no such stack. What may not be read of it is not known.
    """
    exports = _Exports(account)
    if name is None:
        return Found(Deployed(exports=exports), {})
    stack: dict[str, Any] = {}
    listed: list[dict[str, Any]] = []
    undescribed = unlisted = ""
    try:
        (stack,) = account.call("cloudformation", "describe_stacks", StackName=name)["Stacks"]
    except AwsError as trouble:
        if trouble.code == "ValidationError":
            raise AccountError(f"there is no stack {name} in {account.region}") from None
        undescribed = str(trouble)
    try:
        pages = account.client("cloudformation").get_paginator("list_stack_resources")
        for page in _paged("ListStackResources", pages.paginate(StackName=name)):
            listed += page["StackResourceSummaries"]
    except AwsError as trouble:
        unlisted = str(trouble)
    given = stack.get("Parameters", [])
    physical = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in listed
        if one.get("PhysicalResourceId") and one["ResourceStatus"] != "DELETE_COMPLETE"
    }
    resolved = {
        one["ParameterKey"]: one["ResolvedValue"] for one in given if "ResolvedValue" in one
    }
    return Found(
        Deployed(name, physical, resolved, exports, unlisted, undescribed),
        {one["ParameterKey"]: one["ParameterValue"] for one in given},
    )


def _paged(name: str, pages: Any) -> Iterator[Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield from pages
    except ClientError as error:
        raise _trouble(error.response.get("Error", {}), f"cloudformation:{name}") from None
    except BotoCoreError as error:
        raise AwsError(f"cloudformation cannot be called: {type(error).__name__}.") from None


class _Exports:
    """What stacks export; asked for when it is first needed."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._known: Mapping[str, str] | None = None

    def __call__(self) -> Mapping[str, str]:
        if self._known is None:
            pages = self._account.client("cloudformation").get_paginator("list_exports")
            try:
                listed = [
                    one
                    for page in _paged("ListExports", pages.paginate())
                    for one in page["Exports"]
                ]
            except AwsError as trouble:
                raise UnknownValueError(str(trouble)) from None
            self._known = {one["Name"]: one["Value"] for one in listed}
        return self._known
