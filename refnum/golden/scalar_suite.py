"""The golden files of scalars: codes, conversions, random numbers and scale rules.

A library has a file only where it differs from the default cast on these inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from refnum.blocks import BlockFormat
from refnum.formats import (
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E5M2,
    FORMATS,
    UE8M0,
    Cast,
    Format,
    NaNCodes,
    Rounding,
    Saturation,
    casts,
    format,
)
from refnum.golden import scalar
from refnum.golden.entry import Entry, Options
from refnum.golden.philox import philox_file
from refnum.golden.record import GoldenFile
from refnum.golden.scales import scale_file, scale_formats

__all__ = ["scalar_entries"]

_WIDEST = 9  # bits of the formats that have files

_MODES = (
    Rounding.NEAREST_AWAY,
    Rounding.TOWARD_ZERO,
    Rounding.TOWARD_POSITIVE,
    Rounding.TOWARD_NEGATIVE,
    Rounding.AWAY_FROM_ZERO,
    Rounding.TO_ODD,
)
_STOCHASTIC = Rounding.STOCHASTIC_A, Rounding.STOCHASTIC_B, Rounding.STOCHASTIC_C
_STOCHASTIC_BITS = 2
_RANDOMS = {1: 24, 2: 4096}
_PHILOX_BLOCKS = {1: 100, 2: 10_000}

_LIBRARIES = {
    "ALTO": "ue5m3",
    "AMD_CK": "ue5m3",
    "AMD_HIP": "e2m1 e4m3",
    "CUDA": "ue8m0",
    "CUDA_NOSAT": "e4m3 e5m2 ue5m3 ue8m0",
    "CUTLASS": "e2m1",
    "DEEPGEMM": "e2m1",
    "MICROXCALING": "e2m1 e4m3",
    "ML_DTYPES": "e2m1 e2m3 e3m2 e3m4 e4m3 e4m3_ieee e4m3fnuz e5m2 e5m2fnuz ue8m0",
    "ONNX": "e2m1 e4m3 e5m2 ue8m0",
    "ONNX_NOSAT": "e4m3 e5m2 ue8m0",
    "TORCH": "e4m3 e4m3fnuz e5m2 e5m2fnuz ue8m0",
    "TORCHAO": "e2m1",
    "TORCH_2_12": "e4m3",
    "TRANSFORMER_ENGINE_REFERENCE": "e2m1",
}
_REPLAYS = {"PTX_RS": "e2m1 e4m3 e5m2", "TRANSFORMER_ENGINE_SR8": "e2m1"}


def scalar_entries() -> Iterator[Entry]:
    """Yield every file of scalars."""
    yield from _decodes()
    yield from _encodes()
    yield from _doubles()
    yield from _libraries()
    yield from _stochastics()
    yield from _philox()
    yield from _scales()


def _decodes() -> Iterator[Entry]:
    for fmt in _narrow():
        yield Entry(f"decode/{fmt}.hex", partial(_decode, fmt))


def _encodes() -> Iterator[Entry]:
    finite, propagate, none = Saturation
    for fmt in _narrow():
        yield _encode(fmt, Cast(saturation=finite), thorough=True)
        saturations = [finite]
        if fmt.nan is not NaNCodes.NONE:
            yield _encode(fmt, Cast(saturation=propagate))
            yield _encode(fmt, Cast(saturation=none))
            saturations.append(none)
        modes = _MODES if fmt in (E2M1, E4M3, E5M2, UE8M0) else ()
        for mode in modes:
            for saturation in saturations:
                yield _encode(fmt, Cast(mode, saturation))


def _doubles() -> Iterator[Entry]:
    cast = Cast(saturation=Saturation.FINITE)
    for fmt in (E2M1, E2M3, E3M2, E4M3, E5M2):
        path = f"encode/{fmt}.nearest_even.finite.f64.hex"
        yield Entry(path, partial(_double, fmt, cast))


def _libraries() -> Iterator[Entry]:
    for name, formats in _LIBRARIES.items():
        for word in formats.split():
            yield _encode(format(word), getattr(casts, name), name.lower())


def _stochastics() -> Iterator[Entry]:
    for fmt in (E2M1, E4M3, E5M2):
        for mode in _STOCHASTIC:
            cast = Cast(mode, random_bits=_STOCHASTIC_BITS)
            path = f"stochastic/{fmt}.{mode.value}.{_STOCHASTIC_BITS}.hex"
            yield Entry(path, partial(_stochastic, fmt, cast))
    for name, formats in _REPLAYS.items():
        for word in formats.split():
            path = f"stochastic/{word}.{name.lower()}.hex"
            yield Entry(path, partial(_replay, path, format(word), name))


def _philox() -> Iterator[Entry]:
    for rounds in (7, 10):
        path = f"philox/4x32-{rounds}.hex"
        yield Entry(path, partial(_blocks, path, rounds))


def _encode(
    fmt: Format, cast: Cast, name: str | None = None, *, thorough: bool = False
) -> Entry:
    saturation = cast.resolve(fmt).saturation
    assert saturation is not None
    what = name or f"{cast.rounding.value}.{saturation.value}"
    path = f"encode/{fmt}.{what}.hex"
    return Entry(path, partial(_encoded, path, fmt, cast, name, thorough))


def _encoded(
    path: str,
    fmt: Format,
    cast: Cast,
    name: str | None,
    thorough: bool,
    options: Options,
) -> GoldenFile:
    return scalar.encode_file(
        fmt,
        cast,
        name=name,
        thorough=thorough or options.level > 1,
        randoms=_RANDOMS[options.level],
        key=options.key(path),
    )


def _decode(fmt: Format, _: Options) -> GoldenFile:
    return scalar.decode_file(fmt)


def _double(fmt: Format, cast: Cast, _: Options) -> GoldenFile:
    return scalar.double_file(fmt, cast)


def _stochastic(fmt: Format, cast: Cast, _: Options) -> GoldenFile:
    return scalar.stochastic_file(fmt, cast)


def _replay(path: str, fmt: Format, name: str, options: Options) -> GoldenFile:
    cast, count = getattr(casts, name), _RANDOMS[options.level]
    key = options.key(path)
    return scalar.replay_file(fmt, cast, name=name.lower(), count=count, key=key)


def _blocks(path: str, rounds: int, options: Options) -> GoldenFile:
    count = _PHILOX_BLOCKS[options.level]
    return philox_file(rounds, count, options.key(path))


def _narrow() -> list[Format]:
    return [fmt for fmt in FORMATS if fmt.bits <= _WIDEST]


def _scales() -> Iterator[Entry]:
    for path, fmt in scale_formats():
        yield Entry(path, partial(_scale, fmt))


def _scale(fmt: BlockFormat, _: Options) -> GoldenFile:
    return scale_file(fmt)
