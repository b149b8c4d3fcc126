"""The account's settings that the macro was deployed with, from the function's environment."""

from __future__ import annotations

import json
import os
from functools import cache

from macro.engine.shorthand.settings import read_account_settings
from macro.engine.template.document import Json
from macro.engine.template.problems import Problem

# The environment variable that has the account's settings as JSON, and what Lambda takes of all
# variables together, as one JSON text (see environment_bytes).
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
SETTINGS_VARIABLE = "PRIVATE_IMAGE_SETTINGS"
ENVIRONMENT_BYTES = 4096


@cache
def account_settings() -> tuple[Json, tuple[Problem, ...]]:
    """The settings that the macro was deployed with (None: none), and what is wrong with them.

    They are read at the first call after a start, so that a mistake in them is an answer and not a
    start that fails. A start sees one environment, so they are read once.
    """
    text = os.environ.get(SETTINGS_VARIABLE, "")
    if not text.strip():
        return None, ()
    try:
        settings: Json = json.loads(text, object_pairs_hook=_mapping)
        json.dumps(settings, ensure_ascii=False).encode()
        _, problems = read_account_settings(settings)
    except json.JSONDecodeError as error:
        return None, (_unreadable(f"are not valid JSON from character {error.pos + 1} on"),)
    except RecursionError:
        return None, (_unreadable("nest too deep"),)
    except UnicodeEncodeError:
        return None, (_unreadable("contain half of a surrogate pair, which is not a character"),)
    except _RepeatedKeyError:
        return None, (_unreadable("have a key twice in the same mapping"),)
    return settings, problems


class _RepeatedKeyError(Exception):
    """A mapping has a key twice, of which JSON's reader would drop one."""


def _mapping(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise _RepeatedKeyError
    return mapping


def _unreadable(what: str) -> Problem:
    fix = "Use what private-image settings FILE prints."
    return Problem("PI107", (), f"The account's settings {what}.", fix)


def environment_bytes(settings: str) -> int:
    """The bytes of a function's environment with these settings, as Lambda counts them against
    ENVIRONMENT_BYTES: those of the JSON of all variables, in which a quotation mark is two.

    Source: the error that Lambda answers ("String measured"), as LocalStack has recorded it.
    """
    measured = json.dumps({SETTINGS_VARIABLE: settings}, ensure_ascii=False, separators=(",", ":"))
    return len(measured.encode())
