"""GPT-2 and LLaMA written with torch alone, from a dict of parameters by name."""

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F


def gpt2_loss(p, config, tokens, targets):
    x = p["tokens.weight"][tokens] + p["positions.weight"][: tokens.shape[1]]
    for k in range(config.layers):
        part = {n.removeprefix(f"blocks.{k}."): t for n, t in p.items()}

        def norm(name, x, part=part):
            weight, bias = part[f"{name}.weight"], part.get(f"{name}.bias")
            return F.layer_norm(x, x.shape[-1:], weight, bias, config.epsilon)

        h = norm("attention_norm", x)
        q, k_, v = (heads(layer(part, f"attention.{n}", h), config.heads) for n in QKV)
        mixed = F.scaled_dot_product_attention(q, k_, v, is_causal=True)
        x = x + layer(part, "attention.output", joined(mixed))
        h = layer(part, "mlp.up", norm("mlp_norm", x))
        x = x + layer(part, "mlp.down", F.gelu(h, approximate="tanh"))
    x = F.layer_norm(
        x, x.shape[-1:], p["norm.weight"], p.get("norm.bias"), config.epsilon
    )
    return loss(p, x, targets)


def llama_loss(p, config, tokens, targets):
    x = p["tokens.weight"][tokens]
    shared = config.key_heads or config.heads
    for k in range(config.layers):
        part = {n.removeprefix(f"blocks.{k}."): t for n, t in p.items()}
        h = F.rms_norm(x, x.shape[-1:], part["attention_norm.weight"], config.epsilon)
        q = turned(heads(layer(part, "attention.query", h), config.heads), config.base)
        k_ = turned(heads(layer(part, "attention.key", h), shared), config.base)
        v = heads(layer(part, "attention.value", h), shared)
        k_, v = (t.repeat_interleave(config.heads // shared, 1) for t in (k_, v))
        mixed = F.scaled_dot_product_attention(q, k_, v, is_causal=True)
        x = x + layer(part, "attention.output", joined(mixed))
        h = F.rms_norm(x, x.shape[-1:], part["mlp_norm.weight"], config.epsilon)
        gate = F.silu(layer(part, "mlp.gate", h))
        x = x + layer(part, "mlp.down", gate * layer(part, "mlp.up", h))
    return loss(
        p, F.rms_norm(x, x.shape[-1:], p["norm.weight"], config.epsilon), targets
    )


QKV = ("query", "key", "value")


def layer(part, name, x):
    return F.linear(x, part[f"{name}.weight"], part.get(f"{name}.bias"))


def heads(x, count):
    return x.view(*x.shape[:2], count, -1).transpose(1, 2)


def joined(x):
    return x.transpose(1, 2).flatten(2)


def turned(x, base):
    size = x.shape[-1]
    steps = torch.arange(size // 2, dtype=torch.float64)
    angles = torch.outer(
        torch.arange(x.shape[-2]).double(), base ** (-2 * steps / size)
    )
    cos, sin = (f(angles).to(x.dtype) for f in (torch.cos, torch.sin))
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def loss(p, x, targets):
    logits = F.linear(x, p.get("head.weight", p["tokens.weight"]))
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
