"""MLflow."""

import base64
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from backends.backend import Backend
from backends.seen import Seen

EXPERIMENT = "0"


class MLflow(Backend):
    """It takes a trace for complete once a span without a parent has come."""

    name = "mlflow"
    requirement: ClassVar[str] = "mlflow>=3.17.2,<3.19"
    ready_path = "/health"
    headers: ClassVar[Mapping[str, str]] = {"x-mlflow-experiment-id": EXPERIMENT}

    def command(self) -> list[str]:
        store = f"sqlite:///{self.folder}/mlflow.db"
        where = ["--host", "127.0.0.1", "--port", str(self.port)]
        # Of several workers one that is busy for 5 s, as with its first spans, is killed by uvicorn.
        return ["mlflow", "server", "--workers", "1", "--backend-store-uri", store, *where]

    def variables(self) -> dict[str, str]:
        return {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}

    async def seen(self, trace_id: str) -> Seen | None:
        found = await self.ask("/api/3.0/mlflow/traces/get", trace_id=f"tr-{trace_id}")
        if found is None:
            return None
        info, spans = found["trace"]["trace_info"], found["trace"].get("spans", [])
        kinds = [(_attribute(span, "mlflow.spanType"), span) for span in spans]
        metadata = info.get("trace_metadata", {})
        tokens = json.loads(metadata.get("mlflow.trace.tokenUsage", "{}"))
        return Seen(
            trace_id=base64.b64decode(spans[0]["trace_id"]).hex() if spans else trace_id,
            is_complete=info["state"] == "OK",
            roots=sum(not span.get("parent_span_id") for span in spans),
            models=sum(kind == "CHAT_MODEL" for kind, _ in kinds),
            tools=tuple(sorted(_attribute(span, "gen_ai.tool.name") for kind, span in kinds if kind == "TOOL")),
            input_tokens=tokens.get("input_tokens", 0),
            output_tokens=tokens.get("output_tokens", 0),
            session=metadata.get("mlflow.trace.session", ""),
        )


def _attribute(span: Mapping[str, Any], name: str) -> str:
    values = (each["value"].get("string_value", "") for each in span.get("attributes", []) if each["key"] == name)
    return next(values, "")
