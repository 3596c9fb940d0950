"""The options of mma and gemm, and what each of them refuses."""

import re
from pathlib import Path

import numpy as np
import pytest

import refnum as rn
from refnum.cli import main
from refnum.golden import read_bundle
from refnum.products import INSTRUCTIONS

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
NAME = "sm90.wgmma.e4m3.e4m3.f32"
SCALED = "sm100.tcgen05.mxf4nvf4.ue4m3.f32"
RNG = np.random.default_rng(0)
A = RNG.integers(0, 127, (4, 64)).astype(np.uint8)
B = RNG.integers(0, 127, (64, 3)).astype(np.uint8)
C = RNG.normal(size=(4, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """Make a current folder with the operands."""
    monkeypatch.chdir(tmp_path)
    arrays = {"a": A, "b": B, "c": C, "large": A + np.uint16(200), "row": A[0]}
    arrays |= {"none": A[:0], "c64": C.astype(float)}
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
    Path("broken.npy").write_bytes(Path("a.npy").read_bytes()[:-1])


def bits_of(capsys, *arguments, kind=np.uint32):
    assert main(list(arguments)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    rows = [line.split() for line in captured.out.splitlines()]
    assert {len(word) for row in rows for word in row} <= {2 * np.dtype(kind).itemsize}
    return np.array([[int(word, 16) for word in row] for row in rows], kind)


def test_the_table_of_instructions(capsys):
    assert main(["instructions"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["instruction", "model", "k", "terms", "bits", "evidence"]
    assert [row.split()[0] for row in rows] == list(INSTRUCTIONS)
    column = head.index("evidence")
    for row, op in zip(rows, INSTRUCTIONS.values(), strict=True):
        assert row[column:] == str(op.evidence)


def test_mma_to_float16(capsys):
    op = "sm70.mma.f16.f16.f16"
    a, b = (rn.encode(array, rn.FP16) for array in (A[:, :4], B[:4]))
    np.save("a.npy", a)
    np.save("b.npy", b)
    printed = bits_of(capsys, "mma", op, "a.npy", "b.npy", kind=np.uint16)
    want = rn.mma(a, b, np.zeros((1, 1), np.float16), op)
    assert want.dtype == np.float16
    np.testing.assert_array_equal(printed, want.view(np.uint16))


def test_block_scales(capsys):
    bundle = read_bundle(next(GOLDEN.glob(f"mma/{SCALED}.*")))
    for tensor in bundle.tensors:
        np.save(f"{tensor.name}.npy", tensor.array)
    scales = "--scale-a", "scale_a.npy", "--scale-b", "scale_b.npy"
    operands = "a.npy", "b.npy", "c.npy"
    printed = bits_of(capsys, "mma", SCALED, *operands, *scales)
    np.testing.assert_array_equal(printed, bundle["d"].view(np.uint32))


@pytest.mark.parametrize(
    ("options", "choices"),
    [
        ([], {}),
        (["--promote-every", "32"], {"promote_every": 32}),
        (["--split-k", "2"], {"split_k": 2}),
        (["--alpha", "-0.5"], {"alpha": -0.5}),
        (["--beta", "-1.5", "--c", "c.npy"], {"beta": -1.5, "c": C}),
        (["--bias", "c.npy"], {"bias": C}),
        (["--to", "e5m2", "--to-scale", "0.001"], {"out": "e5m2", "out_scale": 0.001}),
        (["--to", "bf16"], {"out": "bf16"}),
    ],
)
def test_gemm(options, choices, capsys):
    want = rn.gemm(A, B, NAME, **choices)
    kind = f"u{want.dtype.itemsize}"
    printed = bits_of(capsys, "gemm", NAME, "a.npy", "b.npy", *options, kind=kind)
    np.testing.assert_array_equal(printed, want.view(kind))


def test_nothing_gives_nothing(capsys):
    assert bits_of(capsys, "gemm", NAME, "none.npy", "b.npy").size == 0


WRONG = [
    (["instructions", "nope"], "unknown instruction 'nope'"),
    (["mma", NAME, "a.npy", "broken.npy"], "broken.npy: no readable .npy file"),
    (["mma", NAME, "large.npy", "b.npy"], "is not below 256, as e4m3 codes are"),
    (["mma", NAME, "row.npy", "b.npy"], "operands are matrices"),
    (["mma", NAME, "a.npy", "b.npy", "c64.npy"], "c must have the type of D"),
    (["mma", NAME, "a.npy", "b.npy", "absent.npy"], "absent.npy: No such file"),
    (["gemm", NAME, "a.npy", "b.npy", "--split-k", "0"], "split_k = 0"),
    (["gemm", NAME, "a.npy", "b.npy", "--promote-every", "5"], "promote_every = 5"),
    (["gemm", NAME, "a.npy", "b.npy", "--beta", "1"], "beta = 1.0 multiplies c"),
    (["gemm", NAME, "a.npy", "b.npy", "--to", "e4m4"], "unknown format 'e4m4'"),
    (["gemm", NAME, "a.npy", "b.npy", "--scale-a", "c.npy"], "leave out scale_a"),
    (["gemm", NAME, "a.npy", "b.npy", "--bias", "absent.npy"], "absent.npy: No such"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_errors_are_one_line(arguments, message, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"refnum: [^\n]+\n", captured.err)
    assert message in captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["mma", NAME, "a.npy"],
        ["gemm", NAME],
        ["gemm", NAME, "a.npy", "b.npy", "--alpha", "one"],
        ["gemm", NAME, "a.npy", "b.npy", "--split-k", "1.5"],
    ],
)
def test_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith(f"usage: refnum {arguments[0]}")
