"""Rules for cfn-lint: `append_rules: [macro.lint]`."""

from macro.lint.rules import *  # noqa: F403 # cfn-lint takes every rule that is a class of this module
