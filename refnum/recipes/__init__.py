"""How a linear layer computes: six operand roles, the published recipes, schedules.

A `Recipe` says for each operand of each of a layer's three products what it is made
from, how it is rotated and what it is quantised to (`Operand`), and how the products
add up (`Gemm`). It holds facts alone; `refnum.nn` computes with it.
"""

from refnum.recipes.catalog import get, names
from refnum.recipes.check import check_shapes
from refnum.recipes.cost import Cost, OperandCost, ProductCost
from refnum.recipes.costing import cost_of, implied_speed
from refnum.recipes.describe import describe
from refnum.recipes.details import Amax, Channels, Fallback, Outliers
from refnum.recipes.gemm import Gemm, KernelSchedule
from refnum.recipes.model_shape import LinearShape, ModelShape
from refnum.recipes.noise import gradient_to_noise
from refnum.recipes.operand import Operand
from refnum.recipes.recipe import KINDS, Override, Recipe, recipe_of_layer
from refnum.recipes.roles import GEMMS, ROLES, Role
from refnum.recipes.rotation import Rotation
from refnum.recipes.schedule import (
    SQRT_3,
    Schedule,
    Switch,
    target_precision,
    with_gemms_of,
)
from refnum.recipes.slopes import ScaleSlope, Slope
from refnum.recipes.speeds import IMPLIED_SPEEDS, STATED_SPEEDS, SpeedMap
from refnum.recipes.upkeep import OscillationReset, Ramping

__all__ = [
    "GEMMS",
    "IMPLIED_SPEEDS",
    "KINDS",
    "ROLES",
    "SQRT_3",
    "STATED_SPEEDS",
    "Amax",
    "Channels",
    "Cost",
    "Fallback",
    "Gemm",
    "KernelSchedule",
    "LinearShape",
    "ModelShape",
    "Operand",
    "OperandCost",
    "OscillationReset",
    "Outliers",
    "Override",
    "ProductCost",
    "Ramping",
    "Recipe",
    "Role",
    "Rotation",
    "ScaleSlope",
    "Schedule",
    "Slope",
    "SpeedMap",
    "Switch",
    "check_shapes",
    "cost_of",
    "describe",
    "get",
    "gradient_to_noise",
    "implied_speed",
    "names",
    "recipe_of_layer",
    "target_precision",
    "with_gemms_of",
]
