"""A parser of arguments that repeats none of `login`, since one may be a password."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

# What argparse says of options by their names alone.
_SAFE = re.compile(
    r"the following arguments are required: .*"
    r"|argument [\w/, -]+: expected one argument"
    r"|a password is taken from standard input alone: .*"
)
_NOT_REPEATED = (
    "login does not take these arguments, which are not repeated here: one may be a password."
    " Give the password on standard input, with --password-stdin"
)


class QuietParser(argparse.ArgumentParser):
    """As its base, but in messages of `login` no argument is repeated."""

    def error(self, message: str) -> NoReturn:
        is_login = self.prog.split()[-1] == "login"
        super().error(message if not is_login or _SAFE.fullmatch(message) else _NOT_REPEATED)


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """The options, with the command's own `parser`. Exits with 2 where there are arguments that the
    command does not take."""
    options, rest = parser.parse_known_args(arguments)
    if rest:
        is_login = options.command == "login"
        options.parser.error(
            _NOT_REPEATED if is_login else f"unrecognized arguments: {' '.join(rest)}"
        )
    return options
