"""The codes of problems, each with the words of docs/problems.md. The rules for cfn-lint and SARIF
show them; nothing that runs in Lambda loads this module."""

from __future__ import annotations

# A code: what the problem is, and the mistake that leads to it. First those of a text: they show
# before there is a template, or when one is written, and cfn-lint has rules of its own for them.
TEXT_CODES = {
    "PI001": (
        "bytes that cannot be read",
        (
            "the file is not UTF-8 (often UTF-16 from an editor), or holds a control character or"
            " half of a surrogate pair"
        ),
    ),
    "PI002": (
        "not YAML, not JSON",
        (
            "a tab as indentation, a quote or bracket left open, an alias without an anchor, a"
            " second document, a key that is no text"
        ),
    ),
    "PI003": ("a key that occurs twice", "a block was pasted under a key that was there already"),
    "PI004": ("not a template", "another file was named; `Resources` is missing or misspelt"),
    "PI005": (
        "too deep or too large",
        "a file that was made by a program, or aliases that multiply",
    ),
    "PI006": (
        "the rewritten text would not mean what it should",
        "a fault of ours: nothing was written, please report it",
    ),
    "PI504": ("a template over 1 MB", "too much in one stack"),
}

CODES = {
    "PI101": (
        "an unknown key",
        "a typing error; the key that was likely meant is named",
    ),
    "PI102": (
        "no image",
        "`Image` was left out, is not indented, or has no value in some branch of `Fn::If`",
    ),
    "PI103": (
        "no secret",
        "neither `Secret` nor an entry of the registry tables says what opens the image",
    ),
    "PI104": (
        "a key beside PrivateImage that it writes itself",
        "`Image` or the credentials of before were left in place; a key is not indented below it",
    ),
    "PI105": (
        "PrivateImage where it has no effect",
        (
            "it is on the service, on the task definition itself, one level too deep, in another"
            " section, or in a text"
        ),
    ),
    "PI106": (
        "a value of the wrong type",
        "`Grant` is neither true nor false",
    ),
    "PI107": (
        "settings that cannot be read",
        (
            "a registry with `https://` or a tag; an entry with other keys than `Secret`,"
            " `KmsKey` and `Grant`; a permissions boundary that is no ARN"
        ),
    ),
    "PI108": (
        "parameters of the macro where it takes none",
        (
            "`Parameters` beside `Name: PrivateImage` in the `Transform` section, or other ones"
            " than `Grant` beside a block"
        ),
    ),
    "PI109": (
        "`Fn::Transform` on a container without `Grant: false`",
        "there the macro sees the container alone and cannot reach the role",
    ),
    "PI110": (
        "the account's settings refer to a template",
        "`Ref` or `Fn::GetAtt` was copied from a template: only pseudo parameters can be meant",
    ),
    "PI111": (
        "a transform that is nearly the macro's name",
        "a typing error: CloudFormation finds no macro of that name",
    ),
    "PI201": (
        "an image in Amazon ECR",
        "ECR takes no secret: the execution role's own permissions open it, so write plain `Image`",
    ),
    "PI202": (
        "no image reference",
        "a scheme, a space, an upper-case repository, two tags",
    ),
    "PI203": (
        "an image whose secret cannot be looked up",
        "the registry is a parameter, or two entries of the table may match",
    ),
    "PI204": (
        "an image of CodeBuild's own",
        "`aws/codebuild/...` takes no credentials, so write plain `Image`",
    ),
    "PI301": (
        "a JSON key behind the secret",
        "copied from the `Secrets` of a container, where `:password::` has its place",
    ),
    "PI302": (
        "a parameter of Systems Manager",
        "registry credentials come from Secrets Manager alone",
    ),
    "PI303": (
        "a dynamic reference to a secret's value",
        "`{{resolve:secretsmanager:...}}` would put the login into the template",
    ),
    "PI304": (
        "not a secret",
        "the ARN or the resource is of another kind",
    ),
    "PI305": (
        "a wildcard",
        "copied from a policy; it would open more than the one secret or key",
    ),
    "PI306": (
        "a malformed secret",
        "an ARN that lost a part, a name with a space",
    ),
    "PI307": (
        "an ARN of another partition",
        "a template of `aws` in a China or GovCloud Region",
    ),
    "PI308": (
        "another account's secret without a full ARN",
        "only the full ARN, with its hyphen and six characters, is found from another account",
    ),
    "PI309": (
        "a partial ARN in CodeBuild",
        "CodeBuild takes a full ARN or a name",
    ),
    "PI310": (
        "not a key",
        "the ARN, id, alias or resource is of another kind, or the key of another AWS service",
    ),
    "PI311": (
        "another account's secret without the ARN of its key",
        (
            "the key that AWS manages opens no secret to another account, and an id or alias is"
            " one of this account"
        ),
    ),
    "PI312": (
        "the login itself instead of a secret",
        "username and password were written where the secret that holds them is named",
    ),
    "PI314": (
        "values of different forms",
        "a mapping or allowed values mix names and ARNs: no policy is right for both",
    ),
    "PI315": (
        "too many cases of `Fn::If`",
        "many `Fn::If` within one text, each of which doubles the cases",
    ),
    "PI401": (
        "a role of another account",
        "this stack cannot attach a policy there: its owner must, and `Grant: false` says so",
    ),
    "PI402": (
        "not a role that a policy can be attached to",
        "a user, a service-linked role, another resource",
    ),
    "PI403": (
        "no role",
        (
            "CodeBuild needs a service role of yours; `Grant: false` vouches for a role that is"
            " not named"
        ),
    ),
    "PI404": (
        "no possible order",
        "the secret, its key or the role depends on the very resource that must wait for the grant",
    ),
    "PI405": (
        "a loop's resource that cannot be referred to",
        "a logical id with `&{}`: CloudFormation replaces it in keys only",
    ),
    "PI406": (
        "a reference that a loop decides, where it is not known what the loop runs over",
        "the loop's collection is a parameter without a value: give it with `-p`",
    ),
    "PI407": (
        "a role's name in a dynamic reference",
        "`{{resolve:...}}` is resolved too late to cut the name out of an ARN",
    ),
    "PI408": (
        "turns of a loop that need different things",
        "one turn's secret is a name and another's an ARN",
    ),
    "PI409": (
        "a condition that is not a name",
        "`Condition` of a resource in a loop is written with `Fn::FindInMap`",
    ),
    "PI501": (
        "more than 500 resources",
        "what is added makes the stack too large",
    ),
    "PI502": (
        "a logical id over 255 characters",
        "the resource's own id leaves no room for what is added",
    ),
    "PI503": (
        "inline policies over 10,240 characters",
        "too many secrets for one role",
    ),
    "PI505": (
        "a policy's name over 128 characters",
        "a loop runs over long values",
    ),
    "PI901": (
        "the execution role is the task role too",
        "the application's code can read the login to the registry",
    ),
    "PI902": (
        "no `Transform: PrivateImage`",
        "CloudFormation would not call the macro; an expanded template needs none",
    ),
    "PI903": (
        "a parameter's default decided the form",
        (
            "a deployment with a value of another form needs its own expansion: give the value"
            " with `-p`"
        ),
    ),
    "PI904": (
        "a role that is not there when the container is",
        (
            "their conditions exclude each other; CloudFormation refuses the stack where both are"
            " wanted"
        ),
    ),
    "PI905": (
        "a value that some deployments have is wrong",
        "one row of a mapping, or one allowed value, is of another kind",
    ),
    "PI906": (
        "a value of which nothing is known",
        (
            "an import, another stack's output or a parameter without a value: what is taken for"
            " granted is named"
        ),
    ),
    "PI907": (
        "a secret's name that ECS may refuse",
        "it ends in a hyphen and six characters, as ARNs do, and has a slash or a dot in it",
    ),
    "PI908": (
        "a case that is wrong, but not reached",
        "this deployment's parameters exclude the condition",
    ),
    "PI909": (
        "a permissions boundary that does not allow the grant",
        "the boundary of the template lists services, and Secrets Manager or KMS is not among them",
    ),
    "PI910": (
        "some values of an image are wrong",
        (
            "a parameter's allowed values or default, or a mapping, has an image that cannot be"
            " pulled with a secret"
        ),
    ),
    "PI911": (
        "a transform is taken for the macro",
        "the macro has another name in this account: give it with `--macro-name`",
    ),
}

WARNINGS = "PI9"
"""How the codes of warnings begin."""
