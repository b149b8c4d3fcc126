"""CloudFormation's side of a macro: the events it sends, and what it makes of the answers.

The shapes are those of its documentation
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html) and
those that LocalStack recorded on AWS: github.com/localstack/localstack,
tests/aws/services/cloudformation/test_template_engine.snapshot.json, TestMacros (January 2023).
"""

from __future__ import annotations

from typing import Any

from macro.engine.template.document import Json

REQUEST_ID = "4f6cf1e1-9f2b-4d0c-8c65-5b3f3a8d2b11"
TRANSFORM_ID = "111122223333::PrivateImage"


def event(
    fragment: Json,
    parameters: dict[str, Json] | None = None,
    params: Json = None,
    region: str = "eu-west-1",
    account: str = "111122223333",
) -> dict[str, Json]:
    """What CloudFormation sends (recorded: test_validate_lambda_internals).

    `fragment`: the template without its `Transform` section, or what stands beside `Fn::Transform`;
    `parameters`: the values of the template's; `params`: those of the call.
    """
    return {
        "accountId": account,
        "fragment": fragment,
        "transformId": TRANSFORM_ID,
        "requestId": REQUEST_ID,
        "region": region,
        "params": params or {},
        "templateParameterValues": dict(parameters or {}),
    }


class TransformFailedError(Exception):
    """CloudFormation gives the stack up; the text is what it shows."""


def processed(response: Any, request_id: str = REQUEST_ID) -> Any:
    """The fragment that CloudFormation takes from a response (recorded: test_failed_state).

    Raises TransformFailedError with what CloudFormation shows, where it takes none.
    """
    if (
        not isinstance(response, dict)
        or response.get("requestId") != request_id
        or not isinstance(response.get("status"), str)
        or "fragment" not in response
    ):
        raise TransformFailedError(f"Received malformed response from transform {TRANSFORM_ID}")
    if response["status"].lower() != "success":
        message = response.get("errorMessage")
        if not message:
            raise TransformFailedError(f"Transform {TRANSFORM_ID} failed without an error message.")
        raise TransformFailedError(f"Transform {TRANSFORM_ID} failed with: {message}")
    if not isinstance(response["fragment"], dict):
        raise TransformFailedError("Template format error: unsupported structure.")
    return response["fragment"]
