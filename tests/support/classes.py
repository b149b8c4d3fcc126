"""The classes of templates that the laws are tried on, beyond the plain ones.

Each template is drawn of a few classes, so that what they have in it is frequent and the template
small.
"""

from __future__ import annotations

import os

STRICT = {
    "role by text": "a role of the template by its RoleName or its ARN spelled out",
    "secret by text": "a secret of the template by its Name or an ARN spelled out",
    "names that parameters decide": "the same, where the Name or RoleName has allowed values",
    "alias by text": "an alias of the template by its ARN or with parts that are parameters",
    "by text under a condition": "the same, where the resource exists only under a condition",
    "declared one by one": "a loop that refers to resources outside of it: Secret${Name}",
    "made in a loop": "a reference from outside to what a loop makes, by its whole logical id",
    "adjacent variables": "logical ids of nested loops: Secret${Name}${Tier}",
    "loop over logical ids": "a loop whose variable is a logical id",
    "numbers in a loop": "a collection of numbers",
    "list parameter": "a loop over a CommaDelimitedList",
    "unknown list parameter": "a loop over a parameter whose value is not known",
    "names like a loop's": "parameters and resources named like what a loop makes",
    "variables named like ours": "a loop's variable is called Value",
    "long names": "logical ids and values of loops that are long",
    "conditions of parameters": "conditions that imply or exclude one another",
    "optional parameter": "a parameter that is given or `none`, and conditions on that",
    "no value alone": "AWS::NoValue at an optional key, without Fn::If",
    "key beside a template's secret": "KmsKey in some cases, where the secret has its own key",
    "If within text": "Fn::If in Fn::Sub, Fn::Join and Fn::Select",
    "selected by a parameter": "Fn::Select over secrets or keys, by an index that may be unknown",
    "mapping": "Fn::FindInMap, with rows for all, some, and DefaultValue",
    "allowed values": "a parameter restricted by AllowedValues",
    "path in a parameter": "a role's path in a parameter, or in a part of its ARN",
    "nothing to pull with": "an image of ECR where there is no secret",
    "account settings": "the account's settings beside the template's",
    "role settings": "settings for the roles that come new",
    "unknown parts": "parts of a secret's ARN that are not known",
}
OPAQUE = {
    "parameter of any form": "a parameter without value: right in every form, or a warning",
    "import of any form": "another stack's output",
    "SSM parameter type": "a parameter whose value is in the Parameter Store",
    "dynamic reference": "{{resolve:ssm:...}}, whole and in parts",
    "placeholder": "what CloudFormation passes for a parameter in change sets of nested stacks",
    "default of another form": "a parameter's default, where another form is deployed",
    "partial ARN for CodeBuild": "the same, with a partial ARN, which CodeBuild refuses",
    "resource of unknown name": "a literal that may be the name which only a parameter gives",
    "rows of several forms": "a mapping or allowed values, where the rows have different forms",
}
CLASSES = {**STRICT, **OPAQUE}


def enabled(*, opaque: bool) -> list[str]:
    """The classes that are drawn, in order; those of opaque values only where asked for.

    DRAW="one,other" in the environment leaves it at these.
    """
    only = {name for name in os.environ.get("DRAW", "").split(",") if name} or set(CLASSES)
    assert only <= CLASSES.keys(), f"no such class: {only - CLASSES.keys()}"
    return sorted(name for name in (CLASSES if opaque else STRICT) if name in only)
