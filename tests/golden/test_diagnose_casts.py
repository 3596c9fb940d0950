"""Wrong conversions, made by plain NumPy: `diagnose` names each one first."""

import numpy as np
import pytest

import refnum as rn
from refnum.golden import diagnose

from . import _planted as planted
from ._planted import convert, inputs, named, opened, singles

E4M3, E5M2, E2M1 = (4, 3, 7), (5, 2, 15), (2, 1, 1)
PLAIN = "encode/e4m3.nearest_even.finite.hex"


def encode(x, up=planted.even, **choices):
    return convert(x, E4M3, 0x7E, up, **choices)


def without_negative_zero(x):
    code = encode(x)
    return np.where(code == 0x80, 0, code)


def flushed(x):
    code = encode(x)
    return np.where(code & 0x7F < 8, code & 0x80, code)


def flushed_below_smallest(x):
    code = encode(x)
    return np.where(np.abs(x) < 2.0**-9, code & 0x80, code)


def signed_nan(x):
    sign = np.where(np.signbit(x), 0x80, 0)
    return np.where(np.isnan(x), 0x7F | sign, encode(x))


def first_to_bf16(x):
    return encode(planted.keep_bits(x, 7))


def first_to_fp16(x):
    with np.errstate(over="ignore", invalid="ignore"):
        return x.astype(np.float16).astype(np.float32)


def wrong_bias(x):
    return convert(x, (4, 3, 8), 0x7E, planted.even)


def unsaturated(x, up=planted.even):
    return encode(x, up, overflow=0x7F, infinity=0x7F)


E4M3_KERNELS = {
    "rounding nearest_away": lambda x: encode(x, planted.away),
    "rounding nearest_zero": lambda x: encode(x, planted.toward_zero_ties),
    "rounding nearest_up": lambda x: encode(x, planted.ties_up),
    "rounding toward_zero": lambda x: encode(x, planted.never),
    "rounding away_from_zero": lambda x: encode(x, planted.always),
    "rounding toward_positive": lambda x: encode(x, planted.upward),
    "rounding toward_negative": lambda x: encode(x, planted.downward),
    "rounding to_odd": lambda x: encode(x, planted.to_odd),
    "saturation none": unsaturated,
    "saturation propagate": lambda x: encode(x, infinity=0x7F),
    "zero_sign positive": without_negative_zero,
    "zero_sign input_positive": lambda x: np.where(
        (x == 0) & np.signbit(x), 0, encode(x)
    ),
    "subnormal_results flush": flushed,
    "subnormal_results flush_below_smallest": flushed_below_smallest,
    "nan_sign True": signed_nan,
    "rounded twice, first to bf16": first_to_bf16,
    "rounded twice, first to fp16": lambda x: encode(first_to_fp16(x)),
    "target format: exponent bias 8 instead of 7": wrong_bias,
}


@pytest.mark.parametrize("name", E4M3_KERNELS)
def test_single_deviations_of_a_conversion(name):
    file = opened(PLAIN)
    code = E4M3_KERNELS[name](singles(inputs(file)["x"]))
    found = named(file, {"code": code})
    assert found.findings[0].deviations == (name,)
    assert found.findings[0].complete
    assert (found.stage, found.unexplained, found.remaining) == ("code", 0, ())


def test_the_plain_kernel_is_right():
    file = opened(PLAIN)
    found = diagnose(file, {"code": encode(singles(inputs(file)["x"]))})
    assert found.equal
    assert (found.stage, found.findings, found.map) == ("", (), None)


PAIRS = {
    ("rounding nearest_away", "saturation none"): lambda x: unsaturated(
        x, planted.away
    ),
    ("rounding toward_zero", "zero_sign positive"): lambda x: np.where(
        encode(x, planted.never) == 0x80, 0, encode(x, planted.never)
    ),
    ("subnormal_results flush", "nan_sign True"): lambda x: np.where(
        np.isnan(x), signed_nan(x), flushed(x)
    ),
}


@pytest.mark.parametrize("names", PAIRS)
def test_two_deviations_are_both_named(names):
    file = opened(PLAIN)
    found = named(file, {"code": PAIRS[names](singles(inputs(file)["x"]))})
    best = found.findings[0]
    assert best.complete
    assert set(names) in [set(best.deviations), *map(set, best.alternatives)]
    assert len(best.deviations) == 2


def test_float64_rounded_to_float32_first():
    file = opened("encode/e4m3.nearest_even.finite.f64.hex")
    x = inputs(file)["x"].view(np.float64)
    found = named(file, {"code": encode(x.astype(np.float32))})
    assert found.findings[0].name == "rounded twice, first to fp32"


@pytest.mark.parametrize(
    ("nan", "name"),
    [(0x7, None), (0x0, "missing_nan zero"), (0x3, None)],
)
def test_missing_nan_of_fp4(nan, name):
    file = opened("encode/e2m1.nearest_even.finite.hex")
    x = singles(inputs(file)["x"])
    code = convert(x, E2M1, 7, planted.even, nan=nan)
    if nan == 0x7:
        assert diagnose(file, {"code": code}).equal
    elif nan == 0x0:
        assert named(file, {"code": code}).findings[0].name == name
    else:  # torchao's 1.5 keeps the sign
        code = np.where(np.isnan(x) & np.signbit(x), 0xB, code)
        found = named(file, {"code": code}).findings[0]
        assert found.name == "missing_nan signed_one_and_a_half"
        assert ("the cast of casts.TORCHAO",) in found.alternatives


def test_float32_subnormals_read_as_zero():
    # UE8M0 has 2^-127, a subnormal of float32, as its code 0; ties go to even codes.
    file = opened("encode/ue8m0.nearest_even.finite.hex")
    x = singles(inputs(file)["x"])
    want = file.output_array()[:, 0]
    code = np.where(np.abs(x) < 2.0**-126, 0, want).astype(np.uint8)
    best = named(file, {"code": code}).findings[0]
    assert best.name == "subnormal_inputs flush"


def test_quiet_nan_of_e5m2():
    file = opened("encode/e5m2.nearest_even.finite.hex")
    code = convert(singles(inputs(file)["x"]), E5M2, 0x7B, planted.even, nan=0x7E)
    assert named(file, {"code": code}).findings[0].name == "nan quiet"


@pytest.mark.parametrize(("code", "name"), [(0, "zero"), (0x7F, "nan")])
def test_negatives_of_an_unsigned_format(code, name):
    file = opened("encode/ue4m3.nearest_even.finite.hex")
    x = singles(inputs(file)["x"])
    codes = convert(x, E4M3, 0x7E, planted.even) & 0x7F
    finite = np.isfinite(x) if name == "zero" else ~np.isnan(x)
    codes = np.where((x < 0) & finite, code, codes)
    if name == "zero":  # -infinity is NaN there
        codes = np.where(np.isneginf(x), 0x7F, codes)
    assert named(file, {"code": codes}).findings[0].name == f"negative {name}"


def test_a_library_is_named_where_one_change_does_not_do():
    file = opened("encode/e4m3.nearest_even.finite.hex")
    x = singles(inputs(file)["x"])
    with np.errstate(invalid="ignore"):
        code = unsaturated(x)
    sign = np.where(np.signbit(x), 0x80, 0)
    code = np.where(np.isnan(x), 0x7F | sign, code)  # the NaN's sign stays
    best = named(file, {"code": code}).findings[0]
    assert best.complete
    assert best.name.startswith("the cast of casts.")
    every = [best.deviations, *best.alternatives]
    assert ("the cast of casts.TORCH_2_12",) in every
    assert ("the cast of casts.ML_DTYPES",) in every


def test_another_format_of_the_same_width():
    file = opened(PLAIN)
    code = convert(singles(inputs(file)["x"]), E5M2, 0x7B, planted.even)
    assert named(file, {"code": code}).findings[0].name == "target format e5m2"


def stochastic(file, threshold):
    """FP4 with a rule for `share` sixteenths between codes and a random word."""
    columns = inputs(file)
    words = columns["random"].astype(np.int64)

    def up(share, odd, negative):
        return threshold(share, words)

    return convert(singles(columns["x"]), E2M1, 7, up)


def test_stochastic_b_instead_of_a():
    # A adds the word to the truncated share; B has the word at half steps.
    file = opened("stochastic/e2m1.stochastic_a.2.hex")
    code = stochastic(file, lambda share, r: np.floor(share * 8) + 2 * r + 1 >= 8)
    found = named(file, {"code": code}).findings[0]
    assert "stochastic_b" in found.name
    assert found.complete


def test_fewer_random_bits():
    file = opened("stochastic/e2m1.stochastic_a.2.hex")
    code = stochastic(file, lambda share, r: np.floor(share * 2) + (r >> 1) >= 2)
    found = named(file, {"code": code}).findings[0]
    assert found.name == "rounding stochastic_a with the highest 1 random bits"


def test_nearest_where_stochastic_is_asked():
    file = opened("stochastic/e4m3.ptx_rs.hex")
    x = singles(inputs(file)["x"])
    flush = np.abs(x) < 2.0**-126
    code = convert(np.where(flush, np.copysign(0, x), x), E4M3, 0x7E, planted.even)
    sign = np.where(np.isnan(x) & np.signbit(x), 0x80, 0)
    assert (
        named(file, {"code": code | sign}).findings[0].name == "rounding nearest_even"
    )


def test_stochastic_rounding_by_unknown_bits():
    file = opened(PLAIN)
    draws = np.random.default_rng(3).random(len(file.cases))

    def up(share, odd, negative):
        return share > draws

    code = convert(singles(inputs(file)["x"]), E4M3, 0x7E, up)
    found = named(file, {"code": code}).findings[0]
    assert found.name == "stochastic rounding, random bits unknown"
    assert found.complete


DECODERS = {
    "subnormal codes read as zero": lambda code, value: np.where(
        code & 0x7F < 8, np.copysign(0, value), value
    ),
    "-0 read as +0": lambda code, value: np.where(value == 0, 0, value),
    "format: exponent bias 8 instead of 7": lambda code, value: value / 2,
}


@pytest.mark.parametrize("name", DECODERS)
def test_wrong_decoders(name):
    file = opened("decode/e4m3.hex")
    columns = inputs(file)
    value = DECODERS[name](columns["code"].astype(int), singles(columns["value"]))
    found = named(file, {"value": value.astype(np.float32)})
    assert found.findings[0].name == name


def test_a_wrong_table_of_fnuz_values():
    file = opened("decode/e4m3.hex")
    code = inputs(file)["code"].astype(int)
    size = magnitudes = planted.magnitudes(4, 3, 8)
    value = np.where(code & 0x80, -1, 1) * size[code & 0x7F]
    value = np.where(code == 0x80, np.nan, value).astype(np.float32)
    assert magnitudes.max() == 240
    assert named(file, {"value": value}).findings[0].name == "format e4m3fnuz"


def test_what_no_variant_gives_is_shown_with_bits_and_reason():
    file = opened(PLAIN)
    code = file.output_array()[:, 0].copy()
    code[[3, 700]] ^= 0x11
    found = diagnose(file, {"code": code})
    assert (found.differing, found.unexplained) == (2, 2)
    assert found.findings == ()
    assert [one.place for one in found.remaining] == ["case 4", "case 701"]
    first = found.remaining[0]
    assert first.got == f"{int(code[3]):02x}"
    assert first.want == f"{int(code[3]) ^ 0x11:02x}"
    assert first.reason == file.cases[3].reason
    assert "no known variant" in str(found)


def test_a_partial_explanation_says_what_remains():
    file = opened(PLAIN)
    code = encode(singles(inputs(file)["x"]), planted.away)
    code[5] ^= 1
    found = diagnose(file, {"code": code})
    best = found.findings[0]
    assert best.deviations == ("rounding nearest_away",)
    assert best.explained == found.differing - 1
    assert (found.unexplained, len(found.remaining)) == (1, 1)
    assert 0.98 < best.share_of_differing < 1


def test_equal_explanations_are_all_named():
    # Without negative values, ties up are ties away from zero.
    file = opened("encode/ue4m3.nearest_even.finite.hex")
    x = singles(inputs(file)["x"])
    codes = convert(x, E4M3, 0x7E, planted.away) & 0x7F
    best = named(file, {"code": codes}).findings[0]
    assert best.name == "rounding nearest_away"
    assert best.complete
    assert "cannot be told apart" in str(diagnose(file, {"code": codes}))


@pytest.mark.parametrize(("name", "cast"), [("CUDA_NOSAT", "saturation none")])
def test_captures_are_golden_files_too(name, cast):
    place = f"{planted.GOLDEN}/hardware/h100/cvt_bf16.npz:bf16_to_e4m3"
    x = (np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)).view(np.float32)
    code = rn.encode(x, rn.E4M3, getattr(rn.casts, name))
    best = named(place, {"code": code}).findings[0]
    assert best.name == cast
    assert ("the cast of casts.CUDA_NOSAT",) in best.alternatives
