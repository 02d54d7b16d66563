"""``explain``: says what the hot path decides, and why."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_cases import TRACE_ID, decided, head_for, table_of

from tracer_proxy.genai.json_body import JsonBody
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.bucket import bucket, seed
from tracer_proxy.routing.explain import Explanation, explain
from tracer_proxy.routing.table import Table

TABLE = table_of("""
version: 1
coloring:
  - {color: canary, when: {header: {x-canary: "1"}}}
  - {color: slow, when: {query: {slow: {present: true}}, path: /agents}}
  - {color: lucky, when: {percent: 20}}
routes:
  - {name: health, match: {exact: /healthz}, lanes: [{name: only, pool: v1}]}
  - {name: write, match: {path: /agents, method: POST}, lanes: [{name: only, pool: v1}]}
  - name: agents
    match: {path: /agents}
    rewrite: {prefix: /}
    sticky: [header:x-session-id, "query:sid", baggage:session.id]
    egress: trace
    lanes:
      - {name: stable, pool: v1, weight: 60}
      - {name: canary, pool: v2, weight: 40, colors: [canary], color: canary}
pools:
  v1: {endpoints: [http://127.0.0.1:7001, http://127.0.0.1:7002]}
  v2: {endpoints: [https://agent.test]}
""")


def explained(
    by: Table, target: str, *headers: str, method: str = "GET", trusted: bool = True, body: bytes | None = None
) -> Explanation:
    asking = Asking(head_for(by, target, *headers, method=method))
    asking.body = JsonBody(body) if body is not None else None
    return explain(by, asking, trusted=trusted, new_trace_id=TRACE_ID, dice=lambda: 0.0)


def shown(explanation: Explanation) -> list[str]:
    """The steps as lines."""
    return [
        line for step in explanation.steps for line in (f"{step.name}: {step.result}", *(f"  {note}" for note in step.notes))
    ]


def test_every_step_says_what_was_tried() -> None:
    explanation = explained(TABLE, "/agents/x?slow&sid=", "baggage: session.id=alice")
    assert shown(explanation) == [
        f"trace: {TRACE_ID.decode()}",
        "  a new trace",
        "route: agents",
        "  health: path differs",
        "  write: method differs",
        "  agents: matches",
        "session: alice",
        "  header:x-session-id: not there",
        "  query:sid: empty",
        "  baggage:session.id: found",
        "color: slow",
        "  inbound: none",
        "  rule 1 (canary when header x-canary = '1'): does not hold: header x-canary is not there",
        "  rule 2 (slow when query slow is there and path under '/agents'): holds: query slow is '', path is '/agents/x'",
        "lane: stable",
        "  no lane serves slow: the baseline stands in, and the colour is kept",
        "endpoint: http://127.0.0.1:7002",
        "  pool v1: http://127.0.0.1:7001, http://127.0.0.1:7002",
    ]
    assert explanation.answer["target"] == "/x?slow&sid="
    assert explanation.answer["egress"] == "trace"


def test_a_lane_by_bucket_shows_who_owns_which() -> None:
    explanation = explained(TABLE, "/agents", "x-session-id: alice")
    lines = shown(explanation)
    number = explanation.answer["bucket"]
    assert f"  bucket {number} of 10000" in lines
    assert "  canary owns buckets 0 to 3999" in lines
    assert "  stable owns buckets 4000 to 9999" in lines
    assert explanation.answer["lane"] == ("canary" if number < 4000 else "stable")


def test_where_the_trace_came_from_and_what_contradicted_it() -> None:
    headers = ["b3: " + "12" * 16 + "-" + "34" * 8, "x-trace-id-ext: " + "56" * 16]
    lines = shown(explained(TABLE, "/agents", *headers))
    assert lines[:3] == ["trace: " + "12" * 16, "  from b3", "  x-trace-id-ext names another trace and was not used"]


def test_an_untrusted_caller_is_told_what_is_not_believed() -> None:
    headers = ["b3: " + "12" * 16 + "-" + "34" * 8, "x-traffic-color: canary", "baggage: session.id=alice"]
    explanation = explained(TABLE, "/agents", *headers, trusted=False)
    assert explanation.answer["trace_id"] == TRACE_ID.decode()
    assert explanation.answer["session"] == {"key": TRACE_ID.decode(), "source": "trace"}
    assert explanation.answer["color_source"] != "inbound"
    assert "  the sender is not trusted: its trace, baggage and colour are not believed" in shown(explanation)


def test_no_route() -> None:
    explanation = explained(TABLE, "/agentsmith")
    assert explanation.answer == {"route": None, "trace_id": TRACE_ID.decode()}
    assert shown(explanation)[2:] == [
        "route: none: 404",
        *(f"  {name}: path differs" for name in ("health", "write", "agents")),
    ]


def test_the_json_form_is_the_answer_with_its_steps() -> None:
    explanation = explained(TABLE, "/agents")
    document = explanation.as_json()
    steps = document.pop("steps")
    assert document == explanation.answer
    assert [step["step"] for step in steps] == ["trace", "route", "session", "color", "lane", "endpoint"]
    assert steps[1]["notes"] == ["health: path differs", "write: method differs", "agents: matches"]


HEADERS = st.lists(
    st.sampled_from(
        [
            "x-canary: 1",
            "x-canary: 2",
            "x-session-id: alice",
            "x-session-id: bob",
            "baggage: session.id=carol,color=canary",
            "baggage: color=blue",
            "x-traffic-color: canary",
            "x-traffic-color: green",
            "x-traffic-color: NO",
            "traceparent: 00-" + "ab" * 16 + "-" + "cd" * 8 + "-01",
            "b3: 0",
        ]
    ),
    max_size=5,
    unique=True,
)


@given(st.sampled_from(["/agents", "/agents/x?slow", "/agents?sid=dora", "/healthz"]), HEADERS, st.integers(0, 2**64))
@settings(deadline=None)
def test_it_agrees_with_the_decision(target: str, headers: list[str], session: int) -> None:
    request = (target, *headers, *([f"x-session-id: {session}"] if session % 2 else []))
    decision, answer = decided(TABLE, *request), explained(TABLE, *request).answer
    assert answer["route"] == decision.route.name
    assert answer["session"] == {"key": decision.session_key.decode(), "source": decision.session_source}
    assert (answer["color"] or "").encode() == decision.color
    assert answer["color_source"] == decision.color_source
    assert (answer["lane"], answer["fell_back"]) == (decision.lane.name, decision.fell_back)
    assert answer["endpoint"] in map(str, decision.lane.pool.endpoints)


JSON = "content-type: application/json"


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ([], "content-type is missing, so it is not read as JSON"),
        (["content-type: text/plain"], "content-type is text/plain, so it is not read as JSON"),
        ([JSON, "content-encoding: gzip"], "it has a content-encoding, so it is not read as JSON"),
        ([JSON, "expect: 100-continue"], "it waits for 100-continue, so it is not read as JSON"),
        ([JSON, f"content-length: {2 << 20 | 1}"], "its 2097153 bytes are more than the 2097152 that are waited for"),
        ([JSON], ""),
    ],
)
def test_a_body_that_the_proxy_would_not_read_is_not_read_here(headers: list[str], why: str) -> None:
    by = table_of("""
version: 1
coloring: [{color: blue, when: {model: gpt-5}}]
routes: [{name: all, lanes: [{name: only, pool: only}]}]
pools: {only: {endpoints: [http://127.0.0.1:7001]}}
""")
    explanation = explained(by, "/", *headers, method="POST", body=b'{"model": "gpt-5", "session_id": "s"}')
    assert explanation.answer["session"]["source"] == ("trace" if why else "body:/session_id")
    assert explanation.answer["color"] == (None if why else "blue")
    told = [line for line in shown(explanation) if "no body that is read" in line]
    assert told == ([] if not why else [f"  {place}no body that is read: {why}" for place in BODY_RUNGS])


BODY_RUNGS = ("body: ", "a2a: ", "body:/user: ", "")
"""What looks into bodies, in the order of the ladder, and then the rule."""


def test_every_kind_of_rule_says_what_it_saw() -> None:
    by = table_of("""
version: 1
coloring:
  - {color: a, when: {cookie: {beta: "1"}}}
  - {color: b, when: {agent: {prefix: svc-pay-}}}
  - {color: c, when: {client: [10.0.0.0/8]}}
  - {color: d, when: {certificate: {prefix: x}}}
  - {color: e, when: {time: {after: 2020-01-01T00:00:00Z}}}
  - {color: f, when: {percent: 0}}
  - {color: g, when: {not: {path: /}}}
  - {color: h, when: {any: [{query: {x: "1"}}, {query: {y: "1"}}]}}
routes: [{name: all, lanes: [{name: only, pool: only}]}]
pools: {only: {endpoints: [http://127.0.0.1:7001]}}
""")
    explanation = explained(by, "/?y=2", "cookie: beta=2", "x-agent-id: " + "n" * 200, "x-session-id: alice")
    notes = next(step.notes for step in explanation.steps if step.name == "color")
    assert [note.partition("does not hold: ")[2] for note in notes[1:-1]] == [
        "cookie beta is '2'",
        f"agent is '{'n' * 100}…'",
        "client has no address",
        "certificate is not there",
        "it is thu 1970-01-01 00:00+00:00",
        f"bucket {bucket(b'alice', seed('color/f'))} of 10000: it takes those below 0",
        "path is '/'",
        "query x is not there, query y is '2'",
    ]
    assert notes[-1].startswith("remembered: not known here")


def test_pools_that_stand_in_and_whose_weights_these_are() -> None:
    by = table_of("""
version: 1
routes: [{name: all, lanes: [{name: stable, pool: v1}, {name: canary, pool: v2, weight: 1, colors: [canary]}]}]
pools:
  v1: {endpoints: [http://127.0.0.1:7001]}
  v2: {endpoints: [http://127.0.0.1:7002], failover: [v3]}
  v3: {endpoints: [http://127.0.0.1:7003]}
""")
    asking = Asking(head_for(by, "/", "x-traffic-color: canary"))
    weights = {"all": ["weights of the rollout up"]}
    found = explain(by, asking, trusted=True, new_trace_id=TRACE_ID, dice=lambda: 0.0, weights=weights)
    notes = next(step.notes for step in found.steps if step.name == "lane")
    assert notes[1:] == ("if nobody of it can be had: pool v3, then the baseline, stable", "weights of the rollout up")


def test_the_body_counts_where_it_would_be_read() -> None:
    by = table_of("""
version: 1
coloring:
  - {color: blue, when: {model: gpt-5, header: {x-a: "1"}}}
  - {color: green, when: {any: [{model: gpt-6}, {not: {body: {/tenant: {present: true}}}}]}}
routes: [{name: all, lanes: [{name: only, pool: only}]}]
pools: {only: {endpoints: [http://127.0.0.1:7001]}}
""")
    asked = b'{"model": "gpt-5", "session_id": "s"}'
    lines = shown(explained(by, "/", JSON, method="POST", body=asked))
    assert "session: s" in lines
    assert "  body: found at body:/session_id" in lines
    told = "  rule 1 (blue when header x-a = '1' and model = 'gpt-5'): does not hold: header x-a is not there"
    assert told in lines
    assert "  rule 2 (green when model = 'gpt-6' or not body /tenant is there): holds: body /tenant is not there" in lines
    lines = shown(explained(by, "/"))
    assert "  body: no body that is read: there is none" in lines
    lines = shown(explained(by, "/", "x-traffic-color: red"))
    assert "  rules: not tried, for the request has a colour" in lines
