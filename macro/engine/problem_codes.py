"""The codes of problems, each with the words of docs/problems.md. The rules for cfn-lint and SARIF
show them; nothing that runs in Lambda loads this module."""

from __future__ import annotations

# A code: what the problem is, and its likely cause. First those of a text: they show before there
# is a template, or when one is written, and cfn-lint has rules of its own for them.
TEXT_CODES = {
    "PI001": (
        "The file cannot be read as text",
        (
            "It is not UTF-8 (often it is UTF-16 from an editor), or it contains a control"
            " character or half of a surrogate pair."
        ),
    ),
    "PI002": (
        "Neither YAML nor JSON",
        (
            "There is a tab in the indentation, an open quote or bracket, an alias without an"
            " anchor, a second document, or a key that is not text."
        ),
    ),
    "PI003": (
        "The same key twice",
        "A block was pasted below a key that existed already.",
    ),
    "PI004": (
        "Not a template",
        "The wrong file was given, or `Resources` is missing or misspelt.",
    ),
    "PI005": (
        "Nested too deeply, or too large",
        "The file was generated, or its aliases multiply.",
    ),
    "PI006": (
        "The rewritten text would have another meaning",
        "This is a fault of PrivateImage. Nothing was written; please report it.",
    ),
    "PI504": (
        "The template is larger than 1 MB",
        "There is too much in one stack.",
    ),
}

CODES = {
    "PI101": (
        "Unknown key",
        "The key is misspelt. The message names the key that was likely meant.",
    ),
    "PI102": (
        "No image",
        "`Image` was left out or is not indented, or a branch of `Fn::If` has no value.",
    ),
    "PI103": (
        "No secret",
        (
            "Neither `Secret` nor the registry table of the settings says which secret opens the"
            " image."
        ),
    ),
    "PI104": (
        "A key beside PrivateImage that PrivateImage writes itself",
        (
            "`Image` or the earlier credentials were left in place, or a key of the block is not"
            " indented."
        ),
    ),
    "PI105": (
        "PrivateImage where it has no effect",
        (
            "It is on the service or on the task definition itself, one level too deep, in"
            " another section, or inside a text."
        ),
    ),
    "PI106": (
        "A value of the wrong type",
        "`Grant` is neither true nor false.",
    ),
    "PI107": (
        "Invalid settings",
        (
            "A registry is written with `https://` or a tag, an entry has keys other than"
            " `Secret`, `KmsKey` and `Grant`, or a permissions boundary is not an ARN."
        ),
    ),
    "PI108": (
        "Parameters that the macro does not take",
        (
            "The `Transform` section has `Parameters` beside `Name: PrivateImage`, or a call on a"
            " container has parameters other than `Grant`."
        ),
    ),
    "PI109": (
        "`Fn::Transform` on a container without `Grant: false`",
        "There the macro sees only the container and cannot reach the role.",
    ),
    "PI110": (
        "The account's settings refer to a template",
        (
            "`Ref` or `Fn::GetAtt` was copied from a template. Account settings can refer only to"
            " pseudo parameters."
        ),
    ),
    "PI111": (
        "A transform whose name is almost the macro's",
        "The name is misspelt: CloudFormation would find no macro of that name.",
    ),
    "PI201": (
        "An image in Amazon ECR",
        "ECR uses the permissions of the execution role, not a secret. Write plain `Image`.",
    ),
    "PI202": (
        "Invalid image reference",
        "It has a scheme, a space, two tags, or an upper-case letter in the repository.",
    ),
    "PI203": (
        "The secret of an image cannot be looked up",
        "The registry is a parameter, or two entries of the registry table may match.",
    ),
    "PI204": (
        "One of CodeBuild's own images",
        "`aws/codebuild/...` takes no credentials. Write plain `Image`.",
    ),
    "PI301": (
        "A JSON key after the secret",
        "It was copied from the `Secrets` of a container, where `:password::` is allowed.",
    ),
    "PI302": (
        "A parameter of Systems Manager",
        "Registry credentials can come only from Secrets Manager.",
    ),
    "PI303": (
        "A dynamic reference to a secret's value",
        "`{{resolve:secretsmanager:...}}` would put the login into the template.",
    ),
    "PI304": (
        "Not a secret",
        "The ARN or the resource is of another kind.",
    ),
    "PI305": (
        "A wildcard",
        "It was copied from a policy. It would give access to more than the one secret or key.",
    ),
    "PI306": (
        "Malformed secret",
        "Part of the ARN is missing, or the name contains a space.",
    ),
    "PI307": (
        "An ARN of another partition",
        "A template written for the partition `aws` is used in a China or GovCloud Region.",
    ),
    "PI308": (
        "Another account's secret without its full ARN",
        (
            "From another account a secret is found only by its full ARN, with the hyphen and six"
            " characters at its end."
        ),
    ),
    "PI309": (
        "A partial ARN in CodeBuild",
        "CodeBuild takes a full ARN or a name.",
    ),
    "PI310": (
        "Not a key",
        (
            "The ARN, id, alias or resource is of another kind, or the key is one that AWS"
            " manages for another service."
        ),
    ),
    "PI311": (
        "Another account's secret without the ARN of its key",
        (
            "The default key of Secrets Manager cannot be used from another account, and a key id"
            " or alias would be one of this account."
        ),
    ),
    "PI312": (
        "A login instead of a secret",
        "The username and password were written where the name of a secret is expected.",
    ),
    "PI314": (
        "Values of different forms",
        (
            "A mapping or a list of allowed values mixes names and ARNs. No one policy is right"
            " for both."
        ),
    ),
    "PI315": (
        "Too many cases of `Fn::If`",
        "One text contains many `Fn::If`, each of which doubles the number of cases.",
    ),
    "PI401": (
        "A role of another account",
        (
            "This stack cannot attach a policy there. The role's owner must grant access; `Grant:"
            " false` says that this has been done."
        ),
    ),
    "PI402": (
        "Not a role that a policy can be attached to",
        "It is a user, a service-linked role or another resource.",
    ),
    "PI403": (
        "No role",
        (
            "CodeBuild needs a service role, and `Grant: false` makes sense only where a role is"
            " named."
        ),
    ),
    "PI404": (
        "A circular dependency",
        "The secret, its key or the role depends on the resource that must wait for the grant.",
    ),
    "PI405": (
        "A resource in a loop that cannot be referred to",
        "Its logical id has `&{}`, which CloudFormation replaces only in keys.",
    ),
    "PI406": (
        "A reference that depends on a loop over an unknown collection",
        "The collection is a parameter without a value. Give the value with `-p`.",
    ),
    "PI407": (
        "A role's name in a dynamic reference",
        "CloudFormation resolves `{{resolve:...}}` too late to take the name out of an ARN.",
    ),
    "PI408": (
        "Iterations of a loop that need different grants",
        "One iteration's secret is a name and another's is an ARN.",
    ),
    "PI409": (
        "A condition that is not a name",
        "The `Condition` of a resource in a loop is written with `Fn::FindInMap`.",
    ),
    "PI410": (
        "A role or key that a loop or `Fn::Transform` may write",
        (
            "A loop or `AWS::Include` among the properties makes keys that are not known before a"
            " deploy."
        ),
    ),
    "PI501": (
        "More than 500 resources",
        "What PrivateImage adds makes the stack too large.",
    ),
    "PI502": (
        "A logical id of more than 255 characters",
        "The id of the resource leaves no room for the ids that are built from it.",
    ),
    "PI503": (
        "Inline policies of more than 10,240 characters",
        "One role reads too many secrets.",
    ),
    "PI505": (
        "A policy name of more than 128 characters",
        "A loop runs over long values.",
    ),
    "PI601": (
        "A role that may not read the secret",
        (
            "No policy of the role names the secret. A partial ARN in a policy needs"
            " `-??????` at its end, and each of several secrets needs its own grant."
        ),
    ),
    "PI602": (
        "A role that may not decrypt the secret",
        "The secret has a customer-managed key, and the role has no `kms:Decrypt` for it.",
    ),
    "PI603": (
        "A role that may read every secret",
        "The policy allows `Resource: '*'`, often because a grant for one ARN did not work.",
    ),
    "PI604": (
        "A partial ARN in CodeBuild, written by hand",
        "CodeBuild takes a full ARN or a name.",
    ),
    "PI605": (
        "Credentials for an image that takes none",
        "The image is in Amazon ECR, or it is one of CodeBuild's own.",
    ),
    "PI606": (
        "Credentials without an execution role",
        "The task has no role, or only a task role.",
    ),
    "PI607": (
        "Credentials that do not name a secret",
        ("They name a Systems Manager parameter, a JSON key within a secret, or another resource."),
    ),
    "PI651": (
        "`adopt` leaves a container as it is",
        "The shorthand does not take its image or its secret.",
    ),
    "PI652": (
        "`adopt` leaves a statement as it is",
        (
            "The statement allows more than the containers need, or something else shares it."
            " `--narrow` removes wildcards."
        ),
    ),
    "PI653": (
        "`adopt` leaves a template as it is",
        "It is not proven that the result would deploy the same.",
    ),
    "PI901": (
        "The execution role is also the task role",
        "The application's code can read the login to the registry.",
    ),
    "PI902": (
        "No `Transform: PrivateImage`",
        (
            "CloudFormation would not call the macro. A template that you deploy expanded does"
            " not need the line."
        ),
    ),
    "PI903": (
        "A parameter's default decided the result",
        (
            "A deployment with a value of another form needs its own expansion. Give the value"
            " with `-p`."
        ),
    ),
    "PI904": (
        "A role that does not exist when the container does",
        "Their conditions exclude each other, so CloudFormation refuses a stack that needs both.",
    ),
    "PI905": (
        "A value that is wrong in some deployments",
        "One row of a mapping, or one allowed value, is of another kind.",
    ),
    "PI906": (
        "A value about which nothing is known",
        (
            "It is an import, another stack's output, or a parameter without a value. The message"
            " names what is assumed."
        ),
    ),
    "PI907": (
        "A secret's name that ECS may refuse",
        "It ends in a hyphen and six characters, as ARNs do, and contains a slash or a dot.",
    ),
    "PI908": (
        "A mistake in a case that is not reached",
        "This deployment's parameters rule out the condition.",
    ),
    "PI909": (
        "A permissions boundary that does not allow the grant",
        "The boundary lists services, and Secrets Manager or KMS is not among them.",
    ),
    "PI910": (
        "Some values of an image are wrong",
        (
            "A parameter's allowed values or default, or a mapping, contains an image that cannot"
            " be pulled with a secret."
        ),
    ),
    "PI911": (
        "A transform is taken for the macro",
        "The macro has another name in this account. Give it with `--macro-name`.",
    ),
    "PI912": (
        "A name that a resource of the template has in some deployments",
        (
            "A secret or role is referred to by a name or an ARN. Parameters, conditions, the"
            " Region or the account decide whether it is that of the one in the template."
        ),
    ),
    "PI913": (
        "A role that the service which pulls may not assume",
        "The trust policy is that of a role for something else, such as instances or functions.",
    ),
    "PI914": (
        "A key policy that gives the grant no effect",
        (
            "The policy of a key in the template names administrators or other roles, and leaves"
            " out the account's root, without which IAM policies do not count."
        ),
    ),
    "PI915": (
        "ARNs that cannot all be right in one deployment",
        (
            "Two ARNs name different partitions, or different accounts or Regions where each must"
            " be the stack's own."
        ),
    ),
}

WARNINGS = ("PI6", "PI9")
"""How the codes of warnings begin."""
