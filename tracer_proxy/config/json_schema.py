"""The JSON Schema of the file as it is written, for editors: durations and sizes as text, variables where numbers belong."""

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from tracer_proxy.config.schema import Config


def json_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12. What holds between keys is beyond it; that is what ``check`` is for."""
    schema = Config.model_json_schema(schema_generator=_AsWritten)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "tracer-proxy config"}


class _AsWritten(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Defaults as they would be written, not as the objects they become."""
        if isinstance(dft, tuple | list):
            return [self.encode_default(item) for item in dft]
        return dft if dft is None or isinstance(dft, str | int | float | Mapping) else str(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:
        """The key says it already."""
        return False
