"""A parser of arguments that repeats none of `login`, since one may be a password."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

# What argparse says of options by their names alone.
_SAFE = (
    r"the following arguments are required: .*"
    r"|argument [\w/, -]+: expected one argument"
    r"|a password is taken from standard input alone: .*"
)
_NOT_REPEATED = (
    "login does not take these arguments, which are not repeated here: one may be a password."
    " Give the password on standard input, with --password-stdin"
)


class QuietParser(argparse.ArgumentParser):
    """As its base, but in messages of `login` no argument is repeated, and none is printed raw.

    `quiet`: `login` is among the arguments, perhaps behind one that it does not take.
    """

    quiet = False

    def error(self, message: str) -> NoReturn:
        from macro.commands.output import no_command, printable  # only here: help waits for none

        is_login = self.quiet or self.prog.split()[-1] == "login"
        if is_login and not re.fullmatch(_SAFE, message):
            message = _NOT_REPEATED
        super().error(no_command(printable(message)))


def parse_arguments(parser: QuietParser, arguments: Sequence[str]) -> argparse.Namespace:
    """The options, with the command's own `parser`. Exits with 2 where there are arguments that the
    command does not take."""
    parser.quiet = "login" in arguments
    options, rest = parser.parse_known_args(arguments)
    if rest:
        options.parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return options
