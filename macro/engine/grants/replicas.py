"""Replicas in other Regions of the secrets that a template declares.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-secretsmanager-secret-replicaregion.html
"""

from __future__ import annotations

from macro.engine.template.choices import branches
from macro.engine.template.conditions import ALWAYS
from macro.engine.template.document import NO_VALUE, Json
from macro.engine.template.intrinsics import Text, is_text, literal, parse_text
from macro.engine.template.resources import Resource


def has_keyed_replica(secret: Resource, region: Text) -> bool:
    """Whether a secret may have a replica in a Region, with a key that the template names."""
    lists = branches(secret.property("ReplicaRegions"), (), ALWAYS)
    return any(
        _may_be_keyed(replica, region)
        for _, listed, _ in lists
        if listed not in (None, NO_VALUE)
        for replica in (listed if isinstance(listed, list) else [listed])
    )


def _may_be_keyed(replica: Json, region: Text) -> bool:
    if not isinstance(replica, dict) or "Region" not in replica:
        return True  # only CloudFormation knows
    written = replica["Region"]
    own = literal(parse_text(written)) if is_text(written) else None
    is_there = own in (None, literal(region))
    return is_there and replica.get("KmsKeyId") not in (None, NO_VALUE)
