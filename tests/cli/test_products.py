"""The commands instructions, mma and gemm: what they write, and what they refuse."""

import json

import numpy as np
import pytest

import refnum as rn
from refnum.cli import main

HOPPER = "sm90.wgmma.e4m3.e4m3.f32"


@pytest.fixture
def operands(tmp_path):
    rng = np.random.default_rng(0)
    a = rn.encode(rng.standard_normal((4, 256)), rn.E4M3)
    b = rn.encode(rng.standard_normal((256, 3)), rn.E4M3)
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b)
    return tmp_path, a, b


def test_instructions_have_evidence(capsys):
    assert main(["instructions", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(rn.products.INSTRUCTIONS)
    assert rows[HOPPER]["evidence"].startswith("hardware: ")
    assert main(["instructions", HOPPER]) == 0
    assert "alignment_bits  13" in capsys.readouterr().out


def test_mma_prints_bits(operands, capsys):
    folder, a, b = operands
    assert main(["mma", HOPPER, str(folder / "a.npy"), str(folder / "b.npy")]) == 0
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    expected = rn.mma(a, b, np.zeros((4, 3), np.float32), HOPPER).view(np.uint32)
    assert printed == [[f"{word:08x}" for word in row] for row in expected.tolist()]


def test_mma_adds_c(operands):
    folder, a, b = operands
    c = np.full((4, 3), 7, np.float32)
    np.save(folder / "c.npy", c)
    files = [str(folder / name) for name in ("a.npy", "b.npy", "c.npy")]
    assert main(["mma", HOPPER, *files, "--out", str(folder / "d.npy")]) == 0
    assert np.array_equal(np.load(folder / "d.npy"), rn.mma(a, b, c, HOPPER))


def test_gemm_promotes(operands):
    folder, a, b = operands
    files = [str(folder / name) for name in ("a.npy", "b.npy")]
    out = ["--promote-every", "128", "--to", "bf16", "--out", str(folder / "d.npy")]
    assert main(["gemm", HOPPER, *files, *out]) == 0
    expected = rn.gemm(a, b, HOPPER, promote_every=128, out=rn.BF16)
    assert np.array_equal(np.load(folder / "d.npy"), expected)


@pytest.mark.parametrize("command", ["mma", "gemm"])
@pytest.mark.parametrize(
    ("instruction", "left", "right", "word"),
    [
        ("sm91.wgmma.e4m3.e4m3.f32", "a.npy", "b.npy", "near names"),
        (HOPPER, "a.npy", "a.npy", "a has K = 256 columns, but b has 4 rows"),
        (HOPPER, "none.npy", "b.npy", "none.npy"),
        (HOPPER, "text.npy", "b.npy", "text.npy"),
        (HOPPER, "float.npy", "b.npy", "integers"),
    ],
)
def test_refuses(operands, capsys, command, instruction, left, right, word):
    folder, a, _ = operands
    (folder / "text.npy").write_text("no array")
    np.save(folder / "float.npy", a.astype(np.float32))
    files = [str(folder / name) for name in (left, right)]
    assert main([command, instruction, *files]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert word in captured.err
