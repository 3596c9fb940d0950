"""What an operand may have besides a format: small records of facts."""

from __future__ import annotations

from dataclasses import dataclass

from refnum.blocks import MXFP8_E4M3, BlockFormat
from refnum.formats import BF16, Format

__all__ = ["Amax", "Channels", "Fallback", "Outliers"]

_AMAX = ("current", "delayed", "held")
_SPANS = ("tensor", "channel", "token")


@dataclass(frozen=True)
class Amax:
    """Where the largest magnitude under a tensor scale comes from.

    Parameters
    ----------
    kind : str
        ``"current"``: the array itself. ``"delayed"``: the largest of the last
        `period` steps. ``"held"``: measured every `period` steps, and held.
    period : int
        Steps.

    Raises
    ------
    ValueError
        If the kind is unknown or the period is not positive.
    """

    kind: str = "current"
    period: int = 1

    def __post_init__(self) -> None:
        if self.kind not in _AMAX:
            raise ValueError(f"amax is {self.kind!r}; {', '.join(_AMAX)} are allowed")
        if isinstance(self.period, bool) or self.period < 1:
            raise ValueError(f"period is {self.period!r}; 1 or more steps are")

    def __str__(self) -> str:
        if self.kind == "current":
            return ""
        return f"{self.kind} amax of {self.period} step{'s' * (self.period > 1)}"


@dataclass(frozen=True)
class Outliers:
    """Outlier clamping and compensation.

    Parameters
    ----------
    share : float
        The quantile that values are clamped to, from 0.5 to 1: those above it, and
        those below its mirror image.
    span : str
        What the quantiles are taken over: ``"tensor"``, ``"channel"`` or ``"token"``.
    compensated : bool
        Whether what was cut off is multiplied in full precision and added.

    Raises
    ------
    ValueError
        If a field is out of range.

    References
    ----------
    Wang et al., arXiv 2501.17116, section 3.2.
    """

    share: float = 0.99
    span: str = "tensor"
    compensated: bool = True

    def __post_init__(self) -> None:
        if not 0.5 < self.share < 1:
            raise ValueError(f"share is {self.share}; between 0.5 and 1 is allowed")
        if self.span not in _SPANS:
            raise ValueError(f"span is {self.span!r}; {', '.join(_SPANS)} are allowed")

    def __str__(self) -> str:
        kept = ", residual added" if self.compensated else ""
        return f"clamped at quantile {self.share:g}{kept}"


@dataclass(frozen=True)
class Fallback:
    """A wider format for what the first one represents badly.

    Parameters
    ----------
    threshold : float
        Largest mean relative error of the nonzero elements that is accepted.
    format : Format
        What takes over.
    block : int, optional
        Elements along the axis that are judged together; the whole tensor without.

    Raises
    ------
    ValueError
        If the threshold is not positive.
    """

    threshold: float
    format: Format = BF16
    block: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.threshold < float("inf"):
            raise ValueError(f"threshold is {self.threshold}; it must be positive")

    def __str__(self) -> str:
        return f"{self.format} where the relative error exceeds {self.threshold:g}"


@dataclass(frozen=True)
class Channels:
    """Outlier channels of a layer's input in a wider format.

    Parameters
    ----------
    share : float
        Of the channels: those with the largest norms.
    first, steps : int
        The first step whose inputs are recorded, and how many are.
    format : BlockFormat
        The wider format.
    multiple : int
        1: ``round(share * channels)`` channels, as the paper's simulation has it. More:
        ``int(share * channels)`` rounded up to a multiple of it, as kernels need (128),
        and at most the whole multiples that there are.

    Raises
    ------
    ValueError
        If a field is out of range.

    References
    ----------
    TetraJet-v2, arXiv 2510.27527, OutControl, and its code (`linear_mix`).

    Examples
    --------
    >>> from refnum.recipes import Channels
    >>> Channels().count(768), Channels(multiple=128).count(768)
    (77, 128)
    """

    share: float = 0.1
    first: int = 501
    steps: int = 50
    format: BlockFormat = MXFP8_E4M3
    multiple: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share is {self.share}; between 0 and 1 is allowed")
        if self.first < 0 or min(self.steps, self.multiple) < 1:
            raise ValueError(
                f"first={self.first} must not be negative, steps={self.steps} and "
                f"multiple={self.multiple} must be positive"
            )
        if not isinstance(self.format, BlockFormat):
            raise TypeError(f"format must be a BlockFormat, not {self.format!r}")

    def count(self, channels: int) -> int:
        """Return how many of a layer's channels are outliers."""
        if self.multiple == 1:
            return round(self.share * channels)
        most = channels // self.multiple * self.multiple
        needed = -(-int(self.share * channels) // self.multiple) * self.multiple
        return min(most, needed)

    def __str__(self) -> str:
        last = self.first + self.steps - 1
        return (
            f"{self.share:.0%} of the channels in {self.format}, by their norms in "
            f"steps {self.first} to {last}"
        )
