"""The token estimate."""

from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy import limits
from tracer_proxy.mocks.llm import tokens


@given(st.text(st.characters()))
def test_pieces_are_the_text(text: str) -> None:
    """Whatever is cut up for a stream can be put together again."""
    assert "".join(tokens.pieces(text)) == text
    assert tokens.count(text) == len(tokens.pieces(text))


@given(st.text(), st.integers(0, 20))
def test_a_cut_text_has_at_most_as_many_tokens_as_allowed(text: str, tokens_max: int) -> None:
    cut = tokens.cut(text, tokens_max)
    assert text.startswith(cut)
    assert len(tokens.pieces(cut)) == min(tokens_max, len(tokens.pieces(text)))


def test_english_has_a_little_more_than_one_token_a_word() -> None:
    """The rule of thumb for today's vocabularies is 1.3 tokens a word, punctuation included."""
    text = "The quick brown fox jumps over the lazy dog, while everybody else is sleeping through the afternoon. " * 10
    assert 1.0 <= tokens.count(text) / len(text.split()) <= 1.6


def test_a_long_text_is_extrapolated() -> None:
    text = "word " * limits.MOCK_COUNTED_CHARS_MAX
    assert abs(tokens.count(text) - len(tokens.pieces(text))) < 0.01 * len(tokens.pieces(text))
