"""Streams: functions of seed, step and name alone, with the right distributions."""

from statistics import NormalDist

import numpy as np
import pytest

from refnum.autograd import Stream
from refnum.random import philox4x32_definition

STREAM = Stream(seed=3, step=2**33 + 5, name="weights")
COUNT = 200_000


def test_words_are_philox():
    words = STREAM.words(9)
    for block in range(2):
        expected = philox4x32_definition((block, 0, 5, 2), STREAM.key)
        assert words[4 * block : 4 * block + 4].tolist() == list(expected)
    assert STREAM.words((3, 3)).reshape(-1).tolist() == words.tolist()
    assert STREAM.words(0).shape == (0,)


def test_each_part_of_the_key_counts():
    streams = [Stream(0), Stream(1), Stream(0, 1), Stream(0, 2**32), Stream(0, 0, "a")]
    assert len({s.words(4).tobytes() for s in streams}) == len(streams)
    assert Stream(0).words(4).tobytes() == Stream(0).words(4).tobytes()


def test_uniform():
    u = STREAM.uniform(COUNT)
    assert (u >= 0).all()
    assert (u < 1).all()
    assert u.tolist() == ((STREAM.words(COUNT) >> 8) / 2**24).tolist()
    assert abs(u.mean() - 0.5) < 0.003
    v = STREAM.uniform((2, 3), -1, 3)
    assert (v.shape, v.dtype) == ((2, 3), np.float32)
    np.testing.assert_allclose(v.ravel(), 4 * u[:6] - 1, rtol=1e-6)


def test_normal_is_the_quantile():
    z = STREAM.normal(3000)
    p = (STREAM.words(3000) + 0.5) / 2**32
    expected = [NormalDist().inv_cdf(float(x)) for x in p]
    np.testing.assert_allclose(z, expected, rtol=1e-6, atol=1e-7)
    assert STREAM.normal(5, 2, 0).tolist() == [2] * 5


def test_normal_is_normal():
    z = np.sort(STREAM.normal(COUNT, 1, 2).astype(np.float64))
    normal = NormalDist(1, 2)
    cdf = np.array([normal.cdf(x) for x in z[::50]])
    distance = np.abs(cdf - np.arange(0, COUNT, 50) / COUNT).max()
    assert distance < 1.63 / COUNT**0.5  # Kolmogorov-Smirnov at 1 %


def test_permutation():
    assert sorted(STREAM.permutation(1000)) == list(range(1000))
    firsts = [Stream(0, k).permutation(4)[0] for k in range(400)]
    assert np.bincount(firsts).min() > 70
    assert STREAM.permutation(0).tolist() == []


def test_dropout_mask():
    mask = STREAM.dropout_mask(COUNT, 0.3)
    assert np.unique(mask).tolist() == [0, np.float32(1 / 0.7)]
    assert abs((mask == 0).mean() - 0.3) < 0.004
    assert STREAM.dropout_mask(4, 0).tolist() == [1] * 4


@pytest.mark.parametrize(
    ("error", "match", "wrong"),
    [
        (ValueError, "seed must be from 0", lambda: Stream(-1)),
        (ValueError, "step must be from 0", lambda: Stream(0, 2**64)),
        (TypeError, "seed must be an integer", lambda: Stream(0.5)),
        (TypeError, "name must be a str", lambda: Stream(0, 0, 1)),
        (ValueError, "rate must be", lambda: STREAM.dropout_mask(2, 1.0)),
        (ValueError, "low must be less", lambda: STREAM.uniform(2, 1, 1)),
        (ValueError, "no normal of", lambda: STREAM.normal(2, 0, -1)),
        (ValueError, "must not be negative", lambda: STREAM.words(-1)),
    ],
    ids=range(8),
)
def test_refusals(error, match, wrong):
    with pytest.raises(error, match=match):
        wrong()
