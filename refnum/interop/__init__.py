"""Codes and quantised arrays in and out of other libraries, and in files.

- `to_ml_dtypes`, `to_torch`, `to_jax`, `to_onnx` give codes another library's type, and
  `from_…` take them back. Bytes are shared where the library allows it.
- `save` and `load` keep a `Quantized` in a ``.npz`` or ``.safetensors`` file that says
  itself what it is, and is safe to load from strangers.

Codes are plain arrays of unsigned integers, so DLPack needs nothing of this room:
``torch.from_dlpack(codes)`` and ``np.from_dlpack(tensor)`` share their memory.
"""

from refnum.interop.files import load, save
from refnum.interop.frameworks import (
    from_jax,
    from_ml_dtypes,
    from_torch,
    to_jax,
    to_ml_dtypes,
    to_torch,
)
from refnum.interop.models import from_onnx, to_onnx
from refnum.interop.names import TypeNames, type_names

__all__ = [
    "TypeNames",
    "from_jax",
    "from_ml_dtypes",
    "from_onnx",
    "from_torch",
    "load",
    "save",
    "to_jax",
    "to_ml_dtypes",
    "to_onnx",
    "to_torch",
    "type_names",
]
