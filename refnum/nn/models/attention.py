"""`CausalAttention`: queries, keys and values of several heads, and their mixture."""

from __future__ import annotations

from typing import Any

from refnum.autograd import Stream, attention, reshape
from refnum.nn.initializers import Initializer, Normal, child
from refnum.nn.layers import positive
from refnum.nn.linear import Linear
from refnum.nn.models.rotary import rotary, rotary_tables
from refnum.nn.module import Module

__all__ = ["CausalAttention"]


class CausalAttention(Module):
    """Self-attention in which no position sees a later one.

    Parameters
    ----------
    width : int
        Features of the residual stream.
    heads : int
        Query heads, of ``width / heads`` features each.
    stream : Stream
        What weights are drawn from.
    key_heads : int, optional
        Heads of keys and values, each shared by as many query heads; by default each
        query head has its own.
    bias : bool
        Whether the linear layers have a bias.
    positions : int, optional
        For how many positions there are rotary tables; by default positions are left
        to the embedding.
    base : float
        Of the rotary angles.
    initializer, last : Initializer
        Of the weights of queries, keys and values, and of the output.

    Raises
    ------
    ValueError
        If heads do not divide the width, or key heads the heads.

    References
    ----------
    Ainslie et al., "GQA: training generalized multi-query transformer models from
    multi-head checkpoints", 2023, arXiv:2305.13245, for shared keys.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        stream: Stream,
        *,
        key_heads: int | None = None,
        bias: bool = True,
        positions: int | None = None,
        base: float = 10000.0,
        initializer: Initializer = Normal(),  # noqa: B008 frozen
        last: Initializer = Normal(),  # noqa: B008 frozen
    ) -> None:
        shared = heads if key_heads is None else key_heads
        width, heads, shared = positive(width=width, heads=heads, key_heads=shared)
        if width % heads or heads % shared:
            raise ValueError(
                f"width {width}, {heads} heads and {shared} key heads do not divide"
            )
        self.size, self.groups = width // heads, (shared, heads // shared)
        narrow = shared * self.size

        def layer(name: str, inputs: int, outputs: int, start: Initializer) -> Linear:
            return Linear(
                inputs,
                outputs,
                child(stream, name),
                bias=bias,
                kind="attention",
                initializer=start,
            )

        self.query = layer("query", width, width, initializer)
        self.key = layer("key", width, narrow, initializer)
        self.value = layer("value", width, narrow, initializer)
        self.output = layer("output", width, width, last)
        self.tables = None
        if positions is not None:
            self.tables = rotary_tables(positions, self.size, base)

    def __call__(self, x: Any) -> Any:
        """Return the mixture for x of shape (N, T, width)."""
        count, length, width = x.shape
        keys, per_key = self.groups
        shape = (count, length, keys, 1, self.size)
        q = self._heads(self.query(x), (*shape[:3], per_key, self.size))
        k, v = (self._heads(part(x), shape) for part in (self.key, self.value))
        if self.tables is not None:
            q, k = rotary(q, self.tables), rotary(k, self.tables)
        mixed = attention(q, k, v, causal=True)  # (N, keys, per_key, T, size)
        mixed = mixed.transpose(0, 3, 1, 2, 4)
        return self.output(reshape(mixed, (count, length, width)))

    @staticmethod
    def _heads(x: Any, shape: tuple[int, ...]) -> Any:
        """Return (N, keys, per_key, T, size)."""
        return reshape(x, shape).transpose(0, 2, 3, 1, 4)
