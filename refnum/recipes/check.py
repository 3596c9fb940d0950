"""What makes a recipe impossible: each check raises with the reason."""

from __future__ import annotations

from collections.abc import Mapping

from refnum.blocks import BlockFormat
from refnum.recipes.gemm import Gemm
from refnum.recipes.operand import Operand
from refnum.recipes.roles import GEMMS, ROLES
from refnum.recipes.upkeep import OscillationReset, Ramping

__all__ = ["check_channels", "check_recipe", "check_shapes", "check_upkeep"]

_Operands = Mapping[str, Operand | None]

# The forward role whose copy a backward role may be made from.
FORWARD_OF = {"dgrad_w": "fprop_w", "wgrad_x": "fprop_x"}
# The role whose values make the product that a forward slope multiplies.
_MEETS = {"fprop_x": "dgrad_w", "fprop_w": "wgrad_x"}


def check_recipe(operands: _Operands, gemms: Mapping[str, Gemm]) -> None:
    """Raise ValueError unless the operands and products fit each other."""
    for role, operand in operands.items():
        if operand is not None:
            _check_source(role, operand, operands)
            _check_slope(role, operand, operands)
            _check_average(role, operand)
    for gemm, roles in GEMMS.items():
        _check_rotations(gemm, roles, operands)
        _check_correction(gemm, roles, operands, gemms[gemm])
        _check_kernel(gemm, roles, operands, gemms[gemm])


def check_channels(operands: _Operands, gemms: Mapping[str, Gemm]) -> None:
    """Raise ValueError unless channels can be quantised apart."""
    for role in ("fprop_x", "fprop_w", "wgrad_dy", "wgrad_x"):
        operand = operands[role]
        plain = operand is not None and operand.block_format is not None
        if operand is None or not plain or operand.prescale != 1 or operand.eden:
            raise ValueError(
                f"{role}: outlier channels need block formats in fprop and wgrad, "
                f"without eden and prescales; this is {operand or 'unquantised'}"
            )
        more = operand.outliers or operand.fallback or operand.average
        if more or not operand.slope.is_plain or operand.amax.kind != "current":
            raise ValueError(
                f"{role}: outlier channels go with formats and rotations alone; this "
                f"is {operand}"
            )
        if role.startswith("fprop") and operand.rotation is not None:
            raise ValueError(
                f"{role}: {operand.rotation} mixes channels, which outlier channels "
                "must not be; no rotation is allowed"
            )
        if gemms[ROLES[role].gemm].kernel is not None:
            raise ValueError(
                f"{role}: values in two formats are no codes of one, which an "
                "instruction needs; an accumulator or None is allowed"
            )


def check_upkeep(weight: Operand | None, upkeep: Ramping | OscillationReset) -> None:
    """Raise unless a weight has one quantised value, which oscillates with it."""
    if not isinstance(upkeep, Ramping | OscillationReset):
        raise TypeError(f"upkeep must be Ramping, OscillationReset or None: {upkeep!r}")
    plain = weight is not None and weight.format is not None
    if weight is None or not plain or weight.is_stochastic or weight.rotation:
        raise ValueError(
            f"fprop_w: weights that are {weight or 'unquantised'} do not oscillate "
            "between two levels: a format, rounded to nearest without a rotation, is "
            "needed"
        )
    if weight.amax.kind != "current":
        raise ValueError(
            f"fprop_w: with a {weight.amax} a weight has no value of its own; the "
            "current amax is needed"
        )


def check_shapes(
    operands: _Operands, lengths: Mapping[str, int], where: str, padded: bool
) -> None:
    """Raise ValueError unless blocks and rotations divide what products reduce.

    Parameters
    ----------
    operands : mapping
        Of the recipe.
    lengths : mapping of str to int
        The reduced length of some of the products, by name.
    where : str
        The layer, for the message.
    padded : bool
        Whether a last block may be filled with zeros.
    """
    for role, operand in operands.items():
        gemm = ROLES[role].gemm
        if operand is None or gemm not in lengths:
            continue
        needs = []
        if operand.rotation is not None:
            needs.append((f"rotation {operand.rotation}", operand.rotation.size))
        if isinstance(operand.block, tuple) and not padded:
            needs.append((f"blocks of {operand.format}", operand.block[1]))
        for what, size in needs:
            if lengths[gemm] % size:
                raise ValueError(
                    f"{where}, {role}: {what} do not divide the {lengths[gemm]} "
                    f"elements that {gemm} reduces; a multiple of {size} is needed"
                    + ("" if "rotation" in what else ", or a recipe with padded=True")
                )


def _check_source(role: str, operand: Operand, operands: _Operands) -> None:
    if operand.source == "original":
        return
    if role not in FORWARD_OF:
        raise ValueError(
            f"{role}: source {operand.source!r} needs a forward copy, which only "
            "dgrad_w and wgrad_x have; 'original' is allowed"
        )
    if operand.source == "forward":
        return
    forward = operands[FORWARD_OF[role]]
    if forward is None or forward.format is None:
        raise ValueError(
            f"{role}: {FORWARD_OF[role]} is not quantised, so it has no codes to reuse; "
            "'original' or 'forward' is allowed"
        )
    if not forward.is_axis_free or forward.rotation is not None:
        raise ValueError(
            f"{role}: the codes of {FORWARD_OF[role]} ({forward}) run along another "
            "axis; square tiles or one scale for the tensor, without a rotation, can "
            "be reused"
        )


def _check_slope(role: str, operand: Operand, operands: _Operands) -> None:
    if operand.slope.is_plain:
        return
    if role not in _MEETS:
        raise ValueError(
            f"{role}: a {operand.slope} belongs to fprop_x or fprop_w, whose rounding "
            "the gradient passes through"
        )
    if operand.format is None:
        raise ValueError(f"{role}: a {operand.slope} needs a format")
    if not operand.slope.scale.is_plain:
        _check_scale_slope(role, operand)
    if operand.rotation is None:
        return
    # The slope stands in the rotated space, so the gradient must arrive there.
    other = "fprop_w" if role == "fprop_x" else "fprop_x"
    meets = operands["dgrad_w" if role == "fprop_x" else "wgrad_x"]
    if meets is None or meets.source == "original":
        raise ValueError(
            f"{role}: its {operand.slope} stands in rotated coordinates, so "
            f"{'dgrad_w' if role == 'fprop_x' else 'wgrad_x'} must be made from the "
            f"rotated forward copy of {other}: source 'forward'"
        )


def _check_scale_slope(role: str, operand: Operand) -> None:
    """Raise unless scales are a function of largest magnitudes."""
    fmt, scale = operand.format, operand.slope.scale
    plain = isinstance(fmt, BlockFormat) and fmt.alternate is None and not fmt.levels
    if not isinstance(fmt, BlockFormat) or not plain or fmt.rule.statistic != "amax":
        raise ValueError(
            f"{role}: {fmt} has no scale that a gradient passes through; a block "
            "format whose scales follow from largest magnitudes alone is needed"
        )
    if scale.extent == "as_released" and fmt.convention != "encode":
        raise ValueError(
            f"{role}: the formulas as released are those of encode scales; {fmt} has "
            "decode scales, for which full and diagonal are allowed"
        )
    outer = fmt.tensor_scale
    if scale.tensor == "ignore":
        return
    if outer is None or outer.span != "tensor" or operand.amax.kind != "current":
        raise ValueError(
            f"{role}: {operand} has no tensor scale that follows from the tensor's own "
            "largest magnitude; tensor 'ignore' is allowed"
        )


def _check_average(role: str, operand: Operand) -> None:
    if not operand.average:
        return
    fmt = operand.format
    plain = isinstance(fmt, BlockFormat) and fmt.alternate is None and not fmt.levels
    drawn = operand.is_stochastic or operand.eden or operand.prescale != 1
    if role != "fprop_w" or not plain or drawn or operand.rotation is not None:
        raise ValueError(
            f"{role}: an average is rounded towards by fprop_w alone, in a plain block "
            f"format, to nearest and without a rotation; this is {operand}"
        )


def _check_rotations(gemm: str, roles: tuple[str, str], operands: _Operands) -> None:
    one, other = (
        None if operand is None else operand.rotation
        for operand in (operands[role] for role in roles)
    )
    if one == other:
        return
    named = [f"by {r}" if r is not None else "not" for r in (one, other)]
    if other is None:
        said = f"{roles[0]} is rotated {named[0]} and {roles[1]} is not"
    elif one is None:
        said = f"{roles[1]} is rotated {named[1]} and {roles[0]} is not"
    else:
        said = f"{roles[0]} is rotated {named[0]} and {roles[1]} {named[1]}"
    raise ValueError(
        f"{gemm}: {said}: they do not cancel; both operands of a product need the "
        "same rotation"
    )


def _check_correction(
    gemm: str, roles: tuple[str, str], operands: _Operands, product: Gemm
) -> None:
    total = product.correction
    for role in roles:
        operand = operands[role]
        total *= 1.0 if operand is None else operand.prescale
    if abs(total - 1) > 1e-6:
        raise ValueError(
            f"{gemm}: prescales and correction multiply to {total:g}, which scales its "
            f"result; a correction of {product.correction / total:g} is needed"
        )


def _check_kernel(
    gemm: str, roles: tuple[str, str], operands: _Operands, product: Gemm
) -> None:
    if product.kernel is None:
        return
    op = product.kernel.op
    for role, wanted in zip(roles, (op.a, op.b), strict=True):
        operand = operands[role]
        if operand is not None and operand.source == "codes":
            operand = operands[FORWARD_OF[role]]
        fmt = None if operand is None else operand.format
        if isinstance(fmt, BlockFormat) and fmt.element == wanted:
            continue
        if fmt == wanted:
            continue
        raise ValueError(
            f"{gemm}: {op.name} takes {wanted} codes for {role}, which is "
            f"{fmt or 'unquantised'}"
        )
    for role in roles:
        operand = operands[role]
        if operand is not None and (operand.fallback or operand.outliers):
            raise ValueError(
                f"{gemm}: {role} has values that are no codes of one format, which "
                f"{op.name} cannot multiply; an accumulator or None is allowed"
            )
