"""Look-up tables that make every deterministic cast cost the same.

A deterministic rounding of a float32 to m mantissa bits depends on its sign, its
exponent, its leading m + 2 fraction bits and on whether anything follows them. Let
the last of those bits also stand for what follows it (rounding to odd: OR the
dropped bits into it), and these leading bits are an index from which every answer
can be read. Proof for the definition: an index, padded with zeros, is itself
a float32 on the same side of every boundary as the values that share it, since
all codes and midpoints have at most m + 1 fraction bits. So the definition is
asked for these representatives alone.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from refnum.formats.arithmetic import encode_float64
from refnum.formats.cast import Cast
from refnum.formats.format import Format

__all__ = [
    "CHUNK",
    "code_table",
    "index_shift",
    "jam_float64",
    "pair_table",
    "quietly",
    "table_index",
    "value_table",
]

CHUNK = 1 << 15  # elements: index, input and output stay in the L2 cache
_WIDEST = 9  # fraction bits of an index; BF16 needs all, FP16 would need 12
_FLOAT32_EMIN, _FLOAT32_EMAX = -126, 127


def index_shift(fmt: Format) -> int | None:
    """Return how many bits of a float32 an index drops, None for wide targets.

    A subnormal float32 spends fraction bits on its leading zeros. UE8M0 has full
    precision one binade into that range, so its index keeps one bit more.
    """
    lowest = int(fmt.zero) - fmt.bias  # exponent below which the spacing is fixed
    kept = fmt.mantissa_bits + 2 + max(0, _FLOAT32_EMIN - lowest)
    if kept > _WIDEST or fmt.emax > _FLOAT32_EMAX:
        return None
    return 23 - kept


def table_index(
    bits: npt.NDArray[np.uint32], shift: int, out: npt.NDArray[np.uint32]
) -> None:
    """Write the index of each float32 bit pattern to `out`."""
    dropped = np.uint32((1 << shift) - 1)
    np.bitwise_and(bits, dropped, out=out)
    np.add(out, dropped, out=out)  # carries into the last kept bit if any was set
    np.bitwise_or(out, bits, out=out)
    np.right_shift(out, np.uint32(shift), out=out)


@lru_cache(maxsize=256)
def code_table(fmt: Format, cast: Cast) -> npt.NDArray[np.unsignedinteger]:
    """Return the code at every index, read-only; `cast` is resolved."""
    shift = index_shift(fmt)
    assert shift is not None
    patterns = np.arange(1 << (32 - shift), dtype=np.uint32) << np.uint32(shift)
    values = patterns.view(np.float32)
    with np.errstate(invalid="ignore"):  # signalling NaNs become quiet
        table = encode_float64(values.astype(np.float64), fmt, cast)
    table.flags.writeable = False
    return table


def jam_float64(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Round float64 to odd float32: what follows never rounds a second time.

    A float32 keeps far more bits than any index reads, so whether bits were lost
    is all that the rest can tell.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        y = x.astype(np.float32)
    bits = y.view(np.uint32)
    lost = (y.astype(np.float64) != x) & ~np.isnan(x)
    too_far = np.abs(y.astype(np.float64)) > np.abs(x)
    bits -= lost & too_far  # towards zero, back from infinity too
    bits |= lost
    return y


@lru_cache(maxsize=128)
def value_table(fmt: Format, dtype: np.dtype[np.floating]) -> npt.NDArray[np.generic]:
    """Return the value of every code, read-only."""
    table = quietly(fmt.values, dtype)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=32)
def pair_table(fmt: Format, kind: np.dtype[np.floating]) -> npt.NDArray[np.generic]:
    """Return the two values of every two bytes, as items of both.

    The table ends with the largest pair of codes: 31 KiB for FP4, 512 KiB for FP8.
    """
    largest = min((1 << fmt.bits) - 1, 0xFF)
    pairs = np.arange(0x101 * largest + 1, dtype=np.uint16)
    values = value_table(fmt, kind).take(pairs.view(np.uint8), mode="wrap")
    item = {2: np.uint32, 4: np.complex64, 8: np.complex128}[kind.itemsize]
    table: npt.NDArray[np.generic] = values.view(item)
    table.flags.writeable = False
    return table


def quietly(
    values: npt.NDArray[np.generic], dtype: np.dtype[np.floating]
) -> npt.NDArray[np.floating]:
    """Return the values in another type, without warnings of what it cannot hold."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return values.astype(dtype)
