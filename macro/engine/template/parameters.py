"""The parameters of a template: what is known of the value that a deployment gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from macro.engine.template.conditions import Domain
from macro.engine.template.document import Json, get, section
from macro.engine.template.records import NamedTuple

MOST_LETTERS = 256
"""How long a pattern may be that is looked at, since that may take more than linear time."""

# What CloudFormation passes for a value that it does not know yet, in change sets with nested
# stacks: https://github.com/aws-cloudformation/cfn-language-discussion/issues/152
_NESTED_PLACEHOLDER = "{{IntrinsicFunction:"


class Found(NamedTuple):
    """The values that something can have; `defaults` names the parameters that have a default in
    place of a value."""

    values: tuple[str, ...]
    defaults: tuple[str, ...] = ()


class Parameters:
    """Looks up what is known of parameters; it is built once a template and changes nothing.

    `given` has the values that are known of this deployment, by the parameters' names.
    """

    def __init__(self, template: Mapping[str, Json], given: Mapping[str, Json]) -> None:
        self._declared = section(dict(template), "Parameters")
        self._given = given

    def __contains__(self, name: object) -> bool:
        """Whether the template declares a parameter of this name."""
        return name in self._declared

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def takes_value(self, name: str) -> bool:
        """Whether what a deployment gives for a parameter is what `Ref` returns: for an SSM type
        it is not."""
        return name in self._declared and not _is_resolved_by_ssm(self._declared[name])

    def possible(self, name: str) -> Found | None:
        """The values that a parameter can have; None: any.

        A parameter of an SSM type has the name of an SSM parameter, so what `Ref` gives is not
        known. CloudFormation shows the value of a NoEcho parameter as asterisks.
        """
        declared = self._declared.get(name)
        if not isinstance(declared, dict) or _is_resolved_by_ssm(declared):
            return None
        given = scalar_text(self._given.get(name))
        if given is not None and not _is_masked(given):
            return Found((given,))
        allowed = self.allowed(name)
        if allowed is not None and not self.is_list(name):
            return Found(allowed)
        default = scalar_text(declared.get("Default"))
        if name in self._given or default is None:
            return None
        return Found((default,), (name,))

    def allowed(self, name: str) -> tuple[str, ...] | None:
        """The `AllowedValues` of a parameter; of a list, those of each item."""
        allowed = get(self._declared.get(name), "AllowedValues")
        if not isinstance(allowed, list) or any(scalar_text(one) is None for one in allowed):
            return None
        return tuple(scalar_text(one) or "" for one in allowed)

    def domain(self, name: str) -> Domain:
        """What is known of a parameter, for questions about conditions.

        Of one with neither value nor allowed values everything is possible, its default
        notwithstanding.
        """
        found = self.possible(name)
        values = found.values if found and not found.defaults else None
        deployed = values[0] if values and len(values) == 1 and name in self._given else None
        is_one = not _is_resolved_by_ssm(self._declared[name]) and not self.is_list(name)
        return Domain(self.allowed(name) if is_one else None, deployed)

    def is_list(self, name: str) -> bool:
        """Whether `Ref` of the parameter gives a list."""
        kind = get(self._declared.get(name), "Type")
        return isinstance(kind, str) and kind.startswith(("CommaDelimitedList", "List<"))

    def is_of_text(self, name: str) -> bool:
        """Whether `Ref` of the parameter gives text that may be a name or an ARN."""
        is_number = get(self._declared.get(name), "Type") == "Number"
        return not is_number and not self.is_list(name)

    def pattern(self, value: Json) -> str:
        """The `AllowedPattern` of the parameter that a value is, which CloudFormation matches with
        the whole of what is given; "": none, or one that is long or has alternatives. That of an
        SSM type is for the name in SSM.

        Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/systems-manager-parameter-types.html
        """
        match value:
            case {"Ref": str(name)} if not _is_resolved_by_ssm(self._declared.get(name)):
                pattern = get(self._declared.get(name), "AllowedPattern")
                if isinstance(pattern, str) and "|" not in pattern and len(pattern) <= MOST_LETTERS:
                    return pattern.removeprefix("^").removesuffix("$")
        return ""

    def is_arn(self, value: Json) -> bool:
        """Whether a parameter takes nothing but what begins as an ARN does."""
        return re.match("arn:(?![*?{])", self.pattern(value)) is not None


def _is_masked(given: str) -> bool:
    """Whether a parameter's value is not the one that is deployed; an empty one is."""
    return bool(given) and (not given.strip("*") or _NESTED_PLACEHOLDER in given)


def _is_resolved_by_ssm(declared: Json) -> bool:
    kind = get(declared, "Type")
    return isinstance(kind, str) and kind.startswith("AWS::SSM::Parameter::Value<")


def scalar_text(value: Json) -> str | None:
    """A scalar as CloudFormation takes it for text; a list of them as one with commas."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, list) and value and all(map(_is_scalar, value)):
        return ",".join(map(str, value))
    return None


def _is_scalar(value: Json) -> bool:
    return isinstance(value, (str, int, float))
