"""The casts named after libraries, against the libraries themselves."""

import numpy as np
import pytest

import refnum as rn
from refnum import Cast, Rounding, Saturation, casts

from ._cases import (
    EVERY_BF16,
    EVERY_FP16,
    assert_same_codes,
    hard_float32,
    hard_float64,
)
from ._peers import gfloat_format, gfloat_formats, ml_dtypes_formats, ml_dtypes_type

MILLION = 10**6


def inputs(fmt):
    """All bf16 and fp16, a million hard float32, and the traps of float64."""
    single = hard_float32(fmt, MILLION)
    with np.errstate(invalid="ignore"):
        double = np.concatenate([hard_float64(fmt), single[:100_000] * (1 + 2.0**-40)])
    return {"bf16": EVERY_BF16, "fp16": EVERY_FP16, "f32": single, "f64": double}


def nans_alike(codes, fmt):
    """The codes with one NaN for each sign, where a library passes payloads through."""
    nan = (codes & fmt.magnitude_mask) > fmt.infinity_code
    return np.where(nan, codes & fmt.sign_mask | fmt.nan_code, codes)


@ml_dtypes_formats
def test_ml_dtypes(fmt):
    kind = ml_dtypes_type(fmt)
    for name, x in inputs(fmt).items():
        with np.errstate(all="ignore"):
            want = x.astype(kind).view(fmt.dtype)
        assert_same_codes(rn.encode(x, fmt, casts.ML_DTYPES), want, x, name)


TORCH = {
    "e4m3": "float8_e4m3fn",
    "e5m2": "float8_e5m2",
    "e4m3fnuz": "float8_e4m3fnuz",
    "e5m2fnuz": "float8_e5m2fnuz",
    "ue8m0": "float8_e8m0fnu",
    "bf16": "bfloat16",
    "fp16": "float16",
}


def torch_codes(x, fmt):
    torch = pytest.importorskip("torch", minversion="2.13")
    bits = torch.uint8 if fmt.bits <= 8 else torch.uint16
    # A stride of two: the vector code for bfloat16 writes its NaNs as 0xFFFF, the
    # scalar code that this takes, and all other casts, as they are documented.
    strided = torch.from_numpy(np.repeat(x, 2))[::2]
    return strided.to(getattr(torch, TORCH[fmt.name])).view(bits).numpy()


@pytest.mark.parametrize("fmt", [*map(rn.format, TORCH)], ids=str)
def test_torch(fmt):
    for name, x in inputs(fmt).items():
        want, got = torch_codes(x, fmt), rn.encode(x, fmt, casts.TORCH)
        if (fmt.name, name) == ("fp16", "fp16"):  # returned as it is
            want, got = nans_alike(want, fmt), nans_alike(got, fmt)
        assert_same_codes(got, want, x, name)


ONNX = {
    "e4m3": "FLOAT8E4M3FN",
    "e5m2": "FLOAT8E5M2",
    "e4m3fnuz": "FLOAT8E4M3FNUZ",
    "e5m2fnuz": "FLOAT8E5M2FNUZ",
    "ue8m0": "FLOAT8E8M0",
    "e2m1": "FLOAT4E2M1",
    "bf16": "BFLOAT16",
    "fp16": "FLOAT16",
}


def onnx_codes(x, fmt, saturate):
    onnx = pytest.importorskip("onnx", minversion="1.23")
    evaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator
    helper, kinds = onnx.helper, onnx.TensorProto
    source = {2: kinds.FLOAT16, 4: kinds.FLOAT, 8: kinds.DOUBLE}[x.itemsize]
    target = getattr(kinds, ONNX[fmt.name])
    node = helper.make_node("Cast", ["x"], ["y"], to=target, saturate=saturate)
    graph = helper.make_graph(
        [node],
        "cast",
        [helper.make_tensor_value_info("x", source, [None])],
        [helper.make_tensor_value_info("y", target, [None])],
    )
    opset = [helper.make_opsetid("", 25)]
    model = helper.make_model(graph, opset_imports=opset)
    with np.errstate(all="ignore"):
        return evaluator(model).run(None, {"x": x})[0].view(fmt.dtype)


@pytest.mark.parametrize("cast", [casts.ONNX, casts.ONNX_NOSAT], ids=["sat", "nosat"])
@pytest.mark.parametrize("fmt", [*map(rn.format, ONNX)], ids=str)
def test_onnx(fmt, cast):
    for name, x in inputs(fmt).items():
        want = onnx_codes(x, fmt, int(cast is casts.ONNX))
        got = rn.encode(x, fmt, cast)
        if fmt == rn.FP16:  # NumPy's, which may leave a NaN signalling
            want, got = nans_alike(want, fmt), nans_alike(got, fmt)
        assert_same_codes(got, want, x, name)


GFLOAT_MODES = {
    "TiesToEven": Rounding.NEAREST_EVEN,
    "TiesToAway": Rounding.NEAREST_AWAY,
    "TowardZero": Rounding.TOWARD_ZERO,
    "TowardPositive": Rounding.TOWARD_POSITIVE,
    "TowardNegative": Rounding.TOWARD_NEGATIVE,
}


@pytest.mark.parametrize("mode", GFLOAT_MODES)
@gfloat_formats
def test_gfloat_saturating(fmt, mode):
    gfloat = pytest.importorskip("gfloat")
    x = hard_float64(fmt)
    x = x[np.isfinite(x)]
    if fmt == rn.UE8M0:  # gfloat has neither |x| nor a result for what is too small
        x = x[x >= fmt.smallest_normal]
    mode_of_gfloat = gfloat.RoundMode[mode]
    with np.errstate(all="ignore"):
        want = gfloat.round_ndarray(gfloat_format(fmt), x, mode_of_gfloat, sat=True)
    cast = Cast(rounding=GFLOAT_MODES[mode], saturation=Saturation.FINITE)
    got = rn.decode(rn.encode(x, fmt, cast), fmt, np.float64)
    np.testing.assert_array_equal(got, want)
