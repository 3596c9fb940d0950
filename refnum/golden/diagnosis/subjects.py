"""From a golden file, folder or capture to what a diagnosis varies: its `Subject`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from refnum.blocks import BlockFormat, ChosenFormat, block_format
from refnum.formats import FP32, Cast, Rounding, Saturation, casts, format
from refnum.golden.bundle import Bundle
from refnum.golden.diagnosis.block_variants import block_deviations, scale_deviations
from refnum.golden.diagnosis.blocks import Quantization, compute_blocks, compute_scales
from refnum.golden.diagnosis.casts import (
    Decoding,
    Encoding,
    compute_codes,
    compute_values,
    decode_deviations,
    encode_deviations,
)
from refnum.golden.diagnosis.deviation import Array, Outputs, Subject
from refnum.golden.diagnosis.layout import Layout, compute_layout, layout_deviations
from refnum.golden.diagnosis.products import (
    Product,
    compute_product,
    product_deviations,
)
from refnum.golden.diagnosis.random import Generator, compute_philox, philox_deviations
from refnum.golden.diagnosis.rotations import (
    Rotation,
    compute_rotation,
    rotation_deviations,
)
from refnum.golden.record import GoldenFile
from refnum.golden.scales import scale_formats
from refnum.products import instruction

__all__ = [
    "STAGES",
    "block_subject",
    "bundle_subject",
    "file_subject",
    "product_subject",
]

# Pairs that are tried: a prediction takes about 1, 2 and 8 ms.
_PAIRS, _CHOSEN_PAIRS, _PRODUCT_PAIRS = 1000, 600, 300

STAGES = "tensor_scale", "scales", "codes", "packed", "values"


def file_subject(file: GoldenFile, name: str) -> Subject:
    """Return the subject of a golden file of scalars.

    Raises
    ------
    ValueError
        If the operation is unknown, or the header does not say what decides it.
    """
    readers = {
        "encode": _encode,
        "decode": _decode,
        "scale": _scale,
        "philox4x32": _philox,
    }
    op = file.facts.get("op", "")
    if op not in readers:
        raise ValueError(
            f"{name}: op={op} cannot be diagnosed; {', '.join(readers)} can"
        )
    try:
        subject = readers[op](file, name)
    except (KeyError, AttributeError) as error:
        raise ValueError(f"{name}: the header does not give {error}") from None
    return replace(subject, reasons=tuple(case.reason for case in file.cases))


def bundle_subject(bundle: Bundle, name: str) -> Subject:
    """Return the subject of a golden folder.

    Raises
    ------
    ValueError
        If the operation is unknown, or the folder lacks what decides it.
    """
    readers: dict[str, Callable[[Bundle, str], Subject]] = {
        "quantize": _quantize,
        "hadamard": _hadamard,
        "swizzle_scales": _swizzle,
        "mma": _product,
        "gemm": _product,
    }
    if bundle.op not in readers:
        raise ValueError(
            f"{name}: op {bundle.op} cannot be diagnosed; {', '.join(readers)} can"
        )
    try:
        return readers[bundle.op](bundle, name)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{name}: case.json does not give {error}") from None


def block_subject(
    name: str, x: Array, record: Quantization, outputs: Mapping[str, Array]
) -> Subject:
    """Return the subject of a quantised array."""
    ordered = {stage: outputs[stage] for stage in STAGES if stage in outputs}
    block = record.format.stored.block
    along = block if isinstance(block, int) and record.axis == -1 else 0
    return Subject(
        name=name,
        record=record,
        compute=partial(compute_blocks, x=x),
        outputs=ordered,
        deviations=block_deviations(record),
        inputs={"x": x},
        block=along,
        pairs=_CHOSEN_PAIRS if isinstance(record.format, ChosenFormat) else _PAIRS,
    )


def product_subject(
    name: str, record: Product, d: Array, operands: dict[str, Any]
) -> Subject:
    """Return the subject of a product."""
    depth, has_c = operands["a"].shape[-1], "c" in operands
    return Subject(
        name=name,
        record=record,
        compute=_in_type_of(d, partial(compute_product, **operands)),
        outputs={"d": d},
        deviations=product_deviations(record, k=depth, has_c=has_c),
        inputs={},
        pairs=_PRODUCT_PAIRS * 512 // max(depth, 512),
    )


def _encode(file: GoldenFile, name: str) -> Subject:
    facts, wide = file.facts, file.facts["in"] == "f64"
    fmt, columns = format(facts["out"]), _columns(file)
    bits = int(facts.get("random_bits", 0))
    if "cast" in facts:
        cast = getattr(casts, facts["cast"].upper()).resolve(fmt)
        cast = replace(cast, via=None) if cast.via == FP32 and not wide else cast
    else:
        rounding, saturation = (
            Rounding(facts["rounding"]),
            Saturation(facts["saturation"]),
        )
        cast = Cast(rounding, saturation, random_bits=bits or None).resolve(fmt)
    x = columns["x"].view(np.float64) if wide else _floats(columns["x"])
    record = Encoding(fmt, cast, bits)
    random = columns.get("random")
    words = None if random is None else random.astype(np.uint32)
    return Subject(
        name=name,
        record=record,
        compute=partial(compute_codes, x=x, random=words),
        outputs={"code": file.output_array()[:, 0]},
        deviations=encode_deviations(record, wide=wide),
        inputs={"x": x} if words is None else {"x": x, "random": words},
    )


def _decode(file: GoldenFile, name: str) -> Subject:
    fmt = format(file.facts["in"])
    codes = _columns(file)["code"].astype(fmt.dtype)
    return Subject(
        name=name,
        record=Decoding(fmt),
        compute=partial(compute_values, codes=codes),
        outputs={"value": _floats(file.output_array()[:, 0])},
        deviations=decode_deviations(fmt),
        inputs={"code": codes},
    )


def _scale(file: GoldenFile, name: str) -> Subject:
    known = {fmt.name: fmt for _, fmt in scale_formats()}
    record: BlockFormat = known[file.facts["rule"]]
    amax = _floats(_columns(file)["amax"])
    return Subject(
        name=name,
        record=record,
        compute=partial(compute_scales, amax=amax),
        outputs={"code": file.output_array()[:, 0]},
        deviations=scale_deviations(record),
        inputs={"amax": amax},
    )


def _philox(file: GoldenFile, name: str) -> Subject:
    record = Generator(int(file.facts["rounds"]))
    given = np.array([case.fields[:6] for case in file.cases], np.uint64).reshape(-1, 6)
    counters, keys = given[:, :4], given[:, 4:]
    return Subject(
        name=name,
        record=record,
        compute=partial(compute_philox, counters=counters, keys=keys),
        outputs={"words": file.output_array().astype(np.uint32)},
        deviations=philox_deviations(record),
        inputs={},
        width=4,
    )


def _quantize(bundle: Bundle, name: str) -> Subject:
    fmt, axis = block_format(bundle.spec["block_format"]), int(bundle.spec["axis"])
    record = Quantization(fmt, axis)
    return block_subject(name, bundle["x"], record, _outputs(bundle))


def _hadamard(bundle: Bundle, name: str) -> Subject:
    spec = bundle.spec
    flips = {"signs_first": "first", "signs_last": "last"}[spec["order"]]
    record = Rotation(int(spec["size"]), flips, arithmetic=spec["arithmetic"])
    x, signs = bundle["x"], bundle["signs"]
    return Subject(
        name=name,
        record=record,
        compute=partial(compute_rotation, x=x, signs=signs),
        outputs=_outputs(bundle),
        deviations=rotation_deviations(record),
        inputs={"x": x},
        block=record.size,
    )


def _swizzle(bundle: Bundle, name: str) -> Subject:
    record = Layout(tuple(bundle.spec["tile"]))
    return Subject(
        name=name,
        record=record,
        compute=partial(compute_layout, scales=bundle["scales"]),
        outputs=_outputs(bundle),
        deviations=layout_deviations(record),
        inputs={},
    )


def _product(bundle: Bundle, name: str) -> Subject:
    spec = bundle.spec
    out = format(spec["out"]) if spec.get("out") else None
    record = Product(
        instruction(spec["instruction"]),
        promote_every=spec.get("promote_every"),
        out=out,
        codes=out is not None,
    )
    operands = {t.name: t.array for t in bundle.tensors if t.role == "in"}
    return product_subject(name, record, bundle["d"], operands)


def _outputs(bundle: Bundle) -> dict[str, Array]:
    return {t.name: t.array for t in bundle.tensors if t.role == "out"}


def _columns(file: GoldenFile) -> dict[str, Array]:
    """Return the fields of all cases by the names of their columns."""
    rows = np.array([case.fields for case in file.cases], np.uint64)
    rows = rows.reshape(-1, len(file.columns))
    return {column.name: rows[:, i] for i, column in enumerate(file.columns)}


def _floats(words: Array) -> Array:
    return np.ascontiguousarray(words.astype(np.uint32)).view(np.float32)


def _in_type_of(
    golden: Array, compute: Callable[..., Outputs]
) -> Callable[[Any], Outputs]:
    """Return a function whose outputs have the type of the golden one, if a float's."""

    def converted(record: Any) -> Outputs:
        outputs = compute(record)
        if golden.dtype.kind != "f":
            return outputs
        return {name: array.astype(golden.dtype) for name, array in outputs.items()}

    return converted
