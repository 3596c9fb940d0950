"""Candidates in every form, the command, and what cannot be diagnosed."""

import json
import shutil

import numpy as np
import pytest

from refnum.cli import main
from refnum.golden import Bundle, GoldenFile, diagnose
from refnum.golden.diagnosis.maps import draw, ranges

from ._planted import GOLDEN, opened

FILE = GOLDEN / "encode/e4m3.nearest_even.finite.hex"
FOLDER = GOLDEN / "quantize/nvfp4.plain"
CAPTURE = f"{GOLDEN}/hardware/h100/cvt_bf16.npz:bf16_to_e4m3"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "mine"
    shutil.copytree(FOLDER, place)
    return place


def swap_nibbles(place):
    path = place / "packed.u8.bin"
    packed = np.frombuffer(path.read_bytes(), np.uint8)
    path.write_bytes((packed << 4 | packed >> 4).tobytes())


def test_an_equal_folder(folder, capsys):
    assert main(["diagnose", str(FOLDER), str(folder)]) == 0
    assert capsys.readouterr().out.startswith("equal: all 657 cases of ")


def test_a_folder_with_swapped_nibbles(folder, capsys):
    swap_nibbles(folder)
    assert main(["diagnose", str(FOLDER), str(folder)]) == 1
    out = capsys.readouterr().out
    assert "first difference: packed\nexplained by: nibbles swapped\n" in out
    assert "(100 %)" in out


def test_json(folder, capsys):
    swap_nibbles(folder)
    assert main(["diagnose", str(FOLDER), str(folder), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["stage"] == "packed"
    assert report["equal"] is False
    assert report["findings"][0]["deviations"] == ["nibbles swapped"]
    assert report["map"]["output"] == "packed"


def test_a_hex_file_and_standard_input(tmp_path, capsys):
    mine = tmp_path / "mine.hex"
    mine.write_text(FILE.read_text().replace("80000000_80", "80000000_00"))
    assert main(["diagnose", str(FILE), str(mine)]) == 1
    assert "zero_sign input_positive" in capsys.readouterr().out
    with mine.open("rb") as stdin:
        assert diagnose(FILE, "-", stdin=stdin).differing == 1


@pytest.mark.parametrize("form", ["codes.npy", "codes.u8.bin"])
def test_one_output_of_a_folder(tmp_path, form):
    codes = opened("quantize/nvfp4.plain")["codes"].copy()
    codes[1] = codes[1] ^ 8
    place = tmp_path / form
    if form.endswith("npy"):
        np.save(place, codes.astype(np.int64))
    else:
        place.write_bytes(codes.tobytes())
    found = diagnose(FOLDER, place)
    assert (found.cases, found.differing, found.stage) == (256, 64, "codes")
    assert found.map is not None
    assert found.map.rows == "1"


def test_records_in_memory_and_captures(tmp_path):
    file, bundle = opened(FILE), opened(FOLDER)
    assert isinstance(file, GoldenFile)
    assert isinstance(bundle, Bundle)
    assert diagnose(file, {"code": file.output_array()}).equal
    assert diagnose(bundle, {"scales": bundle["scales"]}).equal
    with np.load(CAPTURE.rpartition(":")[0]) as archive:
        codes = archive["bf16_to_e4m3"]
    place = tmp_path / "anything.bin"
    place.write_bytes(codes.tobytes())
    assert diagnose(CAPTURE, place).equal


def test_nans_of_floats_are_equal_and_zeros_are_not():
    bundle = opened("quantize/mxfp4.nan-inside")
    values = bundle["values"].copy()
    nan = np.isnan(values)
    assert nan.any()
    values[nan] = np.uint32(0xFFC00001).view(np.float32)
    assert diagnose(bundle, {"values": values}).equal
    values[values == 0] *= np.float32(-1)
    assert not diagnose(bundle, {"values": values}).equal


BAD = {
    "no such file": (FOLDER, "missing", "mine"),
    "an empty folder": (FOLDER, None, "no output is there"),
    "half a value": (FOLDER, ("values.f32.bin", b"\0\0\0"), "no whole float32"),
    "a text": (FOLDER, ("codes.txt", b"1"), "a candidate is a folder"),
    "no array": (FOLDER, ("codes.npy", b"\x93NUMPY"), "no readable .npy"),
    "another output": (FOLDER, ("other.npy", b""), "no output is there"),
    "a capture without its name": (CAPTURE.rpartition(":")[0], None, "there are bf16"),
    "an unknown capture": (CAPTURE + "x", None, "no capture 'bf16_to_e4m3x'"),
    "another archive": (f"{GOLDEN}/hardware/h100/rcp_approx.npz:ulp", None, "can be"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_read_is_one_line_and_status_2(what, tmp_path, capsys):
    golden, content, message = BAD[what]
    candidate = tmp_path / "mine"
    if content is None:
        candidate.mkdir()
    elif isinstance(content, tuple):
        candidate = tmp_path / content[0]
        candidate.write_bytes(content[1])
    assert main(["diagnose", str(golden), str(candidate)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_arrays_of_another_type_or_name():
    bundle = opened("quantize/nvfp4.plain")
    with pytest.raises(ValueError, match="outputs code; there are tensor_scale"):
        diagnose(bundle, {"code": bundle["codes"]})
    with pytest.raises(ValueError, match="are missing"):
        diagnose(bundle, {})
    with pytest.raises(TypeError, match="float64; float32 is needed"):
        diagnose(bundle, {"values": bundle["values"].astype(float)})
    with pytest.raises(ValueError, match="do not fit uint8"):
        diagnose(bundle, {"codes": bundle["codes"].astype(int) + 300})
    with pytest.raises(ValueError, match="3 values; 1111 cases"):
        diagnose(opened(FILE), {"code": np.zeros(3, np.uint8)})


def test_outputs_that_do_not_follow_from_the_header(tmp_path):
    text = FILE.read_text().replace("rounding=nearest_even", "rounding=to_odd")
    other = tmp_path / "other.hex"
    other.write_text(text)
    with pytest.raises(ValueError, match="do not follow from what it says"):
        diagnose(other, other)
    other.write_text(FILE.read_text().replace("op=encode", "op=sine"))
    with pytest.raises(ValueError, match="op=sine cannot be diagnosed; encode, "):
        diagnose(other, other)
    other.write_text(FILE.read_text().replace("rounding=nearest_even ", ""))
    with pytest.raises(ValueError, match="header does not give 'rounding'"):
        diagnose(other, other)


def test_maps_of_large_and_small_arrays():
    wrong = np.zeros((100, 1000), bool)
    wrong[:7] = True
    where = draw("d", wrong, wrong.shape)
    assert where.rows == "0-6"
    assert where.lines[:2] == ("#" * 63, "." * 63)
    assert len(where.lines) == 15
    assert draw("s", np.array([True]), ()).lines == ("#",)
    many = ranges(np.arange(0, 40, 2))
    assert many == "0, 2, 4, 6, 8, 10, 12, 14, and 12 more runs"
    assert ranges(np.array([], np.intp)) == "none"
