"""Arize Phoenix."""

from typing import ClassVar

from backends.backend import Backend, free_port
from backends.seen import Seen

PROJECT = "default"
SPANS_MAX = "1000"


class Phoenix(Backend):
    """It turns ``gen_ai.*`` into its own names and tells calls of models and runs of tools by ``gen_ai.operation.name``."""

    name = "phoenix"
    requirement: ClassVar[str] = "arize-phoenix==20.26.1"
    ready_path = "/readyz"

    def command(self) -> list[str]:
        return ["phoenix", "serve"]

    def variables(self) -> dict[str, str]:
        return {
            "PHOENIX_WORKING_DIR": str(self.folder),
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(self.port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
        }

    async def seen(self, trace_id: str) -> Seen | None:
        """Spans come in after they were taken, so a trace may show some of them only."""
        found = await self.ask(f"/v1/projects/{PROJECT}/spans", trace_id=trace_id, limit=SPANS_MAX)
        spans = found["data"] if found else []
        if not spans:
            return None
        models = [span for span in spans if span["span_kind"] == "LLM"]
        tools = [span["attributes"].get("tool.name", "") for span in spans if span["span_kind"] == "TOOL"]
        return Seen(
            trace_id=trace_id,
            is_complete=True,
            roots=sum(span["parent_id"] is None for span in spans),
            models=len(models),
            tools=tuple(sorted(tools)),
            input_tokens=sum(span["attributes"].get("llm.token_count.prompt", 0) for span in models),
            output_tokens=sum(span["attributes"].get("llm.token_count.completion", 0) for span in models),
            session=await self._session_of(trace_id),
        )

    async def _session_of(self, trace_id: str) -> str:
        sessions = await self.ask(f"/v1/projects/{PROJECT}/sessions", limit=SPANS_MAX)
        for session in sessions["data"] if sessions else []:
            if trace_id in [trace["trace_id"] for trace in session["traces"]]:
                return str(session["session_id"])
        return ""
