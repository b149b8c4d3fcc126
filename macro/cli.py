"""The command line: reads files, expands them, says what is wrong where; `main(argv) -> int`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path as File

from macro import limits
from macro.expand import Context, expand
from macro.rewrite import rewrite
from macro.source import LocatedProblem, Source, SourceError, parse
from macro.stack import ACCOUNT_ID, REGION_CODE
from macro.template import Problem, get

OK, PROBLEMS, USAGE = 0, 1, 2

EXPAND_EXAMPLES = """\
examples:
  python -m macro expand template.yaml
  python -m macro expand template.yaml -o expanded.yaml -p RegistrySecret=registry/quay
  aws s3 cp s3://bucket/template.yaml - | python -m macro expand -
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command. Returns 0; 1 for problems in a template; 2 for wrong usage."""
    options = _parser().parse_args(argv)
    try:
        return _expand(options)
    except _Usage as error:
        return _say(f"error: {error}", USAGE)
    except SourceError as error:
        return _say(str(error), PROBLEMS)
    except BrokenPipeError:
        # Whoever read the output has gone; what Python would flush on exit has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PROBLEMS
    except KeyboardInterrupt:
        return _say("interrupted; nothing was written", 130)


class _Usage(Exception):
    """The command was called in a way that it cannot do anything with."""


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m macro",
        description="PrivateImage: containers from private registries, in CloudFormation.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    command = commands.add_parser(
        "expand",
        help="write a template with its PrivateImage blocks expanded",
        description="Writes a template that CloudFormation deploys as it is: every PrivateImage"
        " block becomes an image, its credentials and a grant. All else stays as you wrote it.",
        epilog=EXPAND_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", metavar="FILE", help="the template, YAML or JSON; - is stdin")
    command.add_argument("-o", "--output", metavar="FILE", help="write there, not to stdout")
    command.add_argument(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="the value that a parameter will have; may be given more than once",
    )
    command.add_argument("--region", metavar="REGION", help="the Region that is deployed to")
    command.add_argument("--account", metavar="ID", help="the account that is deployed to")
    return parser


def _expand(options: argparse.Namespace) -> int:
    context = _context(options)
    source = parse(_read(options.file), "<stdin>" if options.file == "-" else options.file)
    _check_parameters(context, source)
    expansion = expand(source.template, context)
    _report(source, expansion.notes, "warning: ")
    if expansion.problems:
        return _report(source, expansion.problems)
    data = rewrite(source, expansion.edits).encode()
    if expansion.edits and len(data) > limits.TEMPLATE_BYTES:
        return _report(source, [limits.too_large(len(data))])
    _write(data, options.output)
    return OK


def _context(options: argparse.Namespace) -> Context:
    parameters: dict[str, str] = {}
    for given in options.parameter:
        name, equals, value = given.partition("=")
        if not equals or not re.fullmatch("[A-Za-z0-9]+", name):
            raise _Usage("-p takes NAME=VALUE, as in -p RegistrySecret=registry/quay")
        parameters[name] = value
    if options.region and not REGION_CODE.fullmatch(options.region):
        raise _Usage("--region takes a Region's code, as in --region eu-west-1")
    if options.account and not ACCOUNT_ID.fullmatch(options.account):
        raise _Usage("--account takes an account's twelve digits")
    return Context(dict(parameters), options.region, options.account)


def _check_parameters(context: Context, source: Source) -> None:
    declared = get(source.template, "Parameters")
    unknown = context.parameters.keys() - (declared if isinstance(declared, dict) else {}).keys()
    if unknown:
        raise _Usage(f"{source.name} has no parameter {', '.join(sorted(unknown))}")


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return File(name).read_bytes()
    except OSError as error:
        raise _Usage(f"{name} cannot be read: {error.strerror}") from None


def _write(data: bytes, name: str | None) -> None:
    """Writes all or nothing: a file is written beside the old one, which it then replaces."""
    if name is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    import tempfile  # slow to import, and needed here only

    target = File(os.path.realpath(name))
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)  # a device or a pipe: there is nothing to replace
            return
        mode = target.stat().st_mode if target.exists() else 0o666 & ~_umask()
        handle, name_beside = tempfile.mkstemp(dir=target.parent)
        beside = File(name_beside)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            beside.chmod(mode)
            beside.replace(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _Usage(f"{name} cannot be written: {error.strerror}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _report(source: Source, problems: Iterable[Problem], kind: str = "") -> int:
    """Says each problem with its place in the author's text, in the text's order."""
    located = []
    for problem in problems:
        line, column = source.position(problem.path, problem.on_key)
        told = LocatedProblem(line, column, problem.code, kind + problem.message, problem.mend)
        located.append(told)
    for told in sorted(located, key=lambda told: (told.line, told.column, told.code)):
        print(f"{source.name}:{told}", file=sys.stderr)
    return PROBLEMS
