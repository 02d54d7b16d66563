"""The provider's error envelope. One exception carries it; a refusal by what all providers share has one too."""

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.fields import json_type
from tracer_proxy.mocks.llm.serving import Refused


class ApiError(Refused):
    """A refused request. ``param`` names the field at fault, ``code`` the kind of fault; both may be unknown."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(status, message, code=code)
        self.param = param


def envelope(error: Refused) -> JsonObject:
    """The body that official clients read."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    param = error.param if isinstance(error, ApiError) else None
    return {"error": {"message": error.message, "type": kind, "param": param, "code": error.code}}


def missing(param: str) -> ApiError:
    """A field that has to be there is not."""
    return ApiError(400, f"The field '{param}' is required.", param=param, code="missing_required_parameter")


def wrong_type(param: str, expected: str, value: object) -> ApiError:
    """A field holds a value of another type."""
    message = f"The field '{param}' has to be {expected}, not {json_type(value)}."
    return ApiError(400, message, param=param, code="invalid_type")


def wrong_value(param: str, message: str) -> ApiError:
    """A field holds a value of the right type that is not possible."""
    return ApiError(400, message, param=param, code="invalid_value")
