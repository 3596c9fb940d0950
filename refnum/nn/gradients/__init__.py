"""How a gradient passes a rounding: functions of arrays, without memory.

`relaxations`, `estimators` and `smooth` stand in for the rounding of elements to the
levels of `grids`, and `named_relaxations` gives them names. `scale_gradients` has the
paths through shared scales, from what `block_pass` keeps of the forward pass;
`released_gradients` has them as Graphcore's code does.
"""
