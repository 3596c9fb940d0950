"""Wrong rotations, layouts, generators and products: each is named first."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum.golden import diagnose
from refnum.random import philox4x32_definition

from . import _planted as planted
from ._planted import named, opened

F32 = np.float32
HOPPER = "sm90.wgmma.e4m3.e4m3.f32"


# Rotations, by a matrix in float64: every sum is exact there.


def sylvester(size):
    rows = np.arange(size)
    bits = rows[:, None] & rows
    parity = np.array([[int(v).bit_count() & 1 for v in row] for row in bits])
    return 1.0 - 2.0 * parity


def by_sign_changes(matrix):
    """Columns sorted by their number of sign changes: the Walsh order."""
    changes = (np.diff(matrix, axis=0) != 0).sum(axis=0)
    return matrix[:, np.argsort(changes)]


def rotate(bundle, matrix):
    """Runs times a matrix; the root of 16 is 4, so that results round once."""
    x = bundle["x"]
    y = (x.reshape(-1, len(matrix)).astype(np.float64) @ matrix).reshape(x.shape)
    return {"y": y.astype(F32), "y_bf16": round_bf16(y)}


def round_bf16(y):
    """To 8 significant bits, to nearest even, from float64."""
    fraction, exponent = np.frexp(y)
    return np.ldexp(np.rint(fraction * 256), exponent - 8).astype(F32)


H16 = sylvester(16) / 4
ROTATIONS = {
    "signs missing": lambda d: H16,
    "signs flip outputs, H D": lambda d: H16 @ d,
    "signs flip inputs and outputs": lambda d: d @ H16 @ d,
    "signs reversed": lambda d: d[::-1, ::-1] @ H16,
    "signs negated": lambda d: -d @ H16,
    "not scaled": lambda d: d @ H16 * 4,
    "scaled by 1 / size": lambda d: d @ H16 / 4,
    "columns in sequency (Walsh) order": lambda d: d @ by_sign_changes(H16),
}


@pytest.mark.parametrize("name", ROTATIONS)
def test_rotations(name):
    bundle = opened("hadamard/16.random-signs")
    signs = np.diag(bundle["signs"].astype(np.float64))
    best = named(bundle, rotate(bundle, ROTATIONS[name](signs))).findings[0]
    assert best.complete
    assert best.name == name


def test_the_plain_rotation_is_right():
    bundle = opened("hadamard/16.transformer-engine")
    signs = np.diag(bundle["signs"].astype(np.float64))
    assert diagnose(bundle, rotate(bundle, signs @ H16)).equal


def test_another_size_of_rotation():
    bundle = opened("hadamard/16.plain")
    small = np.kron(np.eye(4), sylvester(4) / 2)
    x = bundle["x"].reshape(-1, 16).astype(np.float64)
    y = (x @ small).reshape(bundle["x"].shape)
    found = named(bundle, {"y": y.astype(F32), "y_bf16": round_bf16(y)})
    assert found.findings[0].name == "size 4"
    assert found.stage == "y"


def test_bfloat16_from_truncation_and_from_butterflies():
    bundle = opened("hadamard/128.random-signs")
    cut = (bundle["y"].view(np.uint32) & np.uint32(0xFFFF0000)).view(F32)
    found = named(bundle, {"y": bundle["y"], "y_bf16": cut})
    assert (found.stage, found.findings[0].name) == ("y_bf16", "bfloat16 truncated")
    y = (bundle["x"] * np.tile(bundle["signs"], 2)).reshape(-1, 128).astype(F32)
    for step in (1, 2, 4, 8, 16, 32, 64):
        pair = y.reshape(-1, 2, step)
        pair = np.stack([pair[:, 0] + pair[:, 1], pair[:, 0] - pair[:, 1]], 1)
        y = pair.reshape(-1, 128)
    y = (y * F32(128**-0.5)).reshape(bundle["x"].shape)
    assert named(bundle, {"y": y}).findings[0].name == "float32 butterflies"


def test_a_wrong_order_and_missing_signs():
    bundle = opened("hadamard/16.random-signs")
    best = named(bundle, rotate(bundle, by_sign_changes(H16))).findings[0]
    assert set(best.deviations) == {
        "signs missing",
        "columns in sequency (Walsh) order",
    }


# Layouts, scale by scale.


def tiles(scales, place, size):
    data = np.zeros(size, np.uint8)
    for (row, column), code in np.ndenumerate(scales):
        data[place(row, column)] = code
    return data


LAYOUTS = {
    "scales in rows, padded to tiles": lambda r, c: r * 8 + c,
    "rows of a tile in order, not 32 apart": lambda r, c: (
        (r // 128 * 2 + c // 4) * 512 + r % 128 * 4 + c % 4
    ),
    "tiles down first, then across": lambda r, c: (
        (r // 128 + c // 4 * 2) * 512 + r % 32 * 16 + r % 128 // 32 * 4 + c % 4
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name):
    bundle = opened("layout/128x4.ragged")  # 130 by 5: two tiles each way
    data = tiles(bundle["scales"], LAYOUTS[name], 2048)
    assert named(bundle, {"data": data}).findings[0].name == name


def test_layouts_of_another_size():
    bundle = opened("layout/128x4.ragged")
    scales = bundle["scales"]
    found = named(bundle, {"data": scales.reshape(-1)})
    assert found.findings[0].name == "scales in rows, not swizzled"
    assert found.cases == scales.size
    small = tiles(
        scales,
        lambda r, c: (r // 8 * 2 + c // 4) * 32 + r % 8 * 4 + c % 4,
        17 * 2 * 32,
    )
    assert named(bundle, {"data": small}).findings[0].name == "tiles of 8 by 4"


def test_padding():
    bundle = opened("layout/128x4.ragged")
    data = np.where(bundle["data"] == 0, 127, bundle["data"]).astype(np.uint8)
    assert named(bundle, {"data": data}).findings[0].name == "padding 0x7f"


# Philox, by the definition.


def blocks(file, change, rounds=10):
    rows = [case.fields for case in file.cases]
    words = [change(row[:4], row[4:6]) for row in rows]
    return np.array([philox4x32_definition(c, k, rounds) for c, k in words], np.uint32)


PHILOX = {
    "key words exchanged": lambda c, k: (c, k[::-1]),
    "counter reversed": lambda c, k: (c[::-1], k),
    "counter with its halves exchanged": lambda c, k: (c[2:] + c[:2], k),
    "key bumped before the first round": lambda c, k: (
        c,
        ((k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32),
    ),
}


@pytest.mark.parametrize("name", PHILOX)
def test_generators(name):
    file = opened("philox/4x32-10.hex")
    assert named(file, {"words": blocks(file, PHILOX[name])}).findings[0].name == name


def test_rounds_and_results_of_a_generator():
    file = opened("philox/4x32-10.hex")
    same = blocks(file, lambda c, k: (c, k))
    seven = blocks(file, lambda c, k: (c, k), rounds=7)
    assert named(file, {"words": seven}).findings[0].name == "7 rounds"
    assert named(file, {"words": same[:, ::-1]}).findings[0].name == "result reversed"
    found = named(file, {"words": seven[:, ::-1]})
    assert set(found.findings[0].deviations) == {"7 rounds", "result reversed"}
    assert found.cases == len(file.cases)


def test_captured_random_words():
    golden = f"{planted.GOLDEN}/hardware/h100/philox.npz:randint4x.42.12345"
    counters = np.zeros((1024, 4), np.uint32)
    counters[:, 0] = 12345 + np.arange(1024)
    words = rn.random.philox4x32(counters, np.array([42, 0], np.uint32), 7)
    assert named(golden, {"words": words}).findings[0].name == "7 rounds"


# Products.


def values(codes):
    """The values of E4M3 codes without NaN."""
    size = planted.magnitudes(4, 3, 7)[codes & 0x7F]
    return np.where(codes & 0x80, -size, size)


def sequential(bundle):
    a, b = (values(bundle[n].astype(int)).astype(F32) for n in "ab")
    total = np.zeros((a.shape[0], b.shape[1]), F32)
    for k in range(a.shape[1]):
        total = total + a[:, k : k + 1] * b[k]
    return total


def exact(bundle):
    """float64 holds sums of products of such codes exactly."""
    a, b = (values(bundle[n].astype(int)) for n in "ab")
    return (a @ b).astype(F32)


def promoted(bundle, every):
    zero = np.zeros((8, 8), F32)
    total = zero
    for k in range(0, 512, every):
        part = slice(k, k + every)
        chain = rn.mma(bundle["a"][:, part], bundle["b"][part], zero, HOPPER)
        total = total + chain
    return total


PRODUCTS = {
    "accumulated sequential in float32": sequential,
    "accumulated exact in float32": exact,
    "promoted every 128 products": lambda b: promoted(b, 128),
    "promoted every 64 products": lambda b: promoted(b, 64),
    "B transposed: read column by column": lambda b: rn.gemm(
        b["a"], b["b"].reshape(8, 512).T, HOPPER
    ),
    "instruction sm90.mma.e4m3.e4m3.f32": lambda b: rn.gemm(
        b["a"], b["b"], "sm90.mma.e4m3.e4m3.f32"
    ),
    "instruction sm89.mma.e4m3.e4m3.f32": lambda b: rn.gemm(
        b["a"], b["b"], "sm89.mma.e4m3.e4m3.f32"
    ),
    "result rounded to bf16": lambda b: planted.keep_bits(b["d"], 7),
    "result truncated to bf16": lambda b: (
        b["d"].view(np.uint32) & np.uint32(0xFFFF0000)
    ).view(F32),
    "K split in 2": lambda b: sum(
        rn.gemm(b["a"][:, k : k + 256], b["b"][k : k + 256], HOPPER) for k in (0, 256)
    ),
    "A and B read as e5m2": lambda b: rn.gemm(
        b["a"], b["b"], "sm90.wgmma.e5m2.e5m2.f32"
    ),
}


# Two halves added, and Ada's arithmetic: there are simpler names for these.
SAME = {
    "K split in 2": "promoted every 256 products",
    "instruction sm89.mma.e4m3.e4m3.f32": "steps of 16 products",
}


def wide_product():
    """A golden folder in memory whose operands have every finite code."""
    bundle = opened(f"gemm/{HOPPER}.fast")
    rng = np.random.default_rng(5)
    codes = [c for c in range(256) if c & 0x7F != 0x7F]
    a, b = rng.choice(codes, (8, 512)), rng.choice(codes, (512, 8))
    arrays = {"a": a.astype(np.uint8), "b": b.astype(np.uint8)}
    arrays["d"] = rn.gemm(arrays["a"], arrays["b"], HOPPER)
    tensors = tuple(replace(t, array=arrays[t.name]) for t in bundle.tensors)
    return replace(bundle, tensors=tensors)


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name):
    read = name.endswith("e5m2")  # where every code is there, most results are NaN
    bundle = opened(f"gemm/{HOPPER}.fast") if read else wide_product()
    best = named(bundle, {"d": PRODUCTS[name](bundle)}).findings[0]
    assert best.complete
    if name in SAME:
        assert best.name == SAME[name]
        assert (name,) in best.alternatives
    else:
        assert best.name == name


def test_the_rounding_of_bf16_results():
    bundle = opened(f"gemm/{HOPPER}.promoted-128-bf16")
    single = rn.gemm(bundle["a"], bundle["b"], HOPPER, promote_every=128)
    d = (single.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    assert named(bundle, {"d": d}).findings[0].name == "output: rounding toward_zero"


def test_alignment_of_a_single_instruction():
    bundle = opened("mma/sm90.wgmma.bf16.bf16.f32.cancellation")
    d = rn.mma(bundle["a"], bundle["b"], bundle["c"], "sm80.mma.bf16.bf16.f32")
    best = named(bundle, {"d": d}).findings[0]
    assert best.complete
    assert ("24 alignment bits",) in [best.deviations, *best.alternatives]
    assert len(best.alternatives) > 8  # one case cannot tell more
    assert "more" in str(named(bundle, {"d": d}))


def test_an_older_instruction_where_many_cases_tell():
    golden = f"{planted.GOLDEN}/hardware/h100/wgmma.npz:wgmma_bf16"
    with np.load(golden.rpartition(":")[0]) as archive:
        a, b, c = (archive[f"wgmma_bf16.{n}"] for n in "ABC")
    start, older = c.view(F32), "sm80.mma.bf16.bf16.f32"
    d = rn.mma(a, b.swapaxes(-1, -2), start, older)
    best = named(golden, {"d": d}).findings[0]
    assert best.complete
    assert best.name == f"instruction {older}"


def test_an_ignored_accumulator():
    bundle = opened("mma/sm90.wgmma.e4m3.e4m3.f32.long-tail")
    zero = np.zeros_like(bundle["c"])
    d = rn.mma(bundle["a"], bundle["b"], zero, HOPPER)
    assert named(bundle, {"d": d}).findings[0].name == "C ignored"


def test_a_captured_product():
    golden = f"{planted.GOLDEN}/hardware/h100/gemm.npz:512.D.slow.float32"
    with np.load(golden.rpartition(":")[0]) as archive:
        fast = archive["512.D.fast.float32"].view(F32)
    best = named(golden, {"d": fast}).findings[0]
    assert best.name == "one chain, not promoted"
    assert best.complete


def test_two_deviations_of_a_product():
    bundle = opened(f"gemm/{HOPPER}.fast")
    d = planted.keep_bits(promoted(bundle, 128), 7)
    best = named(bundle, {"d": d}).findings[0]
    assert best.complete
    assert set(best.deviations) == {
        "promoted every 128 products",
        "result rounded to bf16",
    }
