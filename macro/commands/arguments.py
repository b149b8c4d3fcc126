"""The commands' arguments: one parser, from which come help and shell completion."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from macro import __version__
from macro.commands.quiet_parser import QuietParser

PROGRAM = "private-image"

LINT_FORMATS = ("quiet", "parseable", "json", "junit", "pretty", "sarif")

LINT_LEVELS = ("informational", "warning", "error", "none")

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

ADOPT_EXAMPLES = f"""\
examples:
  {PROGRAM} adopt template.yaml --diff
  {PROGRAM} adopt templates --in-place
  {PROGRAM} adopt templates --output-dir adopted --narrow
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

These are the most used options of cfn-lint, which the extra "lint" installs:
  pip install 'private-image-macro[lint]'
All others work too: python -m cfnlint --help
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


def parser(only: str | None = None) -> QuietParser:
    """The parser of all commands or, where `only` is the name of one, of that one alone: it is made
    in less time. The command that was chosen is `command` in what it returns."""
    quiet = QuietParser(
        prog=PROGRAM,
        description="PrivateImage: containers from private registries, in CloudFormation.",
        epilog=f"'{PROGRAM} COMMAND --help' has the options of a command, and examples.",
    )
    main: argparse.ArgumentParser = quiet  # as the parsers of the commands are typed
    main.add_argument("--version", action="version", version=f"PrivateImage {__version__}")
    commands = main.add_subparsers(metavar="COMMAND", dest="command", required=True)
    for name, add in _COMMANDS.items():
        if only not in _COMMANDS or name == only:
            add(commands)
    return quiet


def lint_help() -> str:
    """The help of `lint`, whose options are those of cfn-lint."""
    return _add_lint(argparse.ArgumentParser(prog=PROGRAM).add_subparsers()).format_help()


_Commands = argparse._SubParsersAction  # noqa: SLF001 # argparse has no public name for it


def _add_settings_command(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "settings",
        "check the account's settings and print them for the macro's deployment",
        "Checks the account's settings and prints them on one line, in the form that\n"
        "the parameter Settings of the macro's deployment takes.",
        SETTINGS_EXAMPLES,
    )
    command.add_argument("file", metavar="FILE", help="the settings, YAML or JSON")


def _add_completion(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "completion",
        "print a script that completes commands and options in your shell",
        'Prints a script for your shell. It needs shtab, which the extra "completion"\n'
        "installs: pip install 'private-image-macro[completion]'",
        COMPLETION_EXAMPLES,
    )
    command.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))


def _add_command(
    commands: _Commands[argparse.ArgumentParser],
    name: str,
    summary: str,
    description: str,
    examples: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(parser=command)
    return command


def _add_expand(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "expand",
        "write templates with their PrivateImage blocks expanded",
        "Writes templates that CloudFormation deploys as they are: every PrivateImage\n"
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
    views = _add_output(command)
    views.add_argument(
        "--explain", action="store_true", help="show which role may read which secret (default: no)"
    )
    views.add_argument(
        "--format",
        metavar="FORMAT",
        choices=["text", "json", "mermaid", "sarif"],
        default="text",
        help="text; json: edits (RFC 6902), grants and problems; mermaid: a diagram of which role"
        " may read which secret; sarif: problems, for code scanning (default: text)",
    )
    _add_deployment(command)


def _add_adopt(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "adopt",
        "rewrite hand-written credentials to PrivateImage blocks",
        "Rewrites credentials of private registries, and what lets roles read them, to\n"
        "PrivateImage blocks. A template is changed only if expanding the result is\n"
        "proven to deploy the same. What stays is reported with the reason.",
        ADOPT_EXAMPLES,
    )
    command.add_argument("paths", metavar="FILE", nargs="+", help="as for expand")
    group = command.add_argument_group("what is written")
    group.add_argument(
        "--narrow",
        action="store_true",
        help="leave roles that read more secrets than their containers need with those alone"
        " (default: no)",
    )
    group.add_argument(
        "--registry-table",
        action="store_true",
        help="move secrets that several containers share into Metadata.PrivateImage.Registries"
        " (default: no)",
    )
    group.add_argument(
        "--no-transform",
        action="store_true",
        help="add no Transform, for templates that you expand before the deploy (default: add it)",
    )
    views = _add_output(command)
    views.add_argument(
        "--format",
        metavar="FORMAT",
        choices=["text", "json"],
        default="text",
        help="text, or json: edits (RFC 6902), problems and warnings (default: text)",
    )
    command.set_defaults(explain=False)
    _add_deployment(command)


def _add_output(command: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    """Adds where a command writes; returns the group of what it can show in place of writing."""
    group = command.add_argument_group("output")
    places = group.add_mutually_exclusive_group()
    places.add_argument(
        "-o", "--output", metavar="FILE", help="write to this file (default: standard output)"
    )
    places.add_argument(
        "--output-dir",
        metavar="DIR",
        help="write into this folder, in the same subfolders as the sources (default: none)",
    )
    places.add_argument(
        "--in-place", action="store_true", help="overwrite the files themselves (default: no)"
    )
    group.add_argument(
        "--keep-going",
        action="store_true",
        help="write the files without problems even if others have some (default: write none)",
    )
    group = command.add_argument_group("preview", "These write nothing.")
    views = group.add_mutually_exclusive_group()
    views.add_argument(
        "--diff", action="store_true", help="show the changes as a unified diff (default: no)"
    )
    group.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if the files written before are not up to date (default: no)",
    )
    return views


def _add_lint(commands: _Commands[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Adds `lint`. Its options but one are cfn-lint's, which reads them: here they are for help and
    completion."""
    command = _add_command(
        commands,
        "lint",
        "run cfn-lint on templates as they are after the expansion",
        "Runs cfn-lint on templates as they are after the expansion, with its\n"
        "configuration and its exit codes. Each finding is at the line that you wrote.",
        LINT_EXAMPLES,
    )
    command.usage = f"{PROGRAM} lint [OPTION ...] [--] FILE ..."
    command.add_argument("paths", metavar="FILE", nargs="*", help="a template, YAML or JSON")
    command.add_argument(
        "-f",
        "--format",
        metavar="FORMAT",
        choices=LINT_FORMATS,
        help=f"{', '.join(LINT_FORMATS)} (default: two lines for each finding)",
    )
    for options, metavar, text in (
        (("-r", "--regions"), "REGION", "the Regions to lint for (default: us-east-1)"),
        (("-i", "--ignore-checks"), "ID", "rules to leave out (default: none)"),
        (("-c", "--include-checks"), "ID", "rules to include too, such as I (default: none)"),
        (("-x", "--configure-rule"), "RULE", "settings of rules: ID:KEY=VALUE (default: none)"),
        (("--parameters",), "NAME=VALUE", "the values of parameters (default: the template's own)"),
        (("--parameter-files",), "FILE", "files of parameters' values (default: none)"),
        (("--deployment-files",), "FILE", "deployment files of Git sync (default: none)"),
    ):
        command.add_argument(*options, metavar=metavar, nargs="+", help=text)
    _add_settings(command)
    command.add_argument(
        "--config-file", metavar="FILE", help="the configuration (default: .cfnlintrc)"
    )
    command.add_argument(
        "--non-zero-exit-code",
        metavar="LEVEL",
        choices=LINT_LEVELS,
        help=f"the least finding that makes the command fail: {', '.join(LINT_LEVELS)}"
        " (default: informational)",
    )
    return command


def _add_verify(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "verify",
        "ask AWS and the registries whether the containers will be able to pull",
        "Checks, before you deploy, that each secret can be read and holds a login, that\n"
        "the role may read it and use its key, and that the registry has the image.\n"
        "Changes nothing, and never shows the value of a secret.",
        VERIFY_EXAMPLES,
    )
    command.add_argument("paths", metavar="FILE", nargs="+", help="as for expand")
    _add_deployment(command)
    group = command.add_argument_group("checks and report")
    group.add_argument(
        "--stack-name",
        metavar="NAME",
        help="the stack, if it exists, so that its parameters, secrets, keys and roles are known"
        " (default: none)",
    )
    group.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 if something could not be checked (default: only if a check failed)",
    )
    group.add_argument(
        "--format",
        metavar="FORMAT",
        choices=["text", "json"],
        default="text",
        help="text, or json for the same as data (default: text)",
    )
    group.add_argument(
        "--skip-registry",
        metavar="HOST",
        action="append",
        default=[],
        help="do not contact this registry, which only the tasks can reach; may be repeated"
        " (default: contact all)",
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
        "check a login at its registry, then store it in Secrets Manager",
        "Checks the login, creates or updates the secret, and prints its ARN.\n"
        "The password is read from standard input and never shown.",
        LOGIN_EXAMPLES,
    )
    command.add_argument(
        "registry", metavar="REGISTRY", help="the registry's host, as in the names of images"
    )
    command.add_argument(
        "-u",
        "--username",
        metavar="NAME",
        required=True,
        help="the username (no default: required)",
    )
    command.add_argument(
        "--password-stdin",
        action="store_true",
        required=True,
        help="read the password from standard input, the only way to give it"
        " (no default: required)",
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
        help="make the secret readable for ECR's pull-through cache as well: its name begins with"
        " ecr-pullthroughcache/, and it also holds the password as accessToken (default: no)",
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
        help="call this registry without TLS, which sends it the login unencrypted; may be repeated"
        " (default: none)",
    )


def _add_region(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--region",
        metavar="REGION",
        help="the Region (default: AWS_REGION, then AWS_DEFAULT_REGION, then the profile's)",
    )


def _add_settings(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--settings",
        metavar="FILE",
        help="the account's settings, YAML or JSON, as the macro was given them (default: none)",
    )


def _add_profile(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--profile", metavar="NAME", help="the AWS profile (default: AWS_PROFILE, then default)"
    )


def _add_deployment(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("what is known of the deployment")
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
        help="take values and the Region from this environment of the SAM CLI's configuration"
        " (default: none)",
    )
    group.add_argument(
        "--config-file",
        metavar="FILE",
        help="the SAM CLI's configuration (default: samconfig.toml, if --config-env is given)",
    )
    _add_settings(group)
    group.add_argument(
        "--macro-name",
        metavar="NAME",
        help="the name of the macro in the account (default: PrivateImage, or a name in the"
        " template's Transform that begins with it)",
    )
    _add_region(group)
    group.add_argument(
        "--account", metavar="ID", help="the account (default: AWS_ACCOUNT_ID, then the profile's)"
    )
    _add_profile(group)


_COMMANDS: dict[str, Callable[[_Commands[argparse.ArgumentParser]], object]] = {
    "expand": _add_expand,
    "adopt": _add_adopt,
    "verify": _add_verify,
    "login": _add_login,
    "lint": _add_lint,
    "settings": _add_settings_command,
    "completion": _add_completion,
}
