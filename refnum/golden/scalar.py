"""Golden files of scalars: every output is what two derivations agree on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from refnum.formats import FP32, Cast, Format, Rounding, decode, encode, exact
from refnum.golden.inputs import F32, F64, Input, double_inputs, encode_inputs, number
from refnum.golden.outcome import reason
from refnum.golden.philox import random_words
from refnum.golden.record import Case, Column, Disagreement, GoldenFile, Source

__all__ = [
    "decode_file",
    "double_file",
    "encode_file",
    "replay_file",
    "stochastic_file",
]

_STEPS = 16  # places between two codes at which stochastic rounding is tried
_QUIET_NAN = 0x7FC00000


def decode_file(fmt: Format) -> GoldenFile:
    """Return the value of every code; every NaN is written 7fc00000."""
    codes = range(2**fmt.bits)
    fast = decode(np.arange(2**fmt.bits), fmt)
    cases = []
    for code, value in zip(codes, fast.tolist(), strict=True):
        slow = float(exact.decode(code, fmt))
        patterns = [_canonical(value), _canonical(slow)]
        if patterns[0] != patterns[1]:
            raise Disagreement(f"{fmt} code {code:#x}: {value!r} and {slow!r}")
        cases.append(Case((code, patterns[0]), number(value)))
    facts = {"op": "decode", "in": fmt.name, "out": "f32"}
    columns = Column.of("code", fmt.bits), Column("value", 32)
    return GoldenFile(facts, columns, tuple(cases))


def encode_file(
    fmt: Format,
    cast: Cast,
    *,
    name: str | None = None,
    thorough: bool,
    randoms: int,
    key: tuple[int, int],
) -> GoldenFile:
    """Return conversions of float32 values; `name` is that of a library's cast."""
    inputs = encode_inputs(fmt, thorough=thorough, randoms=randoms, key=key)
    return _encode_file(fmt, cast, F32, inputs, name)


def double_file(fmt: Format, cast: Cast) -> GoldenFile:
    """Return conversions of the float64 values that must not be rounded twice."""
    return _encode_file(fmt, cast, F64, double_inputs(fmt), None)


def stochastic_file(fmt: Format, cast: Cast) -> GoldenFile:
    """Return every random word at every sixteenth between some neighbouring codes."""
    words = range(1 << _bits(cast))
    cases = [
        (place, word) for place in _sixteenths(fmt, cast.rounding) for word in words
    ]
    return _stochastic_file(fmt, cast, cases, None)


def replay_file(
    fmt: Format, cast: Cast, *, name: str, count: int, key: tuple[int, int]
) -> GoldenFile:
    """Return conversions with random words: a library's stochastic rounding."""
    inputs = encode_inputs(fmt, thorough=False, randoms=count, key=key)
    words = random_words(len(inputs), key)[:, 3] & np.uint32((1 << _bits(cast)) - 1)
    extremes = [0, (1 << _bits(cast)) - 1]
    cases = [(case, word) for case, word in zip(inputs, words.tolist(), strict=True)]
    cases += [(case, word) for case in inputs if case.tie for word in extremes]
    return _stochastic_file(fmt, cast, cases, name)


def _encode_file(
    fmt: Format, cast: Cast, source: Source, inputs: list[Input], name: str | None
) -> GoldenFile:
    values = source.values([case.pattern for case in inputs])
    codes = encode(values, fmt, cast).tolist()
    resolved = _once(cast.resolve(fmt), source)
    cases = []
    for case, x, code in zip(inputs, _floats(values), codes, strict=True):
        _agree(code, exact.encode(x, fmt, resolved), x, fmt, resolved)
        text = reason(case, x, code, fmt, resolved)
        cases.append(Case((case.pattern, code), text))
    facts = _facts("encode", source, fmt, resolved, name)
    columns = Column("x", source.bits), Column.of("code", fmt.bits)
    return GoldenFile(facts, columns, tuple(cases))


def _stochastic_file(
    fmt: Format, cast: Cast, pairs: Iterable[tuple[Input, int]], name: str | None
) -> GoldenFile:
    pairs, bits, cast = list(pairs), _bits(cast), cast.resolve(fmt)
    values = F32.values([case.pattern for case, _ in pairs])
    random = np.array([word for _, word in pairs], np.uint32)
    codes = encode(values, fmt, cast, random=random).tolist()
    cases = []
    for (case, word), x, code in zip(pairs, _floats(values), codes, strict=True):
        _agree(code, exact.encode(x, fmt, cast, word), x, fmt, cast)
        cases.append(Case((case.pattern, word, code), case.place))
    facts = _facts("encode", F32, fmt, cast, name) | {"random_bits": str(bits)}
    columns = (
        Column("x", 32),
        Column.of("random", bits),
        Column.of("code", fmt.bits),
    )
    return GoldenFile(facts, columns, tuple(cases))


def _facts(
    op: str, source: Source, fmt: Format, cast: Cast, name: str | None
) -> dict[str, str]:
    assert cast.saturation is not None
    facts = {"op": op, "in": source.name, "out": fmt.name}
    if name is not None:
        facts["cast"] = name
    facts["rounding"] = cast.rounding.value
    facts["saturation"] = cast.saturation.value
    return facts


def _sixteenths(fmt: Format, rounding: Rounding) -> list[Input]:
    """Return places between neighbours: subnormal, from one on, the largest."""
    values = [float(v) for v in fmt.values[: fmt.max_code + 1]]
    one = values.index(1.0)
    step = values[-1] - values[-2]
    pairs = [(values[0], values[1]), (values[1], values[2])]
    pairs += [(-values[one + 1], -values[one]), (values[-2], values[-1])]
    pairs.append((values[-1], values[-1] + step))
    return [
        Input(
            F32.pattern(low + (high - low) * part / _STEPS),
            f"{number(low)}|{number(high)} at {part}/{_STEPS}",
        )
        for low, high in pairs
        for part in range(_STEPS)
    ]


def _once(cast: Cast, source: Source) -> Cast:
    """Drop a first rounding to float32 where the input is one already."""
    idle = cast.via == FP32 and source == F32
    return replace(cast, via=None) if idle else cast


def _agree(fast: int, slow: int, x: float, fmt: Format, cast: Cast) -> None:
    if fast != slow:
        raise Disagreement(
            f"{x!r} to {fmt} by {cast}: {fast:#x} by the codec, {slow:#x} exactly"
        )


def _bits(cast: Cast) -> int:
    if cast.random_bits is None:
        raise ValueError(f"{cast.rounding.value} takes no random bits")
    return cast.random_bits


def _floats(values: npt.NDArray[np.floating]) -> list[float]:
    with np.errstate(invalid="ignore"):  # signalling NaNs become quiet
        wide: list[float] = values.astype(np.float64).tolist()
    return wide


def _canonical(value: float) -> int:
    return _QUIET_NAN if math.isnan(value) else F32.pattern(value)
