"""Codes as other libraries' arrays: the same values there, the same codes back."""

import numpy as np
import pytest

import refnum as rn
from refnum import interop
from refnum.interop import names

ROWS = names._ROWS


def every_code(fmt):
    return np.arange(2 ** min(fmt.bits, 16)).astype(
        np.uint8 if fmt.bits <= 8 else np.uint16
    )


def formats_of(library):
    return [
        row.format for row in ROWS if getattr(row, library) and row.format.bits <= 16
    ]


class TestMlDtypes:
    ml_dtypes = pytest.importorskip("ml_dtypes")

    @pytest.mark.parametrize("fmt", formats_of("ml_dtypes"), ids=str)
    def test_same_values_and_bytes(self, fmt):
        codes = every_code(fmt)
        array = interop.to_ml_dtypes(codes, fmt)
        assert array.dtype.name == interop.type_names(fmt).ml_dtypes
        assert np.shares_memory(array, codes)
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(
                array.astype(np.float32), rn.decode(codes, fmt)
            )
        back, found = interop.from_ml_dtypes(array)
        assert found == fmt
        assert np.shares_memory(back, codes)
        np.testing.assert_array_equal(back, codes)

    def test_other_byte_order(self):
        codes, fmt = interop.from_ml_dtypes(np.array([1.5], ">f4"))
        assert (codes.tolist(), fmt) == ([0x3FC00000], rn.FP32)

    def test_refusals(self):
        with pytest.raises(ValueError, match="ml_dtypes has no type for ue5m3"):
            interop.to_ml_dtypes([1], rn.UE5M3)
        with pytest.raises(ValueError, match="16 is no code of e2m1"):
            interop.to_ml_dtypes([16], rn.E2M1)
        with pytest.raises(TypeError, match="codes must be integers"):
            interop.to_ml_dtypes([0.5], rn.E2M1)
        with pytest.raises(TypeError, match="ml_dtypes type complex64 is no format"):
            interop.from_ml_dtypes(np.zeros(1, np.complex64))
        with pytest.raises(TypeError, match="fmt must be a Format"):
            interop.to_ml_dtypes([1], None)


class TestTorch:
    @pytest.fixture(autouse=True)
    def torch(self):
        self.torch = pytest.importorskip("torch")

    @pytest.mark.parametrize("fmt", formats_of("torch"), ids=str)
    def test_round_trip(self, fmt):
        codes = every_code(fmt)
        tensor = interop.to_torch(codes, fmt)
        assert str(tensor.dtype) == f"torch.{interop.type_names(fmt).torch}"
        if fmt != rn.E2M1:
            np.testing.assert_array_equal(
                tensor.to(self.torch.float32).numpy(), rn.decode(codes, fmt)
            )
            assert tensor.data_ptr() == codes.ctypes.data
        back, found = interop.from_torch(tensor)
        assert found == fmt
        np.testing.assert_array_equal(back, codes)

    def test_fp4_is_packed_along_the_last_axis(self):
        codes = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.uint8)
        tensor = interop.to_torch(codes, rn.E2M1)
        assert tuple(tensor.shape) == (2, 2)
        assert tensor.view(self.torch.uint8).tolist() == [[0x21, 0x43], [0x65, 0x87]]
        with pytest.raises(ValueError, match="do not pack by twos"):
            interop.to_torch([1, 2, 3], rn.E2M1)

    def test_read_only_codes_are_copied(self):
        codes = np.arange(4, dtype=np.uint8)
        codes.flags.writeable = False
        assert interop.to_torch(codes, rn.E4M3).shape == (4,)

    def test_dlpack_shares_codes(self):
        codes = rn.encode(np.linspace(-1, 1, 9), rn.E4M3)
        tensor = self.torch.from_dlpack(codes)
        assert tensor.data_ptr() == codes.ctypes.data
        assert np.shares_memory(np.from_dlpack(tensor), codes)

    def test_unknown_type(self):
        with pytest.raises(TypeError, match="torch type int64 is no format"):
            interop.from_torch(self.torch.zeros(2, dtype=self.torch.int64))


class TestJax:
    @pytest.mark.parametrize("fmt", [rn.E4M3, rn.E5M2, rn.BF16], ids=str)
    def test_round_trip(self, fmt):
        pytest.importorskip("jax")
        codes = every_code(fmt)
        array = interop.to_jax(codes, fmt)
        assert array.dtype.name == interop.type_names(fmt).ml_dtypes
        back, found = interop.from_jax(array)
        assert found == fmt
        np.testing.assert_array_equal(back, codes)


class TestOnnx:
    @pytest.fixture(autouse=True)
    def onnx(self):
        self.onnx = pytest.importorskip("onnx")

    @pytest.mark.parametrize("fmt", formats_of("onnx"), ids=str)
    def test_onnx_reads_the_same_values(self, fmt):
        codes = every_code(fmt).reshape(2, -1)
        tensor = interop.to_onnx(codes, fmt, "w")
        with np.errstate(invalid="ignore"):
            values = self.onnx.numpy_helper.to_array(tensor).astype(np.float32)
        np.testing.assert_array_equal(values, rn.decode(codes, fmt))
        back, found = interop.from_onnx(tensor)
        assert found == fmt
        np.testing.assert_array_equal(back, codes)

    def test_odd_count_of_fp4(self):
        codes = np.array([1, 2, 15], np.uint8)
        back, _ = interop.from_onnx(interop.to_onnx(codes, rn.E2M1, "w"))
        np.testing.assert_array_equal(back, codes)

    def test_wrong_length(self):
        tensor = interop.to_onnx([1, 2], rn.E4M3, "w")
        tensor.raw_data = b"1"
        with pytest.raises(ValueError, match=r"'w' has 1 raw bytes; shape \(2,\)"):
            interop.from_onnx(tensor)


def test_names_are_unique():
    for library in ("ml_dtypes", "torch", "onnx", "safetensors"):
        found = [getattr(row, library) for row in ROWS if getattr(row, library)]
        assert len(set(found)) == len(found)
