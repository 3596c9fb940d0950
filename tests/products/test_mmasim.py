"""Agreement with mmasim, an independent model, where it is installed.

The operands are raw bits and values of several ranges; every output is compared by
its bits, NaN as a class.
"""

import warnings

import numpy as np
import pytest

from refnum.formats import E2M1, FP16, FP32, TF32, UE8M0, decode, encode
from refnum.products import INSTRUCTIONS, Model, mma

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("mmasim")
    from mmasim.amd import MFMA
    from mmasim.nv_ptx import (
        MMA,
        WGMMA,
        MMABlockScale,
        TCGen05MMA,
        TCGen05MMABlockScale,
    )

ARCHES = {
    "sm70": "Volta",
    "sm75": "Turing",
    "sm80": "Ampere",
    "sm89": "Ada Lovelace",
    "sm90": "Hopper",
    "sm100": "Blackwell",
    "sm120": "RTX Blackwell",
    "gfx908": "CDNA1",
    "gfx90a": "CDNA2",
    "gfx942": "CDNA3",
}
AMD_TYPES = {"e4m3fnuz": "fp8", "e5m2fnuz": "bf8", "tf32": "xf32"}
TYPES = {
    "f32": torch.float32,
    "tf32": torch.float32,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "e4m3": torch.float8_e4m3fn,
    "e5m2": torch.float8_e5m2,
    "e4m3fnuz": torch.float8_e4m3fnuz,
    "e5m2fnuz": torch.float8_e5m2fnuz,
    "ue8m0": torch.float8_e8m0fnu,
    "ue4m3": torch.float8_e4m3fn,
}
SAME_SIZE = {1: np.uint8, 2: np.int16, 4: np.int32}
SHARED = [
    op
    for op in INSTRUCTIONS.values()
    if op.arch in ARCHES and op.model is not Model.EMULATED
]


def short(fmt):
    return {"fp32": "f32", "fp16": "f16"}.get(fmt.name, fmt.name)


def peer(op):
    """mmasim's object for an instruction."""
    arch, a, b, d = ARCHES[op.arch], short(op.a), short(op.b), short(op.d)
    if op.arch.startswith("gfx"):
        return MFMA(arch, mfma_suffix(op, a, b))
    if op.op == "wgmma":
        return WGMMA(arch, f"m64n8k{op.k}.{d}.{a}.{b}")
    if op.scale is not None:
        kind = f"k{op.k}.kind::{op.kind.split('.')[0]}.block{op.block}.f32.{a}.{b}"
        if op.op == "tcgen05":
            return TCGen05MMABlockScale(arch, f"m128n8{kind}.{op.scale}")
        return MMABlockScale(arch, f"m16n8{kind}.f32.{op.scale}")
    if op.op == "tcgen05":
        kind = {"tf32": "tf32", "f16": "f16", "bf16": "f16"}.get(a, "f8f6f4")
        return TCGen05MMA(arch, f"m64n8k{op.k}.kind::{kind}.{d}.{a}.{b}")
    shape = "m8n8" if op.k == 4 and a == "f16" else "m16n8"
    kind = "kind::f8f6f4." if op.arch == "sm120" and op.a.bits <= 8 else ""
    return MMA(arch, f"{shape}k{op.k}.{kind}{d}.{a}.{b}.{d}")


def mfma_suffix(op, a, b):
    if op.arch == "gfx942":
        names = [AMD_TYPES.get(x, x) for x in (a, b)]
        types = "_".join(names if op.model is Model.SPLIT_TREE else names[:1])
        return f"f32_16x16x{op.k}_{types}"
    return f"f32_16x16x{op.k}{a}" + ("_1k" if op.op == "mfma_1k" else "")


def codes(rng, fmt, shape, spread):
    if spread == "bits":
        bits = 32 if fmt == TF32 else fmt.bits
        return rng.integers(0, 1 << bits, shape, dtype=np.uint64).astype(fmt.dtype)
    reach = {"near": 4, "far": 40, "zeros": 0}[spread]
    reach = reach if fmt.exponent_bits > 5 else min(reach, 6)
    x = rng.normal(size=shape) * np.exp2(rng.integers(-reach, reach + 1, shape))
    if spread == "zeros":
        x[rng.random(shape) < 0.4] = 0
    if fmt == UE8M0:
        x = np.exp2(rng.integers(-reach - 3, reach + 4, shape))
    x = x.astype(np.float32)
    if fmt == TF32:
        return x.view(np.uint32)
    return encode(x if fmt.signed else np.abs(x), fmt)


def tensor(array, fmt):
    if fmt == E2M1 or fmt.bits == 6:  # mmasim has FP4 in bits 5:2, FP6 in 5:0
        return torch.from_numpy(array << (2 if fmt == E2M1 else 0))
    words = np.ascontiguousarray(array).view(SAME_SIZE[array.itemsize])
    return torch.from_numpy(words).view(TYPES[short(fmt)])


def packed(array):
    """Two FP4 codes a byte, along the last axis."""
    return torch.from_numpy(array[..., 0::2] << 4 | array[..., 1::2])


def peers_result(op, a, b, c, scales):
    if op.model is Model.GROUPED:
        left, right = packed(a), packed(b.T).T
    else:
        left, right = tensor(a, op.a), tensor(b, op.b)
    args = [tensor(s, op.scale) for s in scales]
    result = peer(op)(left, right, tensor(c, op.d), *args)
    words = {2: torch.int16, 4: torch.int32}[c.itemsize]
    return result.contiguous().view(words).numpy().view(c.dtype)


def depth_of(op):
    # mmasim takes one scale a row here, and forgets a NaN in C between these steps.
    if op.model in (Model.SCALED, Model.SPLIT_TREE):
        return op.k if op.model is Model.SCALED else op.terms
    return 2 * op.k


@pytest.mark.parametrize("spread", ["bits", "near", "far", "zeros"])
@pytest.mark.parametrize("op", SHARED, ids=str)
def test_every_bit_agrees(op, spread):
    rng = np.random.default_rng(21)
    m, n, depth = 16, 12, depth_of(op)
    a = codes(rng, op.a, (m, depth), spread)
    b = codes(rng, op.b, (depth, n), spread)
    c = codes(rng, op.d, (m, n), spread)
    if op.model is Model.SPLIT_TREE:
        c = np.where(np.isfinite(decode(c, op.d)), c, 0).astype(c.dtype)
    scales = []
    if op.scale is not None:
        sizes = (m, depth // op.block), (depth // op.block, n)
        scales = [codes(rng, op.scale, size, spread) for size in sizes]
    start = c.view(np.float16 if op.d == FP16 else np.float32)
    given = dict(zip(("scale_a", "scale_b"), scales, strict=False))
    ours = mma(a, b, start, op, **given)
    theirs = peers_result(op, a, b, c, scales)
    values = theirs.view(ours.dtype)
    nan = np.isnan(values)
    np.testing.assert_array_equal(np.isnan(ours), nan)
    np.testing.assert_array_equal(ours.view(c.dtype)[~nan], theirs[~nan])
    if op.arch.startswith("sm"):
        np.testing.assert_array_equal(ours.view(c.dtype)[nan], theirs[nan])


def test_where_mmasim_forgets_a_nan():
    """It drops a C below the reach of the products, and takes NaN for such a one."""
    op = INSTRUCTIONS["gfx942.mfma.e5m2fnuz.e5m2fnuz.f32"]
    a = np.full((1, op.terms), 0x7F, np.uint8)
    c = np.full((1, 1), 0x7FC00000, np.uint32)
    theirs = peers_result(op, a, a.T.copy(), c, []).view(np.float32)
    assert np.isfinite(theirs).all()
    assert np.isnan(mma(a, a.T, c.view(np.float32), op)).all()
    assert op.d == FP32
