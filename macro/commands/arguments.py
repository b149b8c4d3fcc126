"""The commands' arguments: one parser, from which come help and shell completion."""

from __future__ import annotations

import argparse

from macro import __version__
from macro.commands.quiet_parser import QuietParser

PROGRAM = "private-image"

SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")

EXPAND_EXAMPLES = f"""\
examples:
  {PROGRAM} expand template.yaml
  {PROGRAM} expand template.yaml --diff
  {PROGRAM} expand template.yaml -o new.yaml -p RegistrySecret=registry/quay
  {PROGRAM} expand templates --output-dir expanded
  {PROGRAM} expand templates --output-dir expanded --check
  aws s3 cp s3://bucket/template.yaml - | {PROGRAM} expand -
"""

VERIFY_EXAMPLES = f"""\
examples:
  {PROGRAM} verify template.yaml --region eu-west-1
  {PROGRAM} verify template.yaml -p RegistrySecret=registry/quay --strict
  {PROGRAM} verify template.yaml --stack-name web --format json
"""

LOGIN_EXAMPLES = f"""\
examples:
  {PROGRAM} login quay.io --username acme+reader --password-stdin < token
  pass show registry | {PROGRAM} login docker.io --username acme \\
    --password-stdin --secret-name registry/hub --kms-key-id alias/registry
"""

LINT_EXAMPLES = f"""\
examples:
  {PROGRAM} lint template.yaml
  {PROGRAM} lint --regions eu-west-1 --format sarif -- templates/*.yaml

It takes the options of cfn-lint, which the extra "lint" installs:
  pip install 'private-image-macro[lint]'
"""

SETTINGS_EXAMPLES = f"""\
examples:
  {PROGRAM} settings settings.yaml
  sam deploy --parameter-overrides \\
    "Settings='$({PROGRAM} settings settings.yaml)'"
"""

COMPLETION_EXAMPLES = f"""\
examples:
  source <({PROGRAM} completion bash)
  {PROGRAM} completion zsh > ~/.zfunc/_{PROGRAM}
"""


def parser() -> QuietParser:
    """The parser of all commands; the one that was chosen is `command` in what it returns."""
    quiet = QuietParser(
        prog=PROGRAM,
        description="PrivateImage: containers from private registries, in CloudFormation.",
        epilog=f"'{PROGRAM} COMMAND --help' has the options of a command, and examples.",
    )
    main: argparse.ArgumentParser = quiet  # as the parsers of the commands are typed
    main.add_argument("--version", action="version", version=f"PrivateImage {__version__}")
    commands = main.add_subparsers(metavar="COMMAND", dest="command", required=True)
    _add_expand(commands)
    _add_verify(commands)
    _add_login(commands)
    _add_lint(commands)
    settings = _add_command(
        commands,
        "settings",
        "check the account's settings, and print them for the macro's deployment",
        "Checks the account's settings, and prints them in one line as the parameter\n"
        "Settings of the macro's deployment takes them.",
        SETTINGS_EXAMPLES,
    )
    settings.add_argument("file", metavar="FILE", help="the settings, YAML or JSON")
    completion = _add_command(
        commands,
        "completion",
        "print a script that completes commands and options in your shell",
        'Prints a script for your shell. It needs shtab, which the extra "completion"\n'
        "installs: pip install 'private-image-macro[completion]'",
        COMPLETION_EXAMPLES,
    )
    completion.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))
    return quiet


def lint_help() -> str:
    """The help of `lint`, whose options are those of cfn-lint."""
    return _add_lint(argparse.ArgumentParser(prog=PROGRAM).add_subparsers()).format_help()


_Commands = argparse._SubParsersAction  # noqa: SLF001 # argparse has no public name for it


def _add_command(
    commands: _Commands[argparse.ArgumentParser],
    name: str,
    summary: str,
    description: str,
    examples: str,
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_expand(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "expand",
        "write templates with their PrivateImage blocks expanded",
        "Writes a template that CloudFormation deploys as it is: every PrivateImage\n"
        "block becomes an image, its credentials and a grant. All other lines stay as\n"
        "you wrote them.",
        EXPAND_EXAMPLES,
    )
    command.add_argument(
        "paths",
        metavar="FILE",
        nargs="*",
        help="a template, YAML or JSON; a folder of them; a pattern such as 'stacks/**/*.yaml';"
        " - is standard input (default: none; with --check, the current folder)",
    )
    group = command.add_argument_group("where it goes")
    places = group.add_mutually_exclusive_group()
    places.add_argument(
        "-o", "--output", metavar="FILE", help="write to this file (default: standard output)"
    )
    places.add_argument(
        "--output-dir",
        metavar="DIR",
        help="write under this folder, each file in the place of its source (default: none)",
    )
    places.add_argument(
        "--in-place", action="store_true", help="write into the files themselves (default: no)"
    )
    group.add_argument(
        "--keep-going",
        action="store_true",
        help="write what has no problem even if another file has one (default: write nothing then)",
    )
    group = command.add_argument_group("see it first", "These write nothing.")
    views = group.add_mutually_exclusive_group()
    views.add_argument(
        "--diff", action="store_true", help="show what changes, as a unified diff (default: no)"
    )
    views.add_argument(
        "--explain", action="store_true", help="show who may then read what (default: no)"
    )
    views.add_argument(
        "--format",
        metavar="FORMAT",
        choices=["text", "json", "mermaid", "sarif"],
        default="text",
        help="text, or json: edits (RFC 6902), grants and problems; mermaid: a diagram of who may"
        " read what;"
        " sarif: problems, for code scanning (default: text)",
    )
    group.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if what was written before is not up to date (default: no)",
    )
    _add_deployment(command)


def _add_lint(commands: _Commands[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    return _add_command(
        commands,
        "lint",
        "run cfn-lint on what CloudFormation will see",
        "Runs cfn-lint on templates as they are once PrivateImage is expanded.",
        LINT_EXAMPLES,
    )


def _add_verify(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "verify",
        "ask AWS and the registries whether the containers will be able to pull",
        "Checks before the deploy that each secret can be read and holds a login, that\n"
        "its key and its role let it be read, and that the registry has the image.\n"
        "Changes nothing. No value of a secret is ever shown.",
        VERIFY_EXAMPLES,
    )
    command.add_argument("paths", metavar="FILE", nargs="+", help="as in expand")
    _add_deployment(command)
    group = command.add_argument_group("what is checked, and how it is reported")
    group.add_argument(
        "--stack-name",
        metavar="NAME",
        help="the stack, if it exists: its parameters, secrets, keys and roles are then known"
        " (default: none)",
    )
    group.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 if something could not be checked (default: only if it failed)",
    )
    group.add_argument(
        "--format",
        metavar="FORMAT",
        choices=["text", "json"],
        default="text",
        help="text, or json: the same as data (default: text)",
    )
    group.add_argument(
        "--skip-registry",
        metavar="HOST",
        action="append",
        default=[],
        help="do not ask this registry, which only the tasks can reach; may be repeated"
        " (default: ask all)",
    )
    _add_plain_http(group)


class _Refused(argparse.Action):
    """An argument that must not be used, since the list of processes shows it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error("a password is taken from standard input alone: --password-stdin")


def _add_login(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "login",
        "check a login at its registry, then put it into Secrets Manager",
        "Checks the login, creates or updates the secret, and prints its ARN.\n"
        "The password comes by standard input and is never shown.",
        LOGIN_EXAMPLES,
    )
    command.add_argument("registry", metavar="REGISTRY", help="its host, as images name it")
    command.add_argument(
        "--username", metavar="NAME", required=True, help="the login's name (no default: required)"
    )
    command.add_argument(
        "--password-stdin",
        action="store_true",
        required=True,
        help="take the password from standard input, the only way (no default: required)",
    )
    # Named so that it is refused without being repeated, which would put it into a log.
    command.add_argument("--password", nargs="?", action=_Refused, help=argparse.SUPPRESS)
    command.add_argument(
        "--secret-name", metavar="NAME", help="the secret's name (default: registry/REGISTRY)"
    )
    command.add_argument(
        "--kms-key-id",
        metavar="KEY",
        help="a key of your own: its ARN, id or alias (default: the key that AWS manages)",
    )
    command.add_argument(
        "--tag",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a tag of the secret; may be repeated (default: none)",
    )
    command.add_argument(
        "--pull-through-cache",
        action="store_true",
        help="let ECR's pull-through cache read the secret too: its name then begins with"
        " ecr-pullthroughcache/, and it holds the password as accessToken too (default: no)",
    )
    command.add_argument(
        "--yes", action="store_true", help="overwrite an existing secret (default: ask first)"
    )
    _add_profile(command)
    _add_region(command)
    _add_plain_http(command)


def _add_plain_http(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--plain-http",
        metavar="HOST",
        action="append",
        default=[],
        help="this registry has no TLS, and gets the login unencrypted; may be repeated"
        " (default: none)",
    )


def _add_region(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--region",
        metavar="REGION",
        help="the Region (default: AWS_REGION, then AWS_DEFAULT_REGION, then the profile's)",
    )


def _add_profile(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--profile", metavar="NAME", help="the AWS profile (default: AWS_PROFILE, then default)"
    )


def _add_deployment(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("what is deployed, as far as it is known")
    group.add_argument(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="the value of a parameter; may be repeated (default: the template's own)",
    )
    group.add_argument(
        "--parameter-file",
        metavar="FILE",
        action="append",
        default=[],
        help="a file of values: JSON as the AWS CLI takes it, or lines of NAME=VALUE; may be"
        " repeated (default: none)",
    )
    group.add_argument(
        "--config-env",
        metavar="ENV",
        help="take values and Region from this environment of the SAM CLI's configuration"
        " (default: none)",
    )
    group.add_argument(
        "--config-file",
        metavar="FILE",
        help="the SAM CLI's configuration (default: samconfig.toml, if --config-env is given)",
    )
    group.add_argument(
        "--settings",
        metavar="FILE",
        help="the account's settings, YAML or JSON, as the macro has them (default: none)",
    )
    group.add_argument(
        "--macro-name",
        metavar="NAME",
        help="what the macro is registered as in the account (default: PrivateImage, or the name"
        " that begins with it in the template's Transform)",
    )
    _add_region(group)
    group.add_argument(
        "--account", metavar="ID", help="the account (default: AWS_ACCOUNT_ID, then the profile's)"
    )
    _add_profile(group)
