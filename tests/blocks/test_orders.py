"""The documented order of operations of libraries that need a GPU, written out again.

Each transcription takes float32 blocks and the amax of their tensor, and returns the
scale's codes and the numbers that are rounded to elements. Divisions, products and
minima are float32 and stand in the library's order.
"""

import numpy as np
import pytest

import refnum as rn
from refnum import blocks

from ._inputs import ALL, FINITE, assert_same, bits, near_ties
from ._live import amax_of, batches, scales

F = np.float32
FLT_MAX = np.finfo(F).max
SIXTH = F(1) / F(6)


def unsigned_amax(x):
    """The maximum of the bits without sign: NaN wins."""
    return (x.view(np.uint32) & 0x7FFFFFFF).max(axis=1).view(F)


def measured_reciprocal(x):
    """rcp.approx.ftz.f32 by the table of one exponent: 1 <= mantissa < 2."""
    x = np.where(np.abs(x) < F(2.0**-126), np.copysign(F(0), x), x)
    mantissa, exponent = np.frexp(x)
    one_to_two = np.abs(mantissa) * F(2)
    table = np.load(
        blocks.reciprocal.__file__.replace("reciprocal.py", "rcp_approx.npz")
    )
    ulp = table["ulp"][one_to_two.view(np.uint32) & 0x7FFFFF]
    nearest = (F(1) / one_to_two).astype(F)
    moved = (nearest.view(np.int32) + ulp).view(F).astype(np.float64)
    result = np.copysign(np.ldexp(moved, 1 - exponent), x).astype(F)
    result = np.where(np.abs(result) < F(2.0**-126), np.copysign(F(0), x), result)
    special = ~np.isfinite(x) | (x == 0)
    return np.where(special, F(1) / x, result)


def transformer_engine(x, amax):
    """core_nvfp4.cuh."""
    S = np.fmin(F(2688) / amax, FLT_MAX)
    S = np.where((amax == 0) | (S == 0), F(1), S)
    scale = rn.encode(np.fmin(unsigned_amax(x) * (S * SIXTH), FLT_MAX), rn.UE4M3)
    r = np.fmin(F(1) / (rn.decode(scale, rn.UE4M3) * (F(1) / S)), FLT_MAX)
    return scale, x * r[:, None]


def cublas(x, amax):
    """S = amax / 6, R = 1 / e4m3(S): section 3.1.4.4 of its documentation."""
    scale = rn.encode(unsigned_amax(x) / F(6), rn.UE4M3)
    return scale, x * (F(1) / rn.decode(scale, rn.UE4M3))[:, None]


def flashinfer(x, amax, guard_by_scale=False):
    """cvt_warp_fp16_to_fp4 with its default, approximate reciprocals."""
    a = unsigned_amax(x)
    S = np.fmin(F(2688) / amax, FLT_MAX) if amax else F(1)
    scale = rn.encode(S * (a * measured_reciprocal(F([6]))), rn.UE4M3)
    value = rn.decode(scale, rn.UE4M3)
    r = measured_reciprocal(value * measured_reciprocal(F([S])))
    guard = value if guard_by_scale else a
    return scale, x * np.where(guard == 0, F(0), r)[:, None]


def vllm(x, amax):
    return flashinfer(x, amax, guard_by_scale=True)


def alto(x, amax, scale_format=rn.UE4M3, least=2.0**-6):
    outer = np.maximum(amax / F(2688), F(1e-30))
    inner = (unsigned_amax(x) / outer) / F(6)
    scale = rn.encode(np.clip(inner, F(least), F(scale_format.max)), scale_format)
    return scale, x / (rn.decode(scale, scale_format) * outer)[:, None]


def alto_ue5m3(x, amax):
    return alto(x, amax, rn.UE5M3, 2.0**-17)


def compressed_tensors(x, amax):
    S = (F(1) / np.maximum(amax, F(2.0**-126))) * F(2688)
    S = F(1) if np.isinf(S) else S
    scale = rn.encode((unsigned_amax(x) / F(6)) * S, rn.UE4M3)
    scale = np.where(scale == 0, np.uint8(0x20), scale)  # 0.125
    return scale, x / (rn.decode(scale, rn.UE4M3) / S)[:, None]


def held_reference(x, amax):
    """arXiv 2609.02846: G from a held amax, a zero scale counts as 1."""
    G = np.fmin(F(2688) / amax, FLT_MAX) if amax else F(1)
    G = G if G else F(1)
    scale = rn.encode(unsigned_amax(x) * (G * SIXTH), rn.UE5M3_IEEE)
    value = np.where(scale == 0, F(1), rn.decode(scale, rn.UE5M3_IEEE))
    return scale, x * (F(1) / (value * (F(1) / G)))[:, None]


NVFP4 = {
    rn.NVFP4: transformer_engine,
    blocks.NVFP4_CUBLAS: cublas,
    blocks.NVFP4_FLASHINFER: flashinfer,
    blocks.NVFP4_VLLM: vllm,
    blocks.NVFP4_ALTO: alto,
    blocks.UE5M3FP4_ALTO: alto_ue5m3,
    blocks.NVFP4_COMPRESSED_TENSORS: compressed_tensors,
    blocks.UE5M3FP4_HELD: held_reference,
}


@scales
@pytest.mark.parametrize("fmt", NVFP4, ids=str)
def test_nvfp4(fmt, count):
    # What amax is in a NaN block differs by chip; Transformer Engine's is portable.
    kinds = ALL if fmt in (rn.NVFP4, blocks.NVFP4_CUBLAS) else FINITE
    for x in batches(count, 16, kinds):
        several = [0.0, 1e-38, 1e-30, 1.0, 2.0**60, 3e38]
        for amax in map(F, [0.0] if fmt.tensor_scale is None else several):
            given = None if fmt.tensor_scale is None else amax
            with np.errstate(all="ignore"):
                scale, y = NVFP4[fmt](x, amax)
            q = rn.quantize(x, fmt, tensor_amax=given)
            assert_same(q.scales.reshape(-1), scale, f"scales, amax {amax}", x)
            codes = rn.encode(y, rn.E2M1, fmt.element_cast)
            assert_same(q.codes, codes, f"codes, amax {amax}", x)


def amaxes(rng, count):
    return np.ldexp(rng.uniform(1, 2, count), rng.integers(-40, 40, count)).astype(F)


@scales
@pytest.mark.parametrize("fmt", NVFP4, ids=str)
def test_nvfp4_next_to_ties(fmt, count):
    rng = np.random.default_rng(3)
    for amax in amaxes(rng, 50):
        given = amax
        if fmt.tensor_scale is None:
            amax, given = F(2688), None
        x = near_ties(rng, count // 50, amax)
        with np.errstate(all="ignore"):
            scale, y = NVFP4[fmt](x, amax)
        q = rn.quantize(x, fmt, tensor_amax=given)
        assert_same(q.scales.reshape(-1), scale, f"scales, amax {amax}", x)
        codes = rn.encode(y, rn.E2M1, fmt.element_cast)
        assert_same(q.codes, codes, f"codes, amax {amax}", x)


def test_the_orders_differ():
    """Each order gives bits of its own: none of these tests passes for another's."""
    rng = np.random.default_rng(4)
    found = {}
    for amax in amaxes(rng, 20):
        x = near_ties(rng, 500, amax)
        for fmt, order in NVFP4.items():
            if fmt.scale == rn.UE4M3 and fmt.tensor_scale is not None:
                scale, y = order(x, amax)
                bits_found = scale.tobytes() + rn.encode(y, rn.E2M1).tobytes()
                found.setdefault(fmt.name, []).append(bits_found)
    # FlashInfer and vLLM differ in scales of zero alone.
    assert found.pop("nvfp4_vllm") == found["nvfp4_flashinfer"]
    assert len(set(map(tuple, found.values()))) == len(found) == 4


@scales
@pytest.mark.parametrize("fmt", [blocks.MXFP8_NVIDIA, blocks.MXFP4_NVIDIA], ids=str)
def test_transformer_engine_mx(fmt, count):
    """cvt.rp.satfinite.ue8m0 of amax * (1 / max), then times exp2f_rcp of the byte."""
    for x in batches(count, 32):
        with np.errstate(all="ignore"):
            product = (unsigned_amax(x) * (F(1) / F(fmt.element.max))).view(np.uint32)
        exponent, mantissa = product >> 23, product & 0x7FFFFF
        up = (mantissa > 0) & ((exponent > 0) | (mantissa > 0x400000))
        scale = np.minimum(exponent + up, 254)
        scale = np.where(product > 0x7F800000, 255, scale).astype(np.uint32)
        r = np.where(scale == 254, 0x00400000, (254 - scale.astype(int)) << 23)
        r = np.where(scale == 255, 0x7FFFFFFF, r).astype(np.uint32).view(F)
        with np.errstate(all="ignore"):
            y = x * r[:, None]
        q = rn.quantize(x, fmt)
        assert_same(q.scales.reshape(-1), scale, "scales", x)
        assert_same(q.codes, rn.encode(y, fmt.element), "codes", x)


def microxcaling(x, exponent_of):
    """Its default `nearest`: floor(|m| + 0.5), in float32."""
    a = amax_of(x)
    shared = exponent_of(np.where(a == 0, F(2.0**-126), a)) - 2
    nan = shared > 127
    shared = np.maximum(shared, -127)
    y = (x / np.ldexp(F(1), shared.astype(np.int32))[:, None]).astype(F)
    own = np.where(y == 0, 0, np.frexp(y)[1] - 1).clip(0, None)
    m = np.ldexp(y, 1 - own)
    m = np.sign(m) * np.floor(np.abs(m) + F(0.5))
    values = np.clip(np.ldexp(m, own - 1), -6, 6).astype(F)
    return np.where(nan, 255, shared + 127), values + F(0), y


def exact_exponent(a):
    return np.where(np.isfinite(a), np.frexp(a)[1] - 1, 999)


@scales
def test_microxcaling(count):
    """The difference: 1/4 less one ulp plus 1/2 rounds to 1 in float32, hence to 1/2."""
    below = np.nextafter(F(0.25), F(0))
    for x in batches(count, 32, FINITE):
        x[0, 1:3] = below, -below
        x[0, 0] = 4
        scale, values, y = microxcaling(x, exact_exponent)
        q = rn.quantize(x, blocks.MXFP4_MICROXCALING)
        assert_same(q.scales.reshape(-1), scale, "scales", x)
        ours = rn.decode(q.codes, rn.E2M1)
        difference = np.abs(y) == below
        assert difference.sum() >= 2
        assert np.all(ours[difference] == 0)
        assert np.all(np.abs(values[difference]) == 0.5)
        ours[difference] = values[difference]
        assert_same(bits(ours), bits(values), "values", x)


def test_microxcaling_logarithms():
    """Its Python path takes floor(log2) in float32, wrong just below powers of two."""

    def by_logarithm(a):
        return np.floor(np.log2(a))

    power = np.ldexp(F(1), np.arange(-120, 128))
    amax = (power.view(np.uint32)[:, None] - np.arange(-3, 4)).astype(np.uint32)
    x = np.zeros((amax.size, 32), F)
    x[:, 0] = amax.reshape(-1).view(F)
    x[:, 1] = x[:, 0] / 3
    scale, _, _ = microxcaling(x, by_logarithm)
    q = rn.quantize(x, blocks.MXFP4_MICROXCALING)
    wrong = q.scales.reshape(-1) != scale
    predicted = by_logarithm(x[:, 0]) != exact_exponent(x[:, 0])
    predicted &= np.maximum(exact_exponent(x[:, 0]), by_logarithm(x[:, 0])) > -125
    assert predicted.any()
    assert_same(wrong, predicted, "wrong scales")
