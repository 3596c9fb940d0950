"""Quantised arrays in files: whole round trips, and no trust in strangers' bytes."""

import json
import random
import struct
import sys
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum.blocks import ChosenFormat
from refnum.interop import load, save
from refnum.interop.records import from_json, to_json
from refnum.testing import assert_quantized_equal

NAMES = rn.blocks.names()
SUFFIXES = [".npz", ".safetensors"]
MIB = 2**20


def quantized(name="nvfp4", shape=(48, 80), axis=-1):
    fmt = rn.blocks.block_format(name)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, dtype=np.float32)
    bits = fmt.stored.element_cast.random_bits
    words = None if bits is None else rng.integers(2**bits, size=shape, dtype=np.uint32)
    return rn.quantize(x, fmt, axis=axis, random=words)


@pytest.fixture(params=SUFFIXES)
def suffix(request):
    if request.param == ".safetensors":
        pytest.importorskip("safetensors")
    return request.param


class TestRoundTrip:
    @pytest.mark.parametrize("name", NAMES)
    def test_every_block_format(self, tmp_path, suffix, name):
        q = quantized(name)
        save(tmp_path / f"w{suffix}", q)
        loaded = load(tmp_path / f"w{suffix}")
        assert_quantized_equal(loaded, q)
        assert loaded.format == q.format
        assert loaded.axis == q.axis
        assert rn.dequantize(loaded).tobytes() == rn.dequantize(q).tobytes()

    @pytest.mark.parametrize("name", ["mxfp4", "nvfp4", "mxfp6_e2m3", "mxfp8_e4m3"])
    @pytest.mark.parametrize("shape", [(1, 1), (3, 5), (0, 32), (129, 70)])
    def test_shapes_and_swizzled_scales(self, tmp_path, suffix, name, shape):
        q = quantized(name, shape)
        if 0 in shape:
            save(tmp_path / f"w{suffix}", q)
        else:
            save(tmp_path / f"w{suffix}", q, layout="swizzled")
        assert_quantized_equal(load(tmp_path / f"w{suffix}"), q)

    @pytest.mark.parametrize("axis", [0, 1, -1])
    def test_axes(self, tmp_path, suffix, axis):
        q = quantized("mxfp4", (33, 40), axis)
        save(tmp_path / f"w{suffix}", q)
        assert_quantized_equal(load(tmp_path / f"w{suffix}"), q)

    def test_a_format_of_ones_own(self, tmp_path, suffix):
        own = replace(rn.NVFP4, block=8, name="mine")
        q = rn.quantize(np.linspace(-1, 1, 64), own)
        save(tmp_path / f"w{suffix}", q)
        assert load(tmp_path / f"w{suffix}").format == own

    def test_equal_content_gives_equal_files(self, tmp_path, suffix):
        for name in ("a", "b"):
            save(tmp_path / f"{name}{suffix}", quantized())
        first, second = (tmp_path / f"{name}{suffix}" for name in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()

    def test_numpy_reads_the_arrays(self, tmp_path):
        q = quantized("mxfp4")
        save(tmp_path / "w.npz", q)
        with np.load(tmp_path / "w.npz") as arrays:
            np.testing.assert_array_equal(arrays["codes"], rn.pack(q.codes, 4))
            facts = json.loads(arrays["refnum"].tobytes())
        assert facts["format"]["element"] == {"format": "e2m1"}

    def test_safetensors_reads_the_arrays(self, tmp_path):
        safetensors = pytest.importorskip("safetensors")
        q = quantized("mxfp4")
        save(tmp_path / "w.safetensors", q)
        with safetensors.safe_open(tmp_path / "w.safetensors", "np") as file:
            np.testing.assert_array_equal(file.get_tensor("scales"), q.scales)
            assert json.loads(file.metadata()["refnum"])["axis"] == -1


class TestRecords:
    @pytest.mark.parametrize("name", NAMES)
    def test_round_trip(self, name):
        fmt = rn.blocks.block_format(name)
        if isinstance(fmt, ChosenFormat):
            fmt = fmt.stored
        assert from_json(json.loads(json.dumps(to_json(fmt)))) == fmt

    def test_what_names_cannot_say(self):
        odd = replace(rn.E2M1, name="odd", bias=3)
        with pytest.raises(ValueError, match="odd is no format of the catalogue"):
            to_json(replace(rn.MXFP4, element=odd))

    @pytest.mark.parametrize(
        "value",
        [
            {"record": "Popen", "args": "true"},
            {"record": "BlockFormat"},
            {"record": ["x"]},
            {"format": "no such"},
            {"format": 7},
            {"arithmetic": "eval"},
            {"enum": "Rounding", "value": "up"},
            {"enum": "Path", "value": "/"},
            {},
        ],
    )
    def test_strange_records(self, value):
        with pytest.raises(ValueError, match="is no record"):
            from_json(value)


class TestRefusals:
    def test_arguments(self, tmp_path):
        q = quantized()
        with pytest.raises(TypeError, match="q must be Quantized, not ndarray"):
            save(tmp_path / "w.npz", q.codes)
        with pytest.raises(ValueError, match="linear or swizzled"):
            save(tmp_path / "w.npz", q, layout="tiled")
        with pytest.raises(ValueError, match=r"\.npz, \.safetensors"):
            save(tmp_path / "w.pt", q)
        with pytest.raises(FileNotFoundError):
            load(tmp_path / "none.npz")

    def test_nothing_is_lost_when_writing_fails(self, tmp_path, suffix, monkeypatch):
        path = tmp_path / f"w{suffix}"
        save(path, quantized())
        before = path.read_bytes()

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            save(path, quantized("mxfp4"))
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == [path.name]


def loads_or_refuses(path, original):
    """Load within 256 MiB: what was stored, or one ValueError that names the file."""
    tracemalloc.start()
    try:
        loaded = load(path)
    except ValueError as error:
        refusal = str(error)
        loaded = None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 256 * MIB
    if loaded is None:
        assert refusal.startswith(str(path))
        return
    # A changed bit of the data itself is no damage that a form without digests can see.
    assert loaded.codes.shape == original.codes.shape
    assert loaded.scales.shape == original.scales.shape
    rn.dequantize(loaded)


class TestHostileFiles:
    @pytest.mark.parametrize("seed", range(100))
    def test_mutations(self, tmp_path, suffix, seed):
        q = quantized("nvfp4", (4, 40))
        path = tmp_path / f"w{suffix}"
        save(path, q)
        rng = random.Random(seed)
        data = bytearray(path.read_bytes())
        kind = seed % 4
        if kind == 0:
            data = data[: rng.randrange(len(data))]
        elif kind == 1:
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif kind == 2:
            start = rng.randrange(len(data))
            data[start : start + 8] = b"\xff" * 8
        else:
            start = rng.randrange(len(data))
            data[start:start] = rng.randbytes(rng.randrange(1, 64))
        path.write_bytes(data)
        loads_or_refuses(path, q)
        assert path.read_bytes() == data

    def members(self, tmp_path, **changes):
        """A file with some members replaced, or dropped where None."""
        q = quantized("nvfp4", (4, 40))
        save(tmp_path / "good.npz", q)
        with zipfile.ZipFile(tmp_path / "good.npz") as file:
            found = {n: file.read(n) for n in file.namelist()}
        found |= {f"{name}.npy": data for name, data in changes.items()}
        path = tmp_path / "bad.npz"
        with zipfile.ZipFile(path, "w") as file:
            for name, data in found.items():
                if data is not None:
                    file.writestr(name, data)
        return path

    @pytest.mark.parametrize(
        ("member", "header"),
        [
            ("codes", b"{'descr': '|O', 'fortran_order': False, 'shape': (80,), }"),
            ("codes", b"{'descr': '|u1', 'fortran_order': True, 'shape': (80,), }"),
            (
                "codes",
                b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999,), }",
            ),
            ("scales", b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 3), }"),
            ("scales", b"__import__('os').abort()"),
            ("scales", b"(" * 4000),
        ],
    )
    def test_headers(self, tmp_path, member, header):
        header += b" " * (53 - len(header) % 64) + b"\n"
        data = (
            b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"0" * 80
        )
        path = self.members(tmp_path, **{member: data})
        with pytest.raises(ValueError, match=f"{member} has"):
            load(path)

    def test_members(self, tmp_path):
        for changes in ({"codes": None}, {"refnum": None}, {"extra": b"x"}):
            with pytest.raises(ValueError, match=r"bad\.npz"):
                load(self.members(tmp_path, **changes))

    def test_path_tricks(self, tmp_path):
        path = self.members(tmp_path, **{"../../evil": b"x"})
        with pytest.raises(ValueError, match="is no member of such a file"):
            load(path)

    def test_bombs_are_not_inflated(self, tmp_path):
        path = tmp_path / "bomb.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("codes.npy", bytes(64 * MIB))
        tracemalloc.start()
        with pytest.raises(ValueError, match="compressed"):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
        tracemalloc.stop()

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("version", 2),
            ("shape", [2**39, 2**39]),
            ("shape", "4, 40"),
            ("shape", [4, 41]),
            ("scales_shape", [3, 4]),
            ("axis", 2),
            ("axis", True),
            ("layout", "spiral"),
            ("layout", "swizzled"),
            ("format", {"format": "e2m1"}),
            ("format", {"record": "system", "command": "true"}),
        ],
    )
    def test_facts_that_contradict(self, tmp_path, key, value):
        q = quantized("nvfp4", (4, 40))
        save(tmp_path / "good.npz", q)
        with np.load(tmp_path / "good.npz") as arrays:
            facts = json.loads(arrays["refnum"].tobytes())
        facts[key] = value
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        with (tmp_path / "text").open("wb") as file:
            np.lib.format.write_array(file, text, (1, 0))
        path = self.members(tmp_path, refnum=(tmp_path / "text").read_bytes())
        with pytest.raises(ValueError, match=r"bad\.npz: "):
            load(path)

    def test_deep_json(self, tmp_path):
        deep = b"[" * 10 * sys.getrecursionlimit()
        with (tmp_path / "text").open("wb") as file:
            np.lib.format.write_array(file, np.frombuffer(deep, np.uint8), (1, 0))
        path = self.members(tmp_path, refnum=(tmp_path / "text").read_bytes())
        with pytest.raises(ValueError, match="not JSON"):
            load(path)
