"""Outlier clamping and compensation, and outlier channels, against definitions."""

import numpy as np
import pytest

import refnum as rn
from refnum.nn.outlier_channels import ChannelChoice, ChannelRecorder, mixed_values
from refnum.nn.outliers import (
    clamp_outliers,
    outlier_bounds,
    residual_product,
    sparse_residual,
)
from refnum.recipes import Outliers


def heavy_tailed(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_t(3, shape).astype(np.float32)


@pytest.mark.parametrize("share", [0.9, 0.97, 0.99, 0.999])
@pytest.mark.parametrize("span", ["tensor", "channel", "token"])
def test_bounds_are_order_statistics(span, share):
    x = heavy_tailed(50, 70)
    low, high = outlier_bounds(x, Outliers(share, span))
    parts = {"tensor": [x.reshape(-1)], "channel": x.T, "token": x}[span]
    for k, part in enumerate(parts):
        ordered = sorted(part.tolist())
        expected = [
            ordered[int((1 - share) * len(part))],
            ordered[int(share * len(part))],
        ]
        assert [low.reshape(-1)[k], high.reshape(-1)[k]] == expected


@pytest.mark.parametrize("span", ["tensor", "channel", "token"])
def test_clamped_and_residual_make_the_whole(span):
    x = heavy_tailed(4, 30, 64)
    clamped, residual = clamp_outliers(x, Outliers(0.97, span))
    low, high = outlier_bounds(x, Outliers(0.97, span))
    assert ((clamped >= low) & (clamped <= high)).all()
    assert np.array_equal(residual, x - clamped)
    inside = (x >= low) & (x <= high)
    assert np.array_equal(clamped[inside], x[inside])
    assert (residual[inside] == 0).all()
    assert 0.03 < np.mean(residual != 0) < 0.08
    again, none = clamp_outliers(x, Outliers(0.97, span, compensated=False))
    assert none is None
    assert np.array_equal(again, clamped)


def test_residual_in_sparse_rows():
    _, residual = clamp_outliers(heavy_tailed(30, 40), Outliers(0.97))
    sparse = sparse_residual(residual)
    assert sparse.nnz == np.count_nonzero(residual)
    assert sparse.has_sorted_indices
    assert np.array_equal(sparse.toarray(), residual)


def test_residual_product_is_added_from_the_first_channel():
    _, residual = clamp_outliers(heavy_tailed(3, 20, 40), Outliers(0.9))
    weight = heavy_tailed(10, 40, seed=1)
    found = residual_product(residual, weight)
    expected = np.zeros((3, 20, 10))
    for k in range(40):
        expected += residual[..., k, None].astype(np.float64) * weight[:, k]
    assert np.array_equal(found, expected.astype(np.float32))
    assert found.dtype == np.float32


def test_residual_product_in_a_format():
    residual, weight = np.float32([[1.03, 0, 3.3]]), np.float32([[1.0, 1.0, 1.07]])
    found = residual_product(residual, weight, element=rn.E4M3)
    assert found == 1.0 + 3.25 * 1.125
    assert residual_product(residual, weight) == np.float32(
        float(residual[0, 0]) + float(residual[0, 2]) * float(weight[0, 2])
    )


def test_zero_bounds_have_no_sign():
    x = np.float32([-0.0, 0.0, -0.0, 0.0, 5.0, -5.0] * 20)
    for order in (x, x[::-1].copy()):
        clamped, _ = clamp_outliers(order, Outliers(0.55))
        assert not np.signbit(clamped[np.abs(order) == 5]).any()
        assert np.array_equal(
            np.signbit(clamped)[order == 0], np.signbit(order)[order == 0]
        )


def test_nan_and_infinity_stay_apart():
    x = heavy_tailed(100)
    x[3], x[4] = np.nan, np.inf
    clamped, residual = clamp_outliers(x, Outliers(0.9))
    assert np.isnan(clamped[3])
    assert np.isfinite(clamped[4])
    assert residual[4] == np.inf


def test_empty_and_wrong_arguments():
    clamped, residual = clamp_outliers(np.empty((0, 4), np.float32), Outliers(0.9))
    assert clamped.shape == residual.shape == (0, 4)
    with pytest.raises(ValueError, match="no quantiles"):
        outlier_bounds(np.empty((0, 4), np.float32), Outliers(0.9))
    with pytest.raises(TypeError, match="float32"):
        clamp_outliers(np.ones(3), Outliers(0.9))
    with pytest.raises(ValueError, match="scalar"):
        clamp_outliers(np.float32(1), Outliers(0.9))
    with pytest.raises(ValueError, match="does not fit"):
        residual_product(np.ones((2, 3), np.float32), np.ones((2, 4), np.float32))


@pytest.mark.parametrize(
    ("channels", "count", "of_kernel"),
    [(768, 77, 128), (2048, 205, 256), (256, 26, 128)],
)
def test_number_of_outlier_channels(channels, count, of_kernel):
    assert ChannelChoice().count(channels) == count
    assert ChannelChoice(multiple=128).count(channels) == of_kernel


def test_recorded_norms_and_choice():
    choice = ChannelChoice(share=0.2, first=3, steps=2)
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
    choice = ChannelChoice(share=0.2, first=0, steps=4)
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
            ChannelChoice(**{field: value})
