"""`BlockPass`: what a forward pass through shared scales leaves for the backward pass.

Vocabulary. The *step* E of a block is its effective decode scale: the value that one
unit of the element grid stands for, tensor scale included. Values are x, what they
become is f = Q(x / E) E. The *ideal* step is the one before the scale was rounded,
amax / unit. Both conventions fit: a decode scale is proportional to the step, an
encode scale to its reciprocal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import BlockFormat, Quantized, dequantize
from refnum.blocks.geometry import Geometry
from refnum.formats import decode, encode
from refnum.nn.gradients.grids import Floats, Grid, as_floats
from refnum.nn.gradients.relaxations import Relaxation

__all__ = ["BlockPass", "element_steps"]


@dataclass(frozen=True)
class BlockPass:
    """Blocks of one array on both sides of a quantisation.

    Parameters
    ----------
    x, values : ndarray, shape (blocks, size)
        Values before and after.
    step, ideal : ndarray, shape (blocks,)
        The step of each block as it was used, and before its scale was rounded.
    scale : ndarray, shape (blocks,)
        The rounded scale in its own format.
    amax : ndarray, shape (blocks,)
        The largest magnitude of each block, or what was taken for it.
    grid, scale_grid : Format or array_like
        What elements and scales were rounded to.
    convention : {"decode", "encode"}
        Whether the scale multiplies codes or divides them.
    tensor_amax : float or None
        The tensor's largest magnitude, where the scale above the blocks was made of
        it; None without, or where it was held from an earlier step.
    divided_by : {"step", "ideal"}
        What values were divided by. ``"ideal"`` is `fp_scale_factor` of Graphcore's
        simulator: the unrounded scale on the way in, the rounded one on the way out.

    Raises
    ------
    ValueError
        If shapes do not fit, or a choice is none of these.
    """

    x: Floats
    values: Floats
    step: Floats
    ideal: Floats
    scale: Floats
    amax: Floats
    grid: Grid
    scale_grid: Grid
    convention: str = "decode"
    tensor_amax: float | None = None
    divided_by: str = "step"

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or self.values.shape != self.x.shape:
            raise ValueError(
                f"x and values are (blocks, size), not {self.x.shape} and "
                f"{self.values.shape}"
            )
        for name in ("step", "ideal", "scale", "amax"):
            if getattr(self, name).shape != self.x.shape[:1]:
                shape = getattr(self, name).shape
                raise ValueError(f"{name} must be {self.x.shape[:1]}, not {shape}")
        if self.convention not in ("decode", "encode"):
            raise ValueError(f"convention is {self.convention!r}; decode or encode is")
        if self.divided_by not in ("step", "ideal"):
            raise ValueError(f"divided_by is {self.divided_by!r}; step or ideal is")

    @classmethod
    def of(cls, x: npt.ArrayLike, q: Quantized, *, held: bool = False) -> BlockPass:
        """Return the pass that made a quantised array.

        Parameters
        ----------
        x : array_like of float32
            What was quantised.
        q : Quantized
            What it became.
        held : bool
            Whether the tensor scale was made of an earlier step's amax.

        Returns
        -------
        BlockPass
            Blocks in the order of `q`, the last ones padded with zeros.

        Raises
        ------
        TypeError
            If `x` is not float32.
        ValueError
            If shapes differ, or scales do not follow from largest magnitudes alone:
            formats with alternate elements, levels, or the deviation as statistic.
        """
        fmt = q.format
        singles = as_floats(x).astype(np.float32, copy=False)
        if singles.shape != q.codes.shape:
            raise ValueError(f"x has shape {singles.shape}, its codes {q.codes.shape}")
        if fmt.alternate is not None or fmt.levels or fmt.rule.statistic != "amax":
            raise ValueError(
                f"scales of {fmt} are no function of the largest magnitude"
            )
        geometry = Geometry.of(singles.shape, q.axis, fmt)
        blocks = geometry.to_blocks(singles)
        amax = np.max(np.abs(blocks), axis=1, initial=0)
        unit = np.float32(fmt.rule.unit_of(fmt.element) * fmt.prescale)
        outer = fmt.tensor_scale is not None and fmt.tensor_scale.span == "tensor"
        return cls(
            x=blocks,
            values=geometry.to_blocks(dequantize(q)),
            # The first element of a block is never padding.
            step=geometry.to_blocks(element_steps(q))[:, 0],
            ideal=amax / unit,
            scale=decode(geometry.scales_to_blocks(q.scales), fmt.scale),
            amax=amax,
            grid=fmt.element,
            scale_grid=fmt.scale,
            convention=fmt.convention,
            tensor_amax=float(amax.max(initial=0)) if outer and not held else None,
        )

    def cut(self, array: npt.NDArray[Any], q: Quantized) -> npt.NDArray[Any]:
        """Return an array in blocks, in the order of `x`."""
        return Geometry.of(q.codes.shape, q.axis, q.format).to_blocks(array)

    def shaped(self, blocks: npt.NDArray[Any], q: Quantized) -> npt.NDArray[Any]:
        """Return blocks as the array that they were cut from."""
        geometry = Geometry.of(q.codes.shape, q.axis, q.format)
        return geometry.from_blocks(blocks).reshape(q.codes.shape)

    @cached_property
    def scaled(self) -> Floats:
        """What was rounded: values divided by their step; 0 where that is 0."""
        divisor = self.step if self.divided_by == "step" else self.ideal
        return _quotient(self.x, divisor[:, None])

    @cached_property
    def raw_scale(self) -> Floats:
        """The scale before it was rounded."""
        up = self.ideal if self.convention == "decode" else self.step
        down = self.step if self.convention == "decode" else self.ideal
        return self.scale * _quotient(up, down)

    def elasticity(self, relaxation: Relaxation, grid: Grid | None = None) -> Floats:
        """Return by how many percent the rounded scale grows with one percent.

        Parameters
        ----------
        relaxation : Relaxation
            What stands in for the rounding of the scale, q.
        grid : Format or array_like, optional
            In place of `scale_grid`.

        Returns
        -------
        ndarray, shape (blocks,)
            q'(s) s / q(s); 0 for blocks whose scale or amax is 0.
        """
        raw = self.raw_scale
        slope = relaxation.slope(raw, self.scale_grid if grid is None else grid)
        return slope * _quotient(raw, self.scale)


def element_steps(q: Quantized) -> npt.NDArray[np.float32]:
    """Return the step of each element: what the value 1 of the grid stands for.

    Parameters
    ----------
    q : Quantized
        An array.

    Returns
    -------
    ndarray of float32
        In the shape of the array: what dequantising multiplies each code's value by,
        alternate elements in the unit that their codes have.

    Examples
    --------
    >>> import refnum as rn
    >>> element_steps(rn.quantize([[0.5, -1.0, 3.0, 12.0]], rn.MXFP4))
    array([[2., 2., 2., 2.]], dtype=float32)
    """
    fmt: BlockFormat = replace(q.format, alternate=None)
    one = encode(1.0, fmt.element)
    codes = np.full(q.codes.shape, one, q.codes.dtype)
    scales = q.scales
    if q.format.alternate is not None:  # without the flag in each scale
        scales = scales & ~scales.dtype.type(1 << fmt.scale.bits)
    plain = replace(q, codes=codes, scales=scales, format=fmt)
    return np.asarray(dequantize(plain), np.float32)


def _quotient(x: Floats, divisor: Floats) -> Floats:
    """Return x / divisor, and 0 where the divisor is."""
    safe = np.where(divisor == 0, divisor.dtype.type(1), divisor)
    return np.where(divisor == 0, x.dtype.type(0), x / safe)
