"""The fields of a request, refused in the provider's words: the place of the field, a colon, and what is wrong."""

from tracer_proxy.mocks.llm import fields
from tracer_proxy.mocks.llm.serving import Refused

_EXPECTED = {
    "a string": "a valid string",
    "an array": "a valid list",
    "an object": "a valid dictionary",
    "an integer": "a valid integer",
    "a number": "a valid number",
    "a boolean": "a valid boolean",
}


class Fields(fields.Fields):
    """A JSON object of a request; the provider spells the place of a field ``messages.0.content``."""

    @staticmethod
    def missing(path: str) -> Refused:
        """See the base class."""
        return Refused(400, f"{path}: Field required")

    @staticmethod
    def wrong_type(path: str, expected: str, value: object) -> Refused:
        """See the base class."""
        told = f"Input should be {_EXPECTED.get(expected, expected)}, not {fields.json_type(value)}"
        return Refused(400, f"{path}: {told}" if path else f"The request body: {told}")

    @staticmethod
    def wrong_value(path: str, message: str) -> Refused:
        """See the base class."""
        return Refused(400, f"{path}: Input {message}")

    @staticmethod
    def item_path(path: str, index: int) -> str:
        """See the base class."""
        return f"{path}.{index}"

    def refuse_unknown(self, known: frozenset[str]) -> None:
        """Raises ``Refused`` for a field that is none of these."""
        for name in self.names():
            if name not in known:
                raise Refused(400, f"{self.path(name)}: Extra inputs are not permitted")
