"""What is remembered from one step to the next, each with `state` and `load_state`.

Largest magnitudes of tensors (`amax`, and `tensor_amax` for all of a layer), averages
and ways of weights that oscillate (`oscillation`, `oscillation_reset`, `ramping`, and
`bin_edges`, which does without memory), norms of channels (`outlier_channels`).
"""
