"""What a template means once it is deployed: the judge of expansions, sharing no code with them.

A deployment is a template under one set of parameter values, and so under one truth of each
condition.
A malformed template is an AssertionError: CloudFormation or IAM would refuse it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias
from uuid import NAMESPACE_URL, uuid5

Json: TypeAlias = Any  # each shape is asserted where it is read

PSEUDO_PARAMETERS = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/private/"
    "51af3dc0-da77-11e4-872e-1234567b0cdb",
    "AWS::StackName": "private",
    "AWS::URLSuffix": "amazonaws.com",
}
REGION = PSEUDO_PARAMETERS["AWS::Region"]
ACCOUNT_ID = PSEUDO_PARAMETERS["AWS::AccountId"]

# Where a type holds a role, how its containers are found from there, and the role's key.
PLACES: Mapping[str, tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...]] = {
    "AWS::ECS::TaskDefinition": (((), ("ContainerDefinitions", "*"), "ExecutionRoleArn"),),
    "AWS::ECS::DaemonTaskDefinition": (((), ("ContainerDefinitions", "*"), "ExecutionRoleArn"),),
    "AWS::ECS::ExpressGatewayService": (((), ("PrimaryContainer",), "ExecutionRoleArn"),),
    "AWS::Batch::JobDefinition": (
        (("ContainerProperties",), (), "ExecutionRoleArn"),
        (("EcsProperties", "TaskProperties", "*"), ("Containers", "*"), "ExecutionRoleArn"),
        (("NodeProperties", "NodeRangeProperties", "*", "Container"), (), "ExecutionRoleArn"),
        (
            ("NodeProperties", "NodeRangeProperties", "*", "EcsProperties", "TaskProperties", "*"),
            ("Containers", "*"),
            "ExecutionRoleArn",
        ),
    ),
    "AWS::CodeBuild::Project": (((), ("Environment",), "ServiceRole"),),
}

_SUBSTITUTION = re.compile(r"\$\{(!?)([^}]*)\}")
_COMPLETE_SECRET = re.compile(r"-[A-Za-z0-9]{6}$")
_DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:ssm:([^{}:]+)\}\}")
_IAM_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)

_ABSENT = object()


@dataclass(frozen=True)
class Account:
    """What the template finds outside itself: parameter values, other stacks' exports, KMS aliases
    (each with its key's ARN), the names of roles that exist already, and what the Parameter Store
    holds."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    exports: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()
    stored: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Container:
    """A container as deployed, and the name of the role that pulls its image (None: no role)."""

    role: str | None
    body: dict[str, Json]


@dataclass(frozen=True)
class Grant:
    """One statement of a policy on a role; `carrier` is the resource that brings it."""

    carrier: str
    role: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, tuple[str, ...]]]


def secret_arn(name: str, *, region: str = REGION, account: str = ACCOUNT_ID) -> str:
    """The full ARN that Secrets Manager gives a secret of this name."""
    return f"arn:aws:secretsmanager:{region}:{account}:secret:{name}-AbCdEf"


def key_arn(logical_id: str, *, region: str = REGION, account: str = ACCOUNT_ID) -> str:
    """The ARN of the key that a resource of this logical id creates."""
    return f"arn:aws:kms:{region}:{account}:key/{uuid5(NAMESPACE_URL, logical_id)}"


def generated_name(logical_id: str) -> str:
    """The physical name of a resource whose author gave it none."""
    return f"private-{logical_id}-1A2B3C4D5E6F"


def role_name(role: str) -> str:
    """The name of a role given by ARN or name; another account's role keeps its ARN, since no
    policy of this account ever attaches to it."""
    if not role.startswith("arn:"):
        assert _IAM_NAME.fullmatch(role), f"{role!r} is no role"
        return role
    match = re.fullmatch(r"arn:aws:iam::(\d{12}):role/(?:.+/)?([^/]+)", role)
    assert match, f"{role!r} is no role's ARN"
    return match[2] if match[1] == ACCOUNT_ID else role


def intrinsic(node: Json) -> tuple[str, Json] | None:
    """The name and argument of the intrinsic function that `node` is, if it is one."""
    if not isinstance(node, dict):
        return None
    names = [key for key in node if key == "Ref" or key.startswith("Fn::")]
    if not names:
        return None
    assert len(node) == 1, f"an intrinsic function beside other keys: {node}"
    return names[0], node[names[0]]


def unroll(template: Json, parameters: Mapping[str, str]) -> dict[str, Json]:
    """The template as the transform AWS::LanguageExtensions leaves it: without `Fn::ForEach`, and
    without Fn::Sub in the names of Ref, GetAtt and Condition."""
    unrolled = _unroll(template, parameters, {})
    extended = "AWS::LanguageExtensions" in template.get("Transform", [])
    assert extended or unrolled == template, "this needs AWS::LanguageExtensions"
    assert isinstance(unrolled, dict)
    return unrolled


def _unroll(node: Json, parameters: Mapping[str, str], loop: Mapping[str, str]) -> Json:
    match node:
        case str():
            return _fill(node, loop)
        case list():
            return [_unroll(item, parameters, loop) for item in node]
        case {"Ref": str(name), **others} if name in loop and not others:
            return loop[name]
        case {"Ref": {"Fn::Sub": str(text)}}:
            return {"Ref": _fill(text, loop)}
        case {"Fn::GetAtt": [{"Fn::Sub": str(text)}, attribute]}:
            return {"Fn::GetAtt": [_fill(text, loop), attribute]}
        case {"Condition": {"Fn::Sub": str(text)}}:
            return _unroll({**node, "Condition": text}, parameters, loop)
        case dict():
            return _unroll_mapping(node, parameters, loop)
    return node


def _unroll_mapping(
    node: dict[str, Json], parameters: Mapping[str, str], loop: Mapping[str, str]
) -> dict[str, Json]:
    unrolled: dict[str, Json] = {}
    for key, value in node.items():
        if key.startswith("Fn::ForEach::"):
            variable, collection, body = value
            if isinstance(collection, dict):
                collection = parameters[collection["Ref"]].split(",")
            bodies = [
                _unroll_mapping(body, parameters, {**loop, variable: _fill(str(item), loop)})
                for item in collection
            ]
        else:
            plain = _fill(key, loop)
            for variable, item in loop.items():
                plain = plain.replace(f"&{{{variable}}}", re.sub(r"[^A-Za-z0-9]", "", item))
            bodies = [{plain: _unroll(value, parameters, loop)}]
        for entry in bodies:
            assert not unrolled.keys() & entry.keys(), f"{key} comes twice"
            unrolled |= entry
    return unrolled


def _fill(text: str, loop: Mapping[str, str]) -> str:
    for variable, item in loop.items():
        text = text.replace(f"${{{variable}}}", item)
    return text


def references(node: Json) -> Iterator[str]:
    """Every name that `node` refers to by Ref, GetAtt or Sub, in both branches of each Fn::If."""
    match intrinsic(node):
        case "Ref", name:
            yield name
        case "Fn::GetAtt", target:
            yield _attribute(target)[0]
        case "Fn::Sub", argument:
            text, given = _substitution(argument)
            yield from references(given)
            for literal, name in _SUBSTITUTION.findall(text):
                if not literal and name not in given:
                    yield name.split(".")[0]
        case _:
            children = node.values() if isinstance(node, dict) else node
            if isinstance(node, (dict, list)):
                for child in children:
                    yield from references(child)


def _attribute(target: Json) -> tuple[str, str]:
    logical_id, attribute = target if isinstance(target, list) else target.split(".", 1)
    assert isinstance(logical_id, str) and isinstance(attribute, str)
    return logical_id, attribute


def _substitution(argument: Json) -> tuple[str, dict[str, Json]]:
    text, given = argument if isinstance(argument, list) else (argument, {})
    assert isinstance(text, str) and isinstance(given, dict), f"malformed Fn::Sub: {argument}"
    return text, given


def waits_for(resource: Json) -> set[str]:
    """The names that a resource refers to in any attribute, DependsOn among them."""
    depends_on = resource.get("DependsOn", [])
    depends_on = [depends_on] if isinstance(depends_on, str) else depends_on
    assert all(isinstance(name, str) for name in depends_on), f"DependsOn is no name: {depends_on}"
    return {*references(resource), *depends_on}


def circular_dependency(template: Json) -> list[str]:
    """Resources that wait for one another, as CloudFormation sees it before it knows any condition;
    empty when there are none. The template is unrolled."""
    resources = template["Resources"]
    try:
        TopologicalSorter(
            {name: waits_for(body) & resources.keys() for name, body in resources.items()}
        ).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def undeclared(template: Json) -> set[tuple[str, str]]:
    """Each (resource, name) where a resource of the unrolled template refers to what is nowhere
    declared, be it in a branch that is never taken."""
    known = {*template["Resources"], *template.get("Parameters", {}), *PSEUDO_PARAMETERS}
    return {
        (logical_id, name)
        for logical_id, body in template["Resources"].items()
        for name in waits_for(body) - known - {"AWS::NoValue"}
    }


def check(template: Json) -> None:
    """Assert what CloudFormation asks of any template, in all deployments alike. It is unrolled."""
    conditions = template.get("Conditions", {})
    for logical_id in [*template["Resources"], *conditions]:
        assert re.fullmatch(r"[A-Za-z0-9]{1,255}", logical_id), f"{logical_id!r} is no logical id"
    for logical_id, body in template["Resources"].items():
        assert isinstance(body.get("Type"), str), f"{logical_id} has no Type"
        if "Condition" in body:
            assert body["Condition"] in conditions, f"{logical_id}: no such condition"


def lookup(credential: str, secrets: Collection[str]) -> str | None:
    """The one of the secrets (full ARNs) that Secrets Manager finds by a full ARN, a partial ARN or
    a name, seen from this account and region."""
    if not credential.startswith("arn:"):
        prefix = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:"
        return next((arn for arn in secrets if arn[:-7] == prefix + credential), None)
    # An ARN that ends in a hyphen and six characters is taken as complete, even where it is not:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    if _COMPLETE_SECRET.search(credential):
        return credential if credential in secrets else None
    return next((arn for arn in secrets if arn[:-7] == credential), None)


def credential(resource_type: str, container: Mapping[str, Json]) -> str | None:
    """The secret that a deployed container hands to its registry; None: it pulls anonymously."""
    assert "PrivateImage" not in container
    if resource_type != "AWS::CodeBuild::Project":
        assert "RegistryCredential" not in container
        if "RepositoryCredentials" not in container:
            return None
        assert container["RepositoryCredentials"].keys() == {"CredentialsParameter"}
        value = container["RepositoryCredentials"]["CredentialsParameter"]
    else:
        assert "RepositoryCredentials" not in container
        if "RegistryCredential" not in container:
            return None
        given = container["RegistryCredential"]
        assert given.keys() == {"Credential", "CredentialProvider"}
        assert given["CredentialProvider"] == "SECRETS_MANAGER"
        assert container.get("ImagePullCredentialsType") == "SERVICE_ROLE"
        value = given["Credential"]
        assert not value.startswith("arn:") or _COMPLETE_SECRET.search(value), (
            f"CodeBuild takes no partial ARN: {value}"
        )
    assert isinstance(value, str) and value
    return value


class Deployment:
    """An unrolled template, deployed where `account` is all there is outside it."""

    def __init__(self, template: Json, account: Account) -> None:
        self._template = template
        self.account = account
        self._conditions = template.get("Conditions", {})
        self._mappings = template.get("Mappings", {})
        self._truth: dict[str, bool] = {}
        self._properties: dict[str, dict[str, Json]] = {}
        self._waits: dict[str, frozenset[str]] = {}
        self.resources: dict[str, dict[str, Json]] = {
            logical_id: self._settle({k: v for k, v in body.items() if k != "Condition"})
            for logical_id, body in template["Resources"].items()
            if "Condition" not in body or self.holds(body["Condition"])
        }

    def with_parameters(self, parameters: Mapping[str, str]) -> Deployment:
        """The same template with other values of its parameters."""
        return Deployment(self._template, replace(self.account, parameters=parameters))

    def holds(self, condition: str) -> bool:
        """Whether the condition of this name is true here."""
        if condition not in self._truth:
            assert condition in self._conditions, f"no condition {condition!r}"
            self._truth[condition] = self._decide(self._conditions[condition])
        return self._truth[condition]

    def _decide(self, node: Json) -> bool:
        match node:
            case {"Condition": str(name)}:
                return self.holds(name)
            case {"Fn::Equals": [left, right]}:
                return bool(self.resolve(left) == self.resolve(right))
            case {"Fn::Not": [part]}:
                return not self._decide(part)
            case {"Fn::And": [*parts]} if 2 <= len(parts) <= 10:
                return all(self._decide(part) for part in parts)
            case {"Fn::Or": [*parts]} if 2 <= len(parts) <= 10:
                return any(self._decide(part) for part in parts)
        raise AssertionError(f"malformed condition: {node}")

    def _settle(self, node: Json) -> Json:
        """`node` with each Fn::If replaced by the branch taken, and without AWS::NoValue."""
        if node == {"Ref": "AWS::NoValue"}:
            return _ABSENT
        if isinstance(node, list):
            return [kept for item in node if (kept := self._settle(item)) is not _ABSENT]
        if not isinstance(node, dict):
            return node
        call = intrinsic(node)
        if call and call[0] == "Fn::If":
            name, then, otherwise = call[1]
            return self._settle(then if self.holds(name) else otherwise)
        settled = {key: self._settle(value) for key, value in node.items()}
        return {key: value for key, value in settled.items() if value is not _ABSENT}

    def dangling(self) -> set[tuple[str, str]]:
        """Each (resource, name) where a resource waits for a resource that does not exist."""
        known = self.resources.keys() | self.account.parameters.keys() | PSEUDO_PARAMETERS.keys()
        return {
            (logical_id, name)
            for logical_id in self.resources
            for name in self._waits_for(logical_id) - known
        }

    def _waits_for(self, logical_id: str) -> frozenset[str]:
        if logical_id not in self._waits:
            self._waits[logical_id] = frozenset(waits_for(self.resources[logical_id]))
        return self._waits[logical_id]

    def before(self, logical_id: str) -> set[str]:
        """All resources that are complete before CloudFormation starts on this one, and itself."""
        found: set[str] = set()
        pending = {logical_id}
        while pending:
            found |= pending
            named = {name for done in pending for name in self._waits_for(done)}
            pending = (named & self.resources.keys()) - found
        return found

    def properties(self, logical_id: str) -> dict[str, Json]:
        """The resource's properties, resolved. They are one object each time: change nothing."""
        if logical_id in self._properties:
            return self._properties[logical_id]
        resolved = self._fetch(self.resolve(self.resources[logical_id].get("Properties", {})))
        assert isinstance(resolved, dict)
        self._properties[logical_id] = resolved
        return resolved

    def _fetch(self, node: Json) -> Json:
        """The node with its dynamic references replaced, which comes after all functions."""
        if isinstance(node, list):
            return [self._fetch(item) for item in node]
        if isinstance(node, dict):
            return {key: self._fetch(value) for key, value in node.items()}
        if isinstance(node, str):
            node = _DYNAMIC_REFERENCE.sub(lambda found: self.account.stored[found[1]], node)
            assert "{{resolve" not in node, f"{node!r} is cut or unknown"
        return node

    def resolve(self, node: Json) -> Json:
        """The value that CloudFormation makes of `node`, where no Fn::If is left."""
        call = intrinsic(node)
        if call:
            return self._call(*call)
        if isinstance(node, list):
            return [self.resolve(item) for item in node]
        if isinstance(node, dict):
            return {key: self.resolve(value) for key, value in node.items()}
        return node

    def _call(self, function: str, argument: Json) -> Json:
        match function, argument:
            case "Ref", str(name):
                return self._ref(name)
            case "Fn::GetAtt", _:
                return self._get_att(*_attribute(argument))
            case "Fn::Sub", _:
                return self._sub(*_substitution(argument))
            case "Fn::Join", [str(delimiter), parts]:
                texts = self.resolve(parts)
                assert isinstance(texts, list) and all(isinstance(text, str) for text in texts)
                return delimiter.join(texts)
            case "Fn::Split", [str(delimiter), text]:
                resolved = self.resolve(text)
                assert isinstance(resolved, str)
                return resolved.split(delimiter)
            case "Fn::Select", [index, items]:
                chosen, number = self.resolve(items), int(self.resolve(index))
                assert isinstance(chosen, list) and number < len(chosen), f"{argument}: too few"
                return chosen[number]
            case "Fn::ImportValue", name:
                return self.account.exports[self.resolve(name)]
            case "Fn::FindInMap", [table, first, second, *rest]:
                keys = [self.resolve(key) for key in (table, first, second)]
                return self._row(keys, rest[0] if rest else {})
        raise AssertionError(f"unknown or malformed intrinsic: {function}: {argument}")

    def _row(self, keys: list[str], fallback: dict[str, Json]) -> Json:
        """What a mapping has under these keys, or else the DefaultValue."""
        found = self._mappings
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None:
            return found
        assert "DefaultValue" in fallback, f"no row {keys}"
        return self.resolve(fallback["DefaultValue"])

    def _sub(self, text: str, given: dict[str, Json]) -> str:
        def value(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in given:
                found = self.resolve(given[name])
            elif "." in name:
                found = self._get_att(*_attribute(name))
            else:
                found = self._ref(name)
            assert isinstance(found, str), f"${{{name}}} is no text"
            return found

        return _SUBSTITUTION.sub(value, text)

    def _ref(self, name: str) -> str:
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        if name in self.account.parameters:
            return self.account.parameters[name]
        assert name in self.resources, f"{name} does not exist in this deployment"
        match self.resources[name]["Type"]:
            case "AWS::SecretsManager::Secret":
                return secret_arn(self._named(name, "Name"))
            case "AWS::IAM::Role":
                return self._named(name, "RoleName")
            case "AWS::KMS::Key":
                return key_arn(name).split("/")[1]
            case "AWS::KMS::Alias":
                return self._named(name, "AliasName")
        return generated_name(name)

    def _named(self, logical_id: str, key: str) -> str:
        properties = self.resources[logical_id].get("Properties", {})
        if key not in properties:
            return generated_name(logical_id)
        name = self._fetch(self.resolve(properties[key]))
        assert isinstance(name, str)
        return name

    def _get_att(self, logical_id: str, attribute: str) -> str:
        assert logical_id in self.resources, f"{logical_id} does not exist in this deployment"
        match self.resources[logical_id]["Type"], attribute:
            case "AWS::SecretsManager::Secret", "Id":
                return self._ref(logical_id)
            case "AWS::KMS::Key", "Arn":
                return key_arn(logical_id)
            case "AWS::KMS::Key", "KeyId":
                return self._ref(logical_id)
            case "AWS::IAM::Role", "Arn":
                path = self.properties(logical_id).get("Path", "/")
                return f"arn:aws:iam::{ACCOUNT_ID}:role{path}{self._ref(logical_id)}"
            case "AWS::SecretsManager::Secret" | "AWS::KMS::Key" | "AWS::KMS::Alias", _:
                raise AssertionError(f"{logical_id} has no attribute {attribute}")
        return f"{generated_name(logical_id)}.{attribute}"

    def containers(self, logical_id: str) -> list[Container]:
        """The containers of a resource in their order, in all its places."""
        properties = self.properties(logical_id)
        found = [
            (at + within, Container(role_name(holder[role]) if role in holder else None, body))
            for to_holder, to_container, role in PLACES[self.resources[logical_id]["Type"]]
            for at, holder in _find(properties, to_holder)
            for within, body in _find(holder, to_container)
        ]
        return [container for _, container in sorted(found, key=lambda pair: pair[0])]

    @cached_property
    def roles(self) -> dict[str, str]:
        """The name of each role of the template, with its logical id."""
        roles = {
            self._ref(logical_id): logical_id
            for logical_id, body in self.resources.items()
            if body["Type"] == "AWS::IAM::Role"
        }
        for name, logical_id in roles.items():
            given = "RoleName" in self.resources[logical_id].get("Properties", {})
            assert not given or len(name) <= 64, f"RoleName {name!r} is too long"
        return roles

    @cached_property
    def grants(self) -> list[Grant]:
        """The statements of every inline policy on any role."""
        grants: list[Grant] = []
        names: Counter[tuple[str, str]] = Counter()
        sizes: Counter[str] = Counter()
        for logical_id, body in self.resources.items():
            attached: list[tuple[Json, list[str]]] = []
            if body["Type"] == "AWS::IAM::Role":
                policies = self.properties(logical_id).get("Policies", [])
                attached = [(policy, [self._ref(logical_id)]) for policy in policies]
            elif body["Type"] == "AWS::IAM::Policy":
                policy = self.properties(logical_id)
                assert policy.get("Roles"), f"{logical_id} is on no role"
                attached = [(policy, policy["Roles"])]
            for policy, roles in attached:
                name = policy["PolicyName"]
                assert isinstance(name, str) and _IAM_NAME.fullmatch(name), f"PolicyName {name!r}"
                assert len(name) <= 128, f"PolicyName {name!r} is too long"
                for role in roles:
                    assert role in self.roles or role in self.account.roles, f"no role {role!r}"
                    own = self.roles.get(role, logical_id)
                    assert own in self.before(logical_id), f"{logical_id} comes before {own}"
                    names[role, name] += 1
                    sizes[role] += len(json.dumps(policy["PolicyDocument"], separators=(",", ":")))
                    grants += _statements(logical_id, role, policy["PolicyDocument"])
        twice = [pair for pair, count in names.items() if count > 1]
        assert not twice, f"two policies of one name overwrite each other: {twice}"
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
        large = [role for role, size in sizes.items() if size > 10_240]
        assert not large, f"more inline policies than IAM takes: {large}"
        return grants

    def may_read(self, role: str, secret: str, *, before: str | None = None) -> bool:
        """Whether the role may read the secret (full ARN); with `before`, whether it may as soon as
        CloudFormation starts on that resource."""
        return self._may(role, "secretsmanager:GetSecretValue", secret, {}, before)

    def may_decrypt(
        self,
        role: str,
        key: str,
        *,
        service: str = "secretsmanager",
        region: str = REGION,
        before: str | None = None,
    ) -> bool:
        """Whether the role may decrypt with the key (ARN) in a request that a service makes."""
        context = {
            "kms:ViaService": [f"{service}.{region}.amazonaws.com"],
            "kms:ResourceAliases": self.aliases(key),
        }
        return self._may(role, "kms:Decrypt", key, context, before)

    def aliases(self, key: str) -> list[str]:
        """The names of all aliases of a key (ARN), the template's and others."""
        names = [name for name, target in self.account.aliases.items() if target == key]
        targets = key, key.split("/")[1]
        return names + [name for name, target in self._own_aliases if target in targets]

    @cached_property
    def _own_aliases(self) -> list[tuple[str, str]]:
        """The name of each alias of the template, with the key that it is of."""
        aliases = [
            self.properties(logical_id)
            for logical_id, body in self.resources.items()
            if body["Type"] == "AWS::KMS::Alias"
        ]
        return [(alias["AliasName"], alias["TargetKeyId"]) for alias in aliases]

    @cached_property
    def _grants_of(self) -> dict[str, list[Grant]]:
        """The statements on each role."""
        found: dict[str, list[Grant]] = {}
        for grant in self.grants:
            found.setdefault(grant.role, []).append(grant)
        return found

    def _may(
        self,
        role: str,
        action: str,
        resource: str,
        context: Mapping[str, list[str]],
        before: str | None,
    ) -> bool:
        carriers = self.before(before) if before else self.resources.keys()
        effects = {
            grant.effect
            for grant in self._grants_of.get(role, ())
            if grant.carrier in carriers
            and any(_like(pattern.lower(), action.lower()) for pattern in grant.actions)
            and any(_like(pattern, resource) for pattern in grant.resources)
            and _meets(context, grant.conditions)
        }
        return effects == {"Allow"}


def _find(
    node: Json, steps: tuple[str, ...], at: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[Any, ...], Json]]:
    if not steps:
        yield at, node
    elif steps[0] == "*":
        for index, item in enumerate(node):
            yield from _find(item, steps[1:], (*at, index))
    elif steps[0] in node:
        yield from _find(node[steps[0]], steps[1:], (*at, steps[0]))


def _statements(carrier: str, role: str, document: Json) -> Iterator[Grant]:
    assert document["Version"] == "2012-10-17"
    assert document["Statement"], f"{carrier}: a policy without a statement"
    written = document["Statement"]
    for statement in written if isinstance(written, list) else [written]:
        assert statement["Effect"] in ("Allow", "Deny")
        resources = _texts(statement["Resource"])
        for resource in resources:
            assert resource == "*" or re.fullmatch(r"arn:(?:[^:]*:){4}.+", resource), (
                f"{carrier}: {resource!r} is no ARN"
            )
        conditions = {
            operator: {key: _texts(values) for key, values in keys.items()}
            for operator, keys in statement.get("Condition", {}).items()
        }
        actions = _texts(statement["Action"])
        yield Grant(carrier, role, statement["Effect"], actions, resources, conditions)


def _texts(value: Json) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(value)
    assert texts and all(isinstance(text, str) for text in texts), f"no text: {value!r}"
    return texts


def _like(pattern: str, value: str) -> bool:
    """IAM's wildcard match: `*` any characters, `?` one."""
    return _expression(pattern).fullmatch(value) is not None


@lru_cache(maxsize=1000)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))


def _meets(
    context: Mapping[str, list[str]], conditions: Mapping[str, Mapping[str, tuple[str, ...]]]
) -> bool:
    """Whether a request with this context meets all of a statement's conditions."""
    met = True
    for operator, keys in conditions.items():
        quantifier, _, comparison = operator.rpartition(":")
        assert quantifier in ("", "ForAnyValue") and comparison in ("StringEquals", "StringLike"), (
            f"unknown condition operator {operator}"
        )
        for key, patterns in keys.items():
            assert key in context, f"the request has no {key}"
            several = key == "kms:ResourceAliases"
            assert several == (quantifier == "ForAnyValue"), f"{operator} does not fit {key}"
            values = context[key]
            met &= any(
                _like(pattern, value) if comparison == "StringLike" else pattern == value
                for pattern in patterns
                for value in values
            )
    return met
