"""Reading the fields of a JSON object, each with its type. How a refusal is worded, a provider's subclass says."""

from abc import ABC, abstractmethod
from typing import Any, Self

from tracer_proxy.mocks.json_text import JsonObject


class Fields(ABC):
    """A JSON object and where it stands in the request. An optional field that is null counts as absent."""

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise self.wrong_type(path, "an object", value)
        self._values: JsonObject = value
        self._path = path

    @staticmethod
    @abstractmethod
    def missing(path: str) -> Exception:
        """The refusal of a request in which a field that has to be there is not."""

    @staticmethod
    @abstractmethod
    def wrong_type(path: str, expected: str, value: object) -> Exception:
        """That of one in which a field is not what was expected: ``a string``, ``an array``."""

    @staticmethod
    @abstractmethod
    def wrong_value(path: str, message: str) -> Exception:
        """That of one in which a field of the right type is not possible; ``message`` says why, without the path."""

    @staticmethod
    def item_path(path: str, index: int) -> str:
        """Where an item of an array stands."""
        return f"{path}[{index}]"

    def path(self, name: str) -> str:
        """Where a field stands."""
        return f"{self._path}.{name}" if self._path else name

    def whole(self) -> JsonObject:
        """The object as it stands."""
        return self._values

    def names(self) -> list[str]:
        """The fields there are."""
        return list(self._values)

    def get(self, name: str) -> Any:
        """The value as it stands; None if absent."""
        return self._values.get(name)

    def text(self, name: str) -> str:
        """A string that has to be there."""
        value = self.optional_text(name)
        if value is None:
            raise self.missing(self.path(name))
        return value

    def optional_text(self, name: str) -> str | None:
        """A string."""
        value = self.get(name)
        if value is not None and not isinstance(value, str):
            raise self.wrong_type(self.path(name), "a string", value)
        return value

    def texts(self, name: str) -> list[str]:
        """An array of strings; absent means none."""
        values = self.items(name) or []
        for index, value in enumerate(values):
            if not isinstance(value, str):
                raise self.wrong_type(self.item_path(self.path(name), index), "a string", value)
        return values

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """A string that has to be there and is one of the choices."""
        value = self.text(name)
        if value not in choices:
            raise self.wrong_value(self.path(name), f"has to be one of: {', '.join(choices)}")
        return value

    def integer(self, name: str, low: int, high: int | None = None) -> int | None:
        """An integer from ``low`` to ``high``."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong_type(self.path(name), "an integer", value)
        self._check_range(name, value, low, high)
        return value

    def check_number(self, name: str, low: float, high: float) -> None:
        """A number from ``low`` to ``high`` that the mock has no use for."""
        value = self.get(name)
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrong_type(self.path(name), "a number", value)
        self._check_range(name, value, low, high)

    def flag(self, name: str) -> bool:
        """A boolean; absent means False."""
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong_type(self.path(name), "a boolean", value)
        return bool(value)

    def items(self, name: str) -> list[Any] | None:
        """An array."""
        value = self.get(name)
        if value is not None and not isinstance(value, list):
            raise self.wrong_type(self.path(name), "an array", value)
        return value

    def objects(self, name: str) -> list[Self]:
        """An array of objects; absent means none."""
        path = self.path(name)
        return [type(self)(value, self.item_path(path, index)) for index, value in enumerate(self.items(name) or [])]

    def object(self, name: str) -> Self | None:
        """An object."""
        value = self.get(name)
        return None if value is None else type(self)(value, self.path(name))

    def needed_object(self, name: str) -> Self:
        """An object that has to be there."""
        found = self.object(name)
        if found is None:
            raise self.missing(self.path(name))
        return found

    def json(self, name: str) -> JsonObject:
        """An object as it stands; absent means an empty one."""
        found = self.object(name)
        return {} if found is None else found.whole()

    def _check_range(self, name: str, value: float, low: float, high: float | None) -> None:
        if value < low:
            raise self.wrong_value(self.path(name), f"has to be at least {low}")
        if high is not None and value > high:
            raise self.wrong_value(self.path(name), f"has to be at most {high}")


def json_type(value: object) -> str:
    """What a JSON value is, with its article."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "an object")
