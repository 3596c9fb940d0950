"""What a recipe costs: products by precision, and the work around them.

A step of a model has three products for each linear layer. A product runs at the speed
of its wider operand. Around it stands the work on single elements: finding the largest
magnitudes, scaling, rounding, rotating, drawing random bits. These are counted
separately, since what they cost depends on how well a kernel hides them.

The counts of an operand of n elements in blocks of B:

===================  ==================================================================
quantisation         n comparisons, n multiplications, n roundings, n/B scale encodings
tensor scale         one more pass over n elements, spread over the steps it is held
rotation             n log2(size) additions, as a fast transform
stochastic rounding  n draws of so many bits
chosen encodings     a quantisation and 2n operations of error for each candidate
EDEN                 2n multiply-adds for the corrections, n/B draws
forward copy         n multiplications to dequantise it
outlier clamping     n log2 n comparisons; the residual is a product of its share
slopes               8 operations for each element
===================  ==================================================================

References
----------
The shares of a model: each layer and token has 4 h^2 multiply-adds in attention's linear
layers, 3 h f in a gated MLP and 2 s h in the attention core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, log2

from refnum.blocks import ChosenFormat
from refnum.formats import BF16, Format
from refnum.recipes.model_shape import LinearShape, ModelShape
from refnum.recipes.operand import AnyFormat, Operand
from refnum.recipes.roles import GEMMS, ROLES
from refnum.recipes.speeds import SpeedMap, precision_of

__all__ = ["Cost", "OperandCost", "ProductCost", "add_up"]

_BF16_BYTES = 2
_SLOPE_OPERATIONS = 8
_PASSES = 3  # over each element: compare, multiply, round

Operands = Mapping[str, Operand | None]


@dataclass(frozen=True)
class ProductCost:
    """One product of one layer.

    Parameters
    ----------
    layer, gemm : str
        Which.
    precision : str
        Of its wider operand.
    macs : int
        Multiply-adds.
    """

    layer: str
    gemm: str
    precision: str
    macs: int


@dataclass(frozen=True)
class OperandCost:
    """The work on one operand before its product.

    Parameters
    ----------
    layer, role : str
        Which.
    quantization : int
        Operations on elements to find scales, to scale and to round.
    rotation : int
        Additions of the rotation.
    extra : int
        Operations for all else: corrections, outliers, slopes, forward copies.
    random_bits : int
        Random bits drawn.
    passes : float
        Passes over the operand in memory before the one that quantises it.
    bytes_moved : int
        Bytes read and written.
    """

    layer: str
    role: str
    quantization: int
    rotation: int
    extra: int
    random_bits: int
    passes: float
    bytes_moved: int

    @property
    def operations(self) -> int:
        """All operations on elements."""
        return self.quantization + self.rotation + self.extra


@dataclass(frozen=True)
class Cost:
    """What a step of a model costs under a recipe.

    Parameters
    ----------
    recipe : str
        Its name.
    speeds : SpeedMap
        Speeds relative to BF16.
    products : tuple of ProductCost
        Each product of each layer, and the core.
    operands : tuple of OperandCost
        The work on each operand that is not left as it is.
    """

    recipe: str
    speeds: SpeedMap
    products: tuple[ProductCost, ...]
    operands: tuple[OperandCost, ...]

    @property
    def macs(self) -> dict[str, int]:
        """Multiply-adds by precision."""
        found: dict[str, int] = {}
        for product in self.products:
            found[product.precision] = found.get(product.precision, 0) + product.macs
        return dict(sorted(found.items()))

    @property
    def operations(self) -> int:
        """Operations on elements."""
        return sum(operand.operations for operand in self.operands)

    @property
    def random_bits(self) -> int:
        """Random bits drawn."""
        return sum(operand.random_bits for operand in self.operands)

    @property
    def bytes_moved(self) -> int:
        """Bytes that quantising reads and writes."""
        return sum(operand.bytes_moved for operand in self.operands)

    @property
    def product_time(self) -> float:
        """Time of the products, in BF16 multiply-adds."""
        return sum(n / self.speeds.of(precision) for precision, n in self.macs.items())

    @property
    def overhead_time(self) -> float:
        """Time of the work on elements, in BF16 multiply-adds."""
        work = self.operations / self.speeds.elementwise
        return max(work, self.bytes_moved / self.speeds.bandwidth)

    @property
    def relative(self) -> float:
        """The time of a step over that of BF16."""
        baseline = sum(self.macs.values()) / self.speeds.bf16
        return (self.product_time + self.overhead_time) / baseline

    def __str__(self) -> str:
        total = sum(self.macs.values())
        shares = (f"{100 * n / total:.1f} % {p}" for p, n in self.macs.items())
        lines = [
            f"{self.recipe}: {100 * self.relative:.1f} % of the time of BF16",
            f"multiply-adds   {total:.3g}: {', '.join(shares)}",
            f"on elements     {self.operations / total:.3g} operations a multiply-add",
            f"random bits     {self.random_bits:.3g}",
            f"bytes moved     {self.bytes_moved:.3g}",
        ]
        return "\n".join(lines)


def add_up(
    name: str,
    operands_of: Callable[[LinearShape], Operands | None],
    model: ModelShape,
    speeds: SpeedMap,
) -> Cost:
    """Return what a step costs, given the operands of each layer by role.

    Parameters
    ----------
    name : str
        The recipe's.
    operands_of : callable
        From a layer to its operands by role; to None where it is in full precision.
    model : ModelShape
        What is multiplied.
    speeds : SpeedMap
        Speeds relative to BF16.
    """
    products: list[ProductCost] = []
    work: list[OperandCost] = []
    for layer in model.layers:
        operands = operands_of(layer) or dict.fromkeys(ROLES)
        products += _products(layer, operands)
        work += _work(layer, operands)
    if model.core:
        products.append(ProductCost("core", "all", "bf16", 3 * model.core))
    return Cost(name, speeds, tuple(products), tuple(work))


def _products(layer: LinearShape, operands: Operands) -> Iterator[ProductCost]:
    for gemm, roles in GEMMS.items():
        formats = [_format(operands, role) for role in roles]
        yield ProductCost(layer.name, gemm, precision_of(*formats), layer.macs)


def _format(operands: Operands, role: str) -> AnyFormat | None:
    """Return what a role is quantised to, that of the forward copy included."""
    operand = operands[role]
    if operand is not None and operand.source == "codes":
        operand = operands[f"fprop_{ROLES[role].tensor}"]
    if operand is None:
        return None
    assert not isinstance(operand.format, str)  # it is a record once it was made
    return operand.format


def _work(layer: LinearShape, operands: Operands) -> Iterator[OperandCost]:
    for role, operand in operands.items():
        if operand is not None and operand.source != "codes" and not _is_bf16(operand):
            yield _operand(layer, role, operand)


def _is_bf16(operand: Operand) -> bool:
    """Whether an operand is what BF16 training has, too."""
    return operand == Operand(BF16)


def _operand(layer: LinearShape, role: str, operand: Operand) -> OperandCost:
    n = layer.sizes[ROLES[role].tensor]
    rotation = n * int(log2(operand.rotation.size)) if operand.rotation else 0
    if operand.format is None:
        moved = 2 * _BF16_BYTES * n if operand.rotation else 0
        return OperandCost(layer.name, role, 0, rotation, 0, 0, 0, moved)
    scales = _scales(n, operand)
    tries = _candidates(operand)
    quantization = tries * (_PASSES * n + scales) + (tries > 1) * tries * 2 * n
    bits = operand.element_cast.random_bits or 0 if operand.is_stochastic else 0
    drawn = n * bits + (32 * scales if operand.eden else 0)
    passes = _extra_passes(operand)
    width, scale_width = _widths(operand)
    read = int((1 + passes) * n * _BF16_BYTES)
    written = ceil((n * width + scales * scale_width) / 8)
    return OperandCost(
        layer.name,
        role,
        quantization,
        rotation,
        _extra(n, layer, operand),
        drawn,
        passes,
        read + written,
    )


def _extra(n: int, layer: LinearShape, operand: Operand) -> int:
    """Return the operations of everything but quantising and rotating."""
    total = 0
    if operand.source == "forward":
        total += n
    if operand.eden:
        total += 2 * n
    if operand.slope.kind != "ste":
        total += _SLOPE_OPERATIONS * n
    if operand.fallback is not None:
        total += _PASSES * n
    if operand.outliers is not None:
        total += n * ceil(log2(max(n, 2)))
        if operand.outliers.compensated:
            total += int(2 * (1 - operand.outliers.share) * layer.macs)
    return total


def _extra_passes(operand: Operand) -> float:
    """Return the passes over memory that a tensor scale needs before quantising."""
    if not _has_tensor_scale(operand):
        return 0.0
    return 0.0 if operand.amax.kind == "delayed" else 1 / operand.amax.period


def _has_tensor_scale(operand: Operand) -> bool:
    fmt = operand.format
    if fmt is None or isinstance(fmt, Format | str):
        return False
    return fmt.stored.tensor_scale is not None


def _candidates(operand: Operand) -> int:
    fmt = operand.format
    return len(fmt.candidates) if isinstance(fmt, ChosenFormat) else 1


def _scales(n: int, operand: Operand) -> int:
    """Return how many scales n elements have."""
    block = operand.block
    if block is None:
        return 0
    if isinstance(block, str):
        return 1
    return ceil(n / (block[0] * block[1]))


def _widths(operand: Operand) -> tuple[int, int]:
    """Return the bits of an element, and of a scale, which fills whole bytes."""
    fmt = operand.format
    if isinstance(fmt, Format):
        return fmt.bits, 0
    assert fmt is not None
    assert not isinstance(fmt, str)
    return fmt.stored.element.bits, 8 * fmt.stored.scale_dtype.itemsize
