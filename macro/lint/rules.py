"""PrivateImage in cfn-lint: its rules, for `append_rules: [macro.lint]`, and the command `lint`.

Of cfn-lint's ways to be extended, this takes custom rules. Before any rule looks at a template,
cfn-lint shows it to each (`initialize`). One of the rules here expands it there, so that all the
others see what CloudFormation will see, wherever the shorthand stands and in every Region. What
stays and what moves keeps its place in the author's text, and what is added has the place of the
shorthand that asks for it; so cfn-lint itself reports everything in the author's file.

A schema override (`override_spec`) was tried too, and is the worse way. There is one file of
overrides at most, which the author may need; it is named by its path; it leaves out the Regions
that a template itself names; `Image` must become optional for containers without shorthand too; and
rules that look at the image, the credentials, the role or its policies would not see them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from cfnlint.config import ConfigMixIn
from cfnlint.decode import decode
from cfnlint.helpers import REGION_PRIMARY
from cfnlint.rules import CloudFormationLintRule, RuleMatch, Rules
from cfnlint.runner import Runner

from macro.engine.expand import Context, Expansion, expand
from macro.engine.problem_codes import CODES, WARNINGS
from macro.engine.shorthand.block import NAME
from macro.engine.shorthand.containers import find_containers
from macro.engine.shorthand.macro_calls import SNIPPET, leave, take_out
from macro.engine.template.document import Json, Path, get
from macro.engine.template.edits import Edit
from macro.engine.template.problems import Problem
from macro.engine.template.resources import resources
from macro.lint.template_nodes import edited, node_of, placed_edits, plain, span


def rule_id(code: str) -> str:
    """The id of the rule for a code: cfn-lint tells errors from warnings by its first letter."""
    return ("W" if code.startswith(WARNINGS) else "E") + code


def _rule(code: str) -> type[Any]:
    """The class of the rule for a code. It finds nothing on its own: `Expanding` does."""
    what, mistake = CODES[code]
    said = {
        "id": rule_id(code),
        "shortdesc": f"PrivateImage: {what}",
        "description": f"The likely mistake: {mistake}",
        "tags": ["private-image"],
        "__module__": __name__,
    }
    return type(rule_id(code), (CloudFormationLintRule,), said)


# cfn-lint takes every rule that is a class of the module.
globals().update({rule_id(code): _rule(code) for code in CODES})
__all__ = ["Expanding", *map(rule_id, CODES)]  # noqa: PLE0604 # made one by one, above


class Expanding(CloudFormationLintRule):  # type: ignore[misc]  # cfn-lint ships no types
    """Expands a template before the rules look at it, and finds what the engine has against it."""

    id = "IPI000"
    shortdesc = "PrivateImage: templates are expanded"
    description = "All rules see a template as CloudFormation will, after the macro"
    tags = ["private-image"]  # noqa: RUF012  # as all rules of cfn-lint have it

    def __init__(self) -> None:
        super().__init__()
        self.child_rules = {rule_id(code): None for code in CODES}  # cfn-lint puts the rules there
        self.config_definition = {"account": {"default": "", "type": "string"}}
        self._root: Any = None
        self._found: list[Problem] = []

    def initialize(self, cfn: Any) -> None:
        """Called by cfn-lint once for every template, before the first rule looks at it."""
        sets = list(getattr(cfn.context, "parameter_sets", ()))
        root, template, expansions = self._expansions(cfn.template, cfn, sets)
        if any(one.edits or one.problems or one.warnings for one in expansions):
            written = _as_written(cfn)
            if written is not None:
                root, template, expansions = self._expansions(written, cfn, sets)
        self._root = root
        self._found = list(
            dict.fromkeys(told for one in expansions for told in (*one.problems, *one.warnings))
        )
        problems = [problem for one in expansions for problem in one.problems]
        if problems:
            edits = [
                (edit, node_of(edit.value, span(root, edit.path), {}))
                for edit in stand_ins(template, problems)
            ]
        elif expansions:
            edits = placed_edits(root, template, expansions[0])
        else:
            edits = []
        if edits:
            _start_over(cfn, edited(root, edits), sets)

    def _expansions(
        self, root: Any, cfn: Any, sets: Sequence[Any]
    ) -> tuple[Any, dict[str, Json], list[Expansion]]:
        """The tree, its data, and what the shorthand comes to with each set of parameters."""
        template = plain(root)
        if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
            return root, {}, []  # cfn-lint has rules for what is no template
        # Where nobody names a Region, cfn-lint takes its first: then, as with many, none is known.
        regions = [region for region in cfn.regions if region != REGION_PRIMARY]
        region = regions[0] if len(regions) == len(cfn.regions) == 1 else None
        account = self.config.get("account") or None
        values: list[dict[str, Json]] = [one.parameters for one in sets] or [{}]
        expansions = [expand(template, Context(given, region, account)) for given in values]
        return root, template, expansions

    def match(self, cfn: Any) -> Iterator[RuleMatch]:
        """What was found, each under the rule of its code."""
        for problem in self._found:
            rule = self.child_rules.get(rule_id(problem.code))
            if rule:
                place = span(self._root, problem.path, problem.on_key)
                path = _unrolled(self._root, problem.path, cfn)
                yield RuleMatch(path, str(problem), location=place, rule=rule)


def _as_written(cfn: Any) -> Any:
    """The template as the author wrote it, where cfn-lint has run AWS's transforms already: they
    come after the macro. None where it has not, or where the text is gone, as with standard input:
    there the macro sees the loops unrolled."""
    transformed = cfn.has_language_extensions_transform() or cfn.has_serverless_transform()
    return decode(cfn.filename)[0] if transformed and cfn.filename else None


def stand_ins(template: dict[str, Json], problems: Sequence[Problem]) -> Iterator[Edit]:
    """What lets the rest be linted where the shorthand has problems: each container gets an image,
    and nothing of the macro's stays."""
    misspelt = {problem.path for problem in problems if problem.code == "PI101"}
    for at, container in _containers(template):
        names = [key for key in container if key == NAME or (*at, key) in misspelt]
        image = get(container, NAME, "Image")
        calls = list(take_out(container.get(SNIPPET), (*at, SNIPPET)))
        if (names or calls) and "Image" not in container:
            if image is not None:
                yield Edit("move", (*at, "Image"), source=(*at, NAME, "Image"))
            else:
                yield Edit("add", (*at, "Image"), "image")
        yield from (Edit("remove", (*at, key)) for key in names)
        yield from calls
    for problem in problems:
        if problem.code == "PI105" and problem.path[-1] in (NAME, SNIPPET):
            yield Edit("remove", problem.path)
    yield from leave(template)


def _containers(template: dict[str, Json]) -> Iterator[tuple[Path, dict[str, Json]]]:
    for resource in resources(template):
        for container in find_containers(resource):
            yield container.path, container.body


def _start_over(cfn: Any, template: Any, sets: Sequence[Any]) -> None:
    """Lets cfn-lint's view of a template begin anew with another tree; AWS's transforms follow.

    What the author's text uses counts as used, though the macro may have put its value in the place
    of a parameter or of an entry of `Mappings`.
    """
    filename, regions, before = cfn.filename, cfn.regions, cfn.transform_pre
    vars(cfn).clear()
    cfn.__init__(filename, template, regions)
    cfn.transform()
    for name in ("Ref", "Fn::Sub", "Fn::If", "Fn::FindInMap"):
        cfn.transform_pre[name] = [*cfn.transform_pre.get(name, ()), *before.get(name, ())]
    if sets:
        cfn.context = cfn.context.evolve(parameter_sets=sets)


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


class _Parametrized(Rules):  # type: ignore[misc]  # cfn-lint ships no types
    """Rules that know the parameters also where a template has transforms: cfn-lint drops them
    there."""

    def run(self, filename: str | None, cfn: Any, config: Any) -> Iterator[Any]:
        cfn.context = cfn.context.evolve(parameter_sets=config.parameters)
        yield from super().run(filename, cfn, config)


def lint(arguments: Sequence[str]) -> int:
    """Lints what CloudFormation will see of templates; takes what the command cfn-lint takes.

    Returns cfn-lint's exit code. Raises nothing for wrong usage: it is told, with the code 1.
    """
    try:
        runner = Runner(ConfigMixIn(list(arguments)))
        rules = _Parametrized(runner.rules.data)
        for rule in Rules.create_from_module(__name__).values():
            if rule.id not in rules:
                rules.register(rule)
        runner.rules = rules
        runner.cli()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except Exception as error:  # noqa: BLE001  # cfn-lint's own, on odd templates and options
        print(f"error: cfn-lint stopped: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    return 0
