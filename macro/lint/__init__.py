"""Rules for cfn-lint: `append_rules: [macro.lint]`.

Of cfn-lint's ways to be extended, this takes custom rules. Before any rule looks at a template,
cfn-lint shows it to each (`initialize`). One of the rules here expands it there, so that all the
others see what CloudFormation will see, wherever the shorthand is and in every Region. What
stays and what moves keeps its place in the author's text, and what is added has the place of the
shorthand that asks for it; so cfn-lint itself reports everything in the author's file.

A schema override (`override_spec`) was tried too, and is the worse way. There is one file of
overrides at most, which the author may need; it is named by its path; it leaves out the Regions
that a template itself names; `Image` must become optional for containers without shorthand too; and
rules that look at the image, the credentials, the role or its policies would not see them.
"""

from macro.lint.cfn_lint_adapter import publish
from macro.lint.rules import CODE_RULES, Expanding

publish(__name__, [Expanding, *CODE_RULES])
