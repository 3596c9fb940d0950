"""Hadamard rotations: how a kernel's differs from that of a golden file."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from refnum.blocks import hadamard
from refnum.formats import BF16, Cast, Rounding, round_to
from refnum.golden.diagnosis.casts import field
from refnum.golden.diagnosis.deviation import Array, Deviation, Outputs

__all__ = ["Rotation", "compute_rotation", "rotation_deviations"]

_SIZES = 2, 4, 8, 16, 32, 64, 128, 256


@dataclass(frozen=True)
class Rotation:
    """All that decides a rotation.

    Parameters
    ----------
    size : int
        Elements that are rotated together.
    flips : str
        Which end the signs flip: ``first`` (x D H), ``last`` (x H D), ``none``, ``both``.
    order : str
        Order of the columns of H: ``natural``, ``sequency`` (Walsh) or ``dyadic``
        (Paley).
    scaling : str
        What sums are multiplied by: ``root`` (1 / sqrt(size), one rounding),
        ``rounded root`` (two roundings), ``none``, ``size`` (1 / size).
    arithmetic : str
        ``exact``, ``butterfly`` or ``sequential``.
    narrowing : str
        How bfloat16 results come: ``exact`` (from the exact value), ``float32`` (from
        the rounded one), ``truncated``, ``away`` (ties away, from the rounded one).
    reversed : bool
        Whether the signs are taken from the last to the first.
    negated : bool
        Whether a set bit means plus.
    axis : int
        The axis along which the runs lie.
    """

    size: int
    flips: str = "first"
    order: str = "natural"
    scaling: str = "root"
    arithmetic: str = "exact"
    narrowing: str = "exact"
    reversed: bool = False
    negated: bool = False
    axis: int = -1


def compute_rotation(record: Rotation, *, x: Array, signs: Array) -> Outputs:
    """Return the rotated values in float32, and rounded to bfloat16."""
    diagonal = np.resize(signs, record.size).astype(np.float32)
    diagonal = diagonal[::-1] if record.reversed else diagonal
    diagonal = -diagonal if record.negated else diagonal
    y, z = (_rotate(record, x, diagonal, narrow) for narrow in (False, True))
    return {"y": y, "y_bf16": z}


def rotation_deviations(record: Rotation) -> tuple[Deviation, ...]:
    """Return the deviations of a rotation."""
    found = [
        field("flips", "signs missing", "flips", "none"),
        field("flips", "signs flip outputs, H D", "flips", "last"),
        field("flips", "signs flip inputs, D H", "flips", "first"),
        field("flips", "signs flip inputs and outputs", "flips", "both"),
        field("signs", "signs reversed", "reversed", True),
        field("signs", "signs negated", "negated", True),
        field("order", "columns in sequency (Walsh) order", "order", "sequency"),
        field("order", "columns in dyadic (Paley) order", "order", "dyadic"),
        field("scaling", "not scaled", "scaling", "none"),
        field("scaling", "scaled by 1 / size", "scaling", "size"),
        field("scaling", "sum rounded, then scaled", "scaling", "rounded root"),
        field("arithmetic", "float32 butterflies", "arithmetic", "butterfly"),
        field("arithmetic", "float32 sums in order", "arithmetic", "sequential"),
        field("narrowing", "bfloat16 from float32", "narrowing", "float32"),
        field("narrowing", "bfloat16 truncated", "narrowing", "truncated"),
        field("narrowing", "bfloat16 with ties away", "narrowing", "away"),
        field("axis", "rotated along the other axis", "axis", -2),
    ]
    sizes = [size for size in _SIZES if size != record.size]
    found += [field("size", f"size {size}", "size", size) for size in sizes]
    return tuple(found)


def _rotate(record: Rotation, x: Array, signs: Array, narrow: bool) -> Array:
    first = signs if record.flips in ("first", "both") else np.ones_like(signs)
    moved = np.moveaxis(x, record.axis, -1)
    if moved.shape[-1] % record.size:
        raise ValueError(f"no runs of {record.size} in {moved.shape[-1]} elements")
    runs = moved.reshape(-1, record.size) * first
    exact = narrow and record.narrowing == "exact"
    rotated = _scaled(record, runs, exact)
    if narrow and not exact:
        rotated = _narrowed(rotated, record.narrowing)
    rotated = rotated[:, _columns(record.size, record.order)]
    if record.flips in ("last", "both"):
        rotated = rotated * signs + np.float32(0)  # no -0: signs are within the sum
    return np.ascontiguousarray(
        np.moveaxis(rotated.reshape(moved.shape), -1, record.axis)
    )


def _scaled(record: Rotation, runs: Array, bf16: bool) -> npt.NDArray[np.float32]:
    """Return natural order, with one rounding to float32 or bfloat16 at the end."""
    size = record.size
    if record.scaling == "root":
        output = BF16 if bf16 else None
        return hadamard(runs, size, arithmetic=record.arithmetic, output=output)
    # Sums of float32 of similar size are exact in float64.
    sums = runs.astype(np.float64) @ _matrix(size)
    if record.scaling == "rounded root":
        root = np.float32(1 / sqrt(size))
        sums = (sums.astype(np.float32) * root).astype(np.float64)
    elif record.scaling == "size":
        sums = sums / size
    return round_to(sums, BF16) if bf16 else sums.astype(np.float32)


def _narrowed(y: npt.NDArray[np.float32], how: str) -> npt.NDArray[np.float32]:
    modes = {
        "float32": Rounding.NEAREST_EVEN,
        "truncated": Rounding.TOWARD_ZERO,
        "away": Rounding.NEAREST_AWAY,
    }
    return round_to(y, BF16, Cast(modes[how]))


def _matrix(size: int) -> npt.NDArray[np.float64]:
    matrix = np.ones((1, 1))
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


def _columns(size: int, order: str) -> npt.NDArray[np.intp]:
    """Return which natural column stands at each place."""
    place = np.arange(size)
    if order == "natural":
        return place
    if order == "sequency":
        place = place ^ place >> 1  # the Gray code: one sign change more each time
    width = size.bit_length() - 1
    reverse = np.zeros_like(place)
    for bit in range(width):
        reverse |= (place >> bit & 1) << (width - 1 - bit)
    return reverse
