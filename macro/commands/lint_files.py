"""The command `lint`: cfn-lint, with the rules of PrivateImage and without any configuration."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cfnlint.config import ConfigMixIn
from cfnlint.rules import Rules
from cfnlint.runner import Runner

from macro.lint.cfn_lint_adapter import RulesWithParameters


def lint(arguments: Sequence[str]) -> int:
    """Lints what CloudFormation will see of templates; takes what the command cfn-lint takes.

    Returns cfn-lint's exit code. Raises nothing for wrong usage: that is reported, with the code 1.
    """
    try:
        runner = Runner(ConfigMixIn(list(arguments)))
        rules = RulesWithParameters(runner.rules.data)
        for rule in Rules.create_from_module("macro.lint").values():
            if rule.id not in rules:  # the project's own configuration may name them too
                rules.register(rule)
        runner.rules = rules
        runner.cli()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except Exception as error:  # noqa: BLE001  # cfn-lint's own, on odd templates and options
        print(f"error: cfn-lint stopped: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    return 0
