"""Loss, gradients and updates with one digest on every machine; memory that stays."""

import gc
import tracemalloc

import numpy as np
import pytest

from refnum.autograd import FAST, REPRODUCIBLE, Stream, cross_entropy, use
from refnum.nn import GPT2, AdamW, GPT2Config, gradients_of, parameters

from .._machines import SOME, printed_on

PROGRAM = """
import hashlib
import numpy as np
from refnum.autograd import Stream, Tensor, cross_entropy
from refnum import nn

digest = hashlib.sha256()

def run(model, optimizer, loss_of):
    found = nn.parameters(model)
    step = optimizer(found)
    for number in range(1, 4):
        loss = loss_of(model, number)
        gradients, norm = nn.clip_by_global_norm(nn.gradients_of(loss, found), 0.5)
        digest.update(loss.data.tobytes() + np.float64(norm).tobytes())
        for g in gradients.values():
            digest.update(np.ascontiguousarray(g).tobytes())
        step.step(gradients, 0.01 * nn.cosine(number, 5, warmup=2))
    for p in found.values():
        digest.update(p.data.tobytes())

def text(model, number):
    tokens = Stream(0, number, "text").words((3, 17)) % 11
    return cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])

def noise(model, number):
    x = Stream(0, number, "noise").normal((4, 1, 8, 8))
    error = model(Tensor(x), np.arange(4) * 20) - x
    return (error * error).mean()

def pictures(model, number):
    x = Stream(0, number, "pictures").normal((6, 1, 8, 8))
    return cross_entropy(model(Tensor(x)), np.arange(6))

def functions(model, number):
    x = Stream(0, number, "functions").normal((3, 16))
    error = model(Tensor(x)) - np.roll(x, 3, 1)
    return (error * error).mean()

s = Stream(0)
sizes = dict(vocabulary=11, context=16, width=24, heads=3, layers=2)
run(nn.GPT2(nn.GPT2Config(**sizes), s), nn.AdamW, text)
run(nn.Llama(nn.LlamaConfig(**sizes), s), nn.StableSPAM, text)
run(nn.UNet(nn.UNetConfig(width=8, groups=4), s), nn.Adam, noise)
run(nn.ConvNet(nn.ConvNetConfig(width=4), s), nn.SGD, pictures)
run(nn.OperatorNet(nn.OperatorConfig(16, 8, 2), s), nn.Adam, functions)
print(digest.hexdigest())
"""

# What it is on every machine; a change of it is a change of bits.
DIGEST = "80023b01eede9a60425a2ff2285ecac8b626a0329500d781b9a6e078ee45ee68"


@pytest.mark.parametrize("machine", SOME)
def test_one_digest(machine):
    assert printed_on(machine, PROGRAM) == DIGEST


@pytest.mark.parametrize("numerics", [FAST, REPRODUCIBLE], ids=lambda n: n.name)
def test_memory_does_not_grow(numerics):
    model = GPT2(GPT2Config(13, 16, 16, 2, 1), Stream(0))
    found = parameters(model)
    optimizer = AdamW(found)

    def train(first, last):
        for step in range(first, last):
            tokens = Stream(1, step).words((2, 17)).astype(np.intp) % 13
            with use(numerics):
                loss = cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])
                optimizer.step(gradients_of(loss, found), 0.01)

    tracemalloc.start()
    try:
        train(0, 10)  # fills tables and plans
        gc.collect()
        gc.disable()
        before = array_bytes()
        train(10, 50)
        growth = array_bytes() - before
        assert gc.collect() == 0  # no cycle would keep a graph for the collector
    finally:
        tracemalloc.stop()
        gc.enable()
    assert growth < 1_000  # a step makes arrays of some 400 KB


def array_bytes():
    """Memory of NumPy's arrays."""
    domain = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    traces = tracemalloc.take_snapshot().filter_traces([domain])
    return sum(trace.size for trace in traces.traces)
