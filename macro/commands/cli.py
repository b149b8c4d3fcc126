"""The command line: runs a command and turns what it raises into an exit code."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from macro.commands.arguments import lint_help, parser
from macro.commands.exit_codes import OK, PROBLEMS, USAGE, UsageError
from macro.commands.quiet_parser import parse_arguments

# What an extra of the package brings, by the extra.
EXTRAS = {"aws": ("boto3", "botocore", "urllib3"), "lint": ("cfnlint",), "completion": ("shtab",)}

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM  # as shells have it


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command. Returns 0; 1 for problems in a template; 2 for wrong usage, and where a file
    cannot be read or written. Raises SystemExit as argparse does, and for SIGTERM."""
    _open_closed_streams()
    try:
        with _ended_by_sigterm():
            try:
                return _run(sys.argv[1:] if argv is None else list(argv))
            finally:
                sys.stdout.flush()
    except UsageError as error:
        first, *more = error.args
        return _end(USAGE, f"error: {first}", *more)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
        if not extra:
            return _end(USAGE, _unexpected(error))
        install = f"pip install 'private-image-macro[{extra}]'"
        return _end(USAGE, f"error: this command needs {package}: {install}")
    except BrokenPipeError:  # whoever read the output has gone
        _drop_output()
        return PROBLEMS
    except OSError as error:
        if error.filename:
            return _end(USAGE, f"error: {error.filename} cannot be used: {error.strerror}")
        _drop_output()
        return _end(USAGE, f"error: standard output cannot be written: {error.strerror}")
    except KeyboardInterrupt:
        return _end(INTERRUPTED, "interrupted")
    except Exception as error:  # noqa: BLE001 # whatever it is, a traceback helps no user
        return _end(USAGE, _unexpected(error))


def _run(arguments: list[str]) -> int:
    """Runs the command, which is imported only now: help and version wait for none of it."""
    if arguments[:1] == ["lint"]:  # its options are cfn-lint's
        return _lint(arguments[1:])
    options = parse_arguments(parser(arguments[0] if arguments else None), arguments)
    if options.command == "verify":
        from macro.commands.verify import verify

        return _asking_aws(verify, options)
    if options.command == "login":
        from macro.commands.login import login

        return _asking_aws(login, options)
    if options.command == "settings":
        from macro.commands.settings_file import settings_file

        return settings_file(options)
    if options.command == "completion":
        import shtab

        print(shtab.complete(parser(), options.shell))
        return OK
    if options.command == "adopt":
        from macro.commands.adopt_files import adopt_files

        return adopt_files(options)
    from macro.commands.expand_files import expand_files
    from macro.commands.files import STDIN

    if not options.paths and not options.check:
        options.parser.error("name a FILE")
    options.paths = options.paths or ["."]
    options.output = None if options.output == STDIN else options.output  # where it goes anyway
    return expand_files(options)


def _lint(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        print(lint_help(), end="")
        return OK
    from macro.commands.lint_files import lint

    return lint(arguments)


def _asking_aws(command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Runs a command that calls AWS. Raises UsageError where no account can be asked."""
    from macro.preflight.aws_account import AccountError

    try:
        return command(options)
    except AccountError as error:
        raise UsageError(str(error)) from None


def _end(code: int, *lines: str) -> int:
    from macro.commands.output import report  # only here: help does not wait for it

    for line in lines:
        report(line)
    return code


def _unexpected(error: Exception) -> str:
    """What went wrong where, without the values that were at hand."""
    from pathlib import Path as File  # slow to import: nothing else waits for it

    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{File(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"error: unexpected {type(error).__name__} at {where}. This is a fault: please report it"


def _drop_output() -> None:
    from macro.commands.output import drop  # as in _end

    drop(sys.stdout)


def _open_closed_streams() -> None:
    """Gives a standard stream that is closed a file: reading finds nothing, messages are lost, and
    output cannot be written, which is reported."""
    for name, flags, mode in _STREAMS:
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode, encoding="utf-8"))


_STREAMS = (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w"))


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Lets SIGTERM end the command as Ctrl-C does: what is temporary is taken away."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # in another thread than the main one, which alone gets signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
