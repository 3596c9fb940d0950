"""Which golden files there are: paths, and the functions that make their content.

Names say what decides the outputs: ``encode/e4m3.nearest_even.finite.hex`` is a
rounding with a saturation, ``encode/e4m3.cuda_nosat.hex`` the cast of a library. A
library has a file only where it differs from the default cast on these inputs.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from refnum.golden.blocks import block_bundle, block_cases
from refnum.golden.bundle import Bundle
from refnum.golden.philox import philox_file
from refnum.golden.record import GoldenFile
from refnum.golden.rotations import (
    hadamard_bundle,
    hadamard_cases,
    layout_bundle,
    layout_cases,
)
from refnum.golden.scales import scale_file, scale_formats
from refnum.golden.tensors import TensorCase

__all__ = ["SUITE_VERSION", "Entry", "Options", "entries"]

SUITE_VERSION = "1.0.0"
"""Patch: more cases. Minor: more files. Major: a changed bit."""

_WIDEST = 9  # bits of the formats that have files
_RANDOMS = {1: 24, 2: 4096}
_PHILOX_BLOCKS = {1: 100, 2: 10_000}

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


@dataclass(frozen=True)
class Options:
    """How large a suite is, and which random values it has.

    Parameters
    ----------
    level : int
        1, what the repository holds; 2, every code and midpoint in every file and
        many more random values.
    seed : int
        Low word of the Philox key of all random values.
    """

    level: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        if self.level not in _RANDOMS:
            raise ValueError(f"level must be 1 or 2, not {self.level!r}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be from 0 to 2**32 - 1, not {self.seed!r}")

    def key(self, path: str) -> tuple[int, int]:
        """Return the Philox key of a file: no two files share their random values."""
        return self.seed, zlib.crc32(path.encode())


@dataclass(frozen=True)
class Entry:
    """One golden file, or one folder: its path, and what makes its content."""

    path: str
    make: Callable[[Options], GoldenFile | Bundle]


def entries() -> tuple[Entry, ...]:
    """Return all entries, sorted by path.

    Returns
    -------
    tuple of Entry
        What the suite consists of.

    Examples
    --------
    >>> from refnum.golden import entries
    >>> entries()[0].path
    'decode/e1m2.hex'
    """
    scalars = (
        _decodes(),
        _encodes(),
        _doubles(),
        _libraries(),
        _stochastics(),
        _philox(),
    )
    groups = *scalars, _scales(), _quantized(), _rotations()
    every = [entry for group in groups for entry in group]
    return tuple(sorted(every, key=lambda entry: entry.path))


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


def _scales() -> Iterator[Entry]:
    for path, fmt in scale_formats():
        yield Entry(path, partial(_scale, fmt))


def _quantized() -> Iterator[Entry]:
    for path, fmt, case in block_cases():
        yield Entry(path, partial(_quantize, path, fmt, case))


def _rotations() -> Iterator[Entry]:
    for path, size, signs in hadamard_cases():
        yield Entry(path, partial(_rotate, path, size, signs))
    for path, shape, tile in layout_cases():
        yield Entry(path, partial(_swizzle, shape, tile))


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


def _scale(fmt: BlockFormat, _: Options) -> GoldenFile:
    return scale_file(fmt)


def _quantize(
    path: str, fmt: BlockFormat, case: TensorCase, options: Options
) -> Bundle:
    return block_bundle(fmt, case, options.key(path))


def _rotate(path: str, size: int, signs: str, options: Options) -> Bundle:
    return hadamard_bundle(size, signs, options.key(path))


def _swizzle(shape: tuple[int, ...], tile: tuple[int, int], _: Options) -> Bundle:
    return layout_bundle(shape, tile)


def _blocks(path: str, rounds: int, options: Options) -> GoldenFile:
    count = _PHILOX_BLOCKS[options.level]
    return philox_file(rounds, count, options.key(path))


def _narrow() -> list[Format]:
    return [fmt for fmt in FORMATS if fmt.bits <= _WIDEST]
