"""The captures of an H100: all explained, and a falsified one is not."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from refnum.golden.hardware import demonstrate

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
FOLDER = "hardware/h100"


@pytest.fixture(scope="module")
def rows():
    return {row.capture: row for row in demonstrate(GOLDEN)}


@pytest.fixture
def copy(tmp_path):
    """The captures without the float32 blocks, which take seconds."""
    shutil.copytree(GOLDEN / FOLDER, tmp_path / FOLDER)
    path = tmp_path / FOLDER / "cvt_f32_digests.json"
    path.write_text(json.dumps({"block": 1 << 24, "sha256": {}}))
    return tmp_path


def edit(folder, name, change):
    path = folder / FOLDER / name
    with np.load(path) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(path, **arrays)


def test_every_capture_is_explained(rows):
    assert len(rows) == 32
    assert [row.capture for row in rows.values() if not row.explained] == []


def test_saturating_conversions_of_cuda_are_the_default(rows):
    for target in ("e4m3", "e5m2", "e2m1", "e2m3", "e3m2"):
        for source in ("bf16", "f32"):
            row = rows[f"CUDA {source} to {target}"]
            assert (row.differing, row.policy) == (0, "default cast")


def test_differences_are_told_by_kind(rows):
    row = rows["PyTorch bf16 to float8_e5m2"]
    assert row.policy == "casts.TORCH_2_12"
    assert row.kinds == {"NaN": 127, "infinity": 2, "overflow": 28704}
    assert row.choices == {"saturation": "none", "nan_sign": "True"}
    assert row.differing == sum(row.kinds.values())
    assert row.to_dict()["equal"] == row.cases - row.differing


def test_ties_of_ue8m0_go_up(rows):
    row = rows["PyTorch bf16 to float8_e8m0fnu"]
    assert row.kinds["tie"] == 254
    assert row.choices["power_ties_up"] == "True"


def test_a_falsified_code_is_not_explained(copy):
    def change(arrays):
        arrays["bf16_to_e4m3"][0x3F80] ^= 1

    edit(copy, "cvt_bf16.npz", change)
    wrong = [row for row in demonstrate(copy) if not row.explained]
    assert [row.capture for row in wrong] == ["CUDA bf16 to e4m3"]
    assert wrong[0].differing is None
    assert wrong[0].to_dict()["equal"] is None


def test_falsified_random_words_are_counted(copy):
    def change(arrays):
        arrays["rand.42.0"][:3] = 0.5

    edit(copy, "philox.npz", change)
    (wrong,) = [row for row in demonstrate(copy) if not row.explained]
    assert (wrong.capture, wrong.differing) == ("Triton tl.rand", 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cvt_bf16.npz", b"PK", "cvt_bf16.npz: no readable archive"),
        ("cvt_f32_digests.json", b"{}", "no digests of captures"),
        ("cvt_f32_digests.json", b'{"block": 1, "sha256": {}}', "blocks of 1;"),
    ],
)
def test_damaged_captures(copy, name, content, message):
    (copy / FOLDER / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        list(demonstrate(copy))


def test_a_capture_of_another_shape(copy):
    edit(copy, "cvt_bf16.npz", lambda a: a.update(bf16_to_e4m3=a["bf16_to_e4m3"][:9]))
    with pytest.raises(ValueError, match=r"bf16_to_e4m3: uint8 \(9,\)"):
        list(demonstrate(copy))


def test_missing_captures(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(demonstrate(tmp_path))


@pytest.mark.parametrize(
    ("name", "differing"),
    [
        ("mxfp4_nvidia", {"scales": 422, "codes": 11664}),
        ("nvfp4", {}),
        ("nvfp4_flashinfer", {"scales": 0, "codes": 41}),
        ("nvfp4_vllm", {"scales": 0, "codes": 7859}),
    ],
)
def test_blocks_of_the_chip_are_those_of_the_named_format(rows, name, differing):
    row = rows[f"CUDA kernel, {name}"]
    assert row.policy == f"blocks.{name.upper()}"
    assert row.kinds == differing


def test_a_wrong_scale_of_the_chip_is_not_explained(tmp_path):
    copy = tmp_path / "golden"
    shutil.copytree(GOLDEN / "hardware", copy / "hardware")
    path = copy / "hardware/h100/blocks.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["nvfp4.scales"][3, 0] ^= 1
    np.savez(path, **arrays)
    (wrong,) = [row for row in demonstrate(copy) if not row.explained]
    assert (wrong.capture, wrong.differing) == ("CUDA kernel, nvfp4", 1)
