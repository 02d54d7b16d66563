"""Single keys: each mistake is told once, at its line and column, with its path and what was expected."""

import pytest

from tracer_proxy.config.load import load_text
from tracer_proxy.errors import ConfigError, Problem

VALID = """\
version: 1
routes:
  - name: planner
    lanes:
      - {name: stable, pool: v1}
pools:
  v1: {endpoints: [http://127.0.0.1:7001]}
"""


def problems(text: str) -> list[Problem]:
    try:
        load_text(text, "f.yaml", {})
    except ConfigError as error:
        return error.problems
    return []


def only_problem(text: str) -> str:
    found = problems(text)
    assert len(found) == 1, [str(problem) for problem in found]
    return str(found[0])


def test_valid_file_has_no_problem() -> None:
    """What the tables below are added to is good by itself."""
    assert problems(VALID) == []


# Each stands in line 8, after the valid file.
SECTIONS = [
    ("proxy: {lisen: 1.2.3.4:80}", "8:9: proxy.lisen: unknown key 'lisen'; did you mean 'listen'?"),
    ("prxy: {}", "8:1: prxy: unknown key 'prxy'; did you mean 'proxy'?"),
    ("profile: {}", "8:1: profile: unknown key 'profile'; did you mean 'profiles'?"),
    ("zzz: 1", "8:1: zzz: unknown key 'zzz'; keys: version, proxy, admin, tracing, log, trust, coloring, routes, pools"),
    ("proxy: text", "8:8: proxy: found text: expected a mapping"),
    ("proxy: [1]", "8:8: proxy: found a list: expected a mapping"),
    ("proxy: {listen: 8080}", "8:17: proxy.listen: found 8080: expected an address such as 127.0.0.1:8080"),
    ("proxy: {listen: ':8080'}", "8:17: proxy.listen: found ':8080': expected an address such as"),
    ("proxy: {listen: localhost}", "8:17: proxy.listen: found 'localhost': expected an address such as"),
    ("proxy: {listen: 'h:70000'}", "8:17: proxy.listen: found 'h:70000': expected an address"),
    ("proxy: {listen: '[::zz]:80'}", "8:17: proxy.listen: found '[::zz]:80': expected an address"),
    ("proxy: {listen: '[1:::2]:80'}", "8:17: proxy.listen: found '[1:::2]:80': expected an IPv6 address"),
    ("proxy: {listen: 'unix:run.sock'}", "8:17: proxy.listen: found 'unix:run.sock': expected an absolute path"),
    (f"proxy: {{listen: 'unix:/{'x' * 200}'}}", "expected a socket path of at most 103 bytes"),
    ("proxy: {listen: []}", "8:17: proxy.listen: found an empty list: expected at least one"),
    ("proxy: {listen: ['h:1', x]}", "8:25: proxy.listen[1]: found 'x': expected an address"),
    ("proxy: {workers: 400}", "8:18: proxy.workers: found 400: expected a whole number from 1 to 64"),
    ("proxy: {workers: true}", "8:18: proxy.workers: found true: expected a whole number from 1 to 64"),
    ("proxy: {timeouts: {head: soon}}", "8:26: proxy.timeouts.head: found 'soon': expected a duration such as 250ms"),
    ("proxy: {timeouts: {head: 0}}", "8:26: proxy.timeouts.head: found 0: expected a duration from 1ms to 30d"),
    ("proxy: {timeouts: {keep_alive: 60d}}", "found '60d': expected a duration from 1ms to 30d"),
    ("proxy: {timeouts: {head: 1 0s}}", "found '1 0s': expected a duration such as"),
    ("proxy: {drain: -1}", "8:16: proxy.drain: found -1: expected a duration from 0ms to 30d"),
    ("proxy: {drain: true}", "8:16: proxy.drain: found true: expected a duration"),
    ("proxy: {limits: {head: 1MiB}}", "8:24: proxy.limits.head: found '1MiB': expected a size from 1KiB to 64KiB"),
    ("proxy: {limits: {head: 64 KiB}}", "found '64 KiB': expected a size such as 64KiB"),
    ("proxy: {limits: {headers: 2.5}}", "8:27: proxy.limits.headers: found 2.5: expected a whole number from 1 to 200"),
    ("proxy: {limits: {connections: 0}}", "found 0: expected a whole number from 1 to 1000000"),
    (
        "admin: {listen: 0.0.0.0:81}",
        "8:17: admin.listen: found '0.0.0.0:81': anybody there could change the proxy",
    ),
    ("admin: {listen: 'example.com:81'}", "anybody there could change the proxy; add admin.token, or listen on 127.0.0.1"),
    (
        "admin: {listen: 'h:1', token: hunter2}",
        "8:31: admin.token: found a value that is not shown here: expected a token",
    ),
    ("admin: {}", "8:1: admin: the key 'listen' is missing"),
    ("admin:", "8:1: admin: the key 'listen' is missing"),
    ("tracing: {redact: ''}", "8:19: tracing.redact: found '': expected a pattern that does not match the empty text"),
    (
        "tracing: {exporter: jager}",
        "8:21: tracing.exporter: found 'jager': expected jaeger, otlp, console or none; did you mean 'jaeger'?",
    ),
    (
        "tracing: {exporter: otlp, protocol: thrift}",
        "8:37: tracing.protocol: found 'thrift' for exporter 'otlp': only jaeger knows it; remove protocol",
    ),
    (
        "tracing: {exporter: jaeger, endpoint: 'udp://localhost:6831'}",
        "8:39: tracing.endpoint: found 'udp://localhost:6831': spans go over UDP only to a thrift agent; add protocol: thrift",
    ),
    (
        "tracing: {endpoint: 'http://me:secret@collector'}",
        "8:21: tracing.endpoint: found 'http://...@collector': expected the URL of a collector",
    ),
    (
        "tracing: {tls: {cert: /c.pem}}",
        "8:23: tracing.tls.cert: cert needs key beside it; one file may hold both, and is then named twice",
    ),
    (
        "log: {exchanges: x.log}",
        "8:18: log.exchanges: found 'x.log': expected none, stderr, or the absolute path of a file",
    ),
    ("tracing: {sample: 1.5}", "8:19: tracing.sample: found 1.5: expected a number from 0 to 1"),
    ("tracing: {sample: often}", "8:19: tracing.sample: found 'often': expected a number from 0 to 1"),
    ("tracing: {inject: tracecontext}", "8:19: tracing.inject: found text: expected a list"),
    (
        "tracing: {inject: [trace_context]}",
        "found 'trace_context': expected tracecontext, baggage, b3 or b3multi; did you mean",
    ),
    ("trust: [loopbak]", "8:9: trust[0]: found 'loopbak': expected loopback, private, all or a network"),
    ("trust: [loopbak]", "did you mean 'loopback'?"),
    (
        "trust: [10.0.0.1/8]",
        "8:9: trust[0]: found '10.0.0.1/8': expected a network without host bits; did you mean '10.0.0.0/8'?",
    ),
    ("trust: all", "8:8: trust: found text: expected a list"),
    ("coloring: [{color: Canary, when: {percent: 1}}]", "8:20: coloring[0].color: found 'Canary': expected a colour"),
    ("coloring: [{color: 7, when: {percent: 1}}]", "8:20: coloring[0].color: found 7: expected a colour"),
    ("coloring: [{color: c}]", "8:12: coloring[0]: the key 'when' is missing"),
    (
        "coloring: [{color: c, when: {percent: 101}}]",
        "8:39: coloring[0].when.percent: found 101: expected a number from 0 to 100",
    ),
    (
        "coloring: [{color: c, when: {header: {x: 1}}}]",
        "8:42: coloring[0].when.header.x: found 1: expected text; put the value in quotes",
    ),
    (
        "coloring: [{color: c, when: {header: {x: {prefx: a}}}}]",
        "8:43: coloring[0].when.header.x.prefx: unknown key 'prefx'; did you mean 'prefix'?",
    ),
    (
        "coloring: [{color: c, when: {header: {x: {}}}}]",
        "8:42: coloring[0].when.header.x: found an empty mapping: expected text, or a mapping with one key",
    ),
    (
        "coloring: [{color: c, when: {header: {x: {exact: a, prefix: a}}}}]",
        "expected text, or a mapping with one key of exact, prefix, regex, present",
    ),
    (
        "coloring: [{color: c, when: {header: {x: {regex: '['}}}}]",
        "8:50: coloring[0].when.header.x.regex: found '[': expected a regular expression",
    ),
    ("coloring: [{color: c, when: {header: {x: {regex: 'a{99999999999}'}}}}]", "expected a regular expression"),
    (
        "coloring: [{color: c, when: {header: {x: {regex: '[[a]'}}}}]",
        "expected a regular expression of Python's re module: Possible nested set",
    ),
    (
        "coloring: [{color: c, when: {header: {x: {present: 1}}}}]",
        "8:52: coloring[0].when.header.x.present: found 1: expected true or false",
    ),
    (
        "coloring: [{color: c, when: {header: {'x y': a}}}]",
        "8:39: coloring[0].when.header['x y']: found 'x y': expected a header name",
    ),
    (
        "coloring: [{color: c, when: {path: agents}}]",
        "8:36: coloring[0].when.path: found 'agents': expected a path that starts with /",
    ),
    (
        "coloring: [{color: c, when: {path: {present: true}}}]",
        "8:37: coloring[0].when.path.present: unknown key 'present'; keys: exact, prefix, regex",
    ),
    ("coloring: [{color: c, when: {pth: /a}}]", "8:30: coloring[0].when.pth: unknown key 'pth'; did you mean 'path'?"),
    ("mocks: {lm: {}}", "8:9: mocks.lm: unknown key 'lm'; did you mean 'llm'?"),
    ("mocks: {llm: {token_interval: fast}}", "8:31: mocks.llm.token_interval: found 'fast': expected a duration"),
    ("mocks: {llm: {listen: 8082}}", "8:23: mocks.llm.listen: found 8082: expected an address"),
]


@pytest.mark.parametrize(("line", "expected"), SECTIONS)
def test_mistake_in_a_section(line: str, expected: str) -> None:
    """One mistake in a section beside the routes."""
    message = only_problem(VALID + line + "\n")
    assert message.startswith("f.yaml:8:")
    assert expected in message


# Each stands in line 4, after the name of the route.
ROUTES = [
    ("stiky: [trace]", "4:5: routes[0].stiky: unknown key 'stiky'; did you mean 'sticky'?"),
    ("match: {pth: /a}", "4:13: routes[0].match.pth: unknown key 'pth'; did you mean 'path'?"),
    ("match: {path: a}", "4:19: routes[0].match.path: found 'a': expected a path that starts with /"),
    ("match: {path: '/a?b'}", "4:19: routes[0].match.path: found '/a?b': expected a path as in a request line"),
    ("match: {exact: '/ä'}", "expected a path as in a request line: visible ASCII"),
    ("match: {regex: '('}", "4:20: routes[0].match.regex: found '(': expected a regular expression"),
    ("match: {host: 'h:80'}", "4:19: routes[0].match.host: found 'h:80': expected a host name without port"),
    ("match: {method: get}", "4:21: routes[0].match.method: found 'get': expected a method such as GET"),
    ("match: {method: [GET, post]}", "4:27: routes[0].match.method[1]: found 'post': expected a method"),
    ("sticky: [headr:x]", "4:14: routes[0].sticky[0]: found 'headr:x': expected header:NAME"),
    ("sticky: ['header:']", "4:14: routes[0].sticky[0]: found 'header:': expected header:NAME"),
    ("sticky: ['trace:x']", "4:14: routes[0].sticky[0]: found 'trace:x': expected header:NAME"),
    ("sticky: ['cookie:a b']", "4:14: routes[0].sticky[0]: found 'cookie:a b': expected the name of a cookie"),
    ("rewrite: {prefix: x}", "4:23: routes[0].rewrite.prefix: found 'x': expected a path"),
    ("rewrite: {}", "4:5: routes[0].rewrite: the key 'prefix' is missing"),
    (
        "llm: {api: opnai}",
        "4:16: routes[0].llm.api: found 'opnai': expected openai, anthropic or gemini; did you mean 'openai'?",
    ),
    ("llm: {mode: remote}", "4:5: routes[0].llm: the key 'api' is missing"),
    (
        "llm: {api: openai, mode: locl}",
        "4:30: routes[0].llm.mode: found 'locl': expected local or remote; did you mean 'local'?",
    ),
    ("egress: nothing", "4:13: routes[0].egress: found 'nothing': expected full, trace or none"),
    ("timeouts: {idle: 5 minutes}", "4:22: routes[0].timeouts.idle: found '5 minutes': expected a duration"),
    ("timeouts: {first_bite: 5s}", "4:16: routes[0].timeouts.first_bite: unknown key 'first_bite'; did you mean 'first_byte'?"),
    ("limits: {request_body: much}", "4:28: routes[0].limits.request_body: found 'much': expected a size"),
]


@pytest.mark.parametrize(("line", "expected"), ROUTES)
def test_mistake_in_a_route(line: str, expected: str) -> None:
    """One mistake in a route."""
    assert expected in only_problem(VALID.replace("name: planner\n", f"name: planner\n    {line}\n"))


NAMES = [
    ("name: -planner", "3:11: routes[0].name: found '-planner': expected a name"),
    ("name: 5", "3:11: routes[0].name: found 5: expected a name of up to 64 letters"),
    ("nme: planner", "3:5: routes[0].nme: unknown key 'nme'; did you mean 'name'?"),
]


@pytest.mark.parametrize(("line", "expected"), NAMES)
def test_mistake_in_a_name(line: str, expected: str) -> None:
    """A route's name; a misspelled key is not reported as a missing one as well."""
    assert expected in only_problem(VALID.replace("name: planner", line))


LANES = [
    ("{name: stable, pol: v1}", "5:24: routes[0].lanes[0].pol: unknown key 'pol'; did you mean 'pool'?"),
    ("{name: stable}", "5:9: routes[0].lanes[0]: the key 'pool' is missing"),
    ("{name: stable, pool: v1, weight: -1}", "5:42: routes[0].lanes[0].weight: found -1: expected a number from 0"),
    ("{name: stable, pool: v1, weight: much}", "routes[0].lanes[0].weight: found 'much': expected a number"),
    ("{name: stable, pool: v1, weight: .inf}", "routes[0].lanes[0].weight: found '.inf': expected a number"),
    ("{name: stable, pool: v1, colors: canary}", "5:42: routes[0].lanes[0].colors: found text: expected a list"),
    (
        "{name: stable, pool: v1, colors: [no]}\n      - {name: b, pool: v1, colors: [NO]}",
        "6:38: routes[0].lanes[1].colors[0]: found 'NO': expected a colour",
    ),
    ("{name: stable, pool: v1, baseline: yes}", "5:44: routes[0].lanes[0].baseline: found 'yes': expected true or false"),
    ("text", "5:9: routes[0].lanes[0]: found text: expected a mapping"),
]


@pytest.mark.parametrize(("lane", "expected"), LANES)
def test_mistake_in_a_lane(lane: str, expected: str) -> None:
    """One mistake in a lane: the others, and the rest of the file, are not blamed."""
    assert expected in only_problem(VALID.replace("{name: stable, pool: v1}", lane))


POOLS = [
    ("endpoint: [http://h]", "7:8: pools.v1.endpoint: unknown key 'endpoint'; did you mean 'endpoints'?"),
    ("endpoints: []", "7:19: pools.v1.endpoints: found an empty list: expected at least one"),
    ("endpoints: http://h", "7:19: pools.v1.endpoints: found text: expected a list"),
    ("endpoints: ['h:80']", "7:20: pools.v1.endpoints[0]: found 'h:80': expected an endpoint such as http://127.0.0.1:7001"),
    ("endpoints: [ftp://h]", "found 'ftp://h': expected an endpoint such as"),
    ("endpoints: ['http://h:0']", "found 'http://h:0': expected an endpoint such as"),
    (
        "endpoints: ['http://h/v1']",
        "found 'http://h/v1': expected an endpoint without a path; put the path into the route: rewrite",
    ),
    ("endpoints: ['http://h?a=b']", "expected an endpoint without ? and #"),
    ("endpoints: ['http://u:p@h']", "expected an endpoint without user and password"),
    ("endpoints: ['unix:x']", "expected an absolute path after unix:"),
    (
        "endpoints: [http://h], balance: round_robbin",
        "expected least_pending, round_robin, random, p2c or consistent_hash; did you mean 'round_robin'?",
    ),
    ("endpoints: [{url: http://h, weight: 0}]", "7:44: pools.v1.endpoints[0].weight: found 0: expected a number above 0"),
    ("endpoints: [{url: h}]", "pools.v1.endpoints[0].url: found 'h': expected an endpoint such as"),
    ("endpoints: [{uri: http://h}]", "pools.v1.endpoints[0].uri: unknown key 'uri'; did you mean 'url'?"),
    ("endpoints: [http://h], health: {statuses: 2xx}", "found '2xx': expected a status such as 200, or a range"),
    ("endpoints: [http://h], health: {statuses: 300-200}", "expected a range whose second status is not below the first"),
    ("endpoints: [http://h], mock-llm: x", "unknown key 'mock-llm'"),
    ("endpoints: [http://h], host: upstream", "7:37: pools.v1.host: found 'upstream': expected endpoint or client"),
    ("endpoints: [http://h], idle: long", "7:37: pools.v1.idle: found 'long': expected a duration"),
    (
        "endpoints: [http://h], headers: {Host: a}",
        "7:41: pools.v1.headers.Host: found 'Host': expected another header; what the endpoint sees as Host",
    ),
    (
        "endpoints: [http://h], headers: {Connection: a}",
        "7:41: pools.v1.headers.Connection: found 'Connection': expected another header; this one belongs to a connection",
    ),
    ("endpoints: [http://h], headers: {Content-Length: '1'}", "expected another header; this one belongs to a connection"),
    (
        "endpoints: [http://h], headers: {traceparent: a}",
        "expected another header; trace and colour headers are written by the proxy",
    ),
    ("endpoints: [http://h], headers: {'a b': c}", "found 'a b': expected a header name"),
    (
        "endpoints: [http://h], headers: {a: 1}",
        "7:44: pools.v1.headers.a: found a value that is not shown here: expected a header value; put the value in quotes",
    ),
    ("endpoints: [http://h], headers: {a: 'x '}", "expected a header value without white space or a line break at its ends"),
    ('endpoints: [http://h], headers: {a: "x\\r\\ny: z"}', "expected a header value of visible ASCII characters"),
    ("endpoints: [http://h], headers: {a: 'ü'}", "expected a header value of visible ASCII characters"),
]


@pytest.mark.parametrize(("pool", "expected"), POOLS)
def test_mistake_in_a_pool(pool: str, expected: str) -> None:
    """One mistake in a pool: the lanes that name it are not blamed."""
    assert expected in only_problem(VALID.replace("endpoints: [http://127.0.0.1:7001]", pool))


TOPS = [
    ("version: 1", "version: 2", "1:10: version: found 2: expected 1"),
    ("version: 1", "version: '1.0'", "1:10: version: found '1.0': expected 1"),
    ("version: 1\n", "", "1:1: the key 'version' is missing"),
    ("routes:", "routs:", "2:1: routs: unknown key 'routs'; did you mean 'routes'?"),
    ("pools:", "pool:", "6:1: pool: unknown key 'pool'; did you mean 'pools'?"),
    ("  v1: {endpoints: [http://127.0.0.1:7001]}", "  v1: text", "7:7: pools.v1: found text: expected a mapping"),
    ("  v1: {endpoints: [http://127.0.0.1:7001]}", "  - v1", "7:3: pools: found a list: expected a mapping"),
]


@pytest.mark.parametrize(("old", "new", "expected"), TOPS)
def test_mistake_at_the_top(old: str, new: str, expected: str) -> None:
    """One mistake in what every file must have."""
    assert expected in only_problem(VALID.replace(old, new))


def test_long_value_is_cut() -> None:
    """A message stays readable whatever was pasted into the file."""
    assert len(only_problem(VALID + f"trust: ['{'x' * 10_000}']\n")) < 250
