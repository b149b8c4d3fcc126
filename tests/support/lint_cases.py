"""What the tests of the rules share: a template, one with two problems, and the folders of cases.

A folder of tests/lint/templates is one behaviour: a wrong template, whose comment says what is
wrong; options.txt, where cfn-lint needs any; and findings.txt, what is found: line, column, rule,
text.
"""

from __future__ import annotations

import re
from pathlib import Path

CASES = sorted((Path(__file__).parents[1] / "lint/templates").iterdir())

GOOD = """\
Transform: PrivateImage
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
        - Name: web
          Memory: 512
          PrivateImage:
            Image: registry.example.com/team/web:1
            Secret: registry/team
"""
BAD = GOOD.replace("Secret: registry/team", "Grnat: false")


def options(case: Path) -> list[str]:
    file = case / "options.txt"
    return file.read_text("utf-8").split() if file.exists() else []


def findings(case: Path) -> list[str]:
    return sorted((case / "findings.txt").read_text("utf-8").splitlines())


def parsed(output: str) -> list[str]:
    """What the format `parseable` says, as findings.txt has it."""
    return sorted(
        re.sub(r"^.*?:(\d+):(\d+):\d+:\d+:(\w+):", r"\1:\2: \3 ", line)
        for line in output.splitlines()
    )
