"""The models that are trained, and the parts they are built of.

`gpt2` and `llama` with `attention`, `rotary` and `perceptrons`; `convnet` and `unet`
for images; `operator_net` for functions on a circle.
"""
