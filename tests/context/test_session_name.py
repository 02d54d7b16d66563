"""What a session is called, whatever its key is."""

from hypothesis import example, given
from hypothesis import strategies as st

from tracer_proxy.context.session_name import session_name
from tracer_proxy.limits import SESSION_NAME_BYTES_MAX


@given(st.text(max_size=64).filter(lambda key: len(key.encode()) <= SESSION_NAME_BYTES_MAX))
def test_a_short_key_is_its_own_name(key: str) -> None:
    assert session_name(key.encode()) == key.encode()


@given(st.binary(max_size=600))
@example("é".encode() * 33)
@example(b"caf\xe9")
def test_a_name_is_short_text_and_the_name_of_itself(key: bytes) -> None:
    name = session_name(key)
    assert len(name.decode().encode()) <= SESSION_NAME_BYTES_MAX
    assert session_name(name) == name


@given(st.binary(max_size=100), st.binary(max_size=100))
@example(b"x" * 100, b"x" * 99 + b"y")
@example(b"caf\xe9", b"caf\xe8")
def test_different_keys_have_different_names(one: bytes, other: bytes) -> None:
    assert (session_name(one) == session_name(other)) == (one == other)
