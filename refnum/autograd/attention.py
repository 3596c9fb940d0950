"""Scaled dot-product attention: one fused operation, and the composition it equals.

The fused operation keeps queries, keys, values and the probabilities; the composition
keeps two more arrays of the size of the probabilities, and can be differentiated twice.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd.arithmetic import where
from refnum.autograd.attention_pass import attend, attend_backward
from refnum.autograd.matrices import matmul
from refnum.autograd.mode import MODE, Numerics, use
from refnum.autograd.operation import Operation
from refnum.autograd.probabilities import softmax
from refnum.autograd.shaping import swapaxes
from refnum.autograd.tensor import plain
from refnum.products import Accumulator

__all__ = ["attention", "attention_composition"]

_Mask = npt.NDArray[np.bool_] | None


def _vjps(
    g: Any,
    needs: tuple[bool, bool, bool],
    q: Any,
    k: Any,
    v: Any,
    extra0: Any,
    out: Any,
    scale: float,
    accumulator: Accumulator | None,
) -> list[Any]:
    return attend_backward(g, needs, q, k, v, extra0, out, scale, accumulator)


_attention = Operation(
    "attention",
    attend,
    "q k v",
    "mask scale accumulator",
    joint=_vjps,
    twice=False,
    extras=1,
)


def attention(
    q: Any,
    k: Any,
    v: Any,
    *,
    mask: npt.ArrayLike | None = None,
    causal: bool = False,
    scale: float | None = None,
    accumulator: Accumulator | None = None,
    numerics: Numerics | None = None,
) -> Any:
    """Return ``softmax(scale * q @ k.T) @ v`` in one operation.

    Parameters
    ----------
    q, k, v : Tensor or array, shape (..., T, D), (..., S, D) and (..., S, E)
        Queries, keys and values; leading axes broadcast.
    mask : array_like of bool, shape (..., T, S), optional
        True where a query may look at a key; each must see at least one.
    causal : bool
        Whether a query sees no later key; the last query sees all.
    scale : float, optional
        By default ``1 / sqrt(D)``.
    accumulator : Accumulator, optional
        How products add up, here and in the backward pass.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray, shape (..., T, E)
        For each query the weighted mean of the values.

    Raises
    ------
    TypeError
        If `mask` is not bool.
    ValueError
        If shapes do not fit, or a query sees no key.

    References
    ----------
    Vaswani et al., "Attention is all you need", 2017, section 3.2.1, arXiv:1706.03762.

    Examples
    --------
    >>> from refnum.autograd import FAST, Tensor, attention
    >>> q, v = Tensor([[1.0], [2.0]]), Tensor([[1.0], [3.0]])
    >>> attention(q, q, v, causal=True, numerics=FAST).data
    array([[1.      ],
           [2.761594]], dtype=float32)
    """
    seen = _seen(q, k, v, mask, causal)
    factor = _scale(q, scale)
    return _attention(q, k, v, seen, factor, accumulator, numerics=numerics)


def attention_composition(
    q: Any,
    k: Any,
    v: Any,
    *,
    mask: npt.ArrayLike | None = None,
    causal: bool = False,
    scale: float | None = None,
    accumulator: Accumulator | None = None,
    numerics: Numerics | None = None,
) -> Any:
    """Return what `attention` does, to the bit, from operations of its own.

    Parameters
    ----------
    q, k, v, mask, causal, scale, accumulator, numerics
        As in `attention`.

    Returns
    -------
    Tensor or ndarray, shape (..., T, E)
        For each query the weighted mean of the values.

    Raises
    ------
    TypeError, ValueError
        As `attention`.
    """
    seen = _seen(q, k, v, mask, causal)
    factor = _scale(q, scale)
    with use(numerics or MODE.get().numerics):
        scores = matmul(q, swapaxes(k, -1, -2), accumulator=accumulator) * factor
        if seen is not None:
            scores = where(seen, scores, -math.inf)
        return matmul(softmax(scores), v, accumulator=accumulator)


def _scale(q: Any, scale: float | None) -> float:
    return 1 / math.sqrt(q.shape[-1]) if scale is None else float(scale)


def _seen(q: Any, k: Any, v: Any, mask: npt.ArrayLike | None, causal: bool) -> _Mask:
    """Return which query sees which key, or None if all see all."""
    for name, x in (("q", q), ("k", k), ("v", v)):
        if x.ndim < 2:
            raise ValueError(f"{name} must have at least two axes, not {x.shape}")
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(
            f"q, k and v of shapes {q.shape}, {k.shape} and {v.shape} do not fit"
        )
    if not (q.shape[-1] and k.shape[-2]):
        raise ValueError(f"there are no keys of any length in k of shape {k.shape}")
    seen = None if mask is None else np.array(plain(mask))
    if seen is not None and seen.dtype != bool:
        raise TypeError(f"mask must be bool, not {seen.dtype}")
    shape = q.shape[-2], k.shape[-2]
    if causal:
        before = np.tri(*shape, shape[1] - shape[0], dtype=bool)
        seen = before if seen is None else seen & before
    if seen is None:
        return None
    try:
        rows = np.broadcast_to(seen, np.broadcast_shapes(seen.shape, shape))
    except ValueError:
        raise ValueError(f"mask of shape {seen.shape} does not fit {shape}") from None
    if rows.shape[-2:] != shape or not rows.any(axis=-1).all():
        raise ValueError("a query sees no key")
    return seen
