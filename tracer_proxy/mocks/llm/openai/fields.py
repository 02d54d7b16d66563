"""The fields of a request, refused in the provider's words: each refusal names the field and the kind of fault."""

from tracer_proxy.mocks.llm import fields
from tracer_proxy.mocks.llm.openai import errors


class Fields(fields.Fields):
    """A JSON object of a request; the provider spells the place of a field ``messages[0].content``."""

    @staticmethod
    def missing(path: str) -> Exception:
        """See the base class."""
        return errors.missing(path)

    @staticmethod
    def wrong_type(path: str, expected: str, value: object) -> Exception:
        """See the base class."""
        return errors.wrong_type(path or "body", expected, value)

    @staticmethod
    def wrong_value(path: str, message: str) -> Exception:
        """See the base class."""
        return errors.wrong_value(path, f"The field '{path}' {message}.")
