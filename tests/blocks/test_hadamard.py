"""Hadamard rotations against the definition, in integers and Fractions."""

from fractions import Fraction
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import refnum as rn
from refnum.blocks.hadamard import hadamard
from refnum.blocks.signs import hadamard_signs, random_signs
from refnum.blocks.sylvester import sylvester

SIZES = [2**k for k in range(1, 11)]
ONES = 0x3F800000


def bits(x):
    return np.ascontiguousarray(x).view(np.uint32)


def sign(row, column):
    """The definition of the matrix, for one element."""
    return -1 if (row & column).bit_count() % 2 else 1


def not_above(value, total, size):
    """Whether value <= total / sqrt(size), by squares alone."""
    negative, square = total < 0, total * total
    if (value < 0) != negative:
        return value < 0 or (value == 0 and not negative)
    return (value * value * size <= square) != negative or value**2 * size == square


def float32_of_root(total, size):
    """The float32 nearest total / sqrt(size), found by bisection over codes."""
    if total == 0:
        return 0.0
    if total < 0:
        return -float32_of_root(-total, size)
    low, high = 0, 0x7F800000  # code(low) <= the root; code(high) counts as 2^128

    def value(code):
        return Fraction(2) ** 128 if code == 0x7F800000 else Fraction(float32(code))

    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if not_above(value(middle), total, size) else (low, middle)
        )
    if not not_above(value(high), total, size):
        half = (value(low) + value(high)) / 2
        exactly = half * half * size == total * total
        above = not_above(half, total, size) and not exactly
        return float32(high if above or (exactly and low % 2) else low)
    return inf


def float32(code):
    return float(np.uint32(code).view(np.float32))


def by_definition(x, size, signs=None, signs_first=True):
    """Rotate a vector of `size` elements, finite ones."""
    d = [1] * size if signs is None else [int(s) for s in signs]
    terms = [Fraction(float(v)) for v in x]
    if signs_first:
        terms = [v * s for v, s in zip(terms, d, strict=True)]
    out = []
    for column in range(size):
        total = sum(v * sign(row, column) for row, v in enumerate(terms))
        out.append(float32_of_root(total if signs_first else total * d[column], size))
    return np.array(out, np.float32)


def butterflies_by_definition(x, size):
    """Each float32 operation by itself, ascending stride."""
    x, stride = [np.float32(v) for v in x], 1
    while stride < size:
        for i in range(size):
            if not i & stride:
                x[i], x[i + stride] = x[i] + x[i + stride], x[i] - x[i + stride]
        stride *= 2
    return np.array([v * np.float32(size**-0.5) for v in x], np.float32)


def normals(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def wild(size, seed, spread):
    """Floats of exponents all over a range of `spread` bits."""
    rng = np.random.default_rng(seed)
    x = np.ldexp(rng.standard_normal(size), rng.integers(-spread, 1, size))
    return np.where(rng.random(size) < 0.1, 0, x).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
def test_matrix_is_sylvesters(size):
    matrix = sylvester(size)
    for row, column in np.random.default_rng(size).integers(0, size, (200, 2)).tolist():
        assert matrix[row, column] == sign(row, column)
    doubled = np.block([[matrix, matrix], [matrix, -matrix]])
    assert np.array_equal(doubled, sylvester(2 * size))


@pytest.mark.parametrize("size", SIZES)
def test_unit_vectors_give_the_rows_of_the_matrix(size):
    expected = sylvester(size) * np.float32(float32_of_root(Fraction(1), size))
    assert np.array_equal(hadamard(np.eye(size), size), expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("spread", [0, 20, 60, 120, 145])
def test_exact_is_the_correctly_rounded_sum(size, spread):
    runs = max(1, 64 // size)
    x = wild(size * runs, seed=size, spread=spread)
    got = hadamard(x, size).reshape(runs, size)
    for run, result in zip(x.reshape(runs, size), got, strict=True):
        columns = range(0, size, max(1, size // 32))
        terms = [Fraction(float(v)) for v in run]
        for column in columns:
            total = sum(v * sign(row, column) for row, v in enumerate(terms))
            expected = np.float32(float32_of_root(total, size))
            assert bits(result[column]) == bits(expected)


@given(
    hnp.arrays(
        np.float32,
        8,
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_exact_on_any_eight_floats(x):
    assert np.array_equal(bits(hadamard(x, 8)), bits(by_definition(x, 8)))


@given(hnp.arrays(np.float64, 4, elements=st.floats(-1e300, 1e300)))
def test_exact_on_any_four_doubles(x):
    assert np.array_equal(bits(hadamard(x, 4)), bits(by_definition(x, 4)))


@pytest.mark.parametrize("size", [2, 8, 32])
def test_products_close_to_a_midpoint(size):
    """Sums whose root lies within 2^-52 of a float32 midpoint or of a float32."""
    found = 0
    for code in np.random.default_rng(1).integers(ONES, 2 * ONES, 400).tolist():
        for half in (0, 1):
            target = Fraction(2 * (code & 0x7FFFFF | 0x800000) + half)
            near = float(target) * size**0.5
            for total in (np.nextafter(near, 0), near, np.nextafter(near, np.inf)):
                x = np.zeros(size)
                x[0] = total
                got = hadamard(x, size)[0]
                assert got == float32_of_root(Fraction(float(total)), size)
                found += 1
    assert found == 2400


def test_a_lone_small_term_breaks_a_tie():
    x = np.zeros(16, np.float32)
    x[:3] = 4 + 2**-21, 2**-23, 2**-149
    assert hadamard(x, 16)[0] == by_definition(x, 16)[0]
    x[2] = 0
    assert hadamard(x, 16)[0] == by_definition(x, 16)[0]


@pytest.mark.parametrize("size", SIZES)
def test_butterfly_is_each_operation_by_itself(size):
    x = wild(2 * size, seed=size, spread=30)
    got = hadamard(x, size, arithmetic="butterfly").reshape(2, size)
    for run, result in zip(x.reshape(2, size), got, strict=True):
        assert np.array_equal(bits(result), bits(butterflies_by_definition(run, size)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("exponent", [-140, 0, 110, 120])
def test_butterfly_without_zeros(size, exponent):
    """Large groups of ordinary numbers take another way, to the same bits."""
    x = np.ldexp(normals(2, size, seed=size), exponent)
    x[0, :2] = x[0, 0]  # differences of zero
    x[x == 0] = 2.0**-149
    with np.errstate(over="ignore", invalid="ignore"):
        expected = [butterflies_by_definition(run, size) for run in x]
    got = hadamard(x, size, arithmetic="butterfly")
    assert np.array_equal(bits(got), bits(np.array(expected)))
    some = wild(2 * size, seed=1, spread=5).reshape(2, size)
    some[0, 0] = -0.0
    expected = [butterflies_by_definition(run, size) for run in some]
    got = hadamard(some, size, arithmetic="butterfly")
    assert np.array_equal(bits(got), bits(np.array(expected)))


def test_butterfly_and_exact_differ():
    x = normals(64, 16)
    assert np.any(hadamard(x, 16) != hadamard(x, 16, arithmetic="butterfly"))


@pytest.mark.parametrize("signs_first", [True, False])
@pytest.mark.parametrize("size", [2, 16, 64])
def test_signs(size, signs_first):
    x, signs = wild(size, seed=3, spread=70), random_signs(size, seed=size)
    order = "signs_first" if signs_first else "signs_last"
    expected = by_definition(x, size, signs, signs_first)
    assert np.array_equal(
        bits(hadamard(x, size, signs=signs, order=order)), bits(expected)
    )
    butterfly = hadamard(x, size, signs=signs, order=order, arithmetic="butterfly")
    if signs_first:
        assert np.array_equal(butterfly, butterflies_by_definition(x * signs, size))
    else:
        assert np.array_equal(butterfly, butterflies_by_definition(x, size) * signs)


@pytest.mark.parametrize("arithmetic", ["exact", "butterfly"])
@pytest.mark.parametrize("order", ["signs_first", "signs_last"])
@pytest.mark.parametrize("size", [4, 16, 64, 256, 1024])
def test_the_inverse_recovers_small_integers(size, order, arithmetic):
    rng = np.random.default_rng(size)
    x = rng.integers(-100, 101, (3, size)).astype(np.float32)
    options = {
        "signs": random_signs(size, seed=1),
        "order": order,
        "arithmetic": arithmetic,
    }
    y = hadamard(x, size, **options)
    assert np.array_equal(hadamard(y, size, inverse=True, **options), x)


@given(hnp.arrays(np.int16, (2, 64)), st.sampled_from([4, 16, 64]))
def test_rotation_keeps_the_inner_product(x, size):
    y = hadamard(x.astype(np.float32), size).astype(np.float64)
    assert y[0] @ y[1] == x[0].astype(float) @ x[1].astype(float)


@pytest.mark.parametrize("size", [16, 32, 128])
@pytest.mark.parametrize("spread", [0, 60])
@pytest.mark.parametrize("target", [rn.BF16, rn.FP16, rn.E4M3])
def test_output_is_rounded_once_from_the_exact_value(size, spread, target):
    x = wild(8 * size, seed=11, spread=spread)
    x[: 4 * size] = rn.round_to(x[: 4 * size], rn.BF16)
    got = hadamard(x, size, output=target).reshape(-1, size)
    for run, result in zip(x.reshape(-1, size), got, strict=True):
        for column in range(0, size, 5):
            terms = enumerate(run.tolist())
            total = sum(Fraction(v) * sign(row, column) for row, v in terms)
            # sqrt(total^2 / size) to 200 bits and a sticky bit, exactly
            square = total * total / size * 4**200
            root = Fraction(isqrt_sticky(square), 2**202)
            root = -root if total < 0 else root
            expected = rn.formats.exact.encode(root, target)
            assert rn.encode(result[column], target) == expected


def isqrt_sticky(square):
    from math import isqrt

    root = isqrt(int(square))
    return 4 * root + (root * root != square)


def test_one_rounding_to_bf16_is_not_two():
    x = np.zeros(16, np.float32)
    x[:3] = 4 * (1 + 2**-8), 2**-28, 0  # just above a midpoint of two bf16
    assert hadamard(x, 16, output=rn.BF16)[0] == 1 + 2**-7
    assert hadamard(x, 16)[0] == 1 + 2**-8


def test_special_values():
    x = np.zeros((4, 16), np.float32)
    x[0, 3], x[1, 3], x[2, [3, 5]], x[3] = np.nan, np.inf, np.inf, 1
    for arithmetic in ("exact", "butterfly"):
        y = hadamard(x, 16, arithmetic=arithmetic)
        assert np.isnan(y[0]).all()
        assert np.array_equal(y[1], np.inf * sylvester(16)[3])
        agree = sylvester(16)[3] == sylvester(16)[5]
        assert np.array_equal(np.isnan(y[2]), ~agree)
        assert np.array_equal(y[2][agree], np.inf * sylvester(16)[3][agree])
        assert y[3].tolist() == [4, *[0] * 15]


def test_overflow_is_infinite_and_underflow_keeps_its_sign():
    x = np.full(16, np.finfo(np.float32).max)
    assert hadamard(x, 16).tolist() == [np.inf, *[0] * 15]
    x = np.zeros(4, np.float32)
    x[0] = -(2**-149)
    assert np.signbit(hadamard(x, 4)).all()
    assert (hadamard(x, 4) == 0).all()


@pytest.mark.parametrize("order", ["signs_first", "signs_last"])
def test_a_sum_of_zero_is_positive(order):
    signs = hadamard_signs()
    for x in (np.zeros(16), -np.zeros(16), np.tile([1, -1], 8)):
        y = hadamard(x, 16, signs=signs, order=order)
        assert not np.signbit(y[y == 0]).any()


@pytest.mark.parametrize("arithmetic", ["exact", "butterfly"])
def test_axes_and_layouts_agree(arithmetic):
    x = wild(32 * 48 * 64, seed=5, spread=40).reshape(32, 48, 64)
    for axis in range(3):
        expected = hadamard(
            np.ascontiguousarray(np.moveaxis(x, axis, -1)), 16, arithmetic=arithmetic
        )
        for same in (
            x,
            np.asfortranarray(x),
            x.astype(">f4"),
            np.repeat(x, 2, axis=1)[:, ::2],
            x[::-1].copy()[::-1],
        ):
            for number in (axis, axis - 3):
                y = hadamard(same, 16, axis=number, arithmetic=arithmetic)
                assert np.array_equal(bits(np.moveaxis(y, axis, -1)), bits(expected))


def test_chunks_do_not_matter():
    x = normals(3, 70000 // 32 * 32)
    whole = hadamard(x, 32)
    for start in (0, 32, 32000):
        part = hadamard(x[1, start : start + 6400], 32)
        assert np.array_equal(bits(part), bits(whole[1, start : start + 6400]))


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float64, np.int8, np.uint16, np.int64]
)
def test_types_agree(dtype):
    x = np.random.default_rng(2).integers(0, 100, (5, 64)).astype(dtype)
    expected = hadamard(x.astype(np.float32), 64)
    assert np.array_equal(bits(hadamard(x, 64)), bits(expected))


def test_transformer_engines_signs():
    assert sum(1 << i for i, s in enumerate(hadamard_signs()) if s < 0) == 0xD7E8


@given(st.sampled_from(SIZES), st.integers(0, 2**64 - 1))
def test_random_signs_are_bits_of_philox(size, seed):
    signs = random_signs(size, seed)
    counters = [[i, 0, 0, 0] for i in range(8)]
    words = rn.random.philox.philox4x32(counters, [seed % 2**32, seed >> 32]).ravel()
    expected = [-1 if int(words[i // 32]) >> i % 32 & 1 else 1 for i in range(size)]
    assert signs.tolist() == expected
    assert np.array_equal(random_signs(size, words=words), signs)


def test_empty():
    assert hadamard(np.zeros((0, 16)), 16).shape == (0, 16)
    assert hadamard(np.zeros((3, 0)), 16).shape == (3, 0)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([1.0] * 12, 12), ValueError, "power of two, 2 to 1024, not 12"),
        (([1.0] * 12, 2048), ValueError, "not 2048"),
        (([1.0] * 12, 1), ValueError, "not 1"),
        (([1.0] * 12, 8), ValueError, "12 elements: not a multiple of 8"),
        ((1.0, 8), ValueError, "0 dimensions"),
        (([1j] * 8, 8), TypeError, "complex128"),
        ((["a"] * 8, 8), TypeError, "not <U1"),
        (([2**53 + 1] * 8, 8), ValueError, "integers must be below"),
    ],
)
def test_bad_input(arguments, error, words):
    with pytest.raises(error, match=words):
        hadamard(*arguments)


@pytest.mark.parametrize(
    ("option", "error", "words"),
    [
        ({"signs": [1, -1]}, ValueError, "8 of"),
        ({"signs": [1, 0] * 4}, ValueError, "8 of"),
        ({"signs": ["1"] * 8}, TypeError, "numbers"),
        ({"axis": 1}, ValueError, "axis 1"),
        ({"order": "last"}, ValueError, "signs_first or signs_last"),
        ({"arithmetic": "float32"}, ValueError, "exact or butterfly"),
        ({"output": "nonsense"}, ValueError, "nonsense"),
    ],
)
def test_bad_options(option, error, words):
    with pytest.raises(error, match=words):
        hadamard(np.ones(8), 8, **option)


def test_bad_signs():
    with pytest.raises(ValueError, match="no signs named 'other'"):
        hadamard_signs("other")
    with pytest.raises(TypeError, match="one of the two"):
        random_signs(16)
    with pytest.raises(TypeError, match="uint32"):
        random_signs(16, words=[1.0])
    with pytest.raises(ValueError, match="need 2 words, not 1"):
        random_signs(64, words=np.zeros(1, np.uint32))
    with pytest.raises(ValueError, match="seed must be"):
        random_signs(64, seed=-1)
