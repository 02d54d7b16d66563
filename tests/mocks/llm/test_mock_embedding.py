"""Vectors that a search over them can be tested with."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy.mocks.llm.embedding import vector


def closeness(one: str, other: str, dimensions: int = 256) -> float:
    return sum(a * b for a, b in zip(vector(one, dimensions), vector(other, dimensions), strict=True))


@given(text=st.text(), dimensions=st.integers(1, 64))
def test_every_vector_has_its_dimensions_and_unit_length(text: str, dimensions: int) -> None:
    made = vector(text, dimensions)
    assert len(made) == dimensions
    assert math.isclose(sum(value * value for value in made), 1.0)
    assert made == vector(text, dimensions)


@pytest.mark.parametrize("dimensions", [64, 256, 1536])
def test_the_closer_the_more_two_texts_share(dimensions: int) -> None:
    question = "How far away is the moon?"
    near = closeness(question, "The moon is how far away", dimensions)
    related = closeness(question, "a walk on the moons", dimensions)
    far = closeness(question, "Quarterly invoices by supplier", dimensions)
    assert near > related > far
    assert near > 0.8
    assert abs(far) < 0.4


def test_the_form_of_a_word_matters_less_than_the_word() -> None:
    assert closeness("walking", "walked") > closeness("walking", "talk") > closeness("walking", "moon") - 0.1
