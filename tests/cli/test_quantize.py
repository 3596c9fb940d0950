"""The commands quantize and dequantize: a folder holds all that was decided."""

import json
import re

import numpy as np
import pytest

import refnum as rn
from refnum.blocks import block_format, names
from refnum.cli import main
from refnum.golden import read_bundle
from refnum.random import philox4x32

STOCHASTIC = [n for n in names() if block_format(n).stored.element_cast.random_bits]
DETERMINISTIC = [n for n in names() if n not in STOCHASTIC]
X = np.linspace(-3, 3, 32 * 48, dtype=np.float32).reshape(32, 48)
SEED = 2**32 + 7


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder that holds X and its NVFP4 form."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    assert main(["quantize", "x.npy", "--format", "nvfp4", "--out", "q"]) == 0
    return tmp_path


def there_and_back(name, *options):
    assert main(["quantize", "x.npy", "--format", name, "--out", "q", *options]) == 0
    assert main(["dequantize", "q", "--out", "y.npy"]) == 0
    return read_bundle("q"), np.load("y.npy")


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_round_trip(name, folder, capsys):
    bundle, y = there_and_back(name)
    q = rn.quantize(X, block_format(name))
    np.testing.assert_array_equal(bundle["codes"], q.codes)
    np.testing.assert_array_equal(bundle["scales"], q.scales)
    if q.tensor_scale is not None:
        np.testing.assert_array_equal(bundle["tensor_scale"], q.tensor_scale)
    np.testing.assert_array_equal(y, rn.dequantize(q))
    np.testing.assert_array_equal(bundle["values"], y)
    assert y.dtype == np.float32
    assert capsys.readouterr() == ("", "")


def test_files_of_nvfp4(folder):
    sizes = {path.name: path.stat().st_size for path in (folder / "q").iterdir()}
    assert sizes.pop("case.json")
    n = X.size
    assert sizes == {
        "x.f32.bin": 4 * n,
        "codes.u8.bin": n,
        "packed.u8.bin": n // 2,
        "scales.u8.bin": n // 16,
        "tensor_scale.f32.bin": 4,
        "values.f32.bin": 4 * n,
    }
    codes = np.fromfile(folder / "q/codes.u8.bin", np.uint8)
    packed = np.fromfile(folder / "q/packed.u8.bin", np.uint8)
    np.testing.assert_array_equal(packed & 15, codes[0::2])
    np.testing.assert_array_equal(packed >> 4, codes[1::2])


def test_the_folder_says_what_decided(folder):
    options = "--axis", "0", "--tensor-amax", "6"
    bundle, y = there_and_back("nvfp4", *options)
    assert bundle.spec == {"block_format": "nvfp4", "axis": 0, "tensor_amax": 6.0}
    q = rn.quantize(X, rn.NVFP4, axis=0, tensor_amax=6.0)
    np.testing.assert_array_equal(y, rn.dequantize(q))


@pytest.mark.parametrize("name", STOCHASTIC)
def test_a_seed_replays(name, folder):
    first, y = there_and_back(name, "--seed", str(SEED))
    assert first.spec["seed"] == SEED
    again, _ = there_and_back(name, "--seed", str(SEED))
    other, _ = there_and_back(name, "--seed", str(SEED + 1))
    np.testing.assert_array_equal(first["codes"], again["codes"])
    assert (first["codes"] != other["codes"]).any()
    fmt = block_format(name).stored
    counters = np.zeros((X.size // 4, 4), np.uint32)
    counters[:, 0] = np.arange(len(counters))
    words = philox4x32(counters, np.array([7, 1], np.uint32)).reshape(X.shape)
    bits = words >> np.uint32(32 - fmt.element_cast.random_bits)
    q = rn.quantize(X, fmt, random=bits)
    np.testing.assert_array_equal(first["codes"], q.codes)
    np.testing.assert_array_equal(y, rn.dequantize(q))


@pytest.mark.parametrize("kind", ["<f2", "<f8", ">f4", "<i4"])
def test_other_types_are_read_as_float32(kind, folder):
    np.save("x.npy", (4 * X).astype(kind))
    bundle, _ = there_and_back("nvfp4")
    np.testing.assert_array_equal(bundle["x"], (4 * X).astype(kind).astype(np.float32))
    q = rn.quantize((4 * X).astype(kind), rn.NVFP4)
    np.testing.assert_array_equal(bundle["codes"], q.codes)


@pytest.mark.filterwarnings("error")
def test_float64_past_float32_is_infinite_without_a_warning(folder, capsys):
    np.save("x.npy", np.full(32, 1e300))
    bundle, _ = there_and_back("mxfp4")
    assert np.isinf(bundle["x"]).all()
    assert capsys.readouterr().err == ""


def test_nothing_gives_nothing(folder):
    np.save("x.npy", np.zeros((0, 32), np.float32))
    bundle, y = there_and_back("nvfp4")
    assert bundle["codes"].shape == y.shape == (0, 32)


WRONG = [
    (["none.npy", "--format", "nvfp4"], "none.npy: No such file"),
    (["broken.npy", "--format", "nvfp4"], "broken.npy: no readable .npy file"),
    (["words.npy", "--format", "nvfp4"], "words.npy: must hold one array of real"),
    (["scalar.npy", "--format", "nvfp4"], "a scalar has no axis"),
    (["x.npy", "--format", "nvfp5"], "unknown block format 'nvfp5'; near names: nvfp4"),
    (["x.npy", "--format", "e4m3"], "unknown block format 'e4m3'"),
    (["x.npy", "--format", "nvfp4", "--axis", "2"], "axis 2 does not exist"),
    (["x.npy", "--format", "nvfp4", "--tensor-amax", "-1"], "tensor_amax is -1.0"),
    (["x.npy", "--format", "nvfp4", "--tensor-amax", "nan"], "tensor_amax is nan"),
    (["x.npy", "--format", "nvfp4", "--tensor-amax", "inf"], "amax must be finite"),
    (["x.npy", "--format", "mxfp4", "--tensor-amax", "1"], "no tensor scale"),
    (["x.npy", "--format", "nvfp4_sr"], "nvfp4_sr rounds stochastically: --seed"),
    (["x.npy", "--format", "nvfp4_sr", "--seed", "-1"], "--seed must be from 0"),
    (["x.npy", "--format", "nvfp4_sr", "--seed", str(2**64)], "--seed must be from 0"),
    (["x.npy", "--format", "nvfp4", "--seed", "1"], "nvfp4 takes no random bits"),
]


def one_line(capsys):
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"refnum: [^\n]+\n", captured.err)
    return captured.err


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_what_cannot_be_quantised(arguments, message, folder, capsys):
    np.save("words.npy", np.array(["x"]))
    np.save("scalar.npy", np.float32(3))
    (folder / "broken.npy").write_bytes((folder / "x.npy").read_bytes()[:-1])
    assert main(["quantize", *arguments, "--out", "z"]) == 2
    assert message in one_line(capsys)
    assert not (folder / "z").exists()


def test_out_must_be_a_folder(folder, capsys):
    before = (folder / "x.npy").read_bytes()
    for out in ("x.npy", "x.npy/z"):
        assert main(["quantize", "x.npy", "--format", "mxfp4", "--out", out]) == 2
        assert out in one_line(capsys)
    assert (folder / "x.npy").read_bytes() == before


def remove(case, folder):
    (folder / "scales.u8.bin").unlink()


def truncate(case, folder):
    codes = folder / "codes.u8.bin"
    codes.write_bytes(codes.read_bytes()[:-1])


def flip(case, folder):
    codes = folder / "codes.u8.bin"
    data = codes.read_bytes()
    codes.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def another_operation(case, folder):
    case["op"] = "gemm"


def another_format(case, folder):
    case["spec"]["block_format"] = "mxfp4"


def no_format(case, folder):
    del case["spec"]["block_format"]


def no_axis(case, folder):
    del case["spec"]["axis"]


def an_axis_in_words(case, folder):
    case["spec"]["axis"] = "last"


def another_axis(case, folder):
    case["spec"]["axis"] = 2


def no_scales(case, folder):
    case["tensors"] = [t for t in case["tensors"] if t["name"] != "scales"]


def no_tensors(case, folder):
    case["tensors"] = []


DAMAGE = {
    remove: "scales.u8.bin: No such file",
    truncate: "codes.u8.bin: 1535 bytes; shape [32, 48] of u8 has 1536",
    flip: "codes.u8.bin: its SHA-256",
    another_operation: "q: holds 'gemm', not a quantised array",
    another_format: "scales have shape (32, 3); (32, 2) is needed",
    no_format: "unknown block format ''",
    no_axis: "q: axis is missing",
    an_axis_in_words: "q: axis 'last' is no integer",
    another_axis: "axis 2 does not exist",
    no_scales: "no tensor 'scales'",
    no_tensors: "needs a tensor of role out",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_damaged_folders(damage, folder, capsys):
    path = folder / "q/case.json"
    case = json.loads(path.read_text())
    damage(case, path.parent)
    path.write_text(json.dumps(case))
    assert main(["dequantize", "q", "--out", "y.npy"]) == 2
    assert DAMAGE[damage] in one_line(capsys)
    assert not (folder / "y.npy").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "nowhere/case.json: No such file"),
        ("x.npy", "x.npy/case.json: Not a directory"),
        ("words", "words/case.json: not JSON"),
        ("list", "list/case.json: must hold op, spec and tensors alone"),
    ],
)
def test_other_folders(name, message, folder, capsys):
    for content in ("words", "[]"):
        place = folder / {"words": "words", "[]": "list"}[content]
        place.mkdir()
        (place / "case.json").write_text(content)
    assert main(["dequantize", name, "--out", "y.npy"]) == 2
    assert message in one_line(capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        ["quantize", "x.npy", "--out", "q"],
        ["quantize", "x.npy", "--format", "nvfp4"],
        ["quantize", "x.npy", "--format", "nvfp4", "--out", "q", "--axis", "x"],
        ["quantize", "x.npy", "--format", "nvfp4_sr", "--out", "q", "--seed", "1.5"],
        ["dequantize", "q"],
    ],
)
def test_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith(f"usage: refnum {arguments[0]}")
