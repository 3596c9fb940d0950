"""Write docs/recipes.md: an introduction, and each recipe from its record.

Usage: python docs/recipes_page.py [FILE]
"""

from __future__ import annotations

import sys
from pathlib import Path

import refnum as rn
from refnum import recipes
from refnum.blocks import BlockFormat, ChosenFormat

PAGE = Path(__file__).parent / "recipes.md"

INTRODUCTION = """\
# Recipes

A recipe says how a linear layer computes its three products: fprop Y = X W^T, and from
the gradient dY of Y, dgrad dX = dY W and wgrad dW = dY^T X. Each product has two
operands, which makes six roles. Blocks and rotations always run along the axis that
the product reduces, so an array is quantised once for each product that it enters:

| role | array | its shape | reduced axis |
|---|---|---|---|
| `fprop_x` | X | M x K | K |
| `fprop_w` | W | N x K | K |
| `dgrad_dy` | dY | M x N | N |
| `dgrad_w` | W | N x K | N |
| `wgrad_dy` | dY | M x N | M |
| `wgrad_x` | X | M x K | M |

The way of an operand: from its *source* (the array itself; or the forward pass's copy,
quantised a second time; or the forward pass's codes, which square tiles allow), rotated,
quantised, dequantised to float32, multiplied. A *prescale* multiplies values after their
scale is chosen, and the product's *correction* takes it back from the result. In the
backward pass rounding counts as the identity, unless the recipe gives it a *slope*: the
mask of what is not clipped, or an estimator; and `ScaleSlope` says what of the gradient
goes through the scale of a block and that of the tensor.

```python
>>> from refnum import recipes
>>> nvfp4 = recipes.get("nvfp4")
>>> print(nvfp4.wgrad_dy)
nvfp4 stochastic_a 8 bits, H16 transformer_engine signs
>>> from dataclasses import replace
>>> mine = replace(nvfp4, fprop_x=recipes.Operand("nvfp4_four_over_six"), name="mine")

```

A recipe that cannot be is refused when it is made, and shapes that do not fit when a
model takes it:

```python
>>> replace(nvfp4, wgrad_x=recipes.Operand("nvfp4"))
Traceback (most recent call last):
ValueError: wgrad: wgrad_dy is rotated by H16 transformer_engine signs and wgrad_x is \
not: they do not cancel; both operands of a product need the same rotation

```

## In a model

`refnum.nn.quantize_model` gives every linear layer its recipe: the first *override* that
means the layer, by kind, by block or by name, or the recipe itself. All recipes below
leave the head in full precision. Call `begin` before each step, `update` in place of the
optimiser's step (recipes with an *upkeep*, Q-Ramping and OsciReset, do something to the master
weights around it), and evaluate within `evaluating()`, which leaves no trace in the states:

```python
>>> from refnum.autograd import Stream, Tensor
>>> from refnum.nn import Linear, quantize_model
>>> layer = Linear(64, 64, Stream(0))
>>> quantization = quantize_model(layer, "nvfp4", seed=1)
>>> quantization.begin(1)
>>> with quantization.report() as report:
...     layer(Tensor(Stream(1).normal((32, 64)))).sum().backward()
>>> round(report.operands[""]["fprop_x"].sqnr, 1)
20.4

```

Random bits are Philox's, keyed by seed, step, layer and role, one draw for each element
of the array in C order: a run replays on any machine, whatever the layout. 8 bits an
element are byte i of the words, 16 bits half-word i.

Products add up as the numerics say (the exact sum, or BLAS), in a defined order
(`Gemm(rn.SEQUENTIAL)`), or in a chain of matrix instructions
(`Gemm("sm100.tcgen05.mxf4nvf4.ue4m3.f32")`), which takes codes and scales.

Blocks must divide the axes; `padded=True` lets the last one be ragged. Rotations must
always divide them.

## Over time

A `Schedule` is a recipe and its switches: at a step, for some products or some layers,
or when a layer's gradient drowns in the noise of quantisation,
`|g| / (sigma sqrt(d)) < sqrt(3)` (Chmiel et al., arXiv 2505.19115), where sigma is the
root mean square of the noise and d the number of elements.

```python
>>> late = recipes.Schedule("nvfp4", (recipes.Switch("bf16", at=820, gemms=("fprop",)),))
>>> late.recipe_at(820).name
'nvfp4, fprop of bf16'
>>> recipes.target_precision("exploring-fp4", steps=1000, share=0.1).switches[0].at
901
>>> watched = recipes.Schedule("mxfp4", (recipes.Switch("bf16", layers=("blocks.0.*",)),))

```

`Quantization.watch(report.ratios())` tells such switches the ratios of a report.

## Limits

- Attention's own products, embeddings and normalisations are not quantised.
- Operands are decoded to float32 with all their scales in them, and rounded once by the
  tensor scale. Hardware multiplies tensor scales in the epilogue; instructions do so here.
- Random bits have the distribution of each source, not its generator.
- Graphcore's `fp_scale_factor` and `softsoftmax` change the forward pass: their gradients are
  in `refnum.nn`, no recipe has them.

`golden/linear/` holds one layer under each recipe: inputs, results, gradients, codes and
scales. They come from two derivations: `refnum.nn`, and plain loops over Python's numbers.
"""


def page() -> str:
    """Return the text of the page."""
    parts = [INTRODUCTION]
    for name in recipes.names():
        recipe = recipes.get(name)
        parts += [recipes.describe(recipe), _formats(recipe)]
    return "\n".join(parts)


def _formats(recipe: recipes.Recipe) -> str:
    """Return links to the formats that have a page, and the facts of those without."""
    known, own = [], []
    for operand in recipe.operands.values():
        fmt = None if operand is None else operand.format
        if isinstance(fmt, BlockFormat | ChosenFormat) and fmt not in (*known, *own):
            (known if str(fmt) in rn.blocks.names() else own).append(fmt)
    links = [f"[{fmt}](blocks/{fmt}.md)" for fmt in known]
    lines = [f"Formats: {', '.join(links)}.", ""] if links else []
    for fmt in own:
        lines += ["```text", str(fmt), rn.blocks.describe(fmt), "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    target.write_text(page(), encoding="utf-8")
