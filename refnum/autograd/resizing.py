"""Larger images of shape (N, C, H, W): repeated or interpolated pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from refnum.autograd.images import check_images, pair_of
from refnum.autograd.indexing import take
from refnum.autograd.mode import MODE, Numerics, use
from refnum.autograd.shaping import broadcast_to, reshape
from refnum.autograd.tensor import plain

__all__ = ["upsample2d"]


def upsample2d(
    x: Any,
    factor: int | tuple[int, int],
    mode: str = "nearest",
    *,
    numerics: Numerics | None = None,
) -> Any:
    """Enlarge images by whole factors.

    Parameters
    ----------
    x : Tensor or array, shape (N, C, H, W)
        Images.
    factor : int or (int, int)
        How many pixels become of each, down and across.
    mode : {"nearest", "bilinear"}
        Pixels are squares, and their values stand at the middles. Nearest repeats
        them; bilinear draws straight lines from middle to middle, first down, then
        across, and repeats the outermost beyond (``align_corners=False`` elsewhere).
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray, shape (N, C, H * factor, W * factor)
        Larger images.

    Raises
    ------
    ValueError
        If a factor is not positive, `mode` is unknown, or an image to interpolate has
        no pixel.

    Examples
    --------
    >>> import numpy as np
    >>> row = np.array([[[[0.0, 1.0]]]], np.float32)
    >>> upsample2d(row, (1, 2), "bilinear")
    array([[[[0.  , 0.25, 0.75, 1.  ]]]], dtype=float32)
    """
    check_images(x)
    down, across = pair_of(factor, "factor", 1)
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"mode must be nearest or bilinear, not {mode!r}")
    with use(numerics or MODE.get().numerics):
        if mode == "bilinear":
            return _stretch(_stretch(x, 2, down), 3, across)
        n, c, h, w = x.shape
        pixels = reshape(x, (n, c, h, 1, w, 1))
        repeated = broadcast_to(pixels, (n, c, h, down, w, across))
        return reshape(repeated, (n, c, h * down, w * across))


def _stretch(x: Any, axis: int, factor: int) -> Any:
    """Interpolate along an axis between the middles of pixels."""
    if factor == 1:
        return x
    size = x.shape[axis]
    if not size:
        raise ValueError(f"there is nothing to interpolate in the shape {x.shape}")
    # In units of old pixels, from the middle of the first; all exact but the quotient.
    places = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    before = np.floor(places).astype(np.intp)
    after = np.minimum(before + 1, size - 1)
    shape = [1] * 4
    shape[axis] = size * factor
    kind = plain(x).dtype
    share = (places - before).reshape(shape)
    first = take(x, before, axis) * (1 - share).astype(kind)
    return first + take(x, after, axis) * share.astype(kind)
