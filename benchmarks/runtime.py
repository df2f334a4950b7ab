"""Speed on the clock: the network alone in what users pick today, and ours, each with what it answers.

Run: python benchmarks/runtime.py --networks resnet56 --cifar npz:cifar10.npz --weights FOLDER --work DIR
(networks: resnet56 b_alexnet b_lenet vit_tiny bert_mini; see --help for what each needs. Writes
benchmarks/results/runtime.json, a table and pictures beside it. --quick sees in a few minutes that all runs.)

All systems of a network are timed in one process, side by side, over the same shuffled batches of test samples in their
natural mix, with 1 and with 2 threads. Exits and thresholds are those that `offramp optimize` chooses, on other samples
and in the precision that is timed; accuracy and agreement are of the test samples, by the very system on the clock.
Agreement is with the network in float32 PyTorch. The int8 network alone is NNCF's, quantized as ours is, without exits.

Efficiency is the time that the parts would take (each sample through the static file of its exit, in a full batch) by
the measured time. Memory is by how much the process grew when the system was loaded and answered batches of 64.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from _results import check_needs, open_results, write_parts
from _runtime_growth import grow_depth, grow_exits, near_ideal, who_skips
from _runtime_pages import draw_growth, draw_networks, write_pages
from _runtime_subjects import NEEDS, SUBJECTS, Subject
from _runtime_systems import GOALS, Point, System, find_points, judge, list_systems, load_earlyon
from _stamp import stamp

from offramp import measure
from offramp.pipeline.parts import INT8_FALLBACK, answer_in_float, draw_batches, time_network, warm
from offramp.run import openvino

LOWER = ["bf16", "int8", INT8_FALLBACK]
SIZES = (1, 8, 64, 256)
EFFICIENT = (1, 64, 256)  # batch sizes at which efficiency is asked
TURN_S = 0.5  # per system: PyTorch takes 10 ms where others take 0.3, and all shall find their weights in the caches
SETTLE = 2  # calls of quick systems before their turn: after slow ones the caches are empty
SECONDS = 45.0  # on the clock per batch size, usually
QUICK = 1.5  # the same with --quick
PARTS = 0.25  # of that, for the parts of one point
GROWN = 0.2  # of that, for a network of the studies of growth
Row = dict[str, Any]  # Any: JSON


def measure_network(subject: Subject, options: argparse.Namespace) -> dict[str, Any]:  # Any: JSON
    """Rows, parts and who skips, of one network."""
    work = Path(options.work) / subject.name
    work.mkdir(parents=True, exist_ok=True)
    able = [name for name in ("f32", *options.lower) if name.partition("+")[0] in openvino.list_precisions()]
    points = find_points(subject, able, list(GOALS), work, options.seed)
    systems = list(load_systems(subject, points, options))
    rows = describe(subject, systems)
    for size in (1, 64) if options.quick else SIZES:
        for threads in (1, 2):
            add_times(rows, systems, subject, size, options.seconds, threads)
    return {
        "network": subject.name, **stamp(options.seed), "samples": len(subject.problem.test), "rows": rows,
        "parts": list(measure_parts(subject, points, work, options)),
        "skips": list(who_skips(subject, points, work, options.seconds / 10)),
    }  # fmt: skip


def load_systems(subject: Subject, points: Sequence[Point], options: argparse.Namespace) -> Iterator[System]:
    """All rows of a network, loaded one after the other."""
    for threads in (1, 2):
        compiled = threads == 1 and not options.no_compile
        for load in list_systems(subject, points, threads, compiled=compiled):
            yield shown(load())
    heads = Path(options.heads or "") / f"{subject.name}-earlyon.pt"
    if options.earlyon and heads.is_file():
        for system in load_earlyon(subject.problem.model, heads, subject.problem.tune):
            yield shown(system)


def shown(system: System) -> System:
    """The same, and its name on the terminal."""
    print(f"{system.name}, {system.threads} threads: {system.memory_mib or 0:.0f} MiB", flush=True)
    return system


def describe(subject: Subject, systems: Sequence[System]) -> list[Row]:
    """What each system answers to the test samples."""
    test = subject.problem.test
    reference = answer_in_float(subject.problem, test)
    rows = []
    for system in systems:
        batch = 1 if system.sizes == (1,) else 64
        rows.append(
            {"network": subject.name, "system": system.name, "kind": system.kind, "engine": system.engine,
             "precision": system.precision, "threads": system.threads, **judge(system, test, reference, batch),
             "memory_mib": system.memory_mib, **system.more}
        )  # fmt: skip
    return rows


def add_times(
    rows: Sequence[Row], systems: Sequence[System], subject: Subject, size: int, seconds: float, threads: int
) -> None:
    """Time per call and samples per second at one batch size, all systems side by side.

    With two threads those of OpenVINO run beside themselves with one.
    """
    timed = {
        str(at): one.call
        for at, one in enumerate(systems)
        if (one.sizes is None or size in one.sizes) and (one.threads == threads or one.engine == "OpenVINO")
        and one.threads <= threads
    }  # fmt: skip
    batches, repeats = draw_batches(timed, subject.problem.test, size, seed=0, seconds=seconds)
    for name, call in timed.items():
        if systems[int(name)].kind == "ours":
            warm(call, batches)
    times = measure.latency(timed, batches, repeats=repeats, turn_s=TURN_S, settle=SETTLE)
    single = {systems[int(name)].name: one.mean_s for name, one in times.items() if systems[int(name)].threads == 1}
    for name, one in times.items():
        system = systems[int(name)]
        if system.threads < threads:
            continue
        rows[int(name)][f"b{size}"] = {
            "mean_ms": 1e3 * one.mean_s, "p50_ms": 1e3 * one.p50_s, "p95_ms": 1e3 * one.p95_s, "calls": one.calls,
            "samples_per_s": size / one.mean_s,
            **({"to_one_thread": single[system.name] / one.mean_s} if threads > 1 and system.name in single else {}),
        }  # fmt: skip
        print(subject.name, size, system.name, threads, rows[int(name)][f"b{size}"], flush=True)


def measure_parts(subject: Subject, points: Sequence[Point], work: Path, options: argparse.Namespace) -> Iterator[Row]:
    """How near each point is to the sum of its parts, one thread."""
    for point in points:
        chosen, variant = point.chosen, point.result.variant
        if not chosen.graph.gates:
            continue
        times = time_network(
            chosen.graph, point.model, test=subject.problem.test, evidence=chosen.evidence["test"],
            thresholds=chosen.decision.thresholds, score=chosen.score, engine=variant.engine, exports=variant.exports,
            seed=options.seed, sizes=EFFICIENT, seconds=PARTS * options.seconds,
        )  # fmt: skip
        for size, one in times.items():
            row = {
                "network": subject.name, "precision": point.precision, "goal": point.goal, "batch": size,
                **near_ideal(one),
            }  # fmt: skip
            print(row, flush=True)
            yield row


def measure_growth(options: argparse.Namespace) -> dict[str, Any]:  # Any: JSON
    """What exits and depth cost."""
    work = Path(options.work) / "growth"
    work.mkdir(parents=True, exist_ok=True)
    rows = []
    for study in (grow_exits, grow_depth):
        for row in study(work, options.seed, seconds=GROWN * options.seconds):
            print(row, flush=True)
            rows.append(row)
    return {"network": "growth", **stamp(options.seed), "rows": rows}


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=[*SUBJECTS, "growth"], choices=[*SUBJECTS, "growth"])
    parser.add_argument("--lower", nargs="*", default=LOWER, choices=LOWER, help="beside f32")
    parser.add_argument("--cifar", help="npz:cifar10.npz; for resnet56 and b_alexnet")
    parser.add_argument("--mnist", help="mnist:FOLDER; for b_lenet and vit_tiny")
    parser.add_argument("--weights", help="folder of the public weights; for resnet56")
    parser.add_argument("--text", help="folder of text_network.py; for bert_mini")
    parser.add_argument("--heads", help="--work of a run of pteenet.py, else those of benchmarks/heads; for resnet56")
    parser.add_argument(
        "--branchynet", help="--work of a run of branchynet.py; for b_lenet and b_alexnet, else trained"
    )
    parser.add_argument(
        "--short", action="store_true", help="17 epochs for b_lenet and 13 for b_alexnet, not 120 and 80"
    )
    parser.add_argument("--earlyon", action="store_true", help="also the package earlyon, with its heads in --heads")
    parser.add_argument("--no-compile", action="store_true", help="without torch.compile, which takes minutes")
    parser.add_argument("--work", required=True, help="folder for checkpoints and files")
    parser.add_argument("--quick", action="store_true", help="little time on the clock: does it run?")
    parser.add_argument("--seconds", type=float, help=f"on the clock per batch size; default: {SECONDS:g}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="default: benchmarks/results/runtime.json; with --quick runtime.json in --work")
    options = parser.parse_args()
    options.seconds = options.seconds or (QUICK if options.quick else SECONDS)
    check_needs(parser, options, options.networks, NEEDS)
    return options


def main() -> None:
    """Parse options, run, write after each network."""
    options = parse_options()
    torch.set_num_threads(1)
    torch._dynamo.config.recompile_limit = 1_000  # PyTorch counts all modules together; then it stops compiling
    out, known = open_results(options, "runtime")
    for name in options.networks:
        known[name] = measure_growth(options) if name == "growth" else measure_network(SUBJECTS[name](options), options)
        write_parts(out, known, latest=name)
    networks = [known[name] for name in SUBJECTS if name in known]
    write_pages(networks, out.with_suffix(".md"))
    draw_networks(networks, out.with_suffix(".png"))
    if "growth" in known:
        draw_growth(known["growth"]["rows"], networks, out.with_name(f"{out.stem}-growth.png"))


if __name__ == "__main__":
    main()
