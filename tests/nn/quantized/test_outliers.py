"""Outlier clamping and compensation, against definitions."""

import numpy as np
import pytest

import refnum as rn
from refnum.nn.quantized.outliers import (
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


@pytest.mark.parametrize("share", [0.6, 0.9, 0.99])
def test_residual_product_is_exact(share):
    _, residual = clamp_outliers(heavy_tailed(3, 50, 40), Outliers(share))
    weight = heavy_tailed(10, 40, seed=1)
    found = residual_product(residual, weight)
    assert found.dtype == np.float32
    assert np.array_equal(found, rn.matmul(residual, weight.T, accumulator=rn.EXACT))


def test_residual_product_rounds_once():
    # In float64 the small term is lost, and the sum would lie between two float32.
    half, tiny = np.float32(1 + 2.0**-12), np.float32(2.0**-70)
    residual = np.float32([[half, tiny, 0], [half, -tiny, 0], [0, 0, 0]])
    weight = np.float32([[1 + 2.0**-12, 1, 1], [np.float32(3e38), 1e30, 0]])
    found = residual_product(residual, weight)
    exact = [float(half) ** 2 + s * 2.0**-70 for s in (1, -1)]
    assert exact[0] == exact[1]  # as float64 has it
    low, high = np.float32(1 + 2.0**-11), np.float32(1 + 2.0**-11 + 2.0**-23)
    assert found[:2, 0].tolist() == [high, low]
    assert not found[2].any()


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
