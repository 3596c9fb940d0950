"""A recipe in words: the text of its page, and of messages."""

from __future__ import annotations

from refnum.recipes.gemm import Gemm
from refnum.recipes.recipe import Recipe
from refnum.recipes.roles import GEMMS

__all__ = ["describe"]


def describe(recipe: Recipe) -> str:
    """Return a recipe as a section of Markdown.

    Parameters
    ----------
    recipe : Recipe
        The record.

    Returns
    -------
    str
        What it is, its six roles as a table, its products and overrides, and what
        was read in its source and what inferred.

    Examples
    --------
    >>> from refnum import recipes
    >>> print(recipes.describe(recipes.get("mxfp4")).splitlines()[6])
    | `fprop_x` | mxfp4 |
    """
    lines = [f"## {recipe}", "", recipe.reference + ".", ""]
    lines += ["| role | operand |", "|---|---|"]
    for role, operand in recipe.operands.items():
        lines.append(f"| `{role}` | {operand or 'unquantised'} |")
    lines.append("")
    for gemm in GEMMS:
        product: Gemm = getattr(recipe, gemm)
        if product != Gemm():
            lines.append(f"- `{gemm}`: {product}.")
    if recipe.channels is not None:
        lines.append(f"- Outlier channels: {recipe.channels}.")
    if recipe.upkeep is not None:
        lines.append(f"- Master weights: {recipe.upkeep}.")
    lines += [f"- Other for {override}." for override in recipe.overrides]
    lines += ["", f"Read in the source: {recipe.read}"] if recipe.read else []
    lines += ["", f"Inferred: {recipe.inferred}"] if recipe.inferred else []
    return "\n".join(lines) + "\n"
