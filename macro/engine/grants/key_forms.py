"""The text of a key -> what `kms:Decrypt` is granted on.

Source: https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html (aliases in
IAM); IAM knows keys by ARN alone.
"""

from __future__ import annotations

import re

from macro.engine.grants.secret_forms import REGION
from macro.engine.grants.secret_values import Secret, fails_elsewhere, give_arn
from macro.engine.template.arn import (
    KEY_ARN,
    arn_fields,
    arn_of,
    read_arn,
    refuse_arn_within,
)
from macro.engine.template.document import Json, Path
from macro.engine.template.intrinsics import (
    Text,
    Unknown,
    literal,
    literal_parts,
    parse_text,
    write_text,
)
from macro.engine.template.problems import Caution, InvalidValueError
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Site, Stack

OWN_ALIAS = "alias/aws/secretsmanager"
_KEY_ID = r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}|mrk-[0-9a-f]{32}"

KEY_FIX = "Write the key's ARN, its id, its alias (alias/name), or Ref to a key in the template."


class Key(NamedTuple):
    """What `kms:Decrypt` is granted on: a key, or the keys of an account that have `alias`.

    `defaults` names the parameters whose default decided the form; `cautions` say what would not
    work.
    """

    resource: Json
    alias: Json = None
    defaults: tuple[str, ...] = ()
    cautions: tuple[Caution, ...] = ()


class KeyReader(NamedTuple):
    """Where a key is read; `seen` has the aliases that led there."""

    secret: Secret
    site: Site
    stack: Stack
    seen: frozenset[tuple[Path, object]] = frozenset()

    def following(self, alias: Resource) -> KeyReader:
        """Where the key of an alias is read. Raises InvalidValueError for one that was seen."""
        here = alias.path, alias.turn or self.site.turn
        if here in self.seen:
            raise InvalidValueError("PI310", f"The alias {alias.logical_id} names itself.", KEY_FIX)
        return self._replace(site=self.stack.site_of(alias, self.site), seen=self.seen | {here})


def foreign_key() -> InvalidValueError:
    """The mistake of a secret of another account that has no key, or one of the stack's account."""
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html
    return InvalidValueError(
        "PI311",
        "A secret of another account needs a customer-managed key of that account.",
        "Write KmsKey with the key's ARN, or Grant: false if the role may already use it.",
    )


def key_of_texts(value: Json, text: Text, texts: tuple[Text, ...], reader: KeyReader) -> Key | None:
    """The key that is right for every text that the value can have; None: AWS's own."""
    keys: dict[str, Key] = {}
    errors: list[InvalidValueError] = []
    own = 0
    for known in texts:
        try:
            form, key = _key(value, text, known, reader)
        except InvalidValueError as error:
            errors.append(error)
        else:
            own += key is None
            if key is not None:
                keys[form] = key
    if not keys:
        if errors and not own:
            raise errors[0]
        return None
    if len(keys) > 1:
        raise InvalidValueError(
            "PI314",
            "The values that the key can have are of different forms.",
            "Give all of them as the keys' ARNs.",
        )
    (found,) = keys.values()
    wrong = tuple(fails_elsewhere(error) for error in errors)
    return found._replace(cautions=wrong + found.cautions)


def _key(value: Json, text: Text, known: Text, reader: KeyReader) -> tuple[str, Key | None]:
    """The form of one text, and the key that it names; None: AWS's own."""
    secret, taken = reader.secret, reader.site.loop_variables
    refuse_arn_within(known, reader.site, reader.stack, "PI310")
    match known:
        case (str(head), *_) if head.startswith("arn:"):
            return _key_by_arn(value, text, known, reader)
        case (str(head), *_) if head.startswith("alias/"):
            _check_alias(known)
            if literal(known) == OWN_ALIAS:
                return "alias", None
            if secret.elsewhere:
                raise foreign_key()
            all_keys = arn_of("kms", "key/*", region=parse_text(secret.region))
            return "alias", Key(write_text(all_keys, taken), write_text(text, taken))
        case (str(only),) if re.fullmatch(_KEY_ID, only):
            if secret.elsewhere:
                raise foreign_key()
            arn = arn_of("kms", "key/", *text, region=parse_text(secret.region))
            return "id", Key(write_text(arn, taken))
        case () | (str(), *_):
            raise InvalidValueError("PI310", "This is not a KMS key.", KEY_FIX)
        case (Unknown(opaque),) if reader.stack.values.parameters.is_arn(opaque):
            return "arn", Key(value)
    message = "Nothing is known about this key's value: an id or an alias would not work here."
    caution = Caution("PI906", message, give_arn(text, reader.stack))
    return "arn", Key(value, cautions=(caution,))


STACK_REGION: Text = (Unknown(REGION),)


def _known_region(region: Text, stack: Stack) -> str | None:
    """A Region, as far as it is known."""
    return stack.context.region if region == STACK_REGION else literal(region)


def check_key_region(region: Text, reader: KeyReader) -> None:
    """Raises InvalidValueError where a key's Region is known not to be the secret's.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/create-manage-multi-region-secrets.html
    """
    stack = reader.stack
    own, other = (_known_region(one, stack) for one in (parse_text(reader.secret.region), region))
    if None not in (own, other) and own != other:
        raise InvalidValueError(
            "PI310",
            "The key is of another Region than the secret that it should open.",
            "Write the key of the secret's own Region; a multi-Region key has one in each.",
        )


def _check_alias(name: Text) -> None:
    written = literal_parts(name)
    if "*" in written or "?" in written:
        raise InvalidValueError("PI305", "A wildcard would open other keys than this one.", KEY_FIX)
    if written.startswith("alias/aws/") and written != OWN_ALIAS:
        raise InvalidValueError(
            "PI310",
            "Secrets Manager cannot use the key that AWS manages for another service.",
            KEY_FIX,
        )
    if not re.fullmatch(r"alias/[\w/-]*", written, re.ASCII) or name == ("alias/",):
        raise InvalidValueError("PI310", "This is not an alias of a key.", KEY_FIX)


def _key_by_arn(value: Json, text: Text, known: Text, reader: KeyReader) -> tuple[str, Key | None]:
    arn = read_arn(known, KEY_ARN, reader.stack.context)
    if arn:
        check_key_region(arn.region, reader)
    match arn and arn.resource:
        case (str(head), *_) if head.startswith("alias/"):
            assert arn
            _check_alias(arn.resource)
            if literal(arn.resource) == OWN_ALIAS:
                return "arn", None
            written = arn_fields(text)
            if written is None:
                raise InvalidValueError(
                    "PI310",
                    "This is the ARN of an alias, and IAM matches a key only by the key's own ARN.",
                    "Give the value as the key's ARN, or as the alias's name: alias/name.",
                )
            all_keys = arn_of(
                "kms",
                "key/*",
                partition=written.partition,
                region=written.region,
                account=written.account,
            )
            taken = reader.site.loop_variables
            return "alias arn", Key(
                write_text(all_keys, taken), write_text(written.resource, taken)
            )
        case (str(key_id),) if not re.fullmatch(f"key/({_KEY_ID})", key_id):
            raise InvalidValueError("PI310", "This ARN is not a key's.", KEY_FIX)
        case (str(head), *_) if not head.startswith("key/"):
            raise InvalidValueError("PI310", "This ARN is not a key's.", KEY_FIX)
        case (str(), *_):
            return "arn", Key(value)
    message = "It is not known what this ARN is of: that of an alias would not work here."
    caution = Caution("PI906", message, "Make sure that key/ and a key's id are at its end.")
    return "arn", Key(value, cautions=(caution,))
