"""Reading the fields of a JSON object, each with its type; what does not fit raises ``ApiError`` with the field's path."""

from typing import Any

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.openai.errors import missing, wrong_type, wrong_value


class Fields:
    """A JSON object and where it stands in the request. An optional field that is null counts as absent."""

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise wrong_type(path or "body", "an object", value)
        self._values: JsonObject = value
        self._path = path

    def path(self, name: str) -> str:
        """How the provider spells the place of a field: ``messages[0].content``."""
        return f"{self._path}.{name}" if self._path else name

    def get(self, name: str) -> Any:
        """The value as it stands; None if absent."""
        return self._values.get(name)

    def whole(self) -> JsonObject:
        """The object as it stands."""
        return self._values

    def text(self, name: str) -> str:
        """A string that has to be there."""
        value = self.optional_text(name)
        if value is None:
            raise missing(self.path(name))
        return value

    def optional_text(self, name: str) -> str | None:
        """A string."""
        value = self.get(name)
        if value is not None and not isinstance(value, str):
            raise wrong_type(self.path(name), "a string", value)
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """A string that has to be there and is one of the choices."""
        value = self.text(name)
        if value not in choices:
            raise wrong_value(self.path(name), f"The field '{self.path(name)}' has to be one of: {', '.join(choices)}.")
        return value

    def integer(self, name: str, low: int, high: int | None = None) -> int | None:
        """An integer from ``low`` to ``high``."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(self.path(name), "an integer", value)
        self._check_range(name, value, low, high)
        return value

    def check_number(self, name: str, low: float, high: float) -> None:
        """A number from ``low`` to ``high`` that the mock has no use for."""
        value = self.get(name)
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise wrong_type(self.path(name), "a number", value)
        self._check_range(name, value, low, high)

    def flag(self, name: str) -> bool:
        """A boolean; absent means False."""
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            raise wrong_type(self.path(name), "a boolean", value)
        return bool(value)

    def items(self, name: str) -> list[Any] | None:
        """An array."""
        value = self.get(name)
        if value is not None and not isinstance(value, list):
            raise wrong_type(self.path(name), "an array", value)
        return value

    def objects(self, name: str) -> list["Fields"]:
        """An array of objects; absent means none."""
        return [Fields(value, f"{self.path(name)}[{index}]") for index, value in enumerate(self.items(name) or [])]

    def object(self, name: str) -> "Fields | None":
        """An object."""
        value = self.get(name)
        return None if value is None else Fields(value, self.path(name))

    def needed_object(self, name: str) -> "Fields":
        """An object that has to be there."""
        found = self.object(name)
        if found is None:
            raise missing(self.path(name))
        return found

    def json(self, name: str) -> JsonObject:
        """An object as it stands; absent means an empty one."""
        found = self.object(name)
        return {} if found is None else found.whole()

    def _check_range(self, name: str, value: float, low: float, high: float | None) -> None:
        if value < low:
            raise wrong_value(self.path(name), f"The field '{self.path(name)}' has to be at least {low}.")
        if high is not None and value > high:
            raise wrong_value(self.path(name), f"The field '{self.path(name)}' has to be at most {high}.")
