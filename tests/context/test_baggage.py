"""baggage: passed through as received, with one member of our own (W3C Baggage)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy.context.baggage import checked, is_shadow, member, with_color, with_shadow
from tracer_proxy.limits import BAGGAGE_BYTES_MAX, BAGGAGE_MEMBERS_MAX


@pytest.mark.parametrize(
    ("baggage", "key", "value"),
    [
        (b"session.id=abc", b"session.id", b"abc"),
        (b"a=1,b=2,c=3", b"b", b"2"),
        (b"a = 1 ,\tb\t=\t2 ", b"b", b"2"),
        (b"a=1;ttl=5;secret", b"a", b"1"),
        (b"a=1 ;b=2", b"b", None),
        (b"a=1,a=2", b"a", b"1"),
        (b"a=x=y==", b"a", b"x=y=="),
        (b"a=", b"a", b""),
        (b"user=Am%C3%A9lie%20P", b"user", "Amélie P".encode()),
        (b"a=1+2", b"a", b"1+2"),
        (b"a=100%", b"a", b"100%"),
        (b"a=%zz", b"a", b"%zz"),
        (b"ab=1", b"a", None),
        (b"b=a", b"a", None),
        (b"a,b=1", b"a", None),
        (b"A=1", b"a", None),
        (b"", b"a", None),
        (b"a=1\x00", b"a", None),
        (b"a=1,b=\r\n", b"a", None),
    ],
)
def test_the_first_member_of_a_name_is_found_and_decoded(baggage: bytes, key: bytes, value: bytes | None) -> None:
    assert member(baggage, key) == value


@pytest.mark.parametrize(
    ("baggage", "color", "expected"),
    [
        pytest.param(b"", b"", b"", id="nothing"),
        pytest.param(b"", b"blue", b"color=blue", id="colour alone"),
        pytest.param(b"a=1", b"blue", b"color=blue,a=1", id="colour comes first"),
        pytest.param(b"a=1;p=2 , b=%20", b"blue", b"color=blue,a=1;p=2 , b=%20", id="others byte for byte"),
        pytest.param(b"color=red", b"blue", b"color=blue", id="replaced"),
        pytest.param(b"a=1,color=red,b=2", b"blue", b"color=blue,a=1,b=2", id="replaced and moved to the front"),
        pytest.param(b"color=blue,a=1,color=red", b"blue", b"color=blue,a=1", id="a second one removed"),
        pytest.param(b"color=blue,color=blue", b"blue", b"color=blue", id="the same one twice"),
        pytest.param(b"a=1, color = red;p ,b=2", b"", b"a=1,b=2", id="removed, with whitespace and properties"),
        pytest.param(b"color=red, a=1", b"", b"a=1", id="no space left in front"),
        pytest.param(b"a=1 ,color=red", b"", b"a=1", id="nor behind"),
        pytest.param(b"color=red", b"", b"", id="removed, nothing left"),
        pytest.param(b"color=blue;p=1", b"blue", b"color=blue", id="properties of a colour are not ours"),
        pytest.param(b"colors=2,hue=color", b"blue", b"color=blue,colors=2,hue=color", id="names that look alike"),
        pytest.param(b"a=1,junk,=2,b=3, ,", b"", b"a=1,b=3", id="what is no key=value is dropped"),
        pytest.param(b"a b=1,c=2", b"blue", b"color=blue,c=2", id="a key with a space"),
        pytest.param(b'a"=1,(b)=2,c=3', b"", b"c=3", id="a key that is no token"),
        pytest.param(b"a=1,b=\x01", b"", b"", id="a control byte spoils it all"),
        pytest.param(b"a=1\r\nx-injected: 1", b"blue", b"color=blue", id="nothing can be smuggled in"),
    ],
)
def test_the_colour_becomes_the_only_member_of_its_name(baggage: bytes, color: bytes, expected: bytes) -> None:
    assert with_color(baggage, color) == expected


@pytest.mark.parametrize(
    ("baggage", "color"),
    [
        (b"a=1", b""),
        (b"a=1;p=2 , b=%20, c=d e", b""),
        ("name=é".encode(), b""),
        (b"hue=color", b""),
        (b"color=blue", b"blue"),
        (b"color=blue,a=1", b"blue"),
        (b"color=color,a=1", b"color"),
        (b",".join(b"k%d=1" % i for i in range(BAGGAGE_MEMBERS_MAX)), b""),
        (b"a=" + b"x" * (BAGGAGE_BYTES_MAX - 2), b""),
    ],
)
def test_the_same_object_comes_back_when_nothing_changes(baggage: bytes, color: bytes) -> None:
    assert with_color(baggage, color) is baggage


def test_members_beyond_the_limit_go_from_the_right_and_the_colour_stays() -> None:
    members = [b"k%d=1" % i for i in range(BAGGAGE_MEMBERS_MAX)]
    assert with_color(b",".join(members), b"blue") == b",".join([b"color=blue", *members[:-1]])
    assert with_color(b",".join([*members, b"more=1"]), b"") == b",".join(members)


def test_bytes_beyond_the_limit_go_by_whole_members_from_the_right() -> None:
    members = [b"k%d=%b" % (i, b"x" * 997) for i in range(9)]
    assert with_color(b",".join(members), b"blue") == b",".join([b"color=blue", *members[:8]])


@pytest.mark.parametrize(("size", "kept"), [(BAGGAGE_BYTES_MAX - 11, True), (BAGGAGE_BYTES_MAX - 10, False)])
def test_the_colour_counts_towards_the_limit(size: int, kept: bool) -> None:
    """``color=blue,`` is 11 bytes."""
    rest = b"a=" + b"x" * (size - 2)
    expected = b"color=blue," + rest if kept else b"color=blue"
    assert with_color(rest, b"blue") == expected
    assert with_color(rest + b",color=red", b"blue") == expected


def test_one_member_over_the_limit_is_never_cut_in_two() -> None:
    assert with_color(b"a=" + b"x" * BAGGAGE_BYTES_MAX, b"") == b""


@pytest.mark.parametrize("byte", [*range(0x20), 0x7F])
def test_a_control_byte_drops_the_whole_baggage_but_a_tab_is_whitespace(byte: int) -> None:
    baggage = b"a=1,b=x%cy" % byte
    assert checked(baggage) == (baggage if byte == 0x09 else b"")


@given(
    st.lists(st.sampled_from([b"a=1", b"b=%20;p=1", b" c = d ", b"color=red", b"junk", b"", b"long=" + b"x" * 3000])),
    st.sampled_from([b"", b"blue", b"color"]),
)
def test_limits_hold_the_colour_is_as_asked_and_applying_it_twice_changes_nothing(members: list[bytes], color: bytes) -> None:
    result = with_color(b",".join(members), color)
    parts = result.split(b",") if result else []
    assert len(result) <= BAGGAGE_BYTES_MAX
    assert len(parts) <= BAGGAGE_MEMBERS_MAX
    assert [part for part in parts if part.startswith(b"color=")] == ([b"color=" + color] if color else [])
    assert member(result, b"color") == (color or None)
    others = (part.strip() for part in members if b"=" in part and not part.startswith(b"color="))
    assert all(part.strip() in others for part in parts[bool(color) :])
    assert with_color(result, color) is result


@pytest.mark.parametrize(
    ("baggage", "expected"),
    [
        (b"", b"shadow=1"),
        (b"color=blue,a=1", b"shadow=1,color=blue,a=1"),
        (b"a=1,shadow=0,shadow=1", b"shadow=1,a=1"),
        (b"a=1,b=\x01", b"shadow=1"),
        (b",".join(b"k%d=1" % number for number in range(BAGGAGE_MEMBERS_MAX)), None),
        (b"a=" + b"x" * BAGGAGE_BYTES_MAX, b"shadow=1"),
    ],
)
def test_the_mark_of_a_copy_comes_first_and_always_fits(baggage: bytes, expected: bytes | None) -> None:
    marked = with_shadow(baggage)
    assert is_shadow(marked)
    assert not is_shadow(baggage.partition(b",")[0])
    assert expected is None or marked == expected
    assert marked.count(b",") < BAGGAGE_MEMBERS_MAX
