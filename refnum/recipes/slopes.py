"""What a gradient meets on its way back through a rounding, and shared scales."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

__all__ = ["SLOPES", "ScaleSlope", "Slope"]

SLOPES = (
    *("ste", "clip", "trust", "dge", "dge_alto", "dge_graphcore", "dge_as_released"),
    *("sigmoid", "sigmoid_as_released", "spline", "spline_as_released"),
)

_CHOICES = {
    "block": ("ste", "absmax", "softmax"),
    "extent": ("full", "diagonal", "as_released"),
    "ties": ("all", "first", "split"),
    "tensor": ("ignore", "absmax"),
    "kind": SLOPES,
    "levels": ("format", "released"),
}

_Options = tuple[tuple[str, object], ...]


@dataclass(frozen=True)
class ScaleSlope:
    """What of a gradient goes through the scales that elements share.

    Parameters
    ----------
    block : str
        Through the scale of a block: ``"ste"``, nothing; ``"absmax"``, to its largest
        element; ``"softmax"``, to all by softmax(alpha \\|x\\|).
    extent : str
        ``"full"``: the sum over the block; ``"diagonal"``: the element's own term;
        ``"as_released"``: the formulas of Graphcore's code, for encode scales.
    ties : str
        Of several largest elements: ``"all"`` get the term, the ``"first"``, or even
        shares (``"split"``).
    tensor : str
        Through the scale above the blocks: ``"ignore"``, or ``"absmax"``, to the
        tensor's largest element.
    kind : str
        What stands in for the rounding of the block scale; as in `Slope`.
    options : tuple of (str, object)
        As in `Slope`.
    levels : str
        Its grid: that of the scale's ``"format"``, or the twenty lowest levels of
        Graphcore's code (``"released"``).
    alpha : float
        Of the softmax.

    Raises
    ------
    ValueError
        If a field is none of these.

    References
    ----------
    Hu, Luschi and Balanca, arXiv 2509.17791, sections 3 and 5, and its simulator.

    Examples
    --------
    >>> from refnum.recipes import ScaleSlope
    >>> str(ScaleSlope("absmax", "diagonal", tensor="absmax"))
    'absmax gradient of block scales (diagonal), absmax of the tensor scale'
    """

    block: str = "ste"
    extent: str = "full"
    ties: str = "all"
    tensor: str = "ignore"
    kind: str = "ste"
    options: _Options = ()
    levels: str = "format"
    alpha: float = 80.0

    def __post_init__(self) -> None:
        for field, allowed in _CHOICES.items():
            if (value := getattr(self, field)) not in allowed:
                raise ValueError(
                    f"{field} is {value!r}; {', '.join(allowed)} are allowed"
                )
        if self.options and self.kind == "ste":
            raise ValueError("the slope ste has no options")
        if not 0 < self.alpha < inf:
            raise ValueError(f"alpha is {self.alpha}; it must be positive and finite")

    @property
    def is_plain(self) -> bool:
        """Whether scales count as constants."""
        return self.block == "ste" and self.tensor == "ignore"

    def __str__(self) -> str:
        parts = []
        if self.block != "ste":
            facts = [self.extent.replace("_", " ")]
            facts += [f"ties {self.ties}"] if self.ties != "all" else []
            facts += [f"rounded as {self.kind}"] if self.kind != "ste" else []
            parts.append(f"{self.block} gradient of block scales ({', '.join(facts)})")
        if self.tensor != "ignore":
            parts.append(f"{self.tensor} of the tensor scale")
        return ", ".join(parts)


@dataclass(frozen=True)
class Slope:
    """What a gradient is multiplied by on its way back through a rounding.

    Parameters
    ----------
    kind : str
        ``"ste"``: 1. ``"clip"``: 1 where the scaled value is within the format, 0
        beyond. ``"trust"``: 1 where rounding moved it little, 0 elsewhere. ``"dge"``:
        Wang's differentiable gradient estimator, also as ALTO and as Graphcore have
        it; ``"sigmoid"`` and ``"spline"``: Graphcore's smooth surrogates. Names that
        end in ``_as_released`` have the mask of Graphcore's code.
    options : tuple of (str, object)
        Fields of the record in `refnum.nn` that differ from its defaults.
    scale : ScaleSlope
        What of the gradient goes through the scales; by default nothing.

    Raises
    ------
    ValueError
        If the kind is unknown.

    Examples
    --------
    >>> from refnum.recipes import ScaleSlope, Slope
    >>> str(Slope("dge", scale=ScaleSlope("absmax", "diagonal")))
    'dge gradient, absmax gradient of block scales (diagonal)'
    """

    kind: str = "ste"
    options: _Options = ()
    scale: ScaleSlope = ScaleSlope()

    def __post_init__(self) -> None:
        if self.kind not in SLOPES:
            raise ValueError(f"slope is {self.kind!r}; {', '.join(SLOPES)} are allowed")
        if self.options and self.kind == "ste":
            raise ValueError("the slope ste has no options")
        if not isinstance(self.scale, ScaleSlope):
            raise TypeError(f"scale must be a ScaleSlope, not {self.scale!r}")

    @property
    def is_plain(self) -> bool:
        """Whether rounding counts as the identity, and scales as constants."""
        return self.kind == "ste" and self.scale.is_plain

    def __str__(self) -> str:
        own = "" if self.kind == "ste" else f"{self.kind} gradient"
        return ", ".join(part for part in (own, str(self.scale)) if part)
