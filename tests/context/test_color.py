"""What a colour looks like, and where a request may bring one."""

import pytest

from tracer_proxy.context.color import inbound_color, is_color


@pytest.mark.parametrize("value", [b"canary", b"blue", b"dev-li", b"7", b"v1.2_rc-3", b"a" * 32, b"0-._"])
def test_a_colour_is_a_short_lower_case_token(value: bytes) -> None:
    assert is_color(value)
    assert inbound_color({b"x-traffic-color": value}) == value


INVALID = [b"", b"a" * 33, b"Blue", b"-a", b".a", b"_a", b"a b", b"a,b", b"a=b", b"a;b", b"a/b", b"a\n", b"a\x00", "é".encode()]


@pytest.mark.parametrize("value", INVALID)
def test_anything_else_is_ignored(value: bytes) -> None:
    assert not is_color(value)
    assert inbound_color({b"x-traffic-color": value}) == b""


@pytest.mark.parametrize(
    ("fields", "color"),
    [
        pytest.param({}, b"", id="none"),
        pytest.param({b"baggage": b"a=1"}, b"", id="baggage without colour"),
        pytest.param({b"baggage": b"a=1, color = blue ;p=1"}, b"blue", id="baggage member"),
        pytest.param({b"baggage": b"color=%62lue"}, b"blue", id="percent-encoded"),
        pytest.param({b"baggage": b"color=BLUE"}, b"", id="invalid in baggage"),
        pytest.param({b"baggage": b"color="}, b"", id="empty in baggage"),
        pytest.param({b"baggage": b"color=%0d%0a"}, b"", id="encoded line break"),
        pytest.param({b"x-traffic-color": b"red", b"baggage": b"color=blue"}, b"red", id="the header goes first"),
        pytest.param({b"x-traffic-color": b"RED", b"baggage": b"color=blue"}, b"blue", id="an invalid header does not"),
        pytest.param({b"x-traffic-color": b"red, red", b"baggage": b"color=blue"}, b"blue", id="nor a doubled one"),
        pytest.param({b"baggage": b"color=blue,color=red"}, b"blue", id="the first member of the name"),
    ],
)
def test_where_the_colour_comes_from(fields: dict[bytes, bytes], color: bytes) -> None:
    assert inbound_color(fields) == color
