"""`diagnose`: the named variant that explains how a candidate differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from refnum.golden.bundle import Bundle, read_bundle
from refnum.golden.candidate import read_candidate
from refnum.golden.diagnosis.captures import capture_subject, is_capture
from refnum.golden.diagnosis.deviation import Array, Outputs, Subject
from refnum.golden.diagnosis.maps import Map, draw
from refnum.golden.diagnosis.reading import from_arrays, read_outputs
from refnum.golden.diagnosis.report import Diagnosis, Finding, Remaining
from refnum.golden.diagnosis.search import Bench, Trial, search
from refnum.golden.diagnosis.subjects import bundle_subject, file_subject
from refnum.golden.hexfile import read
from refnum.golden.inputs import number
from refnum.golden.record import GoldenFile

__all__ = ["diagnose"]

_FINDINGS = 3
_SHOWN = 5
_ALTERNATIVES = 50

Golden = Path | str | GoldenFile | Bundle
Candidate = Path | str | Mapping[str, npt.ArrayLike]


def diagnose(
    golden: Golden, candidate: Candidate, *, stdin: BinaryIO | None = None
) -> Diagnosis:
    """Find the named variant that explains how a candidate differs.

    Parameters
    ----------
    golden : Path, str, GoldenFile or Bundle
        A golden ``.hex`` file, a golden folder, or a capture, ``FILE.npz:NAME``.
    candidate : Path, str or mapping of str to array
        For a ``.hex`` file: what `verify` takes. For a folder or a capture: a folder
        with outputs (``codes.u8.bin`` or ``codes.npy``), or one such file. Or the
        outputs themselves, by name.
    stdin : binary file, optional
        Read where a ``.hex`` file's candidate is ``-``.

    Returns
    -------
    Diagnosis
        The first output that differs, the variants that explain the differences, what
        remains, and a map.

    Raises
    ------
    ValueError
        If either is damaged, or the candidate does not fit, or nothing is known about
        the golden file's operation.
    TypeError
        If an array is of another type than the golden output.
    OSError
        If a file cannot be read.

    Notes
    -----
    Explanations are ranked by the number of cases that have the predicted bits, then
    by simplicity: one deviation before two, few changed fields before many. Those that
    explain the very same cases are alternatives: the file cannot tell them apart.
    NaNs of float outputs are equal, whatever their bits.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> from refnum.golden import diagnose, find, read
    >>> file = read(find() / "encode/e4m3.nearest_even.finite.hex")
    >>> x = np.array([case.fields[0] for case in file.cases], np.uint32)
    >>> mine = rn.encode(x.view(np.float32), rn.E4M3, rn.Cast(rn.Rounding.TOWARD_ZERO))
    >>> diagnose(file, {"code": mine}).findings[0].name
    'rounding toward_zero'
    """
    subject, outputs = _open(golden, candidate, stdin)
    _check(subject)
    bench = Bench(subject, outputs)
    trials = [] if bench.equal.all() else search(bench)
    findings = tuple(_findings(bench, trials))
    best = trials[0] if trials else None
    left = ~bench.equal if best is None else ~best.hits
    stage = next((n for n in bench.names if not bench.part(bench.equal, n).all()), "")
    return Diagnosis(
        golden=subject.name,
        candidate=candidate if isinstance(candidate, str) else _title(candidate),
        cases=bench.equal.size,
        differing=int(np.count_nonzero(~bench.equal)),
        stage=stage,
        findings=findings,
        unexplained=int(np.count_nonzero(left)),
        remaining=tuple(_remaining(bench, outputs, left)),
        map=_map(bench, outputs, stage) if stage else None,
    )


def _open(
    golden: Golden, candidate: Candidate, stdin: BinaryIO | None
) -> tuple[Subject, dict[str, Array]]:
    """Return the subject, and the candidate's outputs."""
    name = golden if isinstance(golden, str) else _title(golden)
    if not isinstance(golden, GoldenFile | Bundle):
        if is_capture(golden):
            subject = capture_subject(golden)
            return subject, _read(subject.outputs, candidate)
        folder = Path(golden).is_dir()
        golden = read_bundle(golden) if folder else read(golden)
    if isinstance(golden, Bundle):
        subject = bundle_subject(golden, name)
        return subject, _read(subject.outputs, candidate)
    subject = file_subject(golden, name)
    if isinstance(candidate, Mapping):
        outputs = from_arrays(subject.outputs, candidate)
        for key, array in outputs.items():
            if array.size != subject.outputs[key].size:
                raise ValueError(
                    f"{key}: {array.size} values; {len(golden.cases)} cases"
                )
        return subject, outputs
    key, want = next(iter(subject.outputs.items()))
    words = read_candidate(golden, candidate, stdin)
    kind = np.dtype(f"u{want.dtype.itemsize}")
    bits = np.ascontiguousarray(words.astype(kind)).view(want.dtype)
    return subject, {key: bits.reshape(want.shape)}


def _read(golden: Outputs, candidate: Candidate) -> dict[str, Array]:
    if isinstance(candidate, Mapping):
        return from_arrays(golden, candidate)
    return read_outputs(golden, candidate)


def _check(subject: Subject) -> None:
    """Raise unless the golden file's own record gives its outputs."""
    bench = Bench(subject, subject.outputs)
    with np.errstate(all="ignore"):
        wrong = int(np.count_nonzero(~bench.compare(subject.compute(subject.record))))
    if wrong:
        raise ValueError(
            f"{subject.name}: {wrong} of its outputs do not follow from what it says "
            "about them"
        )


def _findings(bench: Bench, trials: list[Trial]) -> Iterator[Finding]:
    """Yield the best explanations; those of the same cases are one."""
    groups: dict[bytes, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(np.packbits(trial.hits).tobytes(), []).append(trial)
    wrong = int(np.count_nonzero(~bench.equal))
    for first, *others in list(groups.values())[:_FINDINGS]:
        if not first.vague:
            others = [one for one in others if not one.vague]
        explained = int(np.count_nonzero(first.hits & ~bench.equal))
        yield Finding(
            deviations=_names(first),
            explained=explained,
            broken=int(np.count_nonzero(bench.equal & ~first.hits)),
            share_of_differing=explained / wrong,
            share_of_all=first.score / first.hits.size,
            changes=first.cost,
            alternatives=tuple(map(_names, others[:_ALTERNATIVES])),
        )


def _names(trial: Trial) -> tuple[str, ...]:
    return tuple(one.name for one in trial.deviations)


def _remaining(
    bench: Bench, outputs: dict[str, Array], left: npt.NDArray[np.bool_]
) -> Iterator[Remaining]:
    """Yield the first cases that the best finding does not give."""
    shown = 0
    for name in bench.names:
        for index in np.flatnonzero(bench.part(left, name)).tolist():
            if shown == _SHOWN:
                return
            shown += 1
            yield _one(bench.subject, outputs[name], name, index)


def _one(subject: Subject, got: Array, name: str, index: int) -> Remaining:
    want, width = subject.outputs[name], subject.width
    fits = got.size == want.size
    scalar = bool(subject.reasons) or got.ndim == 0
    shape = (want if fits else got).shape
    place = np.unravel_index(index, shape) if not scalar and width == 1 else ()
    where = f"case {index + 1}" if not place else f"[{', '.join(map(str, place))}]"
    given = [
        f"{key} {_text(array.reshape(-1)[index : index + 1])}"
        for key, array in subject.inputs.items()
        if fits and array.size * width == want.size
    ]
    part = slice(index * width, (index + 1) * width)
    reason = subject.reasons[index] if subject.reasons else ""
    return Remaining(
        output=name,
        place=where,
        inputs=", ".join(given),
        got=_text(got.reshape(-1)[part]),
        want=_text(want.reshape(-1)[part]) if fits else "another size",
        reason=reason,
    )


def _text(values: Array) -> str:
    """Return bits in hexadecimal, and the value of a float."""
    digits = 2 * values.dtype.itemsize
    unsigned = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    text = "_".join(f"{bits:0{digits}x}" for bits in unsigned.tolist())
    if values.dtype.kind == "f" and values.size == 1:
        with np.errstate(invalid="ignore"):
            text += f" = {number(float(values[0]))}"
    return text


def _map(bench: Bench, outputs: dict[str, Array], stage: str) -> Map | None:
    if bench.subject.reasons or bench.subject.width > 1:
        return None
    want, got = bench.subject.outputs[stage], outputs[stage]
    shape = want.shape if got.size == want.size else got.shape
    block = bench.subject.block if stage in ("codes", "values", "y", "y_bf16") else 0
    return draw(stage, ~bench.part(bench.equal, stage), shape, block)


def _title(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    names = {GoldenFile: "golden", Bundle: "golden"}
    return names.get(type(value), "candidate")
