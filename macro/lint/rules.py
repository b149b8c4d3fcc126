"""The rules: one that expands a template before the others look at it, and one for each code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cfnlint.decode import decode
from cfnlint.helpers import REGION_PRIMARY
from cfnlint.rules import CloudFormationLintRule, RuleMatch

from macro.adoption.audit import audit
from macro.engine.expand import Context, Expansion, expand
from macro.engine.problem_codes import CODES, WARNINGS
from macro.engine.template.document import Json, Path
from macro.engine.template.edits import apply
from macro.engine.template.problems import Problem
from macro.lint.cfn_lint_adapter import as_written, restart
from macro.lint.fallback_edits import fallback_edits
from macro.lint.placed_edits import placed_edits
from macro.lint.template_nodes import NODE_KEYS, node_of, plain_template, span


def rule_id(code: str) -> str:
    """The id of the rule for a code: cfn-lint tells errors from warnings by its first letter."""
    return ("W" if code.startswith(WARNINGS) else "E") + code


def _rule(code: str) -> type[Any]:
    """The class of the rule for a code. It finds nothing on its own: `Expanding` does."""
    what, cause = CODES[code]
    said = {
        "id": rule_id(code),
        "shortdesc": f"PrivateImage: {what}",
        "description": cause,
        "tags": ["private-image"],
        "__module__": __name__,
    }
    return type(rule_id(code), (CloudFormationLintRule,), said)


CODE_RULES = [_rule(code) for code in CODES]


class Expanding(CloudFormationLintRule):  # type: ignore[misc]  # cfn-lint ships no types
    """Expands a template before the rules look at it, and finds what the engine has against it.

    `settings_file`, where it is given, outweighs the one that is configured.
    """

    id = "IPI000"
    shortdesc = "PrivateImage: templates are expanded"
    description = "All rules see a template as CloudFormation will, after the macro"
    tags = ["private-image"]  # noqa: RUF012  # as all rules of cfn-lint have it

    def __init__(self) -> None:
        super().__init__()
        self.child_rules = {rule_id(code): None for code in CODES}  # cfn-lint puts the rules there
        names = ("account", "settings", "macro_name")
        self.config_definition = {name: {"default": "", "type": "string"} for name in names}
        self.settings_file = ""
        self._root: Any = None
        self._found: list[Problem] = []
        self._audited: list[Problem] = []

    def initialize(self, cfn: Any) -> None:
        """Called by cfn-lint once for every template, before the first rule looks at it."""
        sets = list(getattr(cfn.context, "parameter_sets", ()))
        root, template, expansions = self._expansions(cfn.template, cfn, sets)
        if any(one.edits or one.problems or one.warnings for one in expansions):
            written = as_written(cfn)
            if written is not None:
                root, template, expansions = self._expansions(written, cfn, sets)
        _, unreadable = self._account_settings()
        problems = [*unreadable] or [problem for one in expansions for problem in one.problems]
        warnings = [] if unreadable else [one for each in expansions for one in each.warnings]
        warnings += self._audited
        self._root = root
        self._found = list(dict.fromkeys((*problems, *warnings)))
        if problems:
            edits = [
                edit._replace(value=node_of(edit.value, span(root, edit.path), {}))
                for edit in fallback_edits(template, problems)
            ]
        elif expansions:
            edits = placed_edits(root, template, expansions[0])
        else:
            edits = []
        if edits:
            restart(cfn, apply(root, edits, NODE_KEYS), sets)

    def _expansions(
        self, root: Any, cfn: Any, sets: Sequence[Any]
    ) -> tuple[Any, dict[str, Json], list[Expansion]]:
        """The tree, its data, and what the shorthand comes to with each set of parameters."""
        template = plain_template(root)
        if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
            return root, {}, []  # cfn-lint has rules for what is no template
        # Where nobody names a Region, cfn-lint takes its first: then, as with many, none is known.
        regions = [region for region in cfn.regions if region != REGION_PRIMARY]
        region = regions[0] if len(regions) == len(cfn.regions) == 1 else None
        account = self.config["account"] or None
        settings, _ = self._account_settings()
        macro_name = self.config["macro_name"] or None
        values: list[dict[str, Json]] = [one.parameters for one in sets] or [{}]
        contexts = [Context(given, region, account, settings, macro_name) for given in values]
        expansions = [expand(template, context) for context in contexts]
        pairs = zip(contexts, expansions, strict=True)
        self._audited = [problem for pair in pairs for problem in audit(template, *pair)]
        return root, template, expansions

    def _account_settings(self) -> tuple[Json, tuple[Problem, ...]]:
        """The account's settings (None: none), and the problem where their file is unreadable."""
        file = self.settings_file or self.config["settings"]
        if not file:
            return None, ()
        try:
            tree, wrong = decode(file)
        except OSError:
            tree, wrong = None, True
        if wrong or tree is None:
            what = f"The file {file} with the account's settings cannot be read."
            return None, (Problem("PI107", (), what, "Name a file in YAML or JSON."),)
        return plain_template(tree), ()

    def match(self, cfn: Any) -> Iterator[RuleMatch]:
        """What was found, each under the rule of its code."""
        for problem in self._found:
            rule = self.child_rules[rule_id(problem.code)]
            place = span(self._root, problem.path, problem.on_key)
            path = _unrolled(self._root, problem.path, cfn)
            yield RuleMatch(path, str(problem), location=place, rule=rule)


def _unrolled(root: Any, path: Path, cfn: Any) -> list[str | int]:
    """A path as cfn-lint has it once loops are unrolled, so that `ignore_checks` in the `Metadata`
    of a resource in a loop is heeded."""
    if len(path) > 1 and str(path[1]).startswith("Fn::ForEach::"):
        places = {span(body, ()): name for name, body in cfn.get_resources().items()}
        for length in range(3, len(path)):
            name = places.get(span(root, path[:length]))
            if name:
                return ["Resources", name, *path[length:]]
    return list(path)
