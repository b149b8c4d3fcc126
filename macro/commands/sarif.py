"""`--format sarif`: problems, warnings and expansions that are not up to date, for code scanning.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, metadata
from urllib.parse import quote

from macro import __version__
from macro.commands.file_expansion import FileExpansion
from macro.commands.files import STDIN
from macro.commands.output import as_json
from macro.engine.problem_codes import CODES, TEXT_CODES, WARNINGS
from macro.engine.template.document import Json
from macro.text.source import LocatedProblem

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

STALE = "stale-expansion"

# The sections of docs/problems.md, by the first digit of a code.
_SECTIONS = {
    "0": "the-text",
    "1": "the-shorthand",
    "2": "the-image",
    "3": "the-secret-and-the-key",
    "4": "the-role-and-its-grant",
    "5": "limits",
    "6": "credentials-written-by-hand",
    "9": "warnings",
}


def as_sarif(results: Iterable[FileExpansion]) -> str:
    """A SARIF log of one run. A file that could not be read makes the run an unsuccessful one."""
    given = list(results)
    unread: list[Json] = [
        {"level": "error", "message": {"text": one.unreadable}} for one in given if one.unreadable
    ]
    address = _address()
    stale = "An expansion is not up to date", "Its source has changed since."
    rules = {**TEXT_CODES, **CODES, STALE: stale}
    driver: dict[str, Json] = {
        "name": "PrivateImage",
        "version": __version__,
        **({"informationUri": address} if address else {}),
        "rules": [_rule(code, *words, address) for code, words in rules.items()],
    }
    run: dict[str, Json] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": not unread, "toolExecutionNotifications": unread}],
        "results": [found for one in given for found in _results(one)],
    }
    return as_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _rule(code: str, what: str, cause: str, address: str) -> Json:
    page = "docs/cli.md#in-ci" if code == STALE else f"docs/problems.md#{_SECTIONS[code[2]]}"
    link = {"helpUri": f"{address}/blob/main/{page}"} if address else {}
    return {
        "id": code,
        "shortDescription": {"text": _plain(what)},
        "fullDescription": {"text": f"{_plain(what)}. {_plain(cause)}"},
        "help": {
            "text": f"{_plain(cause)} See {page} in the repository of PrivateImage.",
            "markdown": f"{cause} See `{page}` in the repository of PrivateImage.",
        },
        **link,
        "defaultConfiguration": {"level": _level(code)},
    }


def _plain(markdown: str) -> str:
    return markdown.replace("`", "")


def _address() -> str:
    """Where the repository is, as the installed package names it; empty where it names none."""
    try:
        urls = metadata("private-image-macro").get_all("Project-URL", [])
    except PackageNotFoundError:  # run from a clone
        return ""
    pairs = (url.partition(", ") for url in urls)
    return next((address for name, _, address in pairs if name == "Homepage"), "")


def _level(code: str) -> str:
    return "warning" if code.startswith(WARNINGS) else "error"


def _results(one: FileExpansion) -> Iterator[Json]:
    for problem in (*one.problems, *one.warnings):
        text = f"{problem.message} {problem.fix}"
        yield _result(problem.code, text, one.input.name, problem)
    for file, text in one.stale:
        yield _result(STALE, f"{file}: {text}", file, None)


def _result(code: str, text: str, file: str, at: LocatedProblem | None) -> Json:
    place: dict[str, Json] = {"artifactLocation": {"uri": _uri(file)}}
    if at:
        place["region"] = {"startLine": at.line, "startColumn": at.column}
    return {
        "ruleId": code,
        "level": _level(code),
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
    }


def _uri(file: str) -> str:
    """A file's name as a URI reference: relative where the name is, so that it is found in the
    repository."""
    name = "stdin" if file == STDIN else file.replace("\\", "/").removeprefix("./")
    return quote(name.encode("utf-8", "surrogateescape"), safe="/")
