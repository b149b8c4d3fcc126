"""The command line: its commands, their options and exit codes; `main(argv) -> int`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from macro import __version__
from macro.commands.exit_codes import PROBLEMS, USAGE, UsageError
from macro.commands.quiet_parser import QuietParser, parse

EXPAND_EXAMPLES = """\
examples:
  python -m macro expand template.yaml
  python -m macro expand template.yaml -o expanded.yaml -p RegistrySecret=registry/quay
  python -m macro expand template.yaml --diff
  python -m macro expand templates --output-dir expanded
  python -m macro expand templates --output-dir expanded --check
  aws s3 cp s3://bucket/template.yaml - | python -m macro expand -
"""

VERIFY_EXAMPLES = """\
examples:
  python -m macro verify template.yaml --region eu-west-1
  python -m macro verify template.yaml -p RegistrySecret=registry/quay --strict
  python -m macro verify template.yaml --stack-name web --format json
"""

LOGIN_EXAMPLES = """\
examples:
  python -m macro login quay.io --username acme+reader --password-stdin < token
  pass show registry | python -m macro login docker.io --username acme --password-stdin \\
    --secret-name registry/hub --kms-key-id alias/registry --tag team=web
"""


# What an extra of the package brings, by the extra.
EXTRAS = {"aws": ("boto3", "botocore", "urllib3"), "lint": ("cfnlint",)}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command. Returns 0; 1 for problems in a template; 2 for wrong usage."""
    try:
        return _run(sys.argv[1:] if argv is None else list(argv))
    except UsageError as error:
        return _say(f"error: {error}", USAGE)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        for extra, packages in EXTRAS.items():
            if package in packages:
                install = f"pip install 'private-image-macro[{extra}]'"
                return _say(f"error: this command needs {package}: {install}", USAGE)
        raise
    except BrokenPipeError:
        # Whoever read the output has gone; what Python would flush on exit has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PROBLEMS
    except KeyboardInterrupt:
        return _say("interrupted", 130)


def _run(arguments: list[str]) -> int:
    """Runs the command, which is imported only now: help and version wait for none of it."""
    if arguments[:1] == ["lint"]:  # its options are cfn-lint's, and no business of ours
        from macro.lint.rules import lint

        return lint(arguments[1:])
    options = parse(_parser(), arguments)
    if options.command == "verify":
        from macro.commands.verify import verify

        return _asking_aws(verify, options)
    if options.command == "login":
        from macro.commands.login import login

        return _asking_aws(login, options)
    from macro.commands.expand_files import expand_files

    return expand_files(options)


def _asking_aws(command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Runs a command that calls AWS. Raises UsageError where no account can be asked."""
    from macro.preflight.aws_account import AccountError

    try:
        return command(options)
    except AccountError as error:
        raise UsageError(str(error)) from None


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = QuietParser(
        prog="python -m macro",
        description="PrivateImage: containers from private registries, in CloudFormation.",
    )
    parser.add_argument("--version", action="version", version=f"PrivateImage {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
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
    _add_verify(commands)
    _add_login(commands)
    commands.add_parser("lint", add_help=False, help="run cfn-lint on what CloudFormation will see")
    return parser


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "verify",
        help="ask AWS and the registries whether the containers will be able to pull",
        description="Checks before the deploy that each secret can be read and holds a login,\n"
        "that its key and its role let it be read, and that the registry has the image.\n"
        "Changes nothing. No value of a secret is ever shown.",
        epilog=VERIFY_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("paths", metavar="FILE", nargs="+", help="as in expand")
    _add_deployment(command)
    group = command.add_argument_group("what is asked, and what is said")
    group.add_argument(
        "--stack-name",
        metavar="NAME",
        help="the stack, where it is there: its parameters, secrets, keys and roles are then known",
    )
    group.add_argument(
        "--strict", action="store_true", help="exit with 1 where something could not be checked"
    )
    group.add_argument("--format", choices=["text", "json"], default="text", help="json: as data")
    group.add_argument(
        "--skip-registry",
        metavar="HOST",
        action="append",
        default=[],
        help="do not ask this registry, which the tasks alone reach; may be given more than once",
    )
    _add_plain_http(group)


class _Refused(argparse.Action):
    """An argument that must not be used, for what it says shows in the list of processes."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error("a password is taken from standard input alone: --password-stdin")


def _add_login(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "login",
        help="check a login at its registry, then put it into Secrets Manager",
        description="Checks the login, creates or updates the secret, and prints its ARN.\n"
        "The password comes by standard input and is never shown.",
        epilog=LOGIN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("registry", metavar="REGISTRY", help="its host, as images name it")
    command.add_argument("--username", metavar="NAME", required=True)
    command.add_argument(
        "--password-stdin",
        action="store_true",
        required=True,
        help="take the password from standard input; there is no other way",
    )
    # Named so that it is refused without being repeated, which would put it into a log.
    command.add_argument("--password", nargs="?", action=_Refused, help=argparse.SUPPRESS)
    command.add_argument("--secret-name", metavar="NAME", help="registry/REGISTRY if left out")
    command.add_argument(
        "--kms-key-id", metavar="KEY", help="a key of your own: its ARN, id or alias"
    )
    command.add_argument(
        "--tag", metavar="NAME=VALUE", action="append", default=[], help="a tag of the secret"
    )
    command.add_argument(
        "--pull-through-cache",
        action="store_true",
        help="let ECR's pull-through cache read the secret too: its name then begins with"
        " ecr-pullthroughcache/, and it holds the password as accessToken too",
    )
    command.add_argument(
        "--yes", action="store_true", help="overwrite a secret that is there without asking"
    )
    command.add_argument("--profile", metavar="NAME", help="the AWS profile to use")
    command.add_argument("--region", metavar="REGION", help="the Region of the secret")
    _add_plain_http(command)


def _add_plain_http(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--plain-http",
        metavar="HOST",
        action="append",
        default=[],
        help="this registry has no TLS: the login goes to it in the clear",
    )


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
