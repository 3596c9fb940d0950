"""Wrong blocks, by plain NumPy or by public functions: each is named first."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum.blocks import approximate_reciprocal, block_format, rule
from refnum.golden import diagnose

from . import _planted as planted
from ._planted import convert, inputs, named, opened, singles

E2M1, E4M3 = (2, 1, 1), (4, 3, 7)
F32 = np.float32


def fp4(x, up=planted.even):
    return convert(x, E2M1, 7, up, nan=7)


def fp4_values(codes):
    return np.where(codes & 8, -1, 1) * planted.magnitudes(*E2M1)[codes & 7]


def mx(x, exponents, up=planted.even):
    """MXFP4 of rows cut in blocks of 32, with these scale exponents."""
    blocks = x.reshape(-1, 32)
    scaled = blocks * np.ldexp(F32(1), -exponents)[:, None]
    codes = fp4(scaled, up)
    values = fp4_values(codes) * np.ldexp(1.0, exponents)[:, None]
    shape = x.shape
    return {
        "scales": (exponents + 127).astype(np.uint8).reshape(shape[0], -1),
        "codes": codes.reshape(shape),
        "packed": nibbles(codes),
        "values": values.astype(F32).reshape(shape),
    }


def nibbles(codes):
    flat = codes.reshape(-1).astype(np.uint8)
    return flat[::2] | flat[1::2] << 4


def exponent_of(x):
    """floor(log2 of each block's largest magnitude)."""
    return np.frexp(np.abs(x.reshape(-1, 32)).max(axis=1))[1] - 1


def public(x, fmt, **choices):
    """The outputs of a public record."""
    q = rn.quantize(x, fmt, **choices)
    outputs = {
        "scales": q.scales,
        "codes": q.codes,
        "packed": rn.pack(q.codes, q.format.element.bits),
        "values": rn.dequantize(q),
    }
    if q.tensor_scale is not None:
        outputs["tensor_scale"] = np.asarray(q.tensor_scale)
    return outputs


def golden_outputs(bundle):
    return {t.name: t.array for t in bundle.tensors if t.role == "out"}


def test_the_plain_kernel_is_right():
    bundle = opened("quantize/mxfp4.plain")
    x = bundle["x"]
    found = diagnose(bundle, mx(x, exponent_of(x) - 2))
    assert found.equal


MXFP4_KERNELS = {
    "scale rule ceil": lambda x: mx(x, np.ceil(exact_log2(x)).astype(int) - 2),
    "elements: rounding nearest_away": lambda x: mx(
        x, exponent_of(x) - 2, planted.away
    ),
    "elements: rounding toward_zero": lambda x: mx(
        x, exponent_of(x) - 2, planted.never
    ),
    "block maximum mapped to 2": lambda x: mx(x, exponent_of(x) - 1),
}


def exact_log2(x):
    fraction, exponent = np.frexp(np.abs(x.reshape(-1, 32)).max(axis=1))
    return exponent - 1 + (fraction > 0.5)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("scale rule ceil", "saturating"),
        ("scale rule ceil", "plain"),
        ("elements: rounding nearest_away", "tie-rich"),
        ("elements: rounding toward_zero", "plain"),
        ("block maximum mapped to 2", "plain"),
    ],
)
def test_scales_and_elements_of_mxfp4(name, case):
    bundle = opened(f"quantize/mxfp4.{case}")
    outputs = MXFP4_KERNELS[name](bundle["x"])
    best = named(bundle, outputs).findings[0]
    assert best.complete
    assert (name,) in [best.deviations, *best.alternatives]
    assert best.changes == 1


@pytest.mark.parametrize("name", ["RCEIL", "EVEN", "NEAREST", "UOS", "DEEPGEMM"])
def test_scale_rules_by_their_files(name):
    other = getattr(rule, name)
    file = opened("scale/mxfp4.floor.hex")
    want = inputs(opened(f"scale/mxfp4.{other.name}.hex"))["code"]
    best = named(file, {"code": want.astype(np.uint8)}).findings[0]
    assert best.complete
    assert (f"scale rule {other.name}",) in [best.deviations, *best.alternatives]


def test_a_scale_by_truncation_instead_of_up():
    file = opened("scale/mxfp4.rceil_divide.hex")
    amax = singles(inputs(file)["amax"])
    with np.errstate(invalid="ignore"):
        ratio = amax / F32(6)
        code = np.frexp(ratio)[1] - 1 + 127
    code = np.where(ratio < 2.0**-126, 0, np.clip(code, 0, 254))
    code = np.where(np.isinf(amax), 254, np.where(np.isnan(amax), 255, code))
    best = named(file, {"code": code.astype(np.uint8)}).findings[0]
    assert best.name == "scales: rounding toward_zero"
    assert best.complete


def nvfp4(x, scale_of, factor_of, limit=448.0):
    """NVFP4 in the order of Transformer Engine, but for the two functions."""
    amax = np.abs(x).max()
    reference = F32(limit * 6) / amax
    blocks = x.reshape(-1, 16)
    ratio = scale_of(np.abs(blocks).max(axis=1), reference)
    scales = convert(ratio, E4M3, 0x7E, planted.even)
    values = planted.magnitudes(*E4M3)[scales].astype(F32)
    codes = fp4(blocks * factor_of(values, reference)[:, None])
    outer = amax / F32(limit * 6)
    back = (fp4_values(codes).astype(F32) * values[:, None]) * outer
    return {
        "tensor_scale": np.asarray(outer),
        "scales": scales.reshape(x.shape[0], -1),
        "codes": codes.reshape(x.shape),
        "packed": nibbles(codes),
        "values": back.reshape(x.shape),
    }


def te_ratio(amax, S):
    return amax * (S * (F32(1) / F32(6)))


def te_factor(scale, S):
    return F32(1) / (scale * (F32(1) / S))


def around(values, steps=3):
    """float32 values and their nearest neighbours."""
    words = np.asarray(values, F32).reshape(-1, 1).view(np.uint32)
    return (words + np.arange(-steps, steps + 1).astype(np.uint32)).view(F32)


def telling():
    """Blocks whose scales and elements lie next to midpoints: one ulp shows."""
    amax = F32(7.3)
    reference = F32(448 * 6) / amax
    scales = planted.magnitudes(*E4M3)[:0x7F]
    middles = (scales[40:-1] + scales[41:]) / 2
    maxima = around(middles * 6 / reference).reshape(-1)
    blocks = np.zeros((len(maxima), 16), F32)
    blocks[:, 0] = maxima
    chosen = convert(te_ratio(maxima, reference), E4M3, 0x7E, planted.even)
    factors = te_factor(scales[chosen].astype(F32), reference)
    for place, middle in enumerate((0.25, 0.75, 1.25, 1.75, 2.5, 3.5)):
        near = around(middle / factors, 1)[:, :2]
        blocks[:, 2 * place + 1 : 2 * place + 3] = near
    blocks[-1, 0] = amax
    rows = len(blocks) // 4 * 4
    return blocks[-rows:].reshape(-1, 64)


def large_bundle(fmt):
    """A golden folder in memory of a larger array."""
    plain = opened("quantize/nvfp4.plain")
    x = telling()
    outputs = public(x, fmt)
    tensors = [
        replace(tensor, array=x if tensor.name == "x" else outputs[tensor.name])
        for tensor in plain.tensors
    ]
    spec = {**plain.spec, "block_format": fmt.name}
    return replace(plain, spec=spec, tensors=tuple(tensors))


def test_the_plain_nvfp4_kernel_is_right():
    bundle = large_bundle(rn.NVFP4)
    assert diagnose(bundle, nvfp4(bundle["x"], te_ratio, te_factor)).equal


NVFP4_KERNELS = {
    "scale computed in the order of four_over_six": (
        lambda amax, S: (amax / F32(6)) * S,
        te_factor,
    ),
    "scale computed in the order of flashinfer": (
        lambda amax, S: S * (amax * approximate_reciprocal(F32(6))),
        te_factor,
    ),
    "elements scaled in the order of flashinfer": (
        te_ratio,
        lambda scale, S: approximate_reciprocal(scale * approximate_reciprocal(S)),
    ),
}


@pytest.mark.parametrize("name", NVFP4_KERNELS)
def test_the_order_of_scale_arithmetic(name):
    bundle = large_bundle(rn.NVFP4)
    outputs = nvfp4(bundle["x"], *NVFP4_KERNELS[name])
    best = named(bundle, outputs).findings[0]
    assert best.complete
    assert (name,) in [best.deviations, *best.alternatives]
    assert best.changes == 1


@pytest.mark.parametrize("limit", [256.0, 384.0])
def test_the_limit_of_the_tensor_scale(limit):
    bundle = opened("quantize/nvfp4.plain")
    outputs = nvfp4(bundle["x"], te_ratio, te_factor, limit)
    found = named(bundle, outputs)
    assert found.stage == "tensor_scale"
    name = f"tensor scale for block scales up to {limit:g}"
    assert found.findings[0].name == name


def edited(bundle, **edits):
    """The golden outputs with some of them changed."""
    outputs = golden_outputs(bundle)
    return {**outputs, **{key: edit(outputs[key]) for key, edit in edits.items()}}


def swizzled(scales):
    """Tiles of 8 by 4, by the index of each scale."""
    rows, columns = scales.shape
    data = np.zeros((-(-rows // 8), -(-columns // 4), 8, 4), np.uint8)
    for (r, c), code in np.ndenumerate(scales):
        data[r // 8, c // 4, r % 8, c % 4] = code
    return data


def of_block(x, size, element=None):
    fields = {"block": size} if element is None else {"element": element}
    return public(x, replace(rn.NVFP4, **fields))


def borrowed(bundle):
    """Every block scaled by the scale of the block after it."""
    x, outer = bundle["x"], F32(bundle["tensor_scale"])
    scales = np.roll(bundle["scales"].reshape(-1), -1)
    reference = F32(448 * 6) / np.abs(x).max()
    values = planted.magnitudes(*E4M3)[scales].astype(F32)
    codes = fp4(x.reshape(-1, 16) * te_factor(values, reference)[:, None])
    back = (fp4_values(codes).astype(F32) * values[:, None]) * outer
    return {
        "tensor_scale": np.asarray(outer),
        "scales": scales.reshape(4, 4),
        "codes": codes.reshape(4, 64),
        "packed": nibbles(codes),
        "values": back.reshape(4, 64),
    }


def late(bundle, steps):
    """Blocks that begin some elements late, and wrap around."""
    outputs = public(np.roll(bundle["x"], -steps, axis=1), rn.NVFP4)
    for key in ("codes", "values"):
        outputs[key] = np.roll(outputs[key], steps, axis=1)
    return {**outputs, "packed": nibbles(outputs["codes"])}


def scaled_values(bundle, function):
    return edited(bundle, values=lambda v: function(v, F32(bundle["tensor_scale"])))


NVFP4_MOVES = {
    "nibbles swapped": (
        "packed",
        lambda b: edited(b, packed=lambda p: p << 4 | p >> 4),
    ),
    "scales transposed": ("scales", lambda b: edited(b, scales=lambda s: s.T.copy())),
    "scales swizzled in tiles of 8 by 4": (
        "scales",
        lambda b: edited(b, scales=swizzled),
    ),
    "scales shifted by one block, later": (
        "scales",
        lambda b: edited(b, scales=lambda s: np.roll(s, 1)),
    ),
    "scales one code above": ("scales", lambda b: edited(b, scales=lambda s: s + 1)),
    "packed along the other axis": (
        "packed",
        lambda b: edited(b, packed=lambda _: nibbles(b["codes"].T)),
    ),
    "codes not packed": (
        "packed",
        lambda b: edited(b, packed=lambda _: b["codes"].reshape(-1)),
    ),
    "tensor scale stored as its inverse": (
        "tensor_scale",
        lambda b: edited(b, tensor_scale=lambda s: np.asarray(F32(1) / s)),
    ),
    "values without the tensor scale": (
        "values",
        lambda b: edited(
            b,
            values=lambda _: (
                fp4_values(b["codes"]).astype(F32)
                * np.repeat(planted.magnitudes(*E4M3)[b["scales"]], 16, 1).astype(F32)
            ),
        ),
    ),
    "tensor scale applied twice to values": (
        "values",
        lambda b: scaled_values(b, lambda v, s: v * s),
    ),
    "scale of the next block": ("scales", borrowed),
    "blocks begin 1 elements late": ("scales", lambda b: late(b, 1)),
    "blocks begin 8 elements late": ("scales", lambda b: late(b, 8)),
    "block 32": ("scales", lambda b: of_block(b["x"], 32)),
    "elements e1m2": ("tensor_scale", lambda b: of_block(b["x"], 16, rn.formats.E1M2)),
    "scales ue8m0": (
        "scales",
        lambda b: public(b["x"], replace(rn.NVFP4, scale=rn.UE8M0)),
    ),
    "no tensor scale": (
        "scales",
        lambda b: public(b["x"], replace(rn.NVFP4, tensor_scale=None)),
    ),
    "blocks along axis -2": ("scales", lambda b: public(b["x"], rn.NVFP4, axis=0)),
    "values read as bf16": (
        "tensor_scale",
        lambda b: public(planted.keep_bits(b["x"], 7), rn.NVFP4),
    ),
}


@pytest.mark.parametrize("name", NVFP4_MOVES)
def test_layouts_and_records_of_nvfp4(name):
    bundle = opened("quantize/nvfp4.plain")
    stage, make = NVFP4_MOVES[name]
    found = named(bundle, make(bundle))
    best = found.findings[0]
    assert best.deviations == (name,)
    assert best.complete
    assert found.map is not None
    assert found.map.output == found.stage
    assert found.stage == stage


PRESETS = [
    ("nvfp4", "nvfp4_torchao"),
    ("nvfp4", "nvfp4_compressed_tensors"),
    ("mxfp4", "mxfp4_nvidia"),
    ("mxfp4", "mxfp4_microxcaling"),
]


@pytest.mark.parametrize(("golden", "other"), PRESETS)
def test_presets_of_other_libraries(golden, other):
    bundle = opened(f"quantize/{golden}.scale-underflow")
    best = named(bundle, public(bundle["x"], block_format(other))).findings[0]
    assert best.complete
    assert (f"block format {other}",) in [best.deviations, *best.alternatives]


def test_an_extra_tensor_scale():
    bundle = opened("quantize/nvfp4_cublas.scale-underflow")
    outputs = public(bundle["x"], rn.NVFP4)
    del outputs["tensor_scale"]  # the golden format has none
    best = named(bundle, outputs).findings[0]
    assert best.complete
    assert best.name == "extra tensor scale for block scales up to 448"


def test_encode_scales_instead_of_decode_scales():
    bundle = opened("quantize/mxfp4.plain")
    scales = (254 - bundle["scales"].astype(int)).astype(np.uint8)
    found = named(bundle, {"codes": bundle["codes"], "scales": scales})
    assert found.findings[0].name == "inverse scales stored"
    factor = np.ldexp(1.0, bundle["scales"].astype(int) - 127).repeat(32, axis=1)
    values = (fp4_values(bundle["codes"]) / factor).astype(F32)
    best = named(bundle, {"values": values}).findings[0]
    names = [best.deviations, *best.alternatives]
    assert ("values divided by the block scale",) in names


def test_scales_in_the_tiles_of_the_matrix_instruction():
    bundle = opened("quantize/nvfp4.plain")
    data = np.zeros(512, np.uint8)
    for (row, column), code in np.ndenumerate(bundle["scales"]):
        data[row * 16 + column] = code
    found = named(bundle, {"scales": data, "codes": bundle["codes"]})
    assert found.findings[0].name == "scales swizzled in tiles of 128 by 4"
    assert found.differing == 512


def test_chosen_formats_that_do_not_choose():
    bundle = opened("quantize/nvfp4_four_over_six.outlier-row")
    first = block_format("nvfp4_four_over_six").candidates[0]
    best = named(bundle, public(bundle["x"], first)).findings[0]
    assert best.name == "always candidate 1, nvfp4_to_six"


def test_input_subnormals_flushed():
    bundle = opened("quantize/mxfp4.subnormal-block")
    x = bundle["x"]
    flushed = np.where(np.abs(x) < 2.0**-126, np.copysign(F32(0), x), x)
    best = named(bundle, public(flushed, rn.MXFP4)).findings[0]
    assert best.name == "values read as flushed"


BLOCK_PAIRS = {
    ("scales transposed", "nibbles swapped"): lambda b: edited(
        b, scales=lambda s: s.T.copy(), packed=lambda p: p << 4 | p >> 4
    ),
    ("block 32", "elements: rounding nearest_away"): lambda b: public(
        b["x"],
        replace(rn.NVFP4, block=32, element_cast=rn.Cast(rn.Rounding.NEAREST_AWAY)),
    ),
    ("scales swizzled in tiles of 8 by 4", "elements: rounding toward_zero"): (
        lambda b: {
            **(
                outputs := public(
                    b["x"],
                    replace(rn.NVFP4, element_cast=rn.Cast(rn.Rounding.TOWARD_ZERO)),
                )
            ),
            "scales": swizzled(outputs["scales"]),
        }
    ),
}


@pytest.mark.parametrize("names", BLOCK_PAIRS)
def test_two_deviations_are_both_named(names):
    path = "tie-rich" if "away" in names[1] else "plain"
    bundle = opened(f"quantize/nvfp4.{path}")
    best = named(bundle, BLOCK_PAIRS[names](bundle)).findings[0]
    assert best.complete
    assert set(best.deviations) == set(names)


def test_a_missing_output_is_not_compared():
    bundle = opened("quantize/nvfp4.plain")
    found = diagnose(bundle, {"codes": bundle["codes"], "scales": bundle["scales"]})
    assert found.equal
    assert found.cases == bundle["codes"].size + bundle["scales"].size


def test_the_map_shows_rows_columns_and_blocks():
    bundle = opened("quantize/nvfp4.plain")
    codes = bundle["codes"].copy()
    codes[2, 16:32] ^= 1
    found = diagnose(bundle, {"codes": codes})
    where = found.map
    assert where is not None
    assert (where.rows, where.columns, where.blocks) == ("2", "16-31", "1")
    assert where.lines[2] == "." * 16 + "#" * 16 + "." * 32
    first = found.remaining[0]
    assert (first.output, first.place[:4]) == ("codes", "[2, ")
    assert first.inputs.startswith("x ")


def test_captured_blocks_of_another_library():
    golden = f"{planted.GOLDEN}/hardware/h100/blocks.npz:nvfp4_vllm"
    with np.load(golden.rpartition(":")[0]) as archive:
        outputs = {k: archive[f"nvfp4_cublas.{k}"] for k in ("scales", "codes")}
    best = named(golden, outputs).findings[0]
    assert best.complete
    assert ("block format nvfp4_cublas",) in [best.deviations, *best.alternatives]
