"""The path that goes on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_cases import table_of

from tracer_proxy.routing.route import Route

CONFIG = """
version: 1
routes:
  - name: it
    match: {{path: {prefix}}}
    rewrite: {{prefix: {rewrite}}}
    lanes: [{{name: only, pool: only}}]
pools: {{only: {{endpoints: [http://127.0.0.1:7001]}}}}
"""


def rewriting(prefix: str, rewrite: str) -> Route:
    return table_of(CONFIG.format(prefix=prefix, rewrite=rewrite)).routes[0]


@pytest.mark.parametrize(
    ("prefix", "rewrite", "path", "out"),
    [
        ("/openai", "/", "/openai/v1/models", "/v1/models"),
        ("/openai", "/", "/openai", "/"),
        ("/openai", "/", "/openai/", "/"),
        ("/openai/", "/", "/openai/v1", "/v1"),
        ("/openai", "/api", "/openai/v1", "/api/v1"),
        ("/openai", "/api/", "/openai/v1", "/api/v1"),
        ("/openai", "/api", "/openai", "/api"),
        ("/", "/api", "/v1", "/api/v1"),
        ("/", "/api", "/", "/api/"),
        ("/a", "/b", "/a/a/a", "/b/a/a"),
        ("/a", "/", "/a//x/%2e", "//x/%2e"),
    ],
)
def test_the_prefix_is_replaced_and_the_rest_stays(prefix: str, rewrite: str, path: str, out: str) -> None:
    assert rewriting(prefix, rewrite).path_out(path.encode()) == out.encode()


THERE, BACK = rewriting("/a", "/x/y"), rewriting("/x/y", "/a")


@given(st.lists(st.sampled_from(["", "a", "..", "%2f", "~"]), max_size=5))
@settings(deadline=None)
def test_a_rewrite_back_gives_the_path_that_came(segments: list[str]) -> None:
    rest = "".join(f"/{segment}" for segment in segments)
    assert BACK.path_out(THERE.path_out(f"/a{rest}".encode())) == f"/a{rest}".encode()
