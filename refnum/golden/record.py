"""What a golden file holds: facts, columns and cases.

Vocabulary. A *case* is one line: some inputs, the outputs that they must give, and the
*reason* why the case is there. *Facts* say how the outputs follow from the inputs:
the operation, the formats, the cast. All fields are bit patterns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Case", "Column", "Disagreement", "GoldenFile", "Source"]


class Disagreement(ArithmeticError):
    """Two derivations of one golden value differ: nothing may be written."""


@dataclass(frozen=True)
class Column:
    """One field of every case: its name and its width.

    Parameters
    ----------
    name : str
        Such as ``x``, ``random`` or ``code``.
    bits : int
        Width of its hexadecimal digits: a multiple of 4, at most 64.
    """

    name: str
    bits: int

    def __post_init__(self) -> None:
        if not 4 <= self.bits <= 64 or self.bits % 4:
            raise ValueError(
                f"column {self.name}: {self.bits} bits; multiples of 4 to 64 are allowed"
            )

    @classmethod
    def of(cls, name: str, bits: int) -> Column:
        """Return a column of whole hexadecimal digits for values of `bits` bits."""
        return cls(name, -(-bits // 4) * 4)

    @property
    def digits(self) -> int:
        """Hexadecimal digits of a field."""
        return self.bits // 4

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """Smallest unsigned type that holds a field, as raw files have it."""
        size = next(size for size in (8, 16, 32, 64) if size >= self.bits)
        kind: np.dtype[np.unsignedinteger] = np.dtype(f"<u{size // 8}")
        return kind


@dataclass(frozen=True)
class Case:
    """One line: a bit pattern for every column, and why it is there."""

    fields: tuple[int, ...]
    reason: str = ""


@dataclass(frozen=True)
class Source:
    """A format of inputs: ``f32`` or ``f64``."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in ("f32", "f64"):
            raise ValueError(f"inputs are f32 or f64, not {self.name!r}")

    @property
    def bits(self) -> int:
        """Width of an input."""
        return int(self.name[1:])

    def values(self, patterns: list[int]) -> npt.NDArray[np.floating]:
        """Return the numbers of bit patterns."""
        words = np.array(patterns, dtype=f"u{self.bits // 8}")
        return words.view(f"f{self.bits // 8}")

    def pattern(self, value: float) -> int:
        """Return the bit pattern of a number that the format holds."""
        word = np.array([value], dtype=f"f{self.bits // 8}")
        return int(word.view(f"u{self.bits // 8}")[0])


@dataclass(frozen=True)
class GoldenFile:
    """One golden file in memory.

    Parameters
    ----------
    facts : mapping of str to str
        ``op``, ``in``, ``out`` and what else decides the outputs, in header order.
    columns : tuple of Column
        Inputs first, outputs last.
    cases : tuple of Case
        The lines.
    outputs : int
        How many of the last columns are outputs.

    Raises
    ------
    ValueError
        If a case does not fit the columns.
    """

    facts: Mapping[str, str]
    columns: tuple[Column, ...]
    cases: tuple[Case, ...]
    outputs: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.outputs <= len(self.columns):
            raise ValueError(
                f"{self.outputs} outputs in {len(self.columns)} columns are impossible"
            )
        for number, case in enumerate(self.cases, 1):
            if len(case.fields) != len(self.columns):
                raise ValueError(
                    f"case {number} has {len(case.fields)} fields "
                    f"for {len(self.columns)} columns"
                )
            for value, column in zip(case.fields, self.columns, strict=True):
                if not 0 <= value < 1 << column.bits:
                    raise ValueError(
                        f"case {number}: {value} does not fit the "
                        f"{column.bits} bits of column {column.name}"
                    )

    @property
    def input_columns(self) -> tuple[Column, ...]:
        """The columns that are given."""
        return self.columns[: -self.outputs]

    @property
    def output_columns(self) -> tuple[Column, ...]:
        """The columns that a candidate must reproduce."""
        return self.columns[-self.outputs :]

    def output_array(self) -> npt.NDArray[np.unsignedinteger]:
        """Return the outputs, shape (cases, outputs), in the type of raw files."""
        rows = [case.fields[-self.outputs :] for case in self.cases]
        kind = max((c.dtype for c in self.output_columns), key=lambda d: d.itemsize)
        return np.array(rows, dtype=kind).reshape(len(rows), self.outputs)
