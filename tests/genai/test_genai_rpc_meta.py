"""Our trace context in an MCP request's body: in its place, and nothing else touched."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rpc_traffic import everything

from tracer_proxy.genai.rpc_meta import with_trace_meta
from tracer_proxy.genai.rpc_requests import read_rpc_request
from tracer_proxy.limits import RPC_MEMBERS_MAX, RPC_META_BODY_BYTES_MAX

OURS = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
KEYS = ("traceparent", "tracestate", "baggage")
HEAD = b'{"jsonrpc":"2.0","id":1,"method":"tools/call"'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(HEAD + b"}", HEAD + b',"params":{"_meta":{"traceparent":"T"}}}', id="no params"),
        pytest.param(HEAD + b',"params":null}', HEAD + b',"params":{"_meta":{"traceparent":"T"}}}', id="params null"),
        pytest.param(HEAD + b',"params":{}}', HEAD + b',"params":{"_meta":{"traceparent":"T"}}}', id="empty params"),
        pytest.param(HEAD + b',"params": { } }\n', HEAD + b',"params": {"_meta":{"traceparent":"T"} } }\n', id="spaces stay"),
        pytest.param(
            HEAD + b',"params":{"name":"t"}}', HEAD + b',"params":{"name":"t","_meta":{"traceparent":"T"}}}', id="no _meta"
        ),
        pytest.param(
            HEAD + b',"params":{"_meta":null,"name":"t"}}',
            HEAD + b',"params":{"_meta":{"traceparent":"T"},"name":"t"}}',
            id="_meta null",
        ),
        pytest.param(
            HEAD + b',"params":{"_meta":{"a" : [1 ,2], "traceparent" : "old" ,"b":1.50}}}',
            HEAD + b',"params":{"_meta":{"a" : [1 ,2], "traceparent" : "T" ,"b":1.50}}}',
            id="replaced in its place",
        ),
        pytest.param(
            HEAD + b',"params":{"_meta":{"\\u0074raceparent":"old"}}}',
            HEAD + b',"params":{"_meta":{"\\u0074raceparent":"T"}}}',
            id="a name that is written with an escape",
        ),
        pytest.param(
            HEAD + b',"params":{"_meta":{"tracestate":"old","baggage":"old","a":1}}}',
            HEAD + b',"params":{"_meta":{"a":1,"traceparent":"T"}}}',
            id="what belonged to another traceparent goes",
        ),
        pytest.param(
            b'{"params":{"arguments":{"params":{"_meta":{}}, "q":"\\"_meta\\":{}"}},"method":"m","jsonrpc":"2.0"}',
            b'{"params":{"arguments":{"params":{"_meta":{}}, "q":"\\"_meta\\":{}"},"_meta":{"traceparent":"T"}}'
            b',"method":"m","jsonrpc":"2.0"}',
            id="look-alikes inside",
        ),
    ],
)
def test_the_context_stands_in_meta_and_every_other_byte_stays(body: bytes, expected: bytes) -> None:
    assert with_trace_meta(body, b"T") == expected


def test_all_three_are_written_and_read_again() -> None:
    body = with_trace_meta(HEAD + b"}", OURS, b"a=1", 'k="ö"'.encode())
    assert body is not None
    asked = read_rpc_request("mcp", {}, body)
    assert asked is not None
    assert (asked.traceparent, asked.tracestate, asked.baggage) == (OURS, b"a=1", 'k="ö"'.encode())


def test_a_value_that_no_json_text_can_hold_is_left_out() -> None:
    assert with_trace_meta(HEAD + b"}", b"T", b"", b"k=\xff") == HEAD + b',"params":{"_meta":{"traceparent":"T"}}}'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEAD, id="cut off"),
        pytest.param(HEAD + b"} x", id="something behind it"),
        pytest.param(HEAD + b',"params":{"a":1,}}', id="a comma too many"),
        pytest.param(b"[" + HEAD + b"}]", id="a batch"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"result":{}}', id="an answer"),
        pytest.param(b'{"jsonrpc":"1.0","id":1,"method":"m"}', id="another version"),
        pytest.param(b'{"id":1,"method":"m"}', id="no version"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":5}', id="a method that is no text"),
        pytest.param(HEAD + b',"params":[1]}', id="params by position"),
        pytest.param(HEAD + b',"params":{"_meta":"x"}}', id="_meta that is no object"),
        pytest.param(HEAD + b',"params":{},"params":{"a":1}}', id="params twice"),
        pytest.param(HEAD + b',"params":{},"params":{}}', id="params twice, alike"),
        pytest.param(HEAD + b',"params":{"_meta":{},"_met\\u0061":{}}}', id="_meta twice"),
        pytest.param(HEAD + b',"params":{"_meta":{"traceparent":"a","traceparent":"a"}}}', id="traceparent twice"),
        pytest.param(HEAD + b',"a":1,"a":12}', id="a number that begins with another"),
        # The second "a" is as long as the beginning of the first, up to its comma.
        pytest.param(HEAD + b',"a":{"x":1,"b":2},"b":2,"a":123456}', id="a name twice, made to mislead the walk"),
        pytest.param(HEAD + b',"params":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, id="too deep"),
        pytest.param(HEAD + b',"x":"' + b"x" * RPC_META_BODY_BYTES_MAX + b'"}', id="too large"),
        pytest.param(HEAD + b"," + b",".join(b'"%d":1' % n for n in range(RPC_MEMBERS_MAX)) + b"}", id="too many members"),
    ],
)
def test_what_cannot_be_changed_safely_is_not_changed(body: bytes) -> None:
    assert with_trace_meta(body, OURS) is None


def test_requests_of_official_clients_take_it() -> None:
    for each in everything():
        changed = with_trace_meta(each.body, OURS, b"a=1")
        if not each.body:
            assert changed is None
            continue
        assert changed is not None
        expected = json.loads(each.body)
        meta = expected.setdefault("params", {}).setdefault("_meta", {})
        meta |= {"traceparent": OURS.decode(), "tracestate": "a=1"}
        assert json.loads(changed) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(["params", "_meta"]), inner, max_size=4)
    ),
    max_leaves=10,
)
metas = st.none() | st.dictionaries(st.sampled_from([*KEYS, "a", "é", '"', "\\"]), json_values, max_size=5)
params = st.none() | st.builds(
    lambda other, meta, has_meta: other | ({"_meta": meta} if has_meta else {}),
    st.dictionaries(st.text(), json_values, max_size=3),
    metas,
    st.booleans(),
)
requests = st.builds(
    lambda other, given_params, has_params: (
        other | {"jsonrpc": "2.0", "method": "m"} | ({"params": given_params} if has_params else {})
    ),
    st.dictionaries(st.text(), json_values, max_size=3),
    params,
    st.booleans(),
)
values = st.sampled_from([b"", b"a=1", b'"', b"\\", "ö".encode()])
layouts: st.SearchStrategy[Callable[[Any], str]] = st.sampled_from(
    [
        json.dumps,
        lambda message: json.dumps(message, ensure_ascii=False, separators=(",", ":")),
        lambda message: json.dumps(message, indent="\t", separators=(" ,", " : ")) + "\r\n",
    ]
)


@given(requests, values, values, layouts, st.randoms(use_true_random=False))
def test_any_request_means_the_same_but_for_the_context(
    message: dict[str, Any], tracestate: bytes, baggage: bytes, layout: Callable[[Any], str], shuffler: Any
) -> None:
    names = list(message)
    shuffler.shuffle(names)
    body = layout({name: message[name] for name in names}).encode(errors="surrogatepass")
    changed = with_trace_meta(body, OURS, tracestate, baggage)
    assert changed is not None

    expected = json.loads(body)
    expected["params"] = expected.get("params") or {}
    meta = expected["params"]["_meta"] = expected["params"].get("_meta") or {}
    for name, value in zip(KEYS, (OURS, tracestate, baggage), strict=True):
        meta.pop(name, None)
        if value:
            meta[name] = value.decode()
    assert json.loads(changed) == expected
    # A second time there is nothing left to change.
    assert with_trace_meta(changed, OURS, tracestate, baggage) == changed


@given(requests, layouts)
def test_with_its_own_context_a_request_stays_as_it_is(message: dict[str, Any], layout: Callable[[Any], str]) -> None:
    message["params"] = (message.get("params") or {}) | {"_meta": {"baggage": "k=v", "x": [1], "traceparent": OURS.decode()}}
    body = layout(message).encode(errors="surrogatepass")
    assert with_trace_meta(body, OURS, b"", b"k=v") == body


@given(requests, layouts)
def test_every_byte_outside_of_the_value_stays(message: dict[str, Any], layout: Callable[[Any], str]) -> None:
    message["params"] = (message.get("params") or {}) | {"_meta": {"x": [1], "traceparent": "@@old@@", "y": {}}}
    body = layout(message).encode(errors="surrogatepass")
    before, after = body.split(b'"@@old@@"')
    assert with_trace_meta(body, OURS) == before + b'"' + OURS + b'"' + after


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\ aparams_met0123', max_size=60).map(str.encode))
def test_no_bytes_ever_raise(noise: bytes) -> None:
    for body in (noise, HEAD + noise, HEAD + b',"params":{' + noise + b"}}"):
        changed = with_trace_meta(body, OURS)
        if changed is not None:
            assert json.loads(changed)["params"]["_meta"]["traceparent"] == OURS.decode()
