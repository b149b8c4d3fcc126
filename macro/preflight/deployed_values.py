"""Values as a deployment will have them, as far as they are known before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from macro.engine.template.choices import Fork, chosen
from macro.engine.template.conditions import truth_of
from macro.engine.template.document import Json, get, intrinsic
from macro.engine.template.intrinsics import Unknown, attribute, parse_text
from macro.engine.template.loops import Loop, fill_text, read_loop
from macro.engine.template.resources import Resource, resources
from macro.engine.template.stack import Context

Variables = Mapping[str, str]
"""One turn of the loops around a resource: the values of their variables."""


class UnknownValueError(Exception):
    """A value that is not known before the deploy; the text says why, and what would tell."""

    @property
    def reason(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is known of the stack, if it exists already.

    `physical` has what `Ref` gives of its resources, by logical id; `resolved` the values of
    parameters whose type is one of Systems Manager's. `exports` gives what stacks export, by name.
    `unlisted` and `undescribed` say why its resources or its parameters could not be read,
    `unidentified` why the account is not known.
    """

    name: str | None = None
    physical: Mapping[str, str] = field(default_factory=dict)
    resolved: Mapping[str, str] = field(default_factory=dict)
    exports: Callable[[], Mapping[str, str]] = dict
    unlisted: str = ""
    undescribed: str = ""
    unidentified: str = ""


class DeployedValues:
    """Works out what intrinsic functions come to, for one template and one deployment.

    The context must have Region and account.
    """

    def __init__(self, template: dict[str, Json], context: Context, deployed: Deployed) -> None:
        self._template, self._context, self._deployed = template, context, deployed
        partition = context.partition or "aws"
        self._pseudo = {
            "AWS::AccountId": context.account,
            "AWS::Partition": partition,
            "AWS::Region": context.region,
            "AWS::StackName": deployed.name,
            "AWS::URLSuffix": url_suffix(partition),
        }
        self._true: dict[str, bool | None] = {}
        self._conditions = dict(self._declared(template.get("Conditions"), {}))

    def text(self, value: Json, turn: Variables) -> str:
        """What a value comes to. Raises `UnknownValueError`."""
        if isinstance(value, (bool, int, float)):
            return str(value).lower()
        parts = parse_text(value, turn.keys())
        texts = (
            self._unknown_part(part.value, turn) if isinstance(part, Unknown) else part
            for part in parts
        )
        return "".join(texts)

    def chosen(self, node: Json, turn: Variables) -> Json:
        """The value that an `Fn::If` takes, to any depth. Raises `UnknownValueError`."""
        match intrinsic(node):
            case ("Fn::If", [str(condition), then, otherwise]):
                branch = then if self._is_taken(condition, turn) else otherwise
                return self.chosen(branch, turn)
        return node

    def settled(self, value: Json, turn: Variables) -> Json:
        """The value with each `Fn::If` at or within it replaced by the branch that is taken.
        Raises `UnknownValueError`."""
        tree = chosen(value)
        while isinstance(tree, Fork):
            tree = tree.then if self._is_taken(tree.condition, turn) else tree.otherwise
        return tree

    def _is_taken(self, condition: str, turn: Variables) -> bool:
        holds = self.holds(condition, turn)
        if holds is None:
            name = filled(condition, turn)
            raise UnknownValueError(f"The condition {name} is not known before the deploy.")
        return holds

    def turns(self, loops: tuple[Loop, ...]) -> Iterator[Variables]:
        """The turns of loops within one another. Raises `UnknownValueError`."""
        if not loops:
            yield {}
            return
        for turn in self.turns(loops[:-1]):
            for item in self._items(loops[-1].collection, turn):
                yield {**turn, loops[-1].variable: item}

    def known_turns(self, resource: Resource) -> list[Variables]:
        """The turns of the loops around a resource; none where they are not known."""
        try:
            return list(self.turns(resource.loops))
        except UnknownValueError:
            return []

    def holds(self, condition: str, turn: Variables) -> bool | None:
        """Whether a condition holds; None: it is not known."""
        name = filled(condition, turn)
        if name not in self._true:
            self._true[name] = None  # for one that needs itself, which no stack has
            node, own = self._conditions.get(name, (None, turn))
            self._true[name] = self._truth(node, own)
        return self._true[name]

    def _declared(
        self, section: Json, turn: Variables
    ) -> Iterator[tuple[str, tuple[Json, Variables]]]:
        """The conditions of the template, each with the turn of the loops that declare it."""
        for key, node in (section if isinstance(section, dict) else {}).items():
            found = read_loop(key, node, ())
            if found is None:
                yield filled(key, turn), (node, turn)
                continue
            loop, body = found
            try:
                items = self._items(loop.collection, turn)
            except UnknownValueError:
                continue
            for item in items:
                yield from self._declared(body, {**turn, loop.variable: item})

    def hidden(self, text: str) -> str:
        """The text with the values of `NoEcho` parameters taken out."""
        declared = self._template.get("Parameters")
        for name, parameter in (declared if isinstance(declared, dict) else {}).items():
            value = self._context.parameters.get(name)
            if str(get(parameter, "NoEcho")).lower() == "true" and isinstance(value, str) and value:
                text = text.replace(value, f"<{name}>")
        return text

    def physical(self, logical_id: str, turn: Variables) -> str:
        """What `Ref` gives of a resource that exists already. Raises `UnknownValueError`."""
        name = filled(logical_id, turn)
        if name not in self._deployed.physical:
            if self._deployed.name:
                raise UnknownValueError(
                    self._deployed.unlisted or f"{name} is created by this deployment."
                )
            raise UnknownValueError(
                f"{name} is created by the stack. Give --stack-name if the stack exists."
            )
        return self._deployed.physical[name]

    def declares(self, logical_id: str, turn: Variables) -> bool:
        """Whether a name is a resource's, and not a parameter's or a loop's variable."""
        parameters = self._template.get("Parameters")
        known = parameters if isinstance(parameters, dict) else {}
        return not (logical_id in known or logical_id in turn or logical_id.startswith("AWS::"))

    def _truth(self, node: Json, turn: Variables) -> bool | None:
        return truth_of(
            node, lambda name: self.holds(name, turn), lambda term: self._term(term, turn)
        )

    def _term(self, term: Json, turn: Variables) -> bool | None:
        match term:
            case {"Fn::Equals": [one, other]}:
                try:
                    return self.text(one, turn) == self.text(other, turn)
                except UnknownValueError:
                    return None
        return None

    def _unknown_part(self, value: Json, turn: Variables) -> str:
        if isinstance(value, str):
            raise UnknownValueError("A dynamic reference is resolved only during the deploy.")
        named = attribute(value)
        if named:
            own = filled(named[0], turn)
            return self._attribute(own, named[1], turn) if named[1] else self._ref(own, turn)
        match intrinsic(value):
            case ("Fn::If", _):
                return self.text(self.chosen(value, turn), turn)
            case ("Fn::FindInMap", [name, top, second, *rest]):
                keys = [self.text(key, turn) for key in (name, top, second)]
                found = get(self._template.get("Mappings"), *keys)
                if found is None:
                    found = next((get(one, "DefaultValue") for one in rest), None)
                if found is None:
                    raise UnknownValueError("The template's Mappings have no such entry.")
                return self.text(found, turn)
            case ("Fn::Select", [index, items]):
                known = self._items(items, turn)
                number = self.text(index, turn)
                if not number.isdecimal() or int(number) >= len(known):
                    raise UnknownValueError("Fn::Select names an item that does not exist.")
                return known[int(number)]
            case ("Fn::ImportValue", name):
                wanted = self.text(name, turn)
                exports = self._deployed.exports()
                if wanted not in exports:
                    raise UnknownValueError(f"No stack exports {wanted} yet.")
                return exports[wanted]
            case (name, _):
                raise UnknownValueError(f"Only CloudFormation knows what {name} returns.")
        raise UnknownValueError("This is not text.")

    def _items(self, value: Json, turn: Variables) -> list[str]:
        """What a list comes to: written out, split, or a parameter's."""
        if isinstance(value, list):
            return [self.text(item, turn) for item in value]
        match intrinsic(value):
            case ("Fn::Split", [str(separator), text]):
                return self.text(text, turn).split(separator)
            case ("Ref", str(_)):
                return [item.strip() for item in self.text(value, turn).split(",")]
        raise UnknownValueError("Only CloudFormation knows the items of a list.")

    def _ref(self, name: str, turn: Variables) -> str:
        if name in turn:
            return turn[name]
        if name in self._pseudo:
            known = self._pseudo[name]
            if known is None:
                why = self._deployed.unidentified if name == "AWS::AccountId" else ""
                raise UnknownValueError(why or f"{name} is not known before the deploy.")
            return known
        if not self.declares(name, turn):
            return self._parameter(name)
        return self.physical(name, turn)

    def _parameter(self, name: str) -> str:
        declared = get(self._template.get("Parameters"), name)
        given = self._context.parameters.get(name)
        if given is None and self._deployed.undescribed:
            raise UnknownValueError(self._deployed.undescribed)
        if str(get(declared, "Type")).startswith("AWS::SSM::Parameter::Value<"):
            if name in self._deployed.resolved:
                return self._deployed.resolved[name]
            raise UnknownValueError(f"The value of parameter {name} is in Systems Manager.")
        value = get(declared, "Default") if given is None else given
        if value is None:
            raise UnknownValueError(f"Parameter {name} has no value: give it with -p {name}=...")
        text = str(value)
        if text and not text.strip("*"):
            raise UnknownValueError(f"The stack hides parameter {name}: give it with -p {name}=...")
        return text

    def _attribute(self, logical_id: str, name: str, turn: Variables) -> str:
        physical = self.physical(logical_id, turn)
        if name == "Arn" and not physical.startswith("arn:"):
            if self._type_of(logical_id) in ("AWS::KMS::Key", "AWS::KMS::ReplicaKey"):
                partition, region, account = (
                    self._ref(f"AWS::{part}", turn) for part in ("Partition", "Region", "AccountId")
                )
                return f"arn:{partition}:kms:{region}:{account}:key/{physical}"
        elif name in ("Arn", "Id"):
            return physical
        raise UnknownValueError(f"Only CloudFormation knows the attribute {name} of {logical_id}.")

    def _type_of(self, logical_id: str) -> Json:
        """The type of a resource, in whatever loop it is declared; None: it is not known."""
        for resource in resources(self._template):
            turns = self.known_turns(resource)
            if any(filled(resource.logical_id, turn) == logical_id for turn in turns):
                return resource.type
        return None


def filled(logical_id: str, turn: Variables) -> str:
    """A logical id in one turn of its loops."""
    return fill_text(logical_id, tuple(turn.items()))


def url_suffix(partition: str) -> str:
    """`AWS::URLSuffix` in a partition.

    Source: https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json
    """
    return _SUFFIXES.get(partition, "amazonaws.com")


_SUFFIXES = {
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
}
