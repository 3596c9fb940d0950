"""Comparing outputs with a golden folder, one output after the other.

Outputs are compared in the order in which a kernel computes them, and the first one
that differs is named: what follows from it differs too, and tells nothing more. Any NaN
is right for a NaN of floats; codes are compared bit by bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.golden.bundle import Bundle, read_bundle
from refnum.golden.diagnosis import from_arrays, read_outputs
from refnum.golden.inputs import number

__all__ = ["FolderReport", "OutputReport", "Place", "compare_folder", "verify_folder"]

_SHOWN = 5
_ORDER = "tensor_scale", "scales", "codes", "packed", "values"

_Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Place:
    """One element that differs."""

    place: tuple[int, ...]
    got: str
    want: str


@dataclass(frozen=True)
class OutputReport:
    """One output: how many of its elements differ, and the first of them."""

    name: str
    elements: int
    differing: int
    first: tuple[Place, ...]


@dataclass(frozen=True)
class FolderReport:
    """What a comparison with a golden folder found.

    Parameters
    ----------
    golden, candidate : str
        What was compared.
    outputs : tuple of OutputReport
        Those that the candidate has, in the order in which a kernel computes them.
    missing : tuple of str
        Golden outputs that it has not.
    """

    golden: str
    candidate: str
    outputs: tuple[OutputReport, ...]
    missing: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not any(output.differing for output in self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """Return the report in JSON's types."""
        return {**asdict(self), "equal": self.equal}

    def __str__(self) -> str:
        names = ", ".join(output.name for output in self.outputs)
        if self.equal:
            return f"equal: {names} of {self.golden}"
        lines = []
        for output in self.outputs:
            share = 100 * output.differing / output.elements
            lines.append(
                f"{output.name}: {output.differing} of {output.elements} differ "
                f"({share:.3g} %)"
                if output.differing
                else f"{output.name}: equal"
            )
        broken = next(output for output in self.outputs if output.differing)
        lines.append(f"first in {broken.name}:")
        lines += [
            f"  at {list(p.place)}: got {p.got}, want {p.want}" for p in broken.first
        ]
        if broken.differing > len(broken.first):
            lines.append(f"  and {broken.differing - len(broken.first)} more")
        return "\n".join(lines)


def verify_folder(golden: Path | str, candidate: Path | str) -> FolderReport:
    """Compare a candidate with a golden folder.

    Parameters
    ----------
    golden : Path or str
        A golden folder.
    candidate : Path or str
        A folder with some of its outputs (``codes.u8.bin`` or ``codes.npy``), or one
        such file.

    Returns
    -------
    FolderReport
        How many elements of each output differ, and the first of them.

    Raises
    ------
    ValueError
        If either is damaged, or an output has another size.
    OSError
        If a file cannot be read.
    """
    bundle = read_bundle(golden)
    wanted = {t.name: t.array for t in bundle.tensors if t.role == "out"}
    found = read_outputs(wanted, candidate)
    return compare_folder(bundle, found, golden=str(golden), candidate=str(candidate))


def compare_folder(
    bundle: Bundle,
    outputs: Mapping[str, npt.ArrayLike],
    *,
    golden: str = "golden",
    candidate: str = "candidate",
) -> FolderReport:
    """Compare outputs in memory with those of a golden folder.

    Parameters
    ----------
    bundle : Bundle
        The golden folder.
    outputs : mapping of str to ndarray
        Some of its outputs; integers may have another width.
    golden, candidate : str
        Names for the report.

    Returns
    -------
    FolderReport
        How many elements of each output differ, and the first of them.

    Raises
    ------
    ValueError
        If an output is unknown or has another size.
    TypeError
        If one has another type.
    """
    wanted = {t.name: t.array for t in bundle.tensors if t.role == "out"}
    found = from_arrays(wanted, outputs)
    names = sorted(wanted, key=lambda n: _ORDER.index(n) if n in _ORDER else 0)
    reports = tuple(
        _compare(name, found[name], wanted[name]) for name in names if name in found
    )
    missing = tuple(name for name in names if name not in found)
    return FolderReport(golden, candidate, reports, missing)


def _compare(name: str, got: _Array, want: _Array) -> OutputReport:
    if got.size != want.size:
        raise ValueError(f"{name}: {got.size} elements; {want.shape} has {want.size}")
    got = got.reshape(want.shape)
    bits = [np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}") for x in (got, want)]
    different = bits[0].reshape(want.shape) != bits[1].reshape(want.shape)
    if want.dtype.kind == "f":
        different &= ~(np.isnan(got) & np.isnan(want))
    first = tuple(
        Place(tuple(place), _text(got[tuple(place)]), _text(want[tuple(place)]))
        for place in np.argwhere(different)[:_SHOWN].tolist()
    )
    return OutputReport(name, want.size, int(np.count_nonzero(different)), first)


def _text(value: Any) -> str:
    """Return bits in hexadecimal, and the value of a float."""
    bits = int(np.asarray(value).view(f"u{value.dtype.itemsize}"))
    text = f"{bits:0{2 * value.dtype.itemsize}x}"
    return f"{text} = {number(float(value))}" if value.dtype.kind == "f" else text
