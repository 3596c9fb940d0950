"""What a recipe costs on a model, and which speeds a published cost implies."""

from __future__ import annotations

from refnum.recipes.cost import Cost, add_up
from refnum.recipes.model_shape import ModelShape
from refnum.recipes.recipe import Recipe
from refnum.recipes.speeds import STATED_SPEEDS, SpeedMap

__all__ = ["cost_of", "implied_speed"]


def cost_of(
    recipe: Recipe | None, model: ModelShape, speeds: SpeedMap = STATED_SPEEDS
) -> Cost:
    """Return what a step costs.

    Parameters
    ----------
    recipe : Recipe or None
        The recipe; None is full precision.
    model : ModelShape
        What is multiplied.
    speeds : SpeedMap
        Speeds relative to BF16.

    Returns
    -------
    Cost
        Products, and the work around them.

    Examples
    --------
    >>> from refnum import recipes
    >>> llama = recipes.ModelShape.llama(4096, 11008, layers=32, context=4096)
    >>> speeds = recipes.SpeedMap(fp4=2)
    >>> all_fp4 = recipes.cost_of(recipes.get("mxfp4"), llama, speeds)
    >>> f"{100 * all_fp4.relative:.1f} %"
    '57.1 %'
    """
    if recipe is not None:
        return recipe.cost(model, speeds)
    return add_up("full precision", lambda _: None, model, speeds)


def implied_speed(
    recipe: Recipe,
    model: ModelShape,
    relative: float,
    precision: str,
    speeds: SpeedMap = STATED_SPEEDS,
) -> float:
    """Return the speed of one precision that a published relative cost implies.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    model : ModelShape
        What is multiplied.
    relative : float
        Published time over that of BF16.
    precision : str
        Whose speed is asked for.
    speeds : SpeedMap
        The other speeds.

    Returns
    -------
    float
        The speed.

    Raises
    ------
    ValueError
        If no speed gives that cost.

    Notes
    -----
    Time is A + B / speed, so the answer is exact.
    """
    cost = cost_of(recipe, model, speeds)
    macs = cost.macs.get(precision, 0)
    total = sum(cost.macs.values()) / speeds.bf16
    rest = cost.relative * total - macs / speeds.of(precision)
    left = relative * total - rest
    if not macs or left <= 0:
        raise ValueError(
            f"no speed of {precision} makes {recipe} cost {100 * relative:.1f} %"
        )
    return macs / left
