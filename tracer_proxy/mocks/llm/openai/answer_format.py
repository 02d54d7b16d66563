"""``json_schema`` formats of structured answers, which chats and responses spell alike but for where they stand."""

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.openai import strict_schema
from tracer_proxy.mocks.llm.openai.errors import ApiError, missing
from tracer_proxy.mocks.llm.openai.fields import Fields
from tracer_proxy.mocks.llm.openai.offered_tools import check_name


def read_schema(described: Fields, param: str, code: str | None) -> JsonObject:
    """The schema of a described format. A wrong one raises ``ApiError`` with ``param`` and ``code``."""
    name = described.text("name")
    check_name(described.path("name"), name)
    if described.get("schema") is None:
        raise missing(described.path("schema"))
    schema = described.json("schema")
    fault = strict_schema.object_fault(schema)
    if described.flag("strict"):
        fault = fault or strict_schema.fault(schema)
    if fault is not None:
        raise ApiError(400, f"Invalid schema for response_format '{name}': {fault}", param=param, code=code)
    return schema
