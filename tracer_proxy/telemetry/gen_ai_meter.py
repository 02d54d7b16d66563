"""What a worker counts of model calls by OpenTelemetry's conventions: ``gen_ai.client.*``, profile v1.41."""

import re
from collections.abc import Sequence

from tracer_proxy.genai.answered import Usage
from tracer_proxy.limits import GEN_AI_SERIES_MAX, LABEL_CHARS_MAX, MODELS_COUNTED_MAX, TOKENS_COUNTED_MAX
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.catalogue import GEN_AI_BUCKETS_S, TOKEN_BUCKETS
from tracer_proxy.telemetry.collected import Collected, Family

_OTHER = "other"
_ODD = re.compile(r"[^A-Za-z0-9._:/@+-]")

_Call = tuple[str, str, str, str, str, str]
"""Operation, provider, model asked for, model that answered, host, port: the labels that all four metrics have."""
_Failable = tuple[str, str, str, str, str, str, str]
"""And what went wrong, or what sort of token."""


class Names:
    """Text from outside as labels: cleaned, and only so many of them.

    Half of the room is for names that an upstream vouches for: who makes up names cannot push the true ones out.
    """

    __slots__ = ("_known", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def label(self, name: str, is_vouched_for: bool) -> str:
        """Empty for an empty name, ``other`` for one that is too long or one too many."""
        if name in self._known or not name:
            return name
        if len(name) > LABEL_CHARS_MAX:
            return _OTHER
        name = _ODD.sub("_", name)
        if name not in self._known:
            if len(self._known) >= (self._limit if is_vouched_for else self._limit // 2):
                return _OTHER
            self._known.add(name)
        return name


class GenAiMeter:
    """One for a worker: models are not known beforehand."""

    __slots__ = ("_chunk_gaps", "_durations", "_errors", "_first_chunks", "_models", "_tokens")

    def __init__(self) -> None:
        self._models = Names(MODELS_COUNTED_MAX)
        self._errors = Names(MODELS_COUNTED_MAX)
        self._durations: Family[_Failable] = Family(GEN_AI_BUCKETS_S, GEN_AI_SERIES_MAX, _other_failure)
        self._tokens: Family[_Failable] = Family(TOKEN_BUCKETS, GEN_AI_SERIES_MAX, _other_tokens)
        self._first_chunks: Family[_Call] = Family(GEN_AI_BUCKETS_S, GEN_AI_SERIES_MAX, _other_models)
        self._chunk_gaps: Family[_Call] = Family(GEN_AI_BUCKETS_S, GEN_AI_SERIES_MAX, _other_models)

    def done(
        self,
        operation: str,
        provider: str,
        request_model: str,
        response_model: str,
        host: str,
        port: int,
        error: str,
        seconds: float,
        usage: Usage | None,
        first_chunk_s: float | None,
        gaps: Sequence[float],
        trace_id: bytes,
        span_id: bytes,
    ) -> None:
        """One call has ended. ``operation``, ``provider`` and the server are ours; models and ``error`` may be anybody's text.

        ``seconds`` run to the end of the answer, ``first_chunk_s`` from the same beginning (``None`` where nothing was
        streamed); ``gaps`` are the seconds between chunks. Tokens are counted only where the provider told them.
        """
        asked = self._models.label(request_model, is_vouched_for=not error)
        answered = self._models.label(response_model, is_vouched_for=True)
        call = (operation, provider, asked, answered, host, str(port) if port else "")
        self._durations[*call, self._errors.label(error, is_vouched_for=True)].observe(seconds, trace_id, span_id)
        if usage is not None:
            for sort, tokens in (("input", usage.input), ("output", usage.output)):
                if tokens is not None:
                    self._tokens[*call, sort].observe(min(max(tokens, 0), TOKENS_COUNTED_MAX), trace_id, span_id)
        if first_chunk_s is not None:
            self._first_chunks[call].observe(first_chunk_s, trace_id, span_id)
        if gaps:
            self._chunk_gaps[call].observe_all(gaps)

    def collect(self, into: Collected) -> None:
        for metric, family in (
            (catalogue.OPERATION_DURATION, self._durations),
            (catalogue.TOKEN_USAGE, self._tokens),
            (catalogue.FIRST_CHUNK, self._first_chunks),
            (catalogue.CHUNK_GAP, self._chunk_gaps),
        ):
            for labels, histogram in family.items():
                into.observe(metric, labels, histogram)


def _other_models(key: _Call) -> _Call:
    operation, provider, _, _, host, port = key
    return operation, provider, _OTHER, _OTHER, host, port


def _other_failure(key: _Failable) -> _Failable:
    *call, error = key
    return *_other_models((call[0], call[1], call[2], call[3], call[4], call[5])), _OTHER if error else ""


def _other_tokens(key: _Failable) -> _Failable:
    *call, sort = key
    return *_other_models((call[0], call[1], call[2], call[3], call[4], call[5])), sort
