"""`verify FILE...`: asks the account and the registries what the expansion takes for granted."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from functools import reduce

from macro.adoption.audit import audit
from macro.adoption.hand_written import MARKS
from macro.commands import files, output, verify_report
from macro.commands.deployment import check_parameter_names, context, given
from macro.commands.exit_codes import OK, PROBLEMS, USAGE
from macro.commands.file_expansion import located
from macro.commands.files import Input
from macro.engine.expand import Context, Expansion, expand
from macro.engine.shorthand.block import NAME
from macro.engine.template.document import Json, Path, get
from macro.engine.template.edits import apply
from macro.preflight.aws_account import connect, find_stack
from macro.preflight.checks import Check, ContainerLocation, Services, checks_for
from macro.preflight.deployed_values import Deployed, DeployedValues
from macro.preflight.findings import Finding, unknown
from macro.preflight.http import HttpClient
from macro.preflight.image_pulls import ImagePull, read_pulls
from macro.preflight.threads import in_threads
from macro.text.source import Source, SourceError, parse


def verify(options: argparse.Namespace) -> int:
    """Verifies the templates that the options name, and reports what it has found.

    Returns 0 where no check failed; 1 where one failed, where one could not be made and `strict`
    is set, or where a template has problems; 2 where AWS does not answer whose the credentials are.
    Raises UsageError, and AccountError where no account can be asked.
    """
    deployment = context(given(options))
    sources = _read(files.find(options.paths))
    if sources is None:
        return PROBLEMS
    declared = (get(source.template, "Parameters") for source in sources)
    names = {name for section in declared if isinstance(section, dict) for name in section}
    check_parameter_names(options.parameter, names)
    account = connect(options.profile, deployment.region, deployment.account)
    stack = find_stack(account, options.stack_name)
    parameters: dict[str, Json] = {**stack.parameters, **deployment.parameters}
    known = deployment._replace(parameters=parameters, region=account.region, account=account.id)
    expansions = [(source, expand(source.template, known)) for source in sources]
    if any(expansion.problems for _, expansion in expansions):
        for source, expansion in expansions:
            output.problems(source.name, located(source, expansion.problems))
        return PROBLEMS
    for source, expansion in expansions:
        findings = audit(source.template, known, expansion)
        output.problems(source.name, located(source, findings), "warning")
    read = [_pulls(*pair, known, stack.deployed) for pair in expansions]
    services = Services(
        account, HttpClient(frozenset(options.plain_http)), frozenset(options.skip_registry)
    )
    checks = checks_for([pull for pulls, _ in read for pull in pulls], services)

    def hide(text: str) -> str:
        return reduce(lambda shown, values: values.hidden(shown), (v for _, v in read), text)

    results = verify_report.cleaned(_answered(checks, hide), hide)
    _print(results, options.format == "json")
    verify_report.annotate_findings(results)
    if account.unidentified:
        output.report(f"error: AWS cannot be asked: {account.unidentified}")
        return USAGE
    bad = {"failed", "not checked"} if options.strict else {"failed"}
    return PROBLEMS if any(finding.status in bad for _, finding in results) else OK


def _read(inputs: Iterable[Input]) -> list[Source] | None:
    """The templates among the files; None where a file is broken, which is reported."""
    sources: list[Source] = []
    broken = False
    for one in inputs:
        data = files.read(one.name)
        if not one.named and not any(mark.encode() in data for mark in (NAME, *MARKS)):
            continue  # found in a folder, and not about this
        try:
            sources.append(parse(data, one.shown))
        except SourceError as error:
            output.problems(one.shown, error.problems)
            broken = True
    return None if broken else sources


def _pulls(
    source: Source, expansion: Expansion, known: Context, deployed: Deployed
) -> tuple[list[tuple[ContainerLocation, ImagePull]], DeployedValues]:
    """What the containers of one template pull, with their places in the author's text."""
    expanded = apply(source.template, expansion.edits)
    assert isinstance(expanded, dict)
    values = DeployedValues(expanded, known, deployed)

    def located_pull(pull: ImagePull) -> tuple[ContainerLocation, ImagePull]:
        path: Path = (*pull.path, NAME)
        line, column = source.position(path, on_key=True)
        return ContainerLocation(source.name, line, column, pull.container), pull

    return [*map(located_pull, read_pulls(expansion, expanded, known, values))], values


def _answered(checks: list[Check], hide: Callable[[str], str]) -> verify_report.Results:
    """The checks with their answers, in the order of the checks; progress is shown meanwhile: where
    there is no terminal, each check in a line of its own."""
    answers = in_threads([check.find for check in checks])
    findings: dict[int, Finding] = {}
    for index, finding in output.with_progress(answers, len(checks), least=1):
        findings[index] = finding
        if not sys.stderr.isatty():
            what = f"{checks[index].kind} {hide(checks[index].subject)}"
            output.report(f"{len(findings)}/{len(checks)} {what}: {finding.status}")
    late = unknown("It was not answered in time.")
    return [(check, findings.get(index, late)) for index, check in enumerate(checks)]


def _print(results: verify_report.Results, as_json: bool) -> None:
    text = (
        verify_report.findings_as_json(results)
        if as_json
        else verify_report.findings_as_text(results)
    )
    sys.stdout.write(verify_report.encodable(text, sys.stdout.encoding) + "\n")
    sys.stdout.flush()
