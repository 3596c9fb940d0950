"""The `Cast` record: everything that a conversion from values to codes can choose.

Vocabulary. A conversion rounds to the target's precision as if its exponent
were unbounded, then *saturates*: it decides what a result beyond the largest
finite value becomes. P3109 calls the pair a projection. All else that chips and
libraries do differently is a field of the record, and every field has one meaning
in all formats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Any

from refnum._records import hashed_once
from refnum.formats.format import Format

__all__ = [
    "Cast",
    "MissingNaN",
    "NaNChoice",
    "Negative",
    "Rounding",
    "Saturation",
    "SubnormalInputs",
    "SubnormalResults",
    "ZeroSign",
]

_NARROW = 9  # bits; formats up to this width saturate unless told otherwise


class Rounding(Enum):
    """Which neighbour a value between two codes goes to.

    The nearest modes differ in ties alone. A tie that goes to *even* goes to the
    even code, which also settles it for formats without a mantissa (P3109).
    """

    NEAREST_EVEN = "nearest_even"
    NEAREST_AWAY = "nearest_away"
    NEAREST_ZERO = "nearest_zero"
    NEAREST_UP = "nearest_up"
    TOWARD_ZERO = "toward_zero"
    TOWARD_POSITIVE = "toward_positive"
    TOWARD_NEGATIVE = "toward_negative"
    AWAY_FROM_ZERO = "away_from_zero"
    TO_ODD = "to_odd"
    STOCHASTIC_A = "stochastic_a"
    STOCHASTIC_B = "stochastic_b"
    STOCHASTIC_C = "stochastic_c"

    @property
    def is_stochastic(self) -> bool:
        """Whether the mode needs random bits."""
        return self.value.startswith("stochastic")


class Saturation(Enum):
    """What becomes of a value beyond the largest finite one.

    A format without infinity uses its NaN instead, and one without either its
    largest finite value. Under ``NONE`` a directed mode that points towards zero
    keeps finite overflow finite, as in IEEE 754 and P3109; so does ``TO_ODD``.
    """

    FINITE = "finite"
    """Overflow and infinity go to the largest finite value."""
    PROPAGATE = "propagate"
    """Finite overflow goes to the largest finite value; infinity stays."""
    NONE = "none"
    """Overflow goes to infinity; infinity stays."""


class NaNChoice(Enum):
    """Which NaN a format with several writes."""

    ALL_ONES = "all_ones"
    """All exponent and mantissa bits one: 0x7F in E5M2 (CUDA, PyTorch)."""
    QUIET = "quiet"
    """The quiet bit alone: 0x7E in E5M2 (ml_dtypes, ONNX)."""
    PAYLOAD = "payload"
    """The quiet bit and the leading bits of the input's NaN (CUDA from double)."""


class MissingNaN(Enum):
    """What a NaN becomes in a format that has none."""

    MAX = "max"
    """The positive largest value (PTX, CUDA)."""
    SIGNED_MAX = "signed_max"
    """The largest value with the NaN's sign (CUTLASS, HIP)."""
    ZERO = "zero"
    """+0 (the Python reference of Transformer Engine, DeepGEMM)."""
    FLIPPED_ZERO = "flipped_zero"
    """Zero with the opposite sign (ml_dtypes)."""
    SIGNED_ONE_AND_A_HALF = "signed_one_and_a_half"
    """1.5 with the NaN's sign (torchao's FP4 bit arithmetic)."""
    ERROR = "error"
    """A ValueError."""


class Negative(Enum):
    """What a negative number becomes in an unsigned format; -0 is not negative."""

    ABSOLUTE = "absolute"
    """Its absolute value is converted (CUDA, PyTorch, ONNX)."""
    ZERO = "zero"
    """Finite negatives go to the smallest code, -infinity to NaN (ALTO)."""
    NAN = "nan"
    """NaN (ml_dtypes, Composable Kernel)."""


class ZeroSign(Enum):
    """Which zeros keep their sign."""

    KEEP = "keep"
    """All, as IEEE 754 has it."""
    POSITIVE = "positive"
    """None: every zero result is +0 (PTX ``.pzo``, microxcaling)."""
    INPUT_POSITIVE = "input_positive"
    """An input of -0 becomes +0, a negative that rounds to zero stays -0."""


class SubnormalInputs(Enum):
    """How an input in float32's subnormal range is read.

    The last two are what libraries do on the way to UE8M0, whose code 0 (2**-127)
    lies in that range.
    """

    EXACT = "exact"
    """As the value it is."""
    FLUSH = "flush"
    """As zero (PTX ``.ftz``, Composable Kernel)."""
    RAISE = "raise"
    """As 2**-126, if not zero (ONNX, rounding up)."""
    RAISE_ABOVE_HALF = "raise_above_half"
    """As 2**-126, if above 2**-127 (ml_dtypes, PyTorch)."""


class SubnormalResults(Enum):
    """How a result in the target's subnormal range is written."""

    GRADUAL = "gradual"
    """As the code it is."""
    FLUSH = "flush"
    """As zero: hardware without subnormals."""
    FLUSH_BELOW_SMALLEST = "flush_below_smallest"
    """As zero, if the value lies below the smallest subnormal before rounding."""


@hashed_once
@dataclass(frozen=True)
class Cast:
    """Everything that a conversion can choose.

    The default is the conversion of NVIDIA's ``cvt.rn.satfinite``: nearest even,
    saturating up to 9 bits, one NaN without a sign, unsigned formats of ``|x|``.

    Parameters
    ----------
    rounding : Rounding
        Which neighbour a value between two codes goes to.
    saturation : Saturation, optional
        What overflow becomes; by default ``FINITE`` for formats of up to 9 bits
        and ``NONE`` for wider ones.
    random_bits : int, optional
        Random bits an element, 1 to 32: needed by the stochastic modes alone.
    nan : NaNChoice
        Which NaN a format with several writes.
    nan_sign : bool
        Whether a NaN keeps its sign. A NaN that stands for overflow always does.
    missing_nan : MissingNaN
        What a NaN becomes in a format that has none.
    negative : Negative
        What a negative number becomes in an unsigned format.
    zero_is_nan : bool
        Whether zero becomes NaN in a format without zero (ml_dtypes' UE8M0), rather
        than the smallest code.
    zero_sign : ZeroSign
        Which zeros keep their sign.
    subnormal_inputs : SubnormalInputs
        How an input in float32's subnormal range is read.
    subnormal_results : SubnormalResults
        How a result in the target's subnormal range is written.
    power_ties_up : bool
        Whether ``NEAREST_EVEN`` sends a tie up in a format without mantissa: UE8M0
        in CUDA, ml_dtypes and PyTorch.
    overflow_at_max : bool
        Whether every value above the largest finite one overflows, even one that
        would round down to it (HIP, ALTO).
    symmetric : bool
        Whether two's complement leaves its most negative code unused.
    via : Format, optional
        A format to which the value is rounded first, to nearest even without
        saturation: reproduces libraries that round twice.
    exceptions : tuple of (str, Cast)
        Other casts for the formats of these names: a library is one record, even
        where it treats one format unlike the rest.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.encode([464.0, 480.0], rn.E4M3, rn.Cast(saturation=rn.Saturation.NONE))
    array([126, 127], dtype=uint8)
    """

    rounding: Rounding = Rounding.NEAREST_EVEN
    saturation: Saturation | None = None
    random_bits: int | None = None
    nan: NaNChoice = NaNChoice.ALL_ONES
    nan_sign: bool = False
    missing_nan: MissingNaN = MissingNaN.MAX
    negative: Negative = Negative.ABSOLUTE
    zero_is_nan: bool = False
    zero_sign: ZeroSign = ZeroSign.KEEP
    subnormal_inputs: SubnormalInputs = SubnormalInputs.EXACT
    subnormal_results: SubnormalResults = SubnormalResults.GRADUAL
    power_ties_up: bool = False
    overflow_at_max: bool = False
    symmetric: bool = False
    via: Format | None = None
    exceptions: tuple[tuple[str, Cast], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "exceptions", _as_pairs(self.exceptions))
        if not isinstance(self.rounding, Rounding):
            raise TypeError(f"rounding must be a Rounding, not {self.rounding!r}")
        if not isinstance(self.saturation, Saturation | None):
            raise TypeError(f"saturation must be a Saturation, not {self.saturation!r}")
        if self.rounding.is_stochastic:
            if not isinstance(self.random_bits, int) or not 1 <= self.random_bits <= 32:
                raise ValueError(
                    f"{self.rounding.value} needs random_bits from 1 to 32, "
                    f"not {self.random_bits!r}"
                )
        elif self.random_bits is not None:
            raise ValueError(
                f"random_bits={self.random_bits!r} has no meaning with the "
                f"deterministic rounding {self.rounding.value}"
            )

    @lru_cache(maxsize=1024)  # noqa: B019 casts are few, and small
    def resolve(self, fmt: Format) -> Cast:
        """Return the cast to `fmt` itself: no exceptions, no default saturation.

        Examples
        --------
        >>> import refnum as rn
        >>> rn.Cast().resolve(rn.E5M2).saturation
        <Saturation.FINITE: 'finite'>
        """
        cast = dict(self.exceptions).get(fmt.name, self)
        saturation, rounding = cast.saturation, cast.rounding
        if saturation is None:
            narrow = fmt.bits <= _NARROW
            saturation = Saturation.FINITE if narrow else Saturation.NONE
        nearest = rounding is Rounding.NEAREST_EVEN
        if cast.power_ties_up and fmt.mantissa_bits == 0 and nearest:
            rounding = Rounding.NEAREST_AWAY
        return replace(cast, rounding=rounding, saturation=saturation, exceptions=())


def _as_pairs(exceptions: Any) -> tuple[tuple[str, Cast], ...]:
    """Return exceptions as a tuple: casts are keys of tables, and a list has no hash."""
    try:
        pairs = tuple((name, cast) for name, cast in exceptions)
    except (TypeError, ValueError):
        pairs = ((None, None),)
    if all(isinstance(name, str) and isinstance(cast, Cast) for name, cast in pairs):
        return pairs
    raise TypeError(
        f"exceptions must be pairs of a format's name and a Cast, not {exceptions!r}"
    )
