"""The command line: its commands, their options and exit codes; `main(argv) -> int`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from macro import __version__
from macro.usage import PROBLEMS, USAGE, Usage

EXPAND_EXAMPLES = """\
examples:
  python -m macro expand template.yaml
  python -m macro expand template.yaml -o expanded.yaml -p RegistrySecret=registry/quay
  python -m macro expand template.yaml --diff
  python -m macro expand templates --output-dir expanded
  python -m macro expand templates --output-dir expanded --check
  aws s3 cp s3://bucket/template.yaml - | python -m macro expand -
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command. Returns 0; 1 for problems in a template; 2 for wrong usage."""
    options = _parser().parse_args(argv)
    try:
        return _run(options)
    except Usage as error:
        return _say(f"error: {error}", USAGE)
    except BrokenPipeError:
        # Whoever read the output has gone; what Python would flush on exit has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PROBLEMS
    except KeyboardInterrupt:
        return _say("interrupted", 130)


def _run(options: argparse.Namespace) -> int:
    """Runs the command, which is imported only now: help and version wait for none of it."""
    from macro.expand_files import expand_files

    return expand_files(options)


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m macro",
        description="PrivateImage: containers from private registries, in CloudFormation.",
    )
    parser.add_argument("--version", action="version", version=f"PrivateImage {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    command = commands.add_parser(
        "expand",
        help="write templates with their PrivateImage blocks expanded",
        description="Writes a template that CloudFormation deploys as it is: every PrivateImage\n"
        "block becomes an image, its credentials and a grant. All else stays as you wrote it.",
        epilog=EXPAND_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "paths",
        metavar="FILE",
        nargs="+",
        help="a template, YAML or JSON; a folder of them; a pattern such as 'stacks/**/*.yaml';"
        " - is standard input",
    )
    _add_output(command)
    _add_deployment(command)
    return parser


def _add_output(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("where it goes", "to standard output, or")
    places = group.add_mutually_exclusive_group()
    places.add_argument("-o", "--output", metavar="FILE", help="to this file")
    places.add_argument(
        "--output-dir", metavar="DIR", help="under this folder, each in the place of its source"
    )
    places.add_argument("--in-place", action="store_true", help="into the files themselves")
    group.add_argument(
        "--keep-going",
        action="store_true",
        help="write what has no problem, even if another file has one",
    )
    group = command.add_argument_group("see it first", "nothing is written with")
    group.add_argument("--diff", action="store_true", help="a unified diff of what changes")
    group.add_argument("--explain", action="store_true", help="who may then read what, in words")
    group.add_argument(
        "--format",
        choices=["text", "json"],
        default="text",
        help="json: edits (RFC 6902), grants and problems as data",
    )
    group.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 where what is there is not up to date with its source",
    )


def _add_deployment(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("what is deployed, as far as it is known")
    group.add_argument(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="the value that a parameter will have; may be given more than once",
    )
    group.add_argument(
        "--parameter-file",
        metavar="FILE",
        action="append",
        default=[],
        help="a file of them: JSON as the AWS CLI takes it, or lines of NAME=VALUE",
    )
    group.add_argument(
        "--config-env",
        metavar="ENV",
        help="take parameters and Region from this environment of the SAM CLI's configuration",
    )
    group.add_argument(
        "--config-file", metavar="FILE", help="that configuration, if it is not samconfig.toml"
    )
    group.add_argument("--region", metavar="REGION", help="the Region that is deployed to")
    group.add_argument("--account", metavar="ID", help="the account that is deployed to")
    group.add_argument(
        "--profile", metavar="NAME", help="the AWS profile that may name Region and account"
    )
