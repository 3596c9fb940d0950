"""Comparing a candidate with a golden file, and saying which cases differ and why.

NaNs: where the outputs are numbers (``out=f32``), every NaN is right for a NaN. Where
they are codes, the bits are the result, and are compared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from refnum.formats import FP32, Format, decode, format
from refnum.golden.candidate import read_candidate
from refnum.golden.hexfile import read
from refnum.golden.inputs import F64, number
from refnum.golden.record import Column, GoldenFile

__all__ = ["Difference", "Report", "compare", "verify"]

_SHOWN = 5
_NUMBERS = ("f32", "f64")


@dataclass(frozen=True)
class Difference:
    """One case that differs. Values are texts; they are empty where bits have none."""

    case: int
    inputs: dict[str, str]
    input_value: str
    got: str
    want: str
    got_value: str
    want_value: str
    distance: int | None
    """How many codes lie between, None next to a NaN or for plain words."""
    reason: str


@dataclass(frozen=True)
class Report:
    """What a comparison found.

    Parameters
    ----------
    golden, candidate : str
        What was compared.
    cases, differing : int
        How many cases there are, and how many differ.
    largest_distance : int, optional
        The largest distance in codes, where there is one.
    first : tuple of Difference
        The first differing cases.
    """

    golden: str
    candidate: str
    cases: int
    differing: int
    largest_distance: int | None
    first: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.differing == 0

    @property
    def share(self) -> float:
        """Differing cases among all."""
        return self.differing / self.cases if self.cases else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the report in JSON's types."""
        return {**asdict(self), "equal": self.equal, "share": self.share}

    def __str__(self) -> str:
        if self.equal:
            return f"equal: all {self.cases} cases of {self.golden}"
        far = self.largest_distance
        codes = "" if far is None else f", up to {_codes(far)} apart"
        share = f"{100 * self.share:.3g} %"
        lines = [f"{self.differing} of {self.cases} cases differ ({share}){codes}"]
        for one in self.first:
            inputs = " ".join(f"{name} {bits}" for name, bits in one.inputs.items())
            lines.append(f"case {one.case}: {inputs}{_equals(one.input_value)}")
            distance = "" if one.distance is None else f", {_codes(one.distance)} apart"
            lines.append(
                f"  got {one.got}{_equals(one.got_value)}, "
                f"want {one.want}{_equals(one.want_value)}{distance}"
            )
            if one.reason:
                lines.append(f"  {one.reason}")
        if self.differing > len(self.first):
            lines.append(f"and {self.differing - len(self.first)} more")
        return "\n".join(lines)


def verify(
    golden: Path | str, candidate: Path | str, *, stdin: BinaryIO | None = None
) -> Report:
    """Compare a candidate with a golden file.

    Parameters
    ----------
    golden : Path or str
        A golden ``.hex`` file.
    candidate : Path or str
        The same file with other outputs (``.hex``), the outputs alone as little-endian
        bytes (``.bin``) or as an array (``.npy``), or ``-`` for `stdin`.
    stdin : binary file, optional
        Standard input.

    Returns
    -------
    Report
        How many cases differ, and the first of them.

    Raises
    ------
    ValueError
        If either is damaged, cut short, or of another form, or does not fit the other.
    OSError
        If a file cannot be read.
    """
    file = read(golden)
    outputs = read_candidate(file, candidate, stdin)
    return compare(file, outputs, golden=str(golden), candidate=str(candidate))


def compare(
    file: GoldenFile,
    outputs: npt.NDArray[np.unsignedinteger],
    *,
    golden: str = "golden",
    candidate: str = "candidate",
) -> Report:
    """Compare outputs in memory with those of a golden file.

    Parameters
    ----------
    file : GoldenFile
        The cases.
    outputs : ndarray of unsigned integers, shape (cases, outputs)
        Bit patterns.
    golden, candidate : str
        Names for the report.

    Returns
    -------
    Report
        How many cases differ, and the first of them.

    Raises
    ------
    ValueError
        If the shape is another.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.golden import compare, parse
    >>> head = "// refnum golden 1  op=encode in=f32 out=e4m3 count=1 "
    >>> text = head + "columns=x:32,code:8\\n43e00000_7e // max 448\\n"
    >>> print(compare(parse(text), np.array([[0x7D]])))
    1 of 1 cases differ (100 %), up to 1 code apart
    case 1: x 43e00000 = 448
      got 7d = 416, want 7e = 448, 1 code apart
      max 448
    """
    want = file.output_array()
    if outputs.shape != want.shape:
        raise ValueError(f"outputs have shape {outputs.shape}; {want.shape} is needed")
    got = outputs.astype(np.uint64)
    meaning = _Meaning(file.facts.get("out", ""))
    wrong = np.flatnonzero(_differs(got, want.astype(np.uint64), meaning))
    far = [meaning.distance(int(got[i, 0]), int(want[i, 0])) for i in wrong.tolist()]
    first = tuple(
        _difference(file, i, got[i].tolist(), distance)
        for i, distance in zip(wrong[:_SHOWN].tolist(), far, strict=False)
    )
    largest = max((distance for distance in far if distance is not None), default=None)
    return Report(golden, candidate, len(file.cases), wrong.size, largest, first)


class _Meaning:
    """What the bits of a column stand for: numbers of a format, or plain words."""

    def __init__(self, name: str) -> None:
        self.double = name == "f64"
        self.is_number = name in _NUMBERS
        self.format: Format | None = None
        if name and not self.double:
            self.format = FP32 if name == "f32" else format(name)

    def value(self, bits: int) -> float | None:
        """Return the number, None for plain words."""
        if self.double:
            return float(F64.values([bits])[0])
        if self.format is None or bits >> self.format.bits:
            return None
        return float(decode([bits], self.format, np.float64)[0])

    def text(self, bits: int) -> str:
        """Return the number as text, empty for plain words."""
        value = self.value(bits)
        return "" if value is None else number(value)

    def distance(self, one: int, other: int) -> int | None:
        """Return how many codes lie between two numbers."""
        values = self.value(one), self.value(other)
        if self.format is None or any(v is None or np.isnan(v) for v in values):
            return None
        places = [self._place(self.format, code) for code in (one, other)]
        return abs(places[0] - places[1])

    @staticmethod
    def _place(fmt: Format, code: int) -> int:
        """Return the place of a code among all in the order of their values."""
        if fmt.twos_complement:
            return code - (code & fmt.sign_mask) * 2
        magnitude = code & fmt.magnitude_mask
        return -magnitude if code & fmt.sign_mask else magnitude


def _differs(
    got: npt.NDArray[np.uint64], want: npt.NDArray[np.uint64], meaning: _Meaning
) -> npt.NDArray[np.bool_]:
    different = got != want
    if meaning.is_number:
        kind = np.float64 if meaning.double else np.float32
        word = np.uint64 if meaning.double else np.uint32
        nans = [np.isnan(bits.astype(word).view(kind)) for bits in (got, want)]
        different &= ~(nans[0] & nans[1])
    result: npt.NDArray[np.bool_] = different.any(axis=1)
    return result


def _difference(
    file: GoldenFile, index: int, got: list[int], distance: int | None
) -> Difference:
    case = file.cases[index]
    given = len(file.input_columns)
    source, target = (_Meaning(file.facts.get(key, "")) for key in ("in", "out"))
    inputs = {
        column.name: _hex(value, column)
        for value, column in zip(case.fields, file.input_columns, strict=False)
    }
    return Difference(
        case=index + 1,
        inputs=inputs,
        input_value=source.text(case.fields[0]),
        got=_joined(got, file.output_columns),
        want=_joined(case.fields[given:], file.output_columns),
        got_value=target.text(got[0]),
        want_value=target.text(case.fields[given]),
        distance=distance,
        reason=case.reason,
    )


def _joined(fields: tuple[int, ...] | list[int], columns: tuple[Column, ...]) -> str:
    return "_".join(_hex(v, c) for v, c in zip(fields, columns, strict=True))


def _hex(value: int, column: Column) -> str:
    return f"{value:0{column.digits}x}"


def _equals(value: str) -> str:
    return f" = {value}" if value else ""


def _codes(count: int) -> str:
    return "1 code" if count == 1 else f"{count} codes"
