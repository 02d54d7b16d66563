"""What agent harnesses call their sessions."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy.context.session_headers import CODEX_HEADERS, SESSION_HEADERS, WATCHED, session_of, sub_agent_of
from tracer_proxy.limits import SESSION_KEY_BYTES_MAX

CODEX = {b"user-agent": b"codex_cli_rs/0.130.0 (Linux)"}


@pytest.mark.parametrize("name", SESSION_HEADERS)
def test_a_harnesss_own_header_names_the_session(name: bytes) -> None:
    assert session_of({name: b"abc"}) == ("abc", f"header:{name.decode()}")


@pytest.mark.parametrize("name", CODEX_HEADERS)
def test_a_name_without_prefix_counts_from_codex_only(name: bytes) -> None:
    assert session_of({name: b"abc"}) == ("", "")
    assert session_of({name: b"abc", b"user-agent": b"curl/8"}) == ("", "")
    assert session_of({name: b"abc", **CODEX}) == ("abc", f"header:{name.decode()}")


def test_codex_says_it_in_its_metadata_too() -> None:
    metadata = json.dumps({"session_id": "abc", "turn_id": "7"}).encode()
    assert session_of({b"x-codex-turn-metadata": metadata, **CODEX}) == ("abc", "header:x-codex-turn-metadata")
    assert session_of({b"x-codex-turn-metadata": metadata}) == ("", "")


def test_the_more_telling_header_wins() -> None:
    assert session_of({b"x-session-id": b"any", b"x-claude-code-session-id": b"theirs"})[0] == "theirs"
    assert session_of({b"session-id": b"new", b"session_id": b"old", **CODEX})[0] == "new"


def test_a_request_id_is_no_session() -> None:
    assert session_of({b"x-client-request-id": b"abc", **CODEX}) == ("", "")


@pytest.mark.parametrize("value", [b"", b" ", b"a\x00b", b"a\nb", b"\xff", b"x" * (SESSION_KEY_BYTES_MAX + 1)])
def test_what_is_no_name_is_as_good_as_absent(value: bytes) -> None:
    assert session_of({b"x-claude-code-session-id": value, b"x-session-id": b"abc"}) == ("abc", "header:x-session-id")


def test_sub_agents_are_told_apart() -> None:
    fields = {b"x-claude-code-agent-id": b"sub", b"x-claude-code-parent-agent-id": b"main"}
    assert sub_agent_of(fields) == ("sub", "main")
    assert sub_agent_of({}) == ("", "")


@given(st.dictionaries(st.sampled_from(sorted(WATCHED)), st.binary(max_size=40) | st.just(b'{"session_id": 1}')))
def test_any_headers_are_read(fields: dict[bytes, bytes]) -> None:
    session, source = session_of({**fields, **CODEX})
    assert bool(session) == bool(source)
    assert not set(session) & set("\0\r\n")


def test_all_that_is_read_is_watched() -> None:
    asked = set()

    class Asked(dict[bytes, bytes]):
        def get(self, key: bytes, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
            asked.add(key)
            return CODEX.get(key, default)

    session_of(Asked())
    sub_agent_of(Asked())
    assert asked == WATCHED
