"""The command `lint`: cfn-lint, with the rules of PrivateImage and without any configuration."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cfnlint.config import ConfigMixIn
from cfnlint.rules import Rules
from cfnlint.runner import Runner

from macro.commands.exit_codes import UsageError
from macro.lint.cfn_lint_adapter import RulesWithParameters
from macro.lint.rules import Expanding


def lint(arguments: Sequence[str]) -> int:
    """Lints what CloudFormation will see of templates; takes what the command cfn-lint takes, and
    `--settings FILE`.

    Returns cfn-lint's exit code. For wrong usage of cfn-lint's options that is 1; for `--settings`
    without a file it raises UsageError.
    """
    settings, rest = _settings(arguments)
    try:
        runner = Runner(ConfigMixIn(rest))
        rules = RulesWithParameters(runner.rules.data)
        for rule in Rules.create_from_module("macro.lint").values():
            if rule.id not in rules:  # the project's own configuration may name them too
                rules.register(rule)
        rules.data[Expanding.id].settings_file = settings
        runner.rules = rules
        runner.cli()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except Exception as error:  # noqa: BLE001  # cfn-lint's own, on odd templates and options
        print(f"error: cfn-lint stopped: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    return 0


def _settings(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The file of `--settings` ("": none), and the arguments without it, which cfn-lint takes."""
    options = list(arguments)
    files = options[options.index("--") :] if "--" in options else []
    del options[len(options) - len(files) :]
    settings, rest = "", list[str]()
    left = iter(options)
    for option in left:
        name, equals, value = option.partition("=")
        if name != "--settings":
            rest.append(option)
            continue
        settings = value if equals else next(left, "")
        if not settings:
            raise UsageError("--settings needs a FILE")
    return settings, rest + files
