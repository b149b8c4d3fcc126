"""The text of a secret, and its forms -> what the service gets, and what IAM allows.

Source:
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RepositoryCredentials.html (names).
"""

from __future__ import annotations

import re
from collections.abc import Collection

from macro.engine.grants.secret_forms import REGION, Reader, SecretForm
from macro.engine.template.arn import arn_fields, arn_of
from macro.engine.template.document import Json
from macro.engine.template.intrinsics import (
    Text,
    Unknown,
    is_dynamic,
    join,
    literal_parts,
    write_text,
)
from macro.engine.template.problems import Caution, InvalidValueError
from macro.engine.template.records import NamedTuple
from macro.engine.template.resources import Resource
from macro.engine.template.stack import Stack

ANY_SUFFIX = "-??????"


class Secret(NamedTuple):
    """What a secret comes to: `parameter` names it to the service, `resources` name it to IAM.

    `as_written`: the parameter is what the author wrote. `region` is where the secret lives;
    `declarations` are the resources that it may be, where the template has it. `elsewhere`: it is
    known to be of another account; `anywhere`: nothing is known of its account. `nameless` are
    resources of whose name nothing is known, so that it may be this one; `opaque`: nothing is known
    of its value; `keyless` says what may be wrong if no key is written. `defaults` names the
    parameters whose default decided the form; `cautions` say what IAM would not take,
    `service_cautions` what the service would not.
    """

    parameter: Json
    resources: tuple[Json, ...]
    region: Json
    declarations: tuple[Resource, ...] = ()
    elsewhere: bool = False
    defaults: tuple[str, ...] = ()
    cautions: tuple[Caution, ...] = ()
    as_written: bool = True
    service_cautions: tuple[Caution, ...] = ()
    anywhere: bool = False
    nameless: tuple[Resource, ...] = ()
    keyless: tuple[Caution, ...] = ()
    opaque: bool = False


_NO_PARTIAL_ARN = Caution(
    "PI906",
    "The end of this secret's ARN is not known: CodeBuild takes no part of an ARN.",
    "Make sure that it is the full ARN. For a parameter, give its value with -p, or end its"
    " AllowedPattern with -[A-Za-z0-9]{6} to prove it.",
)


def open_reference(what: str) -> InvalidValueError:
    """A reference to what a loop may make, where the loop's collection is not known."""
    return InvalidValueError(
        "PI406",
        f"Which {what} this names depends on a loop whose collection is not known.",
        "Give the collection's value with -p, or write it as a list in the template.",
    )


def fails_elsewhere(error: InvalidValueError) -> Caution:
    """What is wrong with one of the values that another can have."""
    return Caution("PI905", f"This fails if another value is deployed: {error}", error.fix)


def named_secret(value: Json, text: Text, forms: list[SecretForm], reader: Reader) -> Secret:
    """The secret of a value that is a name, whatever it is deployed as."""
    taken = reader.site.loop_variables
    arn = arn_of("secretsmanager", "secret:", *text)
    # Secrets Manager takes an ARN that ends in a hyphen and six characters for a full one, so a
    # name that ends like that, or may, is found by its name alone.
    builds_arn = reader.credentials.builds_arn_from_name
    by_arn = builds_arn and all(form.partial for form in forms)
    cautions = []
    if builds_arn and not by_arn and re.search(r"[^\w-]", literal_parts(text), re.ASCII):
        # https://github.com/aws/aws-cdk/issues/20139
        message = "ECS may refuse this secret's name: it ends, or may end, in a hyphen and six"
        message += " characters, as ARNs do."
        cautions.append(Caution("PI907", message, "Write the secret's full ARN."))
    return Secret(
        write_text(arn, taken) if by_arn else value,
        (write_text(join(*arn, ANY_SUFFIX), taken),),
        REGION,
        tuple(declared for form in forms for declared in form.declared),
        cautions=tuple(cautions),
        as_written=not by_arn,
    )


def secret_of_arn(value: Json, text: Text, forms: list[SecretForm], reader: Reader) -> Secret:
    """The secret of a value that is an ARN, whatever it is deployed as."""
    taken = reader.site.loop_variables
    suffixed = write_text(join(*text, ANY_SUFFIX), taken)
    resources = [value] if any(form.complete for form in forms) else []
    resources += [suffixed] if any(form.partial for form in forms) else []
    dynamic = any(is_dynamic(part) for part in text)
    cautions = []
    if any(form.anywhere and form.partial for form in forms):
        message = (
            "Nothing is known about this secret's account: a secret of another account is found"
        )
        message += " by its full ARN only."
        fix = "Write the full ARN, or make sure that the account is the stack's."
        cautions.append(Caution("PI906", message, fix))
    if any(form.opaque for form in forms):
        message = "Nothing is known about this secret's value: a name would not work here"
        message += ", nor a secret of another Region." if dynamic else "."
        cautions.append(Caution("PI906", message, give_arn(text, reader.stack)))
    takes_partial = reader.credentials.takes_partial_arn
    hidden = any(form.complete and form.partial for form in forms) and not takes_partial
    return Secret(
        value,
        tuple(resources),
        REGION if dynamic else _region_of(text, taken),
        tuple(declared for form in forms for declared in form.declared),
        any(form.elsewhere for form in forms),
        cautions=tuple(cautions),
        service_cautions=(_NO_PARTIAL_ARN,) if hidden else (),
        anywhere=any(form.anywhere for form in forms),
        opaque=any(form.opaque for form in forms),
    )


def give_arn(text: Text, stack: Stack) -> str:
    """How to prove that a value of which nothing is known is an ARN."""
    match text:
        case (Unknown({"Ref": str(name)}),) if stack.values.parameters.takes_value(name):
            return "Give its value with -p, or begin its AllowedPattern with arn: to prove an ARN."
    return "Make sure that it is an ARN."


def _region_of(text: Text, taken: Collection[str]) -> Json:
    """The Region in a secret's ARN; where CloudFormation alone knows the ARN, cut out of it.

    The colons behind it let `Fn::Select` succeed on the placeholders that change sets with nested
    stacks have in place of values.
    """
    arn = arn_fields(text)
    if arn is not None and isinstance(text[0], str):
        return write_text(arn.region)
    return {"Fn::Select": [3, {"Fn::Split": [":", write_text(join(*text, ":::"), taken)]}]}
