"""A login where the name of the secret that holds it belongs."""

from __future__ import annotations

from macro.engine.template.document import Json, Path, intrinsic
from macro.engine.template.intrinsics import parse_text
from macro.engine.template.problems import Problem

_LOGIN_KEYS = frozenset(("username", "user", "password", "auth", "auths", "token"))


def is_login(value: Json) -> bool:
    """Whether a value is the login itself rather than a secret that holds it: a mapping with a
    password, or a text that looks like one as JSON. The value is never shown."""
    if isinstance(value, dict):
        call = intrinsic(value)
        if call and call[0] == "Fn::ToJsonString":
            return is_login(call[1])
        if not call:
            return not _LOGIN_KEYS.isdisjoint(key.lower() for key in value)
    text = "".join(part for part in parse_text(value) if isinstance(part, str))
    return text.lstrip().startswith("{") and any(f'"{key}"' in text.lower() for key in _LOGIN_KEYS)


def login_problem(path: Path) -> Problem:
    """The problem of a login at the path, without any of it."""
    return Problem(
        "PI312",
        path,
        "This is the login itself, which everyone who sees the template could read.",
        "Store username and password in a Secrets Manager secret, and write the secret's name.",
    )
