"""Whole models and optimisers agree with torch, within the rounding of float32."""

import numpy as np
import pytest

from refnum.autograd import FAST, REPRODUCIBLE, Stream, Tensor, cross_entropy, use
from refnum.nn import (
    GPT2,
    SGD,
    Adam,
    AdamW,
    GPT2Config,
    Llama,
    LlamaConfig,
    gradients_of,
    parameters,
)

torch = pytest.importorskip("torch")

from . import _torch_models as peers

SIZES = {"vocabulary": 17, "context": 16, "width": 32, "heads": 4, "layers": 2}
MODELS = {
    "GPT-2": (GPT2, GPT2Config(**SIZES), peers.gpt2_loss),
    "GPT-2, untied": (GPT2, GPT2Config(**SIZES, tied=False), peers.gpt2_loss),
    "LLaMA": (Llama, LlamaConfig(**SIZES), peers.llama_loss),
    "LLaMA, tied": (
        Llama,
        LlamaConfig(**SIZES, tied=True, key_heads=2),
        peers.llama_loss,
    ),
}


@pytest.mark.parametrize("numerics", [FAST, REPRODUCIBLE], ids=lambda n: n.name)
@pytest.mark.parametrize("name", MODELS)
def test_models(name, numerics):
    build, config, peer = MODELS[name]
    rng = np.random.default_rng(0)
    tokens, targets = rng.integers(config.vocabulary, size=(2, 3, 16))
    model = build(config, Stream(0))
    found = parameters(model)
    for tensor in found.values():  # far from where gradients are nearly zero
        tensor.data = tensor.data + rng.standard_normal(tensor.shape, np.float32) / 5
    with use(numerics):
        loss = cross_entropy(model(tokens), targets)
        gradients = gradients_of(loss, found)
    # float64 stands for the true values; torch's own float32 shows what is usual.
    results = []
    for dtype in (torch.float64, torch.float32):
        values = {
            n: torch.tensor(t.data, dtype=dtype).requires_grad_()
            for n, t in found.items()
        }
        other = peer(
            values, config, torch.from_numpy(tokens), torch.from_numpy(targets)
        )
        other.backward()
        results.append((other.item(), {n: v.grad.numpy() for n, v in values.items()}))
    (true, exact), (usual, rounded) = results
    assert abs(loss.item() - true) <= 2 * max(abs(usual - true), 2e-7 * true)
    for parameter, expected in exact.items():
        error = np.linalg.norm(gradients[parameter] - expected)
        peers_error = np.linalg.norm(rounded[parameter] - expected)
        scale = np.linalg.norm(expected)
        assert error <= max(3 * peers_error, 1e-6 * scale), parameter
        assert error <= 1e-5 * scale or scale < 1e-6, parameter


OPTIMIZERS = {
    "SGD": (SGD, torch.optim.SGD, {}),
    "momentum": (SGD, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.1}),
    "Nesterov": (SGD, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "Adam": (Adam, torch.optim.Adam, {}),
    "Adam, decay": (Adam, torch.optim.Adam, {"weight_decay": 0.1, "betas": (0.8, 0.9)}),
    "AdamW": (AdamW, torch.optim.AdamW, {"weight_decay": 0.1}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    ours, theirs, options = OPTIMIZERS[name]
    rng = np.random.default_rng(0)
    values = {
        f"p{k}": rng.standard_normal(shape, np.float32)
        for k, shape in enumerate([(300, 200), (7,), (), (1, 5, 3)])
    }
    tensors = {n: Tensor(v, requires_grad=True) for n, v in values.items()}
    peers_tensors = {n: torch.tensor(v, requires_grad=True) for n, v in values.items()}
    optimizer = ours(tensors, **options)
    peer = theirs(peers_tensors.values(), lr=1.0, **options)
    for step in range(20):
        rate = 0.1 / (step + 1)
        gradients = {
            n: rng.standard_normal(v.shape, np.float32) for n, v in values.items()
        }
        optimizer.step(gradients, rate)
        for n, tensor in peers_tensors.items():
            tensor.grad = torch.tensor(gradients[n])
        peer.param_groups[0]["lr"] = rate
        peer.step()
    for n, tensor in tensors.items():
        expected = peers_tensors[n].detach().numpy()
        np.testing.assert_allclose(tensor.data, expected, rtol=2e-6, atol=2e-6)
