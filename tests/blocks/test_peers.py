"""Other libraries, live where they are installed, and the OCP rule by ml_dtypes."""

import numpy as np
import pytest

import refnum as rn
from refnum import blocks

from ._inputs import FINITE, assert_same, bits, near_ties
from ._inputs import blocks as make
from ._live import amax_of, batches, scales

MX = {
    rn.MXFP4: "float4_e2m1fn",
    rn.MXFP6_E2M3: "float6_e2m3fn",
    rn.MXFP6_E3M2: "float6_e3m2fn",
    rn.MXFP8_E4M3: "float8_e4m3fn",
    rn.MXFP8_E5M2: "float8_e5m2",
}


@scales
@pytest.mark.parametrize("fmt", MX, ids=str)
def test_ocp_floor_by_ml_dtypes(fmt, count):
    """X = 2^(floor(log2 amax) - emax) by frexp, elements by ml_dtypes' casts.

    ml_dtypes does not saturate, so values are clamped first.
    """
    ml_dtypes = pytest.importorskip("ml_dtypes")
    dtype = np.dtype(getattr(ml_dtypes, MX[fmt]))
    for x in batches(count, 32, FINITE):
        amax = amax_of(x).astype(np.float64)
        exponent = np.frexp(amax)[1] - 1 - fmt.element.emax
        exponent = np.where(amax == 0, -127, np.clip(exponent, -127, 127))
        scaled = np.ldexp(x.astype(np.float64), -exponent[:, None])
        scaled = np.clip(scaled, -fmt.element.max, fmt.element.max).astype(np.float32)
        q = rn.quantize(x, fmt)
        assert_same(q.scales.reshape(-1), exponent + 127, "scales")
        assert_same(q.codes, scaled.astype(dtype).view(np.uint8), "codes", x)
        values = scaled.astype(dtype).astype(np.float64)
        values = np.ldexp(values, exponent[:, None]).astype(np.float32)
        assert_same(bits(rn.dequantize(q)), bits(values), "values", x)


GFLOAT = {
    rn.MXFP4: "mxfp4_e2m1",
    rn.MXFP6_E2M3: "mxfp6_e2m3",
    rn.MXFP6_E3M2: "mxfp6_e3m2",
    rn.MXFP8_E4M3: "mxfp8_e4m3",
    rn.MXFP8_E5M2: "mxfp8_e5m2",
    rn.MXINT8: "mxint8",
}


@pytest.mark.parametrize(
    "count", [90, pytest.param(20_000, marks=pytest.mark.thorough)]
)
@pytest.mark.parametrize("fmt", GFLOAT, ids=str)
def test_gfloat(fmt, count):
    """gfloat's blocks, one by one in float64.

    The difference: gfloat's int8 has -128, MXINT8 as compressors write it has not.
    """
    gfloat = pytest.importorskip("gfloat")
    formats = pytest.importorskip("gfloat.formats")
    block = pytest.importorskip("gfloat.block")
    info = getattr(formats, f"format_info_{GFLOAT[fmt]}")
    x = make(FINITE, count // len(FINITE), 32)
    got = rn.dequantize(rn.quantize(x, fmt), np.float64)
    for row, values in zip(x.astype(np.float64), got, strict=True):
        scale = block.compute_scale_amax(info.etype.emax, row)
        theirs = [
            gfloat.round_float(info.etype, v, sat=True) * scale for v in row / scale
        ]
        theirs = np.array(theirs)
        lowest = theirs == -2 * scale if fmt is rn.MXINT8 else theirs == np.inf
        assert_same(values[~lowest], theirs[~lowest], str(fmt))
        assert_same(
            values[lowest], -127 / 64 * scale + np.zeros(lowest.sum()), str(fmt)
        )


@scales
@pytest.mark.filterwarnings("ignore")
def test_compressed_tensors(count):
    """compressed-tensors, eager; a NaN stays one in its floats, E2M1 has none."""
    pytest.importorskip("compressed_tensors")
    import torch
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import quantize
    from compressed_tensors.quantization.utils.helpers import (
        calculate_qparams,
        generate_gparam,
    )

    args = QuantizationArgs(
        num_bits=4,
        type="float",
        strategy="tensor_group",
        group_size=16,
        symmetric=True,
        scale_dtype=torch.float8_e4m3fn,
    )
    rng = np.random.default_rng(3)
    ties = [(near_ties(rng, count // 50, g), [g]) for g in rng.uniform(1, 2, 50)]
    several = (None, 1e-30, 1e-38, 1.0, 2.0**60)
    for x, amaxes in [*((x, several) for x in batches(count, 16, FINITE)), *ties]:
        values = torch.from_numpy(x)
        low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
        for amax in amaxes:
            own = (
                values.abs().max()
                if amax is None
                else torch.tensor(amax, dtype=torch.float32)
            )
            reference = generate_gparam(-own, own)
            scale, zero = calculate_qparams(low, high, args, reference)
            theirs = quantize(values, scale, zero, args, global_scale=reference)
            q = rn.quantize(x, blocks.NVFP4_COMPRESSED_TENSORS, tensor_amax=amax)
            codes = scale.to(torch.float8_e4m3fn).view(torch.uint8).numpy()
            assert_same(q.scales, codes, "scales")
            ours = rn.decode(q.codes, rn.E2M1)
            assert_same(bits(ours), bits(theirs.numpy()), "codes", x)
