"""The section of rollouts, and the plans that it becomes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from tracer_proxy.config.choices import nearest
from tracer_proxy.config.endpoint_headers import PoolHeaderValue
from tracer_proxy.config.matchers import HeaderName, JsonPointer
from tracer_proxy.config.part import Part
from tracer_proxy.config.routes import NAME_EXPECTED, NAME_PATTERN, Lane, Name
from tracer_proxy.config.values import Form, OneOrMany, Statuses, Timeout, choice_form, number_form, text, wrong, wrong_key
from tracer_proxy.limits import ROLLOUT_HOLD_S, ROLLOUT_MIN_EXCHANGES, ROLLOUT_STEPS_MAX
from tracer_proxy.rollout.plan import ConfidenceLimit, OnFailure, Plan, QuantileLimit, RateLimit, Rules

_FAILURE = "rollback, pause or {switch_to: LANE}"
_WEBHOOK = "the URL of a webhook, such as https://example.com/hooks/rollouts"
_FOLDER = "the absolute path of a folder, such as /var/lib/tracer-proxy"


@dataclass(frozen=True, slots=True)
class Failure:
    """What to do when the lane fails."""

    do: OnFailure
    switch_to: str = ""

    def __str__(self) -> str:
        return f"{{switch_to: {self.switch_to}}}" if self.switch_to else str(self.do)


def _read_failure(value: object) -> Failure:
    words = (OnFailure.ROLLBACK, OnFailure.PAUSE)
    if not isinstance(value, dict):
        if value in words:
            return Failure(OnFailure(str(value)))
        guess = nearest(value, words) if isinstance(value, str) else None
        raise wrong(f"expected {_FAILURE}" + (f"; did you mean '{guess}'?" if guess else ""))
    for key in value:
        if key != "switch_to":
            raise wrong_key(key, f"unknown key {key!r}; keys: switch_to")
    if not value:
        raise wrong(f"expected {_FAILURE}")
    lane = value["switch_to"]
    if not isinstance(lane, str) or re.fullmatch(NAME_PATTERN, lane) is None:
        raise wrong(f"expected {NAME_EXPECTED}", "switch_to")
    return Failure(OnFailure.SWITCH, lane)


def _read_webhook(value: object) -> str:
    url = text(value, _WEBHOOK)
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        is_plain = parts.username is None and re.fullmatch(r"[!-~]+", url) is not None
    except ValueError:
        is_one = is_plain = False
    if not is_one or not is_plain:
        raise wrong(f"expected {_WEBHOOK}; credentials belong into its headers")
    return url


def _read_folder(value: object) -> str:
    path = text(value, _FOLDER)
    if not path.startswith("/") or "\0" in path:
        raise wrong(f"expected {_FOLDER}")
    return path


_FAILURE_SCHEMA = {
    "anyOf": [
        {"enum": ["rollback", "pause"]},
        {
            "type": "object",
            "properties": {"switch_to": {"type": "string"}},
            "required": ["switch_to"],
            "additionalProperties": False,
        },
    ]
}

OnFailureValue = Annotated[Failure, Form("`rollback` \\| `pause` \\| `{switch_to: LANE}`", _read_failure, _FAILURE_SCHEMA)]
Webhook = Annotated[str, Form("URL", _read_webhook, {"type": "string", "pattern": "^https?://"})]
FolderPath = Annotated[str, Form("absolute path", _read_folder, {"type": "string", "pattern": "^/"})]
Step = Annotated[float, number_form(0.01, 100)]
Start = Annotated[Literal["auto", "manual"], choice_form("auto", "manual")]
Quantile = Annotated[float, number_form(0.01, 0.999)]
Ratio = Annotated[float, number_form(1, 1000)]
Share = Annotated[float, number_form(0, 1)]
Difference = Annotated[float, number_form(0, 1)]
MinExchanges = Annotated[int, number_form(1, 1_000_000, whole=True)]


class State(Part):
    """What is to survive a restart of the proxy."""

    folder: FolderPath = Field(description="Where `rollouts.json` is kept; made where it is missing.")


class MaxRate(Part):
    """A bound on the share of errors. `absolute`, `worse_than_baseline` or both."""

    absolute: Share | None = Field(None, description="The highest share, such as 0.05.")
    worse_than_baseline: Difference | None = Field(
        None, description="How far the share may lie above the baseline's: 0.01 is one percentage point."
    )
    count: Annotated[tuple[Statuses, ...], OneOrMany()] = Field(
        (),
        description="Statuses that are errors, too, such as `[401, 403, 404, 429]` or `400-499`; "
        "5xx and what fails always are.",
    )


class MaxQuantile(Part):
    """A bound on how long it takes. `absolute`, `worse_than_baseline` or both."""

    quantile: Quantile = Field(0.95, description="Which one: at 0.95, 5 of 100 exchanges may take longer than the bound.")
    absolute: Timeout | None = Field(None, description="The longest.")
    worse_than_baseline: Ratio | None = Field(None, description="So many times the baseline's at most.")


class MinConfidence(Part):
    """A bound on how sure the lane is of its answers. `header` or `pointer` says where that stands."""

    mean: Annotated[float, number_form(-1_000_000, 1_000_000)] = Field(description="What the mean must not be below.")
    hold: Timeout = Field(
        300.0, alias="for", description="How long the mean has to stay below before that counts: in each fifth of it."
    )
    header: HeaderName | None = Field(None, description="The header of the answer that has it.")
    pointer: JsonPointer | None = Field(None, description="Where the JSON body of the answer has it.")


class MaxRatio(Part):
    """A bound relative to the baseline."""

    worse_than_baseline: Ratio = Field(description="So many times the baseline's at most.")


class Judge(Part):
    """What the lane has to show at each step; at least one bound. [How it judges](rollouts.md#the-judge)."""

    min_exchanges: MinExchanges = Field(
        ROLLOUT_MIN_EXCHANGES, description="Of the lane at a step, before it may go on to the next."
    )
    max_error_rate: MaxRate | None = Field(
        None, description="Answers of 5xx, of statuses that it names, and those that failed or broke off midway."
    )
    max_latency: MaxQuantile | None = Field(None, description="From the request to the last byte of the answer.")
    max_first_token: MaxQuantile | None = Field(None, description="From the request to the first content of a stream.")
    min_confidence: MinConfidence | None = Field(None, description="What the answers say of their own confidence.")
    max_tokens_per_turn: MaxRatio | None = Field(None, description="Tokens of all calls of models in a turn.")

    @property
    def has_absolute(self) -> bool:
        """Whether there is a bound that needs no baseline to compare with."""
        compared = (self.max_error_rate, self.max_latency, self.max_first_token)
        return self.min_confidence is not None or any(bound and bound.absolute is not None for bound in compared)


class Notify(Part):
    """Whom to tell of each change."""

    webhook: Webhook = Field(repr=False, description="Gets a POST with JSON; its URL is never shown.")
    headers: Mapping[HeaderName, PoolHeaderValue] = Field({}, repr=False, description="Sent with it; never shown.")


class Rollout(Part):
    """How a lane takes over a route step by step, and what stops it; [more](rollouts.md)."""

    route: Name = Field(description="One of `routes`; at most one rollout for each.")
    lane: Name = Field(
        description="The lane of that route that is judged. It is the baseline only to guard it: with `steps: [100]`, and "
        "`on_failure` `pause` or `switch_to`."
    )
    steps: tuple[Step, ...] = Field(
        (1.0, 5.0, 25.0, 50.0, 100.0),
        min_length=1,
        max_length=ROLLOUT_STEPS_MAX,
        description="Percent of the sessions, rising; from 0.01 to 100.",
    )
    hold: Timeout = Field(ROLLOUT_HOLD_S, description="How long each step lasts at least.")
    judge: Judge = Field(description="What the lane has to show.")
    on_failure: OnFailureValue = Field(
        Failure(OnFailure.ROLLBACK),
        description="`rollback`, the lane gets nothing any more; `pause`, it keeps its weight and somebody decides; "
        "`switch_to`, another lane of the route gets all that was the lane's.",
    )
    start: Start = Field("auto", description="`auto`, at once; `manual`, when somebody says so.")
    notify: Notify | None = Field(None, description="Whom to tell of each change.")


def plan_of(name: str, rollout: Rollout, lanes: tuple[Lane, ...]) -> Plan:
    """``lanes`` are those of its route."""
    return Plan(
        name=name,
        route=rollout.route,
        lane=rollout.lane,
        baseline=baseline_of(lanes),
        steps=rollout.steps,
        hold_s=rollout.hold,
        rules=_rules(rollout.judge),
        on_failure=rollout.on_failure.do,
        switch_to=rollout.on_failure.switch_to,
    )


def baseline_of(lanes: tuple[Lane, ...]) -> str:
    return next((lane for lane in lanes if lane.baseline), lanes[0]).name


def _rules(judge: Judge) -> Rules:
    rate, confidence, tokens = judge.max_error_rate, judge.min_confidence, judge.max_tokens_per_turn
    return Rules(
        min_exchanges=judge.min_exchanges,
        error_rate=RateLimit(rate.absolute, rate.worse_than_baseline) if rate else None,
        latency=_quantile(judge.max_latency),
        first_token=_quantile(judge.max_first_token),
        confidence=ConfidenceLimit(confidence.mean, confidence.hold) if confidence else None,
        tokens_per_turn=tokens.worse_than_baseline if tokens else None,
    )


def _quantile(bound: MaxQuantile | None) -> QuantileLimit | None:
    return QuantileLimit(bound.quantile, bound.absolute, bound.worse_than_baseline) if bound else None
