"""The random bits of an operand, and the signs of its rotation.

Both are a pure function of seed, step, layer, role and of how often the layer was
called in this step. Bits belong to the elements of the array in C order, whatever axis
its blocks run along, and however the computation is cut up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream
from refnum.blocks import hadamard_signs, random_signs
from refnum.recipes import Rotation

__all__ = ["Site", "bits_of", "signs_of"]


@dataclass(frozen=True)
class Site:
    """Where and when: what random bits depend on.

    Parameters
    ----------
    seed : int
        Of the experiment.
    step : int
        Of training.
    layer : str
        Dotted name.
    call : int
        How often the layer was called before in this step.
    """

    seed: int
    step: int
    layer: str
    call: int = 0

    def stream(self, use: str, *, once: bool = False) -> Stream:
        """Return the stream of one use, of this step or the same at all steps."""
        name = f"{self.layer}.{use}"
        if once:
            return Stream(self.seed, 0, name)
        return Stream(
            self.seed, self.step, f"{name}.{self.call}" if self.call else name
        )


def bits_of(
    stream: Stream, shape: tuple[int, ...], bits: int
) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Return rounding bits for the elements of an array.

    Parameters
    ----------
    stream : Stream
        What they are drawn from.
    shape : tuple of int
        Of the array.
    bits : int
        Bits an element, 1 to 32.

    Returns
    -------
    ndarray of uint8, uint16 or uint32
        The low bits of byte i for element i where 8 are enough, of half-word i where
        16 are, of word i otherwise; bytes and halves count from the low end of a word.

    Examples
    --------
    >>> from refnum.autograd import Stream
    >>> bits_of(Stream(1), (2, 3), 4)
    array([[ 1,  9, 11],
           [ 2,  3,  7]], dtype=uint8)
    """
    if not 1 <= bits <= 32:
        raise ValueError(f"bits must be from 1 to 32, not {bits}")
    dtype = np.dtype("<u1" if bits <= 8 else "<u2" if bits <= 16 else "<u4")
    count = math.prod(shape)
    words = stream.words(-(-count * dtype.itemsize // 4)).astype("<u4", copy=False)
    drawn = words.view(dtype)[:count].reshape(shape)
    if bits < 8 * dtype.itemsize:
        drawn = drawn & dtype.type((1 << bits) - 1)
    return np.asarray(drawn, dtype.newbyteorder("="))


def signs_of(rotation: Rotation, site: Site, gemm: str) -> npt.NDArray[np.int8] | None:
    """Return the signs that both operands of a product are rotated with.

    Parameters
    ----------
    rotation : Rotation
        What kind of signs.
    site : Site
        Where and when.
    gemm : str
        The product.
    """
    if rotation.signs == "none":
        return None
    if rotation.signs == "transformer_engine":
        return hadamard_signs()
    stream = site.stream(f"{gemm}.signs", once=rotation.signs == "fixed")
    return random_signs(rotation.size, words=stream.words(-(-rotation.size // 32)))
