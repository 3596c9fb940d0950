"""What eight kernels wrote on an H100, right and with a mistake planted in their source."""

import pytest

from refnum.golden import diagnose

from ._planted import GOLDEN

KERNELS = GOLDEN / "hardware/h100/kernels"
# Kernel: the golden case, the first broken stage, and what was planted.
PLANTED = {
    "cast": (
        "encode/e4m3.nearest_even.finite.hex",
        "code",
        "rounded twice, first to fp16",
    ),
    "stochastic": (
        "stochastic/e2m1.transformer_engine_sr8.hex",
        "code",
        "rounding stochastic_a with the lowest 4 random bits",
    ),
    "philox": ("philox/4x32-10.hex", "words", "7 rounds"),
    "mxfp4": ("quantize/mxfp4.tie-rich", "codes", "elements: rounding nearest_away"),
    "mxfp8": ("quantize/mxfp8_e4m3.plain", "scales", "scale rule ceil"),
    "nvfp4": ("quantize/nvfp4.outlier-row", "packed", "nibbles swapped"),
    "hadamard": ("hadamard/16.transformer-engine", "y", "signs flip outputs, H D"),
    "scaled_mm": (
        "gemm/sm90.wgmma.e4m3.e4m3.f32.promoted-128",
        "d",
        "one chain, not promoted",
    ),
}


def output(kernel, version):
    place = KERNELS / f"{kernel}.{version}"
    return place if place.is_dir() else place.with_name(f"{place.name}.bin")


@pytest.mark.parametrize("kernel", PLANTED)
def test_the_right_kernel_is_equal(kernel):
    assert diagnose(GOLDEN / PLANTED[kernel][0], output(kernel, "right")).equal


@pytest.mark.parametrize("kernel", PLANTED)
def test_the_planted_mistake_is_named_first(kernel):
    golden, stage, name = PLANTED[kernel]
    found = diagnose(GOLDEN / golden, output(kernel, "wrong"))
    assert found.stage == stage
    assert found.findings[0].name == name
    assert found.findings[0].complete
