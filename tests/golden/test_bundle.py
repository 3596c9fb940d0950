"""Golden folders: what is written is read back, and damage is named."""

import json

import numpy as np
import pytest

from refnum.golden import Bundle, Tensor, read_bundle, render_bundle


def sample():
    x = np.array([[1.5, -0.0], [np.inf, np.nan]], ">f4").T
    return Bundle(
        "quantize",
        {"format": "nvfp4", "axis": -1},
        (
            Tensor("x", "in", x),
            Tensor("codes", "out", np.array([[1, 2], [3, 4]], np.uint8)),
            Tensor("wide", "out", np.arange(4, dtype=np.uint16)),
        ),
    )


@pytest.fixture
def folder(tmp_path):
    for name, data in render_bundle(sample()).items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_round_trip(folder):
    bundle, original = read_bundle(folder), sample()
    assert (bundle.op, bundle.spec) == (original.op, original.spec)
    assert [(t.name, t.role, t.dtype) for t in bundle.tensors] == [
        ("x", "in", "f32"),
        ("codes", "out", "u8"),
        ("wide", "out", "u16"),
    ]
    for tensor in original.tensors:
        np.testing.assert_array_equal(bundle[tensor.name], tensor.array)
    assert np.signbit(bundle["x"][1, 0])


def test_raw_files_are_little_endian_in_c_order(folder):
    assert (folder / "wide.u16.bin").read_bytes() == bytes([0, 0, 1, 0, 2, 0, 3, 0])
    x = np.fromfile(folder / "x.f32.bin", "<f4")
    np.testing.assert_array_equal(x, [1.5, np.inf, -0.0, np.nan])


def test_case_json_has_sorted_keys(folder):
    text = (folder / "case.json").read_text()
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"


def test_empty_tensors_are_allowed(tmp_path):
    empty = Bundle("copy", {}, (Tensor("y", "out", np.empty((0, 3), np.uint8)),))
    for name, data in render_bundle(empty).items():
        (tmp_path / name).write_bytes(data)
    assert read_bundle(tmp_path)["y"].shape == (0, 3)


def test_a_changed_byte(folder):
    (folder / "codes.u8.bin").write_bytes(bytes([1, 2, 3, 5]))
    with pytest.raises(ValueError, match=r"codes\.u8\.bin: its SHA-256"):
        read_bundle(folder)


def test_a_short_file(folder):
    (folder / "codes.u8.bin").write_bytes(bytes([1, 2, 3]))
    with pytest.raises(ValueError, match=r"codes\.u8\.bin: 3 bytes; .* has 4"):
        read_bundle(folder)


def test_a_missing_file(folder):
    (folder / "codes.u8.bin").unlink()
    with pytest.raises(FileNotFoundError):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda case: case.pop("op"), "must hold op, spec and tensors alone"),
        (lambda case: case.update(spec=[]), "spec is an object"),
        (lambda case: case["tensors"][0].pop("sha256"), "a tensor has dtype, name"),
        (lambda case: case["tensors"][0].update(dtype="f8"), "unknown dtype 'f8'"),
        (lambda case: case["tensors"][0].update(shape=[-1]), "no list of sizes"),
        (
            lambda case: case["tensors"][0].update(role="input"),
            "role must be in or out",
        ),
        (lambda case: case["tensors"][0].update(name="../x"), "is no tensor name"),
    ],
)
def test_a_damaged_case(folder, change, message):
    case = json.loads((folder / "case.json").read_text())
    change(case)
    (folder / "case.json").write_text(json.dumps(case))
    with pytest.raises(ValueError, match=message):
        read_bundle(folder)


def test_no_json(folder):
    (folder / "case.json").write_text("{")
    with pytest.raises(ValueError, match=r"case\.json: not JSON"):
        read_bundle(folder)


def test_bundles_are_checked():
    y = Tensor("y", "out", np.zeros(1, np.uint8))
    with pytest.raises(ValueError, match="two tensors share a name: y, y"):
        Bundle("copy", {}, (y, y))
    with pytest.raises(ValueError, match="needs a tensor of role out"):
        Bundle("copy", {}, ())
    with pytest.raises(TypeError, match="complex128 has no raw form"):
        Tensor("y", "out", np.zeros(1, complex))
    with pytest.raises(KeyError, match="no tensor 'z'; there are y"):
        Bundle("copy", {}, (y,))["z"]
