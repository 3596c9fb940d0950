"""Relaxations, scale gradients and states: one digest on every machine."""

import pytest

from .._machines import SOME, printed_on

PROGRAM = """
import hashlib
import numpy as np
import refnum as rn
from refnum.autograd import Stream
from refnum.nn.gradients.named_relaxations import RELAXATIONS, relaxation
from refnum.nn.quantized.mixture import relative_errors
from refnum.nn.states.oscillation import AveragedWeight, round_towards_average
from refnum.nn.states.oscillation_reset import Travel
from refnum.nn.states.outlier_channels import ChannelRecorder
from refnum.nn.quantized.outliers import clamp_outliers, residual_product
from refnum.nn.gradients.scale_gradients import ScaleGradient, quantize_vjp
from refnum.recipes import Channels, Outliers

digest = hashlib.sha256()

def add(*arrays):
    for array in arrays:
        assert array.dtype in (np.float32, np.intp), array.dtype
        digest.update(np.ascontiguousarray(array).tobytes())

x, g, w = (Stream(0, 0, name).normal((37, 64)) for name in "xgw")
for name in RELAXATIONS:
    record = relaxation(name)
    add(record.surrogate(3 * x, rn.E2M1), record.slope(3 * x, rn.E2M1))
for fmt in (rn.MXFP4, rn.NVFP4, rn.blocks.UE5M3FP4_ENCODE):
    q = rn.quantize(x, fmt)
    for block in ("ste", "absmax", "softmax"):
        for extent in ("full", "diagonal", "as_released"):
            if extent == "as_released" and fmt.convention == "decode":
                continue
            scale = ScaleGradient(
                block,
                extent,
                relaxation=relaxation("dge"),
                tensor="absmax" if fmt.tensor_scale else "ignore",
            )
            add(quantize_vjp(g, x, q, element=relaxation("sigmoid"), scale=scale))
for span in ("tensor", "channel", "token"):
    clamped, residual = clamp_outliers(x, Outliers(0.95, span))
    add(clamped, residual, residual_product(residual, w))
for block in (None, 16):
    add(relative_errors(x, rn.round_to(x, rn.E4M3), block=block))
recorder = ChannelRecorder(64, Channels(first=0, steps=3))
average, travel = AveragedWeight(w), Travel(w.shape)
travel.start(w, rn.round_to(w, rn.E2M1))
for step in range(3):
    w = w + np.float32(0.125) * Stream(0, step, "step").normal(w.shape)
    recorder.record(x * w, step)
    average.update(w)
    travel.move(w, rn.round_to(w, rn.E2M1))
add(recorder.state()["norms"], recorder.outliers(3), average.average, travel.ratio)
add(round_towards_average(w, average.average, rn.E2M1))
print(digest.hexdigest())
"""

# What it is on every machine; a change of it is a change of bits.
DIGEST = "f443bdd4b14f407c273be4cb07e98066d7f002b765ec80c5d608ad5401d32a54"


@pytest.mark.parametrize("machine", SOME)
def test_one_digest(machine):
    assert printed_on(machine, PROGRAM) == DIGEST
