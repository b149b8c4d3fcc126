"""A macro's event -> its response; `macro.engine.handler.handler` is what runs in Lambda.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Sequence
from typing import Literal, TypedDict

from macro.engine import __version__
from macro.engine.account_settings import account_settings
from macro.engine.error_message import MESSAGE_LENGTH, error_message
from macro.engine.expand import Context, expand
from macro.engine.grants import quotas
from macro.engine.shorthand.macro_calls import SNIPPET
from macro.engine.shorthand.places import PLACES
from macro.engine.shorthand.spelling import NAME
from macro.engine.template.document import Json, Path, get
from macro.engine.template.edits import apply
from macro.engine.template.problems import Problem
from macro.engine.template.records import NamedTuple
from macro.engine.template.stack import ACCOUNT_ID, REGION_CODE

_log = logging.getLogger("macro")


class Response(TypedDict, total=False):
    """What CloudFormation takes from a macro; any `status` but "success" is a failure."""

    requestId: str
    status: str
    fragment: Json
    errorMessage: str


class _Outcome(NamedTuple):
    """What a call comes to: the fragment for CloudFormation or the message for the author, and what
    the log says of it. "settings": the account's are wrong; "fault": a mistake in this program, and
    `note` says where.

    `containers` counts those that are expanded, and `grants` what they are granted.
    """

    name: Literal["success", "failure", "settings", "fault"]
    fragment: Json = None
    message: str = ""
    codes: tuple[str, ...] = ()
    containers: int = 0
    grants: int = 0
    note: str = ""


class _FragmentError(Exception):
    """The fragment has problems."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems


def handler(event: Json, context: object) -> Response:
    """Answers CloudFormation's event with the expanded fragment, or with what is wrong with it.

    Raises nothing, whatever the event is: of an exception CloudFormation tells the author no more
    than that the response is malformed. The log gets one line, with ids, codes and numbers, and
    never what the event holds.
    """
    given = get(event, "requestId")
    request_id = given if isinstance(given, str) and given.isprintable() else ""
    known_as = request_id if re.fullmatch(r"[\w-]{1,64}", request_id) else "unknown"
    outcome = _outcome(event, known_as)
    _log.log(
        logging.ERROR if outcome.name in ("settings", "fault") else logging.INFO,
        "%s",
        outcome.note or outcome.name,
        extra={
            "request": known_as,
            "version": __version__,
            "outcome": outcome.name,
            "codes": outcome.codes,
            "containers": outcome.containers,
            "grants": outcome.grants,
        },
    )
    if outcome.name == "success":
        return {"requestId": request_id, "status": "success", "fragment": outcome.fragment}
    return {
        "requestId": request_id,
        "status": "failure",
        "fragment": {},
        "errorMessage": outcome.message,
    }


def _outcome(event: Json, request_id: str) -> _Outcome:
    """What the event comes to. Raises nothing: see `handler`."""
    try:
        settings, problems = account_settings()
        if problems:
            message = f"The template may be right: the settings of the macro {NAME} are wrong, and"
            message += " whoever deploys the macro must correct its parameter Settings. "
            message += error_message(problems, MESSAGE_LENGTH - len(message))
            return _Outcome("settings", message=message, codes=_codes(problems))
        return _expanded(event, settings)
    except _FragmentError as error:
        message = error_message(error.problems)
        return _Outcome("failure", message=message, codes=_codes(error.problems))
    except Exception as error:  # noqa: BLE001 # the boundary
        # Not the exception's own text, which may hold what the event holds.
        places = "".join(traceback.format_tb(error.__traceback__))
        message = f"{NAME} {__version__} failed by a fault of its own, and the template may be"
        message += f" right. Please report it with what its log has under request {request_id}."
        return _Outcome("fault", message=message, note=f"{type(error).__name__}\n{places}")


def _codes(problems: Sequence[Problem]) -> tuple[str, ...]:
    return tuple(sorted({problem.code for problem in problems}))


class _Placed(NamedTuple):
    """A template with the fragment in it, at `path`."""

    template: Json
    path: Path = ()


def _expanded(event: Json, settings: Json) -> _Outcome:
    """The event's fragment, expanded with the account's settings. Raises _FragmentError."""
    context = _context(event, settings)
    placed = _placed(get(event, "fragment"), get(event, "params"), context.macro_name or NAME)
    try:
        expansion = expand(placed.template, context)
        if expansion.problems:
            raise _FragmentError(
                *(_seen_from(placed.path, problem) for problem in expansion.problems)
            )
        expanded = apply(placed.template, expansion.edits)
        size = _size(expanded)
    except RecursionError:
        message = "The template is nested too deeply."
        fix = "Reduce the nesting of its mappings and lists."
        raise _FragmentError(Problem("PI005", (), message, fix)) from None
    except UnicodeEncodeError:
        message = "The template contains half of a surrogate pair, which is not a character."
        fix = r"Look for an escape between \ud800 and \udfff that is alone."
        raise _FragmentError(Problem("PI001", (), message, fix)) from None
    if expansion.edits and size > quotas.TEMPLATE_BYTES:
        raise _FragmentError(quotas.too_large(size))
    return _Outcome(
        "success",
        fragment=_at(expanded, placed.path),
        containers=len(expansion.containers),
        grants=len(expansion.grants),
    )


def _placed(fragment: Json, parameters: Json, macro: str) -> _Placed:
    """The fragment in a template, with the call that CloudFormation has cut out of it.

    So the engine sees what the author wrote, as it does on the command line. Of a call by
    `Fn::Transform` the fragment is the container alone; it goes into the least template that has
    one. Raises _FragmentError for a fragment that is neither.
    """
    if not isinstance(fragment, dict):
        return _Placed(fragment)
    call: Json = {"Name": macro, "Parameters": parameters} if parameters else macro
    if "Resources" in fragment:
        return _Placed({"Transform": call, **fragment} if parameters else fragment)
    if NAME not in fragment and get(parameters, "Image") is None:
        message = f"{macro} was called on what is neither a template nor a container with {NAME}."
        fix = f"Write Transform: {macro} at the top of the template."
        raise _FragmentError(Problem("PI105", (), message, fix))
    place = next((row for row in PLACES if row.sign and row.sign in fragment), PLACES[0])
    node: Json = {**fragment, SNIPPET: call}
    path: Path = ()
    for step in reversed(("Properties", *place.owner, *place.container)):
        node = [node] if step == "*" else {step: node}
        path = (0 if step == "*" else step, *path)
    assert isinstance(node, dict)
    resource: Json = {"Type": place.resource_type, **node}
    return _Placed({"Resources": {"Resource": resource}}, ("Resources", "Resource", *path))


def _context(event: Json, settings: Json) -> Context:
    """What the event says of the deployment, with the account's settings."""
    parameters = get(event, "templateParameterValues")
    region, account = get(event, "region"), get(event, "accountId")
    # The account of the macro's resource, two colons, and its name.
    called = get(event, "transformId")
    name = re.fullmatch(r"(?:\d+::)?([A-Za-z0-9]+)", called) if isinstance(called, str) else None
    return Context(
        parameters if isinstance(parameters, dict) else {},
        region if isinstance(region, str) and REGION_CODE.fullmatch(region) else None,
        account if isinstance(account, str) and ACCOUNT_ID.fullmatch(account) else None,
        settings,
        name[1] if name else NAME,
    )


def _at(node: Json, path: Path) -> Json:
    for step in path:
        assert isinstance(node, (dict, list))
        node = node[step]  # type: ignore[index] # the path was made for the node
    return node


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _size(node: Json, levels: int = 2) -> int:
    """The bytes of a template as JSON without white space: the least that CloudFormation counts.

    The two upper levels are added up from their members, so that never the whole template is in
    memory as text beside itself. Raises UnicodeEncodeError or RecursionError where Lambda's runtime
    could not write it either.
    """
    if levels and node and isinstance(node, dict):
        members = (_size(key, 0) + _size(value, levels - 1) for key, value in node.items())
        return sum(members) + 2 * len(node) + 1  # a colon in each, commas between them, the braces
    return len(_JSON.encode(node).encode())


def _seen_from(path: Path, problem: Problem) -> Problem:
    """The problem as one of the fragment, which is at `path`."""
    return problem._replace(path=problem.path[len(path) :])
