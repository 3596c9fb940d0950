"""From an array to one operand of a product: rotate, clamp, quantise, dequantise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import (
    BlockFormat,
    ChosenFormat,
    Quantized,
    dequantize,
    eden,
    fake_quantize,
    hadamard,
    quantize,
)
from refnum.formats import Format, decode, encode, round_to
from refnum.nn.quantized.mixture import fall_back
from refnum.nn.quantized.outliers import clamp_outliers
from refnum.nn.quantized.rounding_words import Site, bits_of, signs_of
from refnum.nn.states.tensor_amax import TensorAmax
from refnum.recipes import ROLES, Operand, Rotation

__all__ = ["Taken", "rotate", "take"]

Single = npt.NDArray[np.float32]

_EDEN_BITS = 24  # of each scale's stochastic rounding
_NOTHING = np.empty((0, 0), np.float32)


@dataclass(frozen=True)
class Taken:
    """One operand, ready to be multiplied.

    Parameters
    ----------
    values : ndarray of float32
        What it stands for, in the shape and orientation of its array.
    source : ndarray of float32
        What was quantised: the array, rotated and clamped.
    quantized : Quantized or None
        Codes and scales, where they were asked for.
    codes : ndarray or None
        Codes of a plain format, where they were asked for.
    rotation : Rotation or None
        How it is rotated.
    signs : ndarray or None
        With which signs.
    residual : ndarray of float32 or None
        What clamping cut off.
    """

    values: Single
    source: Single
    quantized: Quantized | None = None
    codes: npt.NDArray[Any] | None = None
    rotation: Rotation | None = None
    signs: npt.NDArray[np.int8] | None = None
    residual: Single | None = None

    def only_rotation(self) -> Taken:
        """Return how the operand was rotated, without its values and codes."""
        return Taken(_NOTHING, _NOTHING, rotation=self.rotation, signs=self.signs)


def take(
    array: npt.NDArray[np.floating[Any]],
    role: str,
    operand: Operand | None,
    site: Site,
    *,
    forward: Taken | None = None,
    references: TensorAmax | None = None,
    with_codes: bool = False,
) -> Taken:
    """Make the operand of a role.

    Parameters
    ----------
    array : ndarray, shape (rows, columns)
        X, W or dY. float64 values are first rounded to float32 if they are quantised.
    role : str
        Which operand; see `refnum.recipes.ROLES`.
    operand : Operand or None
        What the recipe says about it; None leaves the array as it is.
    site : Site
        What random bits depend on.
    forward : Taken, optional
        The forward pass's copy, for operands made from it.
    references : TensorAmax, optional
        Where references of tensor scales from other steps are found.
    with_codes : bool
        Whether codes and scales are kept.

    Returns
    -------
    Taken
        Values, and what else was asked for.

    Raises
    ------
    ValueError
        If an operand made from the forward copy has none.
    """
    if operand is None:
        return Taken(array, array)
    if operand.source != "original":
        if forward is None:
            raise ValueError(f"{role} is made from the forward copy: there is none")
        if operand.source == "codes":
            return forward
        array = forward.values
        if operand.format is None and operand.rotation is None:
            return replace(forward, source=array, quantized=None, codes=None)
    x = np.asarray(array, np.float32)
    signs = None
    if operand.rotation is not None:
        signs = signs_of(operand.rotation, site, ROLES[role].gemm)
        x = rotate(x, operand.rotation, signs, ROLES[role].axis)
    residual = None
    if operand.outliers is not None:
        x, residual = clamp_outliers(x, operand.outliers)
    amax = None if references is None else references.read(role, operand, x)
    made = _round(x, role, operand, site, amax, with_codes)
    if operand.fallback is not None:
        values = fall_back(x, made.values, operand.fallback, ROLES[role].axis)
        made = replace(made, values=values)
    return replace(made, rotation=operand.rotation, signs=signs, residual=residual)


def rotate(
    x: npt.NDArray[np.floating[Any]],
    rotation: Rotation,
    signs: npt.NDArray[np.int8] | None,
    axis: int,
    *,
    inverse: bool = False,
) -> Single:
    """Rotate an array along an axis, or back.

    The way back is not rounded to the rotation's output format.
    """
    return hadamard(
        x,
        rotation.size,
        signs=signs,
        axis=axis,
        order=rotation.order,
        arithmetic=rotation.arithmetic,
        output=None if inverse else rotation.output,
        inverse=inverse,
    )


def _round(
    x: Single,
    role: str,
    operand: Operand,
    site: Site,
    amax: np.float32 | None,
    with_codes: bool,
) -> Taken:
    """Quantise and dequantise."""
    fmt = operand.format
    if fmt is None:
        return Taken(x, x)
    random = None
    if operand.is_stochastic:
        bits = operand.element_cast.random_bits
        assert bits is not None
        random = bits_of(site.stream(role), x.shape, bits)
    if isinstance(fmt, Format):
        if not with_codes:
            return Taken(round_to(x, fmt, operand.element_cast, random=random), x)
        codes = encode(x, fmt, operand.element_cast, random=random)
        return Taken(decode(codes, fmt), x, codes=codes)
    axis = ROLES[role].axis
    if operand.eden:
        q = _eden(x, operand, site.stream(role), axis, amax)
        return Taken(dequantize(q), x, q)
    block_format = operand.block_format
    assert block_format is not None
    if amax is not None and operand.block == "tensor":
        assert isinstance(block_format, BlockFormat)
        q = _with_reference(x, block_format, axis, random, amax)
        return Taken(dequantize(q), x, q)
    if operand.prescale == 1 and not with_codes:
        return Taken(_values(x, block_format, axis, random, amax), x)
    q = quantize(x, block_format, axis=axis, random=random, tensor_amax=amax)
    if operand.prescale != 1:  # the correction of the product takes it back
        assert isinstance(fmt, BlockFormat)
        q = replace(q, format=replace(q.format, prescale=fmt.prescale))
    return Taken(dequantize(q), x, q)


def _with_reference(
    x: Single,
    fmt: BlockFormat,
    axis: int,
    random: npt.NDArray[Any] | None,
    amax: np.float32,
) -> Quantized:
    """Quantise with the one scale that a largest magnitude from elsewhere gives.

    That magnitude joins the elements, and greater ones are cut down to it: it becomes
    the largest value of the format, as they do.
    """
    if not x.size:
        return quantize(x, fmt, axis=axis, random=random)
    cut = np.where(x > amax, amax, np.where(x < -amax, -amax, x))
    joined = np.append(cut, amax)
    bits = None if random is None else np.append(random, random.dtype.type(0))
    q = quantize(joined, fmt, random=bits)
    return replace(q, codes=q.codes[:-1].reshape(x.shape), axis=axis)


def _values(
    x: Single,
    fmt: BlockFormat | ChosenFormat,
    axis: int,
    random: npt.NDArray[Any] | None,
    amax: np.float32 | None,
) -> Single:
    """Quantise and dequantise as the array lies in memory: rotations turn it."""
    if x.flags.c_contiguous or not x.flags.f_contiguous:
        return fake_quantize(x, fmt, axis=axis, random=random, tensor_amax=amax)
    bits = None if random is None else random.T
    return fake_quantize(x.T, fmt, axis=1 - axis, random=bits, tensor_amax=amax).T


def _eden(
    x: Single, operand: Operand, stream: Any, axis: int, amax: np.float32 | None
) -> Quantized:
    fmt, rotation = operand.format, operand.rotation
    assert isinstance(fmt, BlockFormat)
    assert isinstance(fmt.block, int)
    assert rotation is not None
    shape = list(x.shape)
    shape[axis] = -(-shape[axis] // fmt.block)
    random = bits_of(stream, tuple(shape), _EDEN_BITS).astype(np.uint32, copy=False)
    return eden(x, fmt, random=random, group=rotation.size, axis=axis, tensor_amax=amax)
