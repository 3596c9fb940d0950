"""Time refnum beside its peers: `python tests/benchmarks/run.py encode decode`.

A topic is a function of a sibling module that yields `Race`s: the same work done by
several libraries, each in a process of its own, in turns. `TOPICS` says which module
has which topic. Without arguments all topics run.
"""

import os

# Before NumPy is imported: threads of its own would blur what is compared.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import statistics
from contextlib import ExitStack

from races import Race
from runner import Runner, races_of

TOPICS = {
    "autograd": "gradients",
    "elementary": "elementary",
    "sums": "elementary",
    "encode": "formats",
    "decode": "formats",
    "round_to": "formats",
    "stochastic": "formats",
    "pack": "formats",
    "quantize": "blocks",
    "hadamard": "hadamard",
    "gemm": "products",
    "matmul": "products",
    "train": "training",
}
PRODUCTS = {"gemm", "matmul"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="*", help=", ".join(TOPICS))
    parser.add_argument("--repeats", type=int, default=5, help="timings of each entry")
    parser.add_argument(
        "--log2-size", type=int, default=24, help="elements, as a power"
    )
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.topics) - set(TOPICS))
    if unknown:
        parser.error(f"unknown topics {', '.join(unknown)}; known: {', '.join(TOPICS)}")
    for topic in arguments.topics or TOPICS:
        unit = "multiply-adds" if topic in PRODUCTS else "elements"
        print(f"\n{topic}: 10^6 {unit}/s; ratio: refnum's speed over the library's")
        print(f"{'':24}{'library':12}{'1 thread':>10}{'ratio':>8}{'2 threads':>11}")
        run(topic, 1 << arguments.log2_size, arguments.repeats)


def run(topic: str, size: int, repeats: int) -> None:
    place = TOPICS[topic], topic, size
    runners: dict[str, Runner] = {}
    with ExitStack() as stack:
        for number, race in enumerate(races_of(*place)):
            for library in race.entries:
                if library not in runners:
                    runner = stack.enter_context(Runner(library, *place))
                    runners[library] = runner
            starters = {library: runners[library] for library in race.entries}
            report(race, number, starters, repeats)


def report(race: Race, number: int, runners: dict[str, Runner], repeats: int) -> None:
    data = race.data()
    sizes = {name: int(e.share * data.size) for name, e in race.entries.items()}
    for name, runner in runners.items():
        runner.begin(number, data[: sizes[name]])
    single, double = (
        {
            name: race.weight * sizes[name] / seconds / 1e6
            for name, seconds in medians(runners, repeats, threads).items()
        }
        for threads in (1, 2)
    )
    first = single["refnum"]
    for place, (library, speed) in enumerate(single.items()):
        name = "" if place else race.name
        ratio = first / speed
        print(
            f"{name:24}{library:12}{speed:10.1f}{ratio:8.1f}{double[library]:11.1f}",
            flush=True,
        )
    if race.memory:
        beyond = runners["refnum"].peak()
        print(f"{'':24}peak memory beyond input and output: {beyond:.1f} MiB")


def medians(runners: dict[str, Runner], repeats: int, threads: int) -> dict[str, float]:
    """Return the seconds of each library: medians of interleaved timings."""
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(repeats):
        for name, runner in runners.items():
            seconds[name].append(runner.seconds(threads))
    return {name: statistics.median(taken) for name, taken in seconds.items()}


if __name__ == "__main__":
    main()
