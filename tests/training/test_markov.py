"""The Markov source: its entropy is what its symbols show."""

import math
from fractions import Fraction

import numpy as np
import pytest

from refnum.autograd import Stream
from refnum.training import MarkovSource


@pytest.mark.parametrize(("symbols", "order"), [(4, 1), (16, 1), (4, 3)])
def test_drawn_symbols_have_the_entropy(symbols, order):
    source = MarkovSource(symbols, order)
    drawn = source.draw(Stream(5), 500, 400)
    assert drawn.min() >= 0
    assert drawn.max() < symbols
    states = source.states(drawn[:, :-1])
    surprise = -np.log(source.probabilities()[states, drawn[:, order:]])
    error = surprise.std() / math.sqrt(surprise.size)
    # Symbols of a chain are not independent: some standard errors more.
    assert abs(surprise.mean() - source.entropy()) < 8 * error
    shares = np.bincount(states.ravel(), minlength=symbols**order) / states.size
    np.testing.assert_allclose(shares, source.stationary(), atol=0.01)


def test_probabilities_are_fractions_that_add_up():
    chances = MarkovSource(16, 2).probabilities()
    assert chances.shape == (256, 16)
    for row in chances.tolist():
        assert sum(map(Fraction, row)) == 1
        assert all((Fraction(p) * 2**32).denominator == 1 for p in row)


def test_the_stationary_shares_stay():
    source = MarkovSource(4, 2)
    share, chances = source.stationary(), source.probabilities()
    moved = np.zeros(16)
    for state in range(16):
        for symbol in range(4):
            moved[(state * 4 + symbol) % 16] += share[state] * chances[state, symbol]
    np.testing.assert_allclose(moved, share, atol=1e-14)


def test_a_state_is_the_last_symbols():
    source = MarkovSource(10, 3)
    assert source.states(np.array([1, 2, 3, 4])).tolist() == [123, 234]


def test_draws_are_pure_functions_of_the_stream():
    source = MarkovSource()
    one, two = source.draw(Stream(1), 3, 9), source.draw(Stream(1), 3, 9)
    assert (one == two).all()
    assert (one != source.draw(Stream(2), 3, 9)).any()


@pytest.mark.parametrize(("symbols", "order"), [(1, 1), (257, 1), (4, 0), (256, 3)])
def test_impossible_sources(symbols, order):
    with pytest.raises(ValueError, match="must be from"):
        MarkovSource(symbols, order)


def test_too_short_sequences():
    with pytest.raises(ValueError, match="length must be at least 2"):
        MarkovSource(4, 2).draw(Stream(0), 1, 1)
