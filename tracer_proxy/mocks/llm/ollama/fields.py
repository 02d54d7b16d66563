"""The fields of a request."""

from tracer_proxy.mocks.llm import fields
from tracer_proxy.mocks.llm.serving import Refused


class Fields(fields.Fields):
    """A JSON object of a request."""

    @staticmethod
    def missing(path: str) -> Refused:
        """See the base class."""
        return Refused(400, f"{path} is required")

    @staticmethod
    def wrong_type(path: str, expected: str, value: object) -> Refused:
        """See the base class."""
        return Refused(400, f"json: cannot read {path or 'the request'}: expected {expected}, not {fields.json_type(value)}")

    @staticmethod
    def wrong_value(path: str, message: str) -> Refused:
        """See the base class."""
        return Refused(400, f"{path} {message}")
