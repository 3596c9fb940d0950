"""The `Deviation` record: one way in which a kernel may differ from a golden file.

Vocabulary. A *subject* is what a golden file fixes: a *record* that decides the
outputs, and the function that computes them. A *deviation* changes the record, or
moves the finished outputs around. What a changed record gives is a *prediction*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import Arithmetic
from refnum.formats import Format

__all__ = ["Array", "Deviation", "Outputs", "Subject", "changes", "lift", "patterns"]

Array = npt.NDArray[Any]
Outputs = Mapping[str, Array]
Edit = Callable[[Any], Any]

# Fields that decide no bit, and records that are one choice each.
_SILENT = {"name", "evidence", "arch", "op", "kind", "exceptions"}
_ATOMS = Format, Arithmetic


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, eq=False)
class Deviation:
    """One named way to differ.

    Parameters
    ----------
    name : str
        What the report calls it.
    family : str
        What it changes. Two deviations of one family exclude each other.
    record : callable
        ``record -> record``. One that gives the record back has no effect there, one
        that raises ValueError or TypeError has no meaning there.
    outputs : callable
        ``outputs -> outputs``: what happens to the finished outputs.
    whole : bool
        Whether it replaces most of the record, as another library's preset does; of
        two deviations it is applied first.
    either : callable, optional
        A second change; an output is explained if one of the two gives it.
    """

    name: str
    family: str
    record: Edit = _same
    outputs: Edit = _same
    whole: bool = False
    either: Edit | None = None

    @property
    def moves(self) -> bool:
        """Whether it touches the finished outputs."""
        return self.outputs is not _same


@dataclass(frozen=True, eq=False)
class Subject:
    """What a golden file fixes, and how kernels may differ from it.

    Parameters
    ----------
    name : str
        The golden file.
    record : hashable record
        All that decides the outputs.
    compute : callable
        ``record -> outputs``.
    outputs : mapping of str to array
        What the golden file holds, in the order in which a kernel computes it.
    deviations : tuple of Deviation
        The ways to differ, the likely ones first.
    inputs : mapping of str to array
        What is shown next to a case: arrays of one value a case or of the shape of
        the output.
    reasons : tuple of str
        Why each case is there, where the file says it.
    width : int
        How many values of the last axis are one case.
    block : int
        Elements of the last axis that share a scale, for maps; 0 without blocks.
    pairs : int
        How many pairs of deviations are tried at most: a few seconds' worth.
    """

    name: str
    record: Any
    compute: Callable[[Any], Outputs]
    outputs: Outputs
    deviations: tuple[Deviation, ...]
    inputs: Outputs
    reasons: tuple[str, ...] = ()
    width: int = 1
    block: int = 0
    pairs: int = 3000

    def __post_init__(self) -> None:
        if not self.outputs or not any(array.size for array in self.outputs.values()):
            raise ValueError(f"{self.name}: there are no outputs to compare")


def changes(one: Any, other: Any) -> int:
    """Count the fields in which two records differ, nested records field by field.

    Examples
    --------
    >>> import refnum as rn
    >>> changes(rn.casts.CUDA, rn.casts.CUDA_NOSAT)
    1
    """
    if one == other:
        return 0
    nested = is_dataclass(one) and type(one) is type(other)
    if not nested or isinstance(one, _ATOMS):
        return 1
    names = (field.name for field in fields(one) if field.name not in _SILENT)
    return sum(changes(getattr(one, n), getattr(other, n)) for n in names)


def lift(
    deviations: Iterable[Deviation], part: str, into: Callable[[Any, Edit], Any]
) -> list[Deviation]:
    """Return deviations of a part as deviations of the whole.

    Parameters
    ----------
    deviations : iterable of Deviation
        Of the part alone.
    part : str
        What the part is called in names and families.
    into : callable
        ``(record, edit) -> record`` with the part edited.
    """
    prefix = f"{part}: " if part else ""
    return [
        Deviation(
            prefix + one.name,
            prefix + one.family,
            _within(one.record, into),
            whole=one.whole,
            either=None if one.either is None else _within(one.either, into),
        )
        for one in deviations
    ]


def _within(edit: Edit, into: Callable[[Any, Edit], Any]) -> Edit:
    return lambda record: into(record, edit)


def patterns(array: Array, width: int = 1) -> npt.NDArray[np.uint64]:
    """Return bit patterns, one row a case, with one pattern for all NaNs of numbers."""
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
    flat = np.ascontiguousarray(array).reshape(-1)
    bits = flat.view(f"u{flat.dtype.itemsize}").astype(np.uint64)
    return bits.reshape(-1, width)
