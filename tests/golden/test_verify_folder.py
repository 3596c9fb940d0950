"""`refnum verify` of golden folders, with what kernels wrote on an H100."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from refnum.cli import main
from refnum.golden import read_bundle

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "golden"
KERNELS = GOLDEN / "hardware/h100/kernels"
FOLDERS = {
    "mxfp4": "quantize/mxfp4.tie-rich",
    "mxfp8": "quantize/mxfp8_e4m3.plain",
    "nvfp4": "quantize/nvfp4.outlier-row",
    "hadamard": "hadamard/16.transformer-engine",
    "scaled_mm": "gemm/sm90.wgmma.e4m3.e4m3.f32.promoted-128",
}
FILES = {
    "cast": "encode/e4m3.nearest_even.finite.hex",
    "philox": "philox/4x32-10.hex",
    "stochastic": "stochastic/e2m1.transformer_engine_sr8.hex",
}
MISTAKES = {
    "mxfp4": "elements: rounding nearest_away",
    "mxfp8": "scale rule ceil",
    "nvfp4": "nibbles swapped",
    "hadamard": "signs flip outputs, H D",
    "scaled_mm": "one chain, not promoted",
    "cast": "rounded twice, first to fp16",
    "philox": "7 rounds",
    "stochastic": "rounding stochastic_a with the lowest 4 random bits",
}
CANDIDATES = {
    **{name: (GOLDEN / path, "") for name, path in FOLDERS.items()},
    **{name: (GOLDEN / path, ".bin") for name, path in FILES.items()},
}


@pytest.mark.parametrize("name", CANDIDATES)
class TestKernelsOfTheH100:
    def test_right_ones_are_equal(self, name, capsys):
        golden, suffix = CANDIDATES[name]
        candidate = KERNELS / f"{name}.right{suffix}"
        assert main(["verify", str(golden), str(candidate)]) == 0
        assert capsys.readouterr().out.startswith("equal: ")

    def test_planted_mistakes_are_found_and_named(self, name, capsys):
        golden, suffix = CANDIDATES[name]
        candidate = str(KERNELS / f"{name}.wrong{suffix}")
        assert main(["verify", str(golden), candidate]) == 1
        assert "differ" in capsys.readouterr().out
        assert main(["diagnose", str(golden), candidate, "--json"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert found["findings"][0]["deviations"] == [MISTAKES[name]]
        assert found["unexplained"] == 0


class TestFolders:
    golden = GOLDEN / "quantize/mxfp4.plain"

    @pytest.fixture
    def candidate(self, tmp_path):
        return Path(shutil.copytree(self.golden, tmp_path / "mine"))

    def test_the_first_stage_is_named(self, candidate, capsys):
        scales = np.fromfile(candidate / "scales.u8.bin", np.uint8)
        scales[3] += 1
        scales.tofile(candidate / "scales.u8.bin")
        (candidate / "codes.u8.bin").write_bytes(bytes(256))
        assert main(["verify", str(self.golden), str(candidate)]) == 1
        lines = capsys.readouterr().out.splitlines()
        want = read_bundle(self.golden)["scales"][1, 1]
        assert lines[0] == "scales: 1 of 8 differ (12.5 %)"
        assert "values: equal" in lines
        assert f"  at [1, 1]: got {want + 1:02x}, want {want:02x}" in lines

    def test_json(self, candidate, capsys):
        (candidate / "packed.u8.bin").unlink()
        assert main(["verify", str(self.golden), str(candidate), "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["equal"]
        assert report["missing"] == ["packed"]

    def test_any_nan_of_a_value_is_right(self, tmp_path, capsys):
        golden = GOLDEN / "quantize/mxfp4.nan-inside"
        values = np.array(read_bundle(golden)["values"])
        assert np.isnan(values).any()
        values[np.isnan(values)] = np.array(0xFFFFFFFF, np.uint32).view(np.float32)
        np.save(tmp_path / "values.npy", values)
        assert main(["verify", str(golden), str(tmp_path)]) == 0

    @pytest.mark.parametrize("damage", ["size", "type", "nothing", "absent"])
    def test_one_clear_line(self, candidate, damage, capsys):
        if damage == "size":
            (candidate / "codes.u8.bin").write_bytes(bytes(255))
        elif damage == "type":
            (candidate / "codes.u8.bin").unlink()
            np.save(candidate / "codes.npy", np.zeros(3, complex))
        else:
            shutil.rmtree(candidate)
            if damage == "nothing":
                candidate.mkdir()
        assert main(["verify", str(self.golden), str(candidate)]) == 2
        error = capsys.readouterr().err
        assert error.startswith("refnum: ")
        assert error.count("\n") == 1
