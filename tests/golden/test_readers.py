"""The readers of golden files in other languages, each by a real run."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READ = ROOT / "golden" / "read"
DEVICES = Path(__file__).parent / "readers"
GOLDEN = {
    "E4M3": ROOT / "golden/encode/e4m3.nearest_even.finite.hex",
    "E2M1": ROOT / "golden/encode/e2m1.nearest_even.finite.hex",
}
MISTAKES = {
    "TIES_AWAY": "midpoint",
    "FLUSH_SUBNORMALS": "",
    "WRAP_OVERFLOW": "saturates",
}


def need(tool: str) -> str:
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"needs {tool}")
    return path


def run(*command: object, status: int = 0, cwd: Path | None = None) -> str:
    """Both outputs of a program that ends with the given status."""
    result = subprocess.run(
        [str(word) for word in command],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C"},
    )
    output = result.stdout + result.stderr
    assert result.returncode == status, output
    return output


def header_of(golden: Path) -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", golden.read_text().splitlines()[0]))


def test_each_is_at_most_60_lines():
    for path in READ.iterdir():
        if path.is_file():
            assert len(path.read_text().splitlines()) <= 60, path.name


class TestC:
    @pytest.fixture(params=["gcc", "clang"])
    def build(self, request, tmp_path):
        compiler = need(request.param)

        def build(*macros: str) -> Path:
            program = tmp_path / "encoder"
            flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"]
            source = DEVICES / "encoder.c"
            run(compiler, *flags, *macros, f"-I{READ}", source, "-o", program)
            return program

        return build

    def test_right_encoder(self, build):
        count = header_of(GOLDEN["E4M3"])["count"]
        output = run(build(), GOLDEN["E4M3"])
        assert output == f"0 mismatches in {count} of {count} cases\n"

    def test_wrong_encoder_names_the_case(self, build):
        output = run(build("-DTIES_AWAY"), GOLDEN["E4M3"], status=1)
        assert "tie to the even code" in output

    def test_damaged_files_are_incomplete(self, build, tmp_path):
        program, text = build(), GOLDEN["E4M3"].read_text()
        lines = text.splitlines(keepends=True)
        damaged = {
            "cut": text[: len(text) // 2],
            "no header": "".join(lines[1:]),
            "no hex": "".join([*lines[:3], "hello_7e\n", *lines[4:]]),
            "empty": "",
        }
        for name, content in damaged.items():
            path = tmp_path / name
            path.write_text(content)
            run(program, path, status=2)

    def test_is_cpp_too(self, tmp_path):
        flags = [
            "-x",
            "c++",
            "-std=c++17",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fsyntax-only",
        ]
        run(need("g++"), *flags, f"-I{READ}", DEVICES / "encoder.c")


class TestVerilog:
    def icarus(self, folder: Path, element: str, *macros: str) -> Path:
        bits = header_of(GOLDEN[element])["columns"].split(":")[-1]
        program = folder / "tb"
        output = run(
            need("iverilog"),
            "-g2012",
            "-Wall",
            f"-Pgolden_tb.COUNT={header_of(GOLDEN[element])['count']}",
            f"-Pgolden_tb.CODE={bits}",
            f"-D{element}",
            *[f"-D{macro}" for macro in macros],
            "-o",
            program,
            READ / "golden_tb.sv",
            DEVICES / "encoder.sv",
        )
        assert output == ""
        return program

    @pytest.mark.parametrize("element", GOLDEN)
    def test_right_encoder(self, tmp_path, element):
        program = self.icarus(tmp_path, element)
        output = run(need("vvp"), program, f"+golden={GOLDEN[element]}")
        count = header_of(GOLDEN[element])["count"]
        assert output == f"0 mismatches in {count} cases\n"

    @pytest.mark.parametrize("mistake", MISTAKES)
    @pytest.mark.parametrize("element", GOLDEN)
    def test_wrong_encoder_names_the_case(self, tmp_path, element, mistake):
        program = self.icarus(tmp_path, element, mistake)
        golden = GOLDEN[element]
        output = run(need("vvp"), program, f"+golden={golden}", status=1)
        number, x = re.search(r"case (\d+): x ([0-9a-f]{8}), got", output).groups()
        cases = [line for line in golden.read_text().splitlines() if line[:2] != "//"]
        case = cases[int(number) - 1]
        assert case.startswith(f"{x}_")
        assert MISTAKES[mistake] in case

    def test_other_count_is_refused(self, tmp_path):
        program = self.icarus(tmp_path, "E4M3")
        output = run(need("vvp"), program, f"+golden={GOLDEN['E2M1']}", status=1)
        assert "COUNT is" in output

    def test_verilator(self, tmp_path):
        verilator = need("verilator")
        count = header_of(GOLDEN["E4M3"])["count"]
        options = f"--binary -Wno-WIDTH --top golden_tb -GCOUNT={count} -GCODE=8"
        sources = READ / "golden_tb.sv", DEVICES / "encoder.sv"
        run(verilator, *options.split(), *sources, cwd=tmp_path)
        program = tmp_path / "obj_dir" / "Vgolden_tb"
        output = run(program, f"+golden={GOLDEN['E4M3']}")
        assert f"0 mismatches in {count} cases" in output


class TestPython:
    read = staticmethod(runpy.run_path(str(READ / "read_golden.py"))["cases"])

    def test_reads_every_file_without_refnum(self):
        files = sorted((ROOT / "golden").glob("*/*.hex"))
        program = READ / "read_golden.py"
        output = run(sys.executable, "-I", program, *files).splitlines()
        assert len(output) == len(files) > 150
        for path, line in zip(files, output, strict=True):
            assert line.endswith(f" {header_of(path)['count']} cases")

    def test_fields_and_reason(self):
        fields, reason = self.read(GOLDEN["E4M3"])[2]
        assert fields == (0x7F800000, 0x7E)
        assert reason == "infinity: saturates"

    @pytest.mark.parametrize("damage", ["cut", "field", "form"])
    def test_damaged_files_are_refused(self, tmp_path, damage):
        text = GOLDEN["E4M3"].read_text()
        path = tmp_path / "damaged.hex"
        damaged = {
            "cut": text[: len(text) // 2],
            "field": text.replace("7f800000_7e", "7f80000_7e"),
            "form": text.replace("golden 1", "golden 2"),
        }
        path.write_text(damaged[damage])
        with pytest.raises(ValueError, match=r"damaged\.hex"):
            self.read(path)


def test_cuda_example_compiles(tmp_path):
    nvcc = need("nvcc")
    program = tmp_path / "verify_cast"
    run(nvcc, "-arch=sm_90", "-o", program, READ / "verify_cast.cu")
    if shutil.which("nvidia-smi") and run("nvidia-smi", "-L").startswith("GPU 0"):
        assert "0 mismatches" in run(program, GOLDEN["E4M3"])
