"""All that reaches into cfn-lint past its interface for rules, each with its reason."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cfnlint.decode import decode
from cfnlint.rules import Rules


def publish(module: str, rules: Iterable[type[Any]]) -> None:
    """Makes classes attributes of a module.

    cfn-lint takes as rules the classes that are attributes of the module in `append_rules`, and
    has no other way to be given some. Ours are made from a table, a class for each code.
    """
    vars(sys.modules[module]).update({rule.__name__: rule for rule in rules})


def restart(cfn: Any, template: Any, parameter_sets: Sequence[Any]) -> None:
    """Lets cfn-lint's view of a template start anew with another tree; AWS's transforms follow.

    cfn-lint hands this one object to all rules, with the graph, the conditions and the context that
    it has computed from the tree; it has no method to exchange the tree. So the object is emptied
    and made again.

    What the author's text uses counts as used, though the macro may have put its value in the place
    of a parameter or of an entry of `Mappings`.
    """
    filename, regions, before = cfn.filename, cfn.regions, cfn.transform_pre
    vars(cfn).clear()
    cfn.__init__(filename, template, regions, parameter_sets)
    cfn.transform()
    for name in ("Ref", "Fn::Sub", "Fn::If", "Fn::FindInMap"):
        cfn.transform_pre[name] = [*cfn.transform_pre.get(name, ()), *before.get(name, ())]
    if parameter_sets:
        cfn.context = cfn.context.evolve(parameter_sets=parameter_sets)


def as_written(cfn: Any) -> Any:
    """The template as the author wrote it, where cfn-lint has run AWS's transforms already: they
    come after the macro.

    None where it has not, or where the text is gone, as with standard input: there the macro sees
    the loops unrolled.
    """
    transformed = cfn.has_language_extensions_transform() or cfn.has_serverless_transform()
    return decode(cfn.filename)[0] if transformed and cfn.filename else None


class RulesWithParameters(Rules):  # type: ignore[misc]  # cfn-lint ships no types
    """Rules that know the parameters also where a template has transforms, where cfn-lint drops
    them."""

    def run(self, filename: str | None, cfn: Any, config: Any) -> Iterator[Any]:
        cfn.context = cfn.context.evolve(parameter_sets=config.parameters)
        yield from super().run(filename, cfn, config)
