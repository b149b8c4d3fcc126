"""The recipe of docs/linting.md for AWS's language server, whose way of calling cfn-lint is here.

Source: https://github.com/aws-cloudformation/cloudformation-languageserver,
src/services/cfnLint/pyodide-worker.ts (lint_str)
"""

from __future__ import annotations

import re
from pathlib import Path

import cfnlint
import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "linting.md").read_text("utf-8")
(RECIPE,) = re.findall(r"^```yaml\n(Metadata:\n.*?)```$", PAGE, re.MULTILINE | re.DOTALL)
TEMPLATE = """\
Transform: PrivateImage
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
        - Name: web
          Memory: 512
          PrivateImage: {Image: quay.io/acme/web:1, Secret: registry/quay}
"""
APPENDED = RECIPE.replace("ignore_checks: [E3002, E3003]", "append_rules: [macro.lint]")


@pytest.mark.parametrize(
    ("template", "found"),
    [
        (TEMPLATE, {"E3002", "E3003"}),
        (RECIPE + TEMPLATE, set()),
        (APPENDED + TEMPLATE, {"E3002", "E3003"}),
    ],
    ids=["without", "recipe", "append-rules"],
)
def test_the_recipe_lets_the_shorthand_through(template: str, found: set[str]) -> None:
    matches = cfnlint.lint(template, config=None)
    assert {match.rule.id for match in matches} == found
