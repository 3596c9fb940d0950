"""Linear layers under a recipe, from one operand to all layers of a model.

An operand is rotated, clamped and rounded (`operands`, with bits from `rounding_words`,
and what recipes add: `outliers`, `mixture`, `averaged_rounding`, `wide_channels`); two
are multiplied (`contraction`); gradients go back through their roundings (`slopes`).
`products` makes a layer's three products of these, and `quantization` a model's layers,
which share operands (`sharing`) and are watched by `reports`.
"""
