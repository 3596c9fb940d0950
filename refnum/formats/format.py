"""The `Format` record: the few facts that fix every code of a narrow number format.

Vocabulary. A *code* is the unsigned integer that is stored. Its *magnitude* is
the code without the sign bit. Codes of a format grow with the magnitude they
stand for, so the code after the largest finite one is the first that overflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from refnum._records import hashed_once

__all__ = ["Format", "NaNCodes"]

_WIDEST_TABLE = 19  # bits; the value table of TF32 holds 2**19 float64, 4 MiB


class NaNCodes(Enum):
    """Where a format keeps its NaNs."""

    NONE = "none"
    """No code is a NaN (E2M1, E2M3, E3M2, the integers)."""
    ALL_ONES = "all ones"
    """The all-ones magnitude only (OCP E4M3, UE8M0, UE5M3)."""
    NEGATIVE_ZERO = "negative zero"
    """The code of -0, which the format therefore lacks (the FNUZ formats, P3109)."""
    TOP_EXPONENT = "top exponent"
    """Every code of the top exponent but its first, which is infinity (IEEE 754)."""


@hashed_once
@dataclass(frozen=True)
class Format:
    """What each code of a number format means.

    Parameters
    ----------
    name : str
        Lower-case name, as it stands in golden file names.
    exponent_bits, mantissa_bits : int
        Widths of the two fields of a magnitude. Integers have no exponent field.
    bias : int
        Subtracted from the exponent field.
    signed : bool
        Whether the top bit is a sign.
    nan : NaNCodes
        Where the NaNs are.
    infinity : bool
        Whether there is an infinity: the first code of the top exponent where
        `nan` is ``TOP_EXPONENT``, the largest magnitude that is no NaN otherwise.
    zero : bool
        Whether exponent field 0 holds zero and the subnormals. Without it, the
        field is an ordinary binade and the format has no zero (UE8M0, E6M2).
    twos_complement : bool
        Whether negative codes are two's complements rather than sign and magnitude.

    Raises
    ------
    ValueError
        If the facts do not make a format of 2 to 32 bits.

    References
    ----------
    OCP Microscaling Formats v1.0, section 5.3; IEEE 754-2019, section 3.4; the
    P3109 interim report, which derives all else from such parameters too.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.E4M3.bits, rn.E4M3.max, rn.E4M3.smallest_subnormal
    (8, 448.0, 0.001953125)
    >>> rn.E2M1.values[:8].tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    bias: int
    signed: bool = True
    nan: NaNCodes = NaNCodes.NONE
    infinity: bool = False
    zero: bool = True
    twos_complement: bool = False

    def __post_init__(self) -> None:
        if min(self.exponent_bits, self.mantissa_bits) < 0:
            raise ValueError(f"{self.name}: field widths must not be negative")
        if not 2 <= self.bits <= 32:
            raise ValueError(f"{self.name}: {self.bits} bits; 2 to 32 are allowed")
        if self.nan is NaNCodes.NEGATIVE_ZERO and not self.signed:
            raise ValueError(f"{self.name}: an unsigned format has no code for -0")
        if self.nan is NaNCodes.TOP_EXPONENT and not self.infinity:
            raise ValueError(f"{self.name}: IEEE NaNs come with an infinity")
        if self.infinity and self.nan is NaNCodes.NONE:
            raise ValueError(f"{self.name}: a format with infinity has a NaN")
        if self.twos_complement and (self.exponent_bits or not self.signed):
            raise ValueError(f"{self.name}: two's complement is for signed integers")

    def __str__(self) -> str:
        return self.name

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.signed + self.exponent_bits + self.mantissa_bits

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """Smallest NumPy unsigned type that holds a code."""
        if self.bits <= 8:
            return np.dtype(np.uint8)
        return np.dtype(np.uint16 if self.bits <= 16 else np.uint32)

    @property
    def sign_mask(self) -> int:
        """The sign bit, 0 where the format has none."""
        return 1 << (self.bits - 1) if self.signed else 0

    @property
    def magnitude_mask(self) -> int:
        """All bits of a code but the sign."""
        return (1 << (self.exponent_bits + self.mantissa_bits)) - 1

    @property
    def max_code(self) -> int:
        """Code of the largest finite number."""
        if self.nan is NaNCodes.TOP_EXPONENT:
            return self._top_exponent - 1
        return self.magnitude_mask - (self.nan is NaNCodes.ALL_ONES) - self.infinity

    @property
    def infinity_code(self) -> int | None:
        """Code of +infinity, or None."""
        return self.max_code + 1 if self.infinity else None

    @property
    def nan_code(self) -> int | None:
        """Code of the NaN with all other bits one, or None: what NVIDIA chips write."""
        if self.nan is NaNCodes.NONE:
            return None
        negative_zero = self.nan is NaNCodes.NEGATIVE_ZERO
        return self.sign_mask if negative_zero else self.magnitude_mask

    @property
    def quiet_nan_code(self) -> int | None:
        """Code of the NaN with a single mantissa bit set where there is a choice."""
        if self.nan is not NaNCodes.TOP_EXPONENT:
            return self.nan_code
        return self._top_exponent | 1 << max(self.mantissa_bits - 1, 0)

    @property
    def has_negative_zero(self) -> bool:
        """Whether -0 has a code of its own."""
        return (
            self.signed
            and self.zero
            and not self.twos_complement
            and self.nan is not NaNCodes.NEGATIVE_ZERO
        )

    @cached_property
    def max(self) -> float:
        """Largest finite value."""
        return self._magnitude(self.max_code)

    @cached_property
    def smallest_normal(self) -> float:
        """Smallest positive value of full precision (of an integer: its unit)."""
        if self.exponent_bits == 0:
            return self._magnitude(1)
        return self._magnitude(self.zero << self.mantissa_bits)

    @cached_property
    def smallest_subnormal(self) -> float:
        """Smallest positive value; the smallest normal one without subnormals."""
        return self._magnitude(1) if self.zero else self.smallest_normal

    @cached_property
    def emax(self) -> int:
        """Exponent of the largest power of two: ``floor(log2(max))``."""
        return int(np.frexp(self.max)[1]) - 1

    @cached_property
    def emin(self) -> int:
        """Exponent of the smallest normal value."""
        return int(np.frexp(self.smallest_normal)[1]) - 1

    @cached_property
    def values(self) -> npt.NDArray[np.float64]:
        """The float64 value of every code, read-only, shape ``(2**bits,)``.

        Raises
        ------
        ValueError
            If the format has more than 19 bits (only FP32): decode such codes.
        """
        if self.bits > _WIDEST_TABLE:
            raise ValueError(
                f"{self.name} has 2**{self.bits} codes: a value table is made for "
                f"formats of at most {_WIDEST_TABLE} bits; use decode"
            )
        table = self._decode_all()
        table.flags.writeable = False
        return table

    @property
    def _top_exponent(self) -> int:
        return self.magnitude_mask >> self.mantissa_bits << self.mantissa_bits

    def _magnitude(self, magnitude: int) -> float:
        """Value of a finite magnitude: the decoding rule, for one code."""
        field, fraction = divmod(magnitude, 1 << self.mantissa_bits)
        if field or not self.zero:
            fraction += 1 << self.mantissa_bits
        exponent = max(field, self.zero) - self.bias - self.mantissa_bits
        return float(np.ldexp(float(fraction), exponent))

    def _decode_all(self) -> npt.NDArray[np.float64]:
        codes = np.arange(1 << self.bits, dtype=np.int64)
        if self.twos_complement:
            signed = codes - ((codes & self.sign_mask) << 1)
            return np.ldexp(
                signed.astype(np.float64), 1 - self.bias - self.mantissa_bits
            )
        magnitude = codes & self.magnitude_mask
        field = magnitude >> self.mantissa_bits
        fraction = magnitude & ((1 << self.mantissa_bits) - 1)
        if self.zero:
            fraction += (field > 0) << np.int64(self.mantissa_bits)
            field = np.maximum(field, 1)
        else:
            fraction += 1 << self.mantissa_bits
        exponent = field - self.bias - self.mantissa_bits
        table: npt.NDArray[np.float64] = np.ldexp(fraction.astype(np.float64), exponent)
        table[magnitude > self.max_code] = np.nan
        if self.infinity_code is not None:
            table[magnitude == self.infinity_code] = np.inf
        table = np.where(codes & self.sign_mask, -table, table)
        if self.nan is NaNCodes.NEGATIVE_ZERO:
            table[self.sign_mask] = np.nan
        return table
