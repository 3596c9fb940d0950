"""The files of the suite, and that their outputs are what they say."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum.formats import exact
from refnum.golden import Disagreement, Options, entries, scalar
from refnum.golden import philox as golden_philox

ENTRIES = {entry.path: entry for entry in entries()}
FOLDERS = ("decode/", "encode/", "stochastic/", "philox/")
PATHS = sorted(path for path in ENTRIES if path.startswith(FOLDERS))


@pytest.fixture(scope="module")
def files():
    """Every golden file of scalars of level 1, by path."""
    return {path: ENTRIES[path].make(Options()) for path in PATHS}


def test_paths_are_unique():
    assert len(ENTRIES) == len(entries())


def test_every_narrow_format_is_decoded_and_encoded():
    for fmt in rn.formats.FORMATS:
        narrow = fmt.bits <= 9
        assert (f"decode/{fmt}.hex" in ENTRIES) == narrow
        assert (f"encode/{fmt}.nearest_even.finite.hex" in ENTRIES) == narrow


def test_decode_files_hold_every_code_and_its_value(files):
    for path in (path for path in PATHS if path.startswith("decode/")):
        file = files[path]
        fmt = rn.format(file.facts["in"])
        codes, bits = np.array([case.fields for case in file.cases], np.uint32).T
        np.testing.assert_array_equal(codes, np.arange(2**fmt.bits))
        np.testing.assert_array_equal(bits.view(np.float32), fmt.values)


def test_names_tell_the_cast(files):
    """What a name says is the whole cast: nothing else decides the outputs."""
    for path in (path for path in PATHS if path.startswith("encode/")):
        file = files[path]
        kind = file.facts["in"].replace("f", "<f8" if "64" in path else "<f4")[:3]
        fmt = rn.format(file.facts["out"])
        x = np.array([case.fields[0] for case in file.cases], kind.replace("f", "u"))
        if "cast" in file.facts:
            cast = getattr(rn.casts, file.facts["cast"].upper())
            assert path == f"encode/{fmt}.{file.facts['cast']}.hex"
        else:
            rounding = rn.Rounding(file.facts["rounding"])
            cast = rn.Cast(rounding, rn.Saturation(file.facts["saturation"]))
            name = f"encode/{fmt}.{rounding.value}.{cast.saturation.value}"
            assert path in (f"{name}.hex", f"{name}.f64.hex")
        codes = [case.fields[-1] for case in file.cases]
        np.testing.assert_array_equal(rn.encode(x.view(kind), fmt, cast), codes)


def test_every_library_differs_from_the_default(files):
    for path in PATHS:
        facts = files[path].facts
        if facts["op"] != "encode" or "cast" not in facts:
            continue
        cases = files[path].cases
        x = np.array([case.fields[0] for case in cases], np.uint32).view(np.float32)
        codes = np.array([case.fields[-1] for case in cases])
        assert (codes != rn.encode(x, facts["out"])).any(), path


def test_saturations_differ(files):
    for fmt in ("e4m3", "e5m2", "ue8m0", "e4m3fnuz"):
        outputs = {
            tuple(
                case.fields for case in files[path].cases if "random" not in case.reason
            )
            for path in PATHS
            if path.startswith(f"encode/{fmt}.nearest_even.") and "f64" not in path
        }
        assert len(outputs) == 3


@pytest.mark.parametrize("mode", ["a", "b", "c"])
def test_stochastic_files_hold_every_random_word(files, mode):
    file = files[f"stochastic/e4m3.stochastic_{mode}.2.hex"]
    words = {}
    for x, word, _ in (case.fields for case in file.cases):
        words.setdefault(x, []).append(word)
    assert all(sorted(have) == [0, 1, 2, 3] for have in words.values())


def test_stochastic_modes_differ(files):
    assert (
        len({files[f"stochastic/e2m1.stochastic_{m}.2.hex"].cases for m in "abc"}) == 3
    )


def test_philox_files_hold_the_known_answers(files):
    cases = files["philox/4x32-10.hex"].cases
    assert cases[0].fields[6:] == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    assert cases[1].fields[6:] == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)
    assert cases[2].fields[6:] == (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)
    assert files["philox/4x32-7.hex"].cases[0].fields[6] == 0x5F6FB709


def test_reasons_say_what_happens(files):
    reasons = {
        case.fields[0]: case.reason
        for case in files["encode/e4m3.nearest_even.finite.hex"].cases
    }
    assert reasons[0x43E00000] == "max 448"
    assert reasons[0x43E80000] == "midpoint 448|480: tie to the even code"
    assert reasons[0x43E80001] == "above the midpoint 448|480: saturates"
    assert reasons[0x7F800000] == "infinity: saturates"
    reasons = {
        case.fields[0]: case.reason
        for case in files["encode/e5m2.toward_positive.none.hex"].cases
    }
    assert reasons[0x7F7FFFFF] == "largest float32: overflows to infinity"
    assert reasons[0xFF7FFFFF] == "-largest float32"


def test_reasons_of_overflow_are_true(files):
    for path in (path for path in PATHS if path.startswith("encode/")):
        fmt = rn.format(files[path].facts["out"])
        for case in files[path].cases:
            value = fmt.values[case.fields[-1]]
            if "overflows to NaN" in case.reason:
                assert np.isnan(value), (path, case)
            if "overflows to infinity" in case.reason:
                assert np.isinf(value), (path, case)
            if "saturates" in case.reason:
                assert abs(value) in (fmt.max, -fmt.values.min()), (path, case)


def test_level_2_has_more_cases_and_the_same_start():
    entry = ENTRIES["philox/4x32-7.hex"]
    small, large = entry.make(Options()), entry.make(Options(level=2))
    assert large.cases[: len(small.cases)] == small.cases
    assert len(large.cases) > 50 * len(small.cases)


def test_seeds_change_random_cases_alone():
    entry = ENTRIES["encode/e4m3.toward_zero.none.hex"]
    one, other = (set(entry.make(Options(seed=seed)).cases) for seed in (1, 2))
    assert all("random" in case.reason for case in one ^ other)
    assert one != other


@pytest.mark.parametrize(
    ("options", "message"),
    [({"level": 3}, "level must be 1 or 2, not 3"), ({"seed": -1}, "seed .* not -1")],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Options(**options)


def test_nothing_is_made_where_encodings_disagree(monkeypatch):
    right = exact.encode
    monkeypatch.setattr(scalar.exact, "encode", lambda *a: right(*a) ^ (a[0] == 448))
    with pytest.raises(Disagreement, match=r"448\.0 to e4m3 .* 0x7e .* 0x7f"):
        ENTRIES["encode/e4m3.nearest_even.finite.hex"].make(Options())
    monkeypatch.setattr(scalar.exact, "encode", lambda *a: right(*a) ^ 1)
    with pytest.raises(Disagreement):
        ENTRIES["stochastic/e2m1.stochastic_a.2.hex"].make(Options())


def test_nothing_is_made_where_decodings_disagree(monkeypatch):
    wrong = replace(rn.E4M3, bias=8)
    right = exact.decode
    monkeypatch.setattr(scalar.exact, "decode", lambda code, _: right(code, wrong))
    with pytest.raises(Disagreement, match="e4m3 code 0x1"):
        ENTRIES["decode/e4m3.hex"].make(Options())


def test_nothing_is_made_where_random_words_disagree(monkeypatch):
    monkeypatch.setattr(golden_philox, "philox4x32_definition", lambda *_: (0, 0, 0, 0))
    with pytest.raises(Disagreement, match="philox4x32-7"):
        ENTRIES["philox/4x32-7.hex"].make(Options())
