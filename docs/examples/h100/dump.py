"""Run every kernel on golden inputs, right and wrong, and keep what the GPU wrote.

    nvcc -arch=sm_90 --shared -Xcompiler -fPIC -o kernels.so kernels.cu
    python dump.py ../../../golden kernels.so OUT

It needs torch, Triton and NumPy, but not refnum: golden files are plain. For each
kernel OUT has `NAME.right` and `NAME.wrong`: a .bin file for a golden .hex file, a
folder for a golden folder. `CASES` says which golden case each one answers.
"""

import ctypes
import json
import sys
from pathlib import Path

import numpy as np
import torch
import triton_kernels

CASES = {
    "cast": "encode/e4m3.nearest_even.finite.hex",
    "philox": "philox/4x32-10.hex",
    "stochastic": "stochastic/e2m1.transformer_engine_sr8.hex",
    "mxfp4": "quantize/mxfp4.tie-rich",
    "mxfp8": "quantize/mxfp8_e4m3.plain",
    "nvfp4": "quantize/nvfp4.outlier-row",
    "hadamard": "hadamard/16.transformer-engine",
    "scaled_mm": "gemm/sm90.wgmma.e4m3.e4m3.f32.promoted-128",
}


class Kernels:
    """The kernels of kernels.cu on arrays of the host."""

    def __init__(self, library: str) -> None:
        self.library = ctypes.CDLL(str(Path(library).resolve()))

    def call(self, name: str, arguments: list, outputs: list[np.ndarray], wrong: bool):
        """Call `run_NAME(arguments..., outputs..., count, wrong)` and fetch outputs.

        The count is that of the rows of the first output.
        """
        given = [self._given(a) for a in arguments]
        made = [
            torch.zeros(a.nbytes, dtype=torch.uint8, device="cuda") for a in outputs
        ]
        pointers = [ctypes.c_void_p(t.data_ptr()) for t in made]
        count = ctypes.c_int(len(outputs[0]))
        passed = [
            ctypes.c_void_p(g.data_ptr()) if isinstance(g, torch.Tensor) else g
            for g in given
        ]
        status = getattr(self.library, f"run_{name}")(
            *passed, *pointers, count, ctypes.c_int(wrong)
        )
        if status:
            raise RuntimeError(f"run_{name}: CUDA error {status}")
        for array, tensor in zip(outputs, made, strict=True):
            array[...] = np.frombuffer(
                tensor.cpu().numpy().tobytes(), array.dtype
            ).reshape(array.shape)

    @staticmethod
    def _given(argument):
        if isinstance(argument, float):
            return ctypes.c_float(argument)
        data = np.ascontiguousarray(argument).view(np.uint8).reshape(-1)
        return torch.from_numpy(data.copy()).cuda()


def columns(path: Path) -> dict[str, np.ndarray]:
    """Return the columns of a golden .hex file."""
    lines = path.read_text().splitlines()
    facts = dict(word.split("=", 1) for word in lines[0].split() if "=" in word)
    rows = [
        line.split("//")[0].strip().split("_") for line in lines if line[:2] != "//"
    ]
    assert len(rows) == int(facts["count"]), path
    names = [column.split(":")[0] for column in facts["columns"].split(",")]
    return {
        name: np.array([int(row[k], 16) for row in rows], np.uint32)
        for k, name in enumerate(names)
    }


def tensors(folder: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a golden folder."""
    case = json.loads((folder / "case.json").read_text())
    found = {}
    for tensor in case["tensors"]:
        kind = f"<{tensor['dtype'][0]}{int(tensor['dtype'][1:]) // 8}"
        data = np.fromfile(folder / f"{tensor['name']}.{tensor['dtype']}.bin", kind)
        found[tensor["name"]] = data.reshape(tensor["shape"])
    return found


def scaled_mm(a: np.ndarray, b: np.ndarray, wrong: bool) -> np.ndarray:
    """Return the FP8 product of cuBLASLt. The mistake: fast accumulation."""
    # Rows and columns of zeros make the shapes such that cuBLASLt takes them.
    left = torch.zeros(128, a.shape[1], dtype=torch.uint8, device="cuda")
    right = torch.zeros(128, a.shape[1], dtype=torch.uint8, device="cuda")
    left[: len(a)] = torch.from_numpy(a.copy()).cuda()
    right[: b.shape[1]] = torch.from_numpy(np.ascontiguousarray(b.T)).cuda()
    one = torch.ones((), device="cuda")
    d = torch._scaled_mm(
        left.view(torch.float8_e4m3fn),
        right.view(torch.float8_e4m3fn).t(),
        scale_a=one,
        scale_b=one,
        out_dtype=torch.float32,
        use_fast_accum=wrong,
    )
    return d[: len(a), : b.shape[1]].cpu().numpy()


def outputs(
    name: str, golden: Path, kernels: Kernels, wrong: bool
) -> dict[str, np.ndarray]:
    """Return what a kernel writes for its golden case, by the names of the golden files."""
    case = golden / CASES[name]
    given = columns(case) if case.suffix == ".hex" else tensors(case)
    if name == "philox":
        counters = np.stack([given[f"c{k}"] for k in range(4)], axis=1)
        keys = np.stack([given[f"k{k}"] for k in range(2)], axis=1)
        words = np.zeros((len(counters), 4), np.uint32)
        kernels.call(name, [counters, keys], [words], wrong)
        return {"": words}
    if name == "scaled_mm":
        return {"d.f32": scaled_mm(given["a"], given["b"], wrong)}
    x = given["x"].view(np.float32)
    if name in ("cast", "stochastic"):
        extra = [given["random"].astype(np.uint8)] if name == "stochastic" else []
        codes = np.zeros(len(x), np.uint8)
        kernels.call(name, [x, *extra], [codes], wrong)
        return {"": codes}
    if name == "hadamard":
        signs = torch.from_numpy(given["signs"].copy()).cuda()
        y = triton_kernels.hadamard(torch.from_numpy(x.copy()).cuda(), signs, wrong)
        return {"y.f32": y.cpu().numpy()}
    if name == "mxfp8":
        scales, codes = triton_kernels.mxfp8(torch.from_numpy(x.copy()).cuda(), wrong)
        return {"scales.u8": scales.cpu().numpy(), "codes.u8": codes.cpu().numpy()}
    block = 32 if name == "mxfp4" else 16
    scales = np.zeros(x.size // block, np.uint8)
    if name == "mxfp4":
        codes = np.zeros(x.size, np.uint8)
        kernels.call(name, [x], [scales, codes], wrong)
        return {"scales.u8": scales, "codes.u8": codes}
    packed = np.zeros(x.size // 2, np.uint8)
    kernels.call(name, [x, float(np.abs(x).max())], [scales, packed], wrong)
    return {"scales.u8": scales, "packed.u8": packed}


def main() -> None:
    golden, library, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    kernels = Kernels(library)
    for name in CASES:
        for wrong in (False, True):
            target = out / f"{name}.{'wrong' if wrong else 'right'}"
            for stem, array in outputs(name, golden, kernels, wrong).items():
                path = (
                    target / f"{stem}.bin"
                    if stem
                    else target.with_name(f"{target.name}.bin")
                )
                path.parent.mkdir(parents=True, exist_ok=True)
                array.tofile(path)
    print(torch.cuda.get_device_name(), torch.__version__)


if __name__ == "__main__":
    main()
