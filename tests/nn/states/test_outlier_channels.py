"""Outlier channels against definitions."""

import numpy as np
import pytest

import refnum as rn
from refnum.nn.states.outlier_channels import ChannelRecorder, mixed_values
from refnum.recipes import Channels


def heavy_tailed(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_t(3, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("channels", "count", "of_kernel"),
    [(768, 77, 128), (2048, 205, 256), (256, 26, 128)],
)
def test_number_of_outlier_channels(channels, count, of_kernel):
    assert Channels().count(channels) == count
    assert Channels(multiple=128).count(channels) == of_kernel


def test_recorded_norms_and_choice():
    choice = Channels(share=0.2, first=3, steps=2)
    recorder = ChannelRecorder(10, choice)
    inputs = [heavy_tailed(4, 5, 10, seed=step) for step in range(7)]
    for step, x in enumerate(inputs):
        recorder.record(x, step)
        assert (recorder.outliers(step) is None) == (step < 5)
    seen = inputs[3:5]
    norms = sum(np.linalg.norm(x.reshape(-1, 10).astype(float), axis=0) for x in seen)
    np.testing.assert_allclose(recorder.state()["norms"], norms, rtol=1e-6)
    assert recorder.outliers(5).tolist() == np.argsort(-norms)[:2].tolist()


def test_recorder_resumes():
    choice = Channels(share=0.2, first=0, steps=4)
    whole, first = ChannelRecorder(10, choice), ChannelRecorder(10, choice)
    second = ChannelRecorder(10, choice)
    for step in range(4):
        x = heavy_tailed(30, 10, seed=step)
        whole.record(x, step)
        if step == 2:
            second.load_state(first.state())
        (first if step < 2 else second).record(x, step)
    assert second.state()["norms"].tobytes() == whole.state()["norms"].tobytes()
    with pytest.raises(ValueError, match="norms must be"):
        second.load_state({"norms": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match="state of"):
        second.load_state({})


@pytest.mark.parametrize("axis", [0, 1])
def test_mixed_values_are_two_quantisations(axis):
    x = heavy_tailed(64, 80)
    chosen = np.array([70, 3, 11, 40])
    found = mixed_values(x, chosen, rn.NVFP4, rn.MXFP8_E4M3, axis=axis)
    others = np.array([k for k in range(80) if k not in chosen])
    for channels, fmt in ((chosen, rn.MXFP8_E4M3), (others, rn.NVFP4)):
        expected = rn.dequantize(rn.quantize(x[:, channels], fmt, axis=axis))
        assert np.array_equal(found[:, channels], expected)
    error = rn.metrics.relative_mse(x[:, chosen], found[:, chosen])
    assert error < rn.metrics.relative_mse(x[:, others], found[:, others]) / 2


def test_mixed_values_with_random_bits():
    x = heavy_tailed(16, 32)
    cast = rn.Cast(rn.Rounding.STOCHASTIC_A, random_bits=8)
    fmt = rn.BlockFormat(rn.E2M1, rn.UE8M0, 32, rn.blocks.FLOOR, element_cast=cast)
    bits = np.random.default_rng(0).integers(256, size=x.shape, dtype=np.uint8)
    found = mixed_values(x, [1], fmt, rn.MXFP8_E4M3, random=bits)
    others = np.r_[0, 2:32]
    q = rn.quantize(x[:, others], fmt, random=bits[:, others])
    assert np.array_equal(found[:, others], rn.dequantize(q))


def test_all_or_no_channels():
    x = heavy_tailed(4, 32)
    none = mixed_values(x, [], rn.MXFP4, rn.MXFP8_E4M3)
    every = mixed_values(x, np.arange(32), rn.MXFP4, rn.MXFP8_E4M3)
    assert np.array_equal(none, rn.dequantize(rn.quantize(x, rn.MXFP4)))
    assert np.array_equal(every, rn.dequantize(rn.quantize(x, rn.MXFP8_E4M3)))


def test_wrong_channels():
    x = heavy_tailed(4, 32)
    for channels, message in (
        ([32], "not among"),
        ([-1], "not among"),
        ([1, 1], "twice"),
    ):
        with pytest.raises(ValueError, match=message):
            mixed_values(x, channels, rn.MXFP4, rn.MXFP8_E4M3)
    recorder = ChannelRecorder(4)
    with pytest.raises(ValueError, match="4 channels"):
        recorder.record(x, 0)
    with pytest.raises(TypeError, match="float32"):
        recorder.record(np.ones((2, 4)), 0)
    with pytest.raises(ValueError, match="channels must"):
        ChannelRecorder(0)
    bad = [("share", 0), ("share", 1), ("first", -1), ("steps", 0), ("multiple", 0)]
    for field, value in bad:
        with pytest.raises(ValueError, match=field):
            Channels(**{field: value})
