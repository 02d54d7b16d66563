"""The fields of a request: each in camel case or in snake case, as protobuf's JSON allows; refused in the provider's words."""

import re
from typing import Any

from tracer_proxy.mocks.llm import fields
from tracer_proxy.mocks.llm.serving import Refused

_CAPITAL = re.compile(r"[A-Z]")


class Fields(fields.Fields):
    """A JSON object of a request. Names are given in camel case."""

    @staticmethod
    def missing(path: str) -> Refused:
        """See the base class."""
        return Refused(400, f"* {path}: {path.rpartition('.')[2]} is not specified")

    @staticmethod
    def wrong_type(path: str, expected: str, value: object) -> Refused:
        """See the base class."""
        return Refused(400, f"Invalid value at '{path or 'request'}': expected {expected}, not {fields.json_type(value)}.")

    @staticmethod
    def wrong_value(path: str, message: str) -> Refused:
        """See the base class."""
        return Refused(400, f"Invalid value at '{path}': it {message}.")

    def get(self, name: str) -> Any:
        """See the base class."""
        value = super().get(name)
        return super().get(snake(name)) if value is None else value

    def refuse_unknown(self, known: frozenset[str]) -> None:
        """Raises ``Refused`` for a field that is none of these, in whichever case."""
        for name in self.names():
            if name not in known and name not in {snake(one) for one in known}:
                place = f" at '{self._path}'" if self._path else ""
                raise Refused(400, f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.')


def snake(name: str) -> str:
    """``maxItems`` as ``max_items``."""
    return _CAPITAL.sub(lambda match: "_" + match.group().lower(), name)
