"""cfn-lint within the process of the tests; it loads its rules once for each set of options.

Loading them is four fifths of a run. cfn-lint itself has one set of rules for all templates of a
run, so what it finds in one does not depend on those before it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cfnlint.config import ConfigMixIn
from cfnlint.decode.decode import decode_str
from cfnlint.rules import Match
from cfnlint.runner import Runner


@cache
def _runner(options: tuple[str, ...]) -> Runner:
    return Runner(ConfigMixIn([*options]))


def lint_file(path: Path, *options: str) -> list[Match]:
    """What cfn-lint finds in a template, with the options of its command."""
    runner = _runner(options)
    runner.config = ConfigMixIn([*options, "--", str(path)])
    return list(runner.run())


def lint_text(text: str, *options: str) -> list[Match]:
    """What cfn-lint finds in the text of a template, which it does not know as a file."""
    template, errors = decode_str(text)
    if errors:
        return list(errors)
    runner = _runner(options)
    runner.config = ConfigMixIn([*options])
    return list(runner.validate_template(template))
