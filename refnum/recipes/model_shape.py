"""`ModelShape`: what a model multiplies in one step, without the model."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LinearShape", "ModelShape"]


@dataclass(frozen=True)
class LinearShape:
    """One linear layer in one step, or several that are alike.

    Parameters
    ----------
    name : str
        Its dotted name, which overrides of recipes may ask for.
    kind : str
        ``"attention"``, ``"mlp"``, ``"head"`` or ``"other"``.
    rows : int
        M, rows of X: the tokens of a step.
    inputs, outputs : int
        K and N.
    block : int, optional
        Number of the block that it stands in.
    count : int
        How many layers are alike.

    Raises
    ------
    ValueError
        If a size is not positive.
    """

    name: str
    kind: str
    rows: int
    inputs: int
    outputs: int
    block: int | None = None
    count: int = 1

    def __post_init__(self) -> None:
        for field in ("rows", "inputs", "outputs", "count"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{field} is {value!r}; it must be a positive integer")

    @property
    def macs(self) -> int:
        """Multiply-adds of one of its three products."""
        return self.count * self.rows * self.inputs * self.outputs

    @property
    def sizes(self) -> dict[str, int]:
        """Elements of x, w and dy."""
        return {
            "x": self.count * self.rows * self.inputs,
            "w": self.count * self.inputs * self.outputs,
            "dy": self.count * self.rows * self.outputs,
        }


@dataclass(frozen=True)
class ModelShape:
    """The linear layers of a model, and what it multiplies beside them.

    Parameters
    ----------
    layers : tuple of LinearShape
        All linear layers.
    core : int
        Multiply-adds of a forward pass outside of linear layers: of attention, the
        products of queries with keys and of probabilities with values. The backward
        pass has twice as many. They are never quantised.
    blocks : int
        How many blocks the model has.

    Examples
    --------
    >>> from refnum.recipes import ModelShape
    >>> llama = ModelShape.llama(4096, 11008, layers=32, context=4096)
    >>> [round(100 * share, 2) for share in llama.shares().values()]
    [57.33, 28.44, 14.22]
    """

    layers: tuple[LinearShape, ...]
    core: int = 0
    blocks: int = 0

    @classmethod
    def llama(
        cls,
        width: int,
        hidden: int,
        *,
        layers: int,
        context: int,
        sequences: int = 1,
        vocabulary: int = 0,
    ) -> ModelShape:
        """Return a decoder with query, key, value and output, gate, up and down.

        Parameters
        ----------
        width, hidden : int
            Width of the model and of the inside of the MLP.
        layers : int
            Blocks.
        context : int
            Tokens of a sequence. Causal attention is not given a discount.
        sequences : int
            Sequences of a step.
        vocabulary : int
            Outputs of the head; 0 leaves it out.
        """
        rows = sequences * context
        shapes = [
            LinearShape(f"blocks.{block}.{name}", kind, rows, k, n, block, count)
            for block in range(layers)
            for name, kind, k, n, count in (
                ("attention", "attention", width, width, 4),
                ("mlp.gate_up", "mlp", width, hidden, 2),
                ("mlp.down", "mlp", hidden, width, 1),
            )
        ]
        if vocabulary:
            shapes.append(LinearShape("head", "head", rows, width, vocabulary))
        core = layers * rows * 2 * context * width
        return cls(tuple(shapes), core, layers)

    @property
    def macs(self) -> int:
        """Multiply-adds of a step: forward and backward, a third and two thirds."""
        return 3 * (sum(layer.macs for layer in self.layers) + self.core)

    def shares(self) -> dict[str, float]:
        """Return the share of each kind of layer, and of the core, in multiply-adds."""
        parts: dict[str, int] = {}
        for layer in sorted(self.layers, key=lambda one: one.kind, reverse=True):
            parts[layer.kind] = parts.get(layer.kind, 0) + 3 * layer.macs
        parts["core"] = 3 * self.core
        return {kind: part / self.macs for kind, part in parts.items()}
