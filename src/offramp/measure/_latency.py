"""How long calls take: several systems side by side in one process, over the same shuffled batches."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp.errors import OptionError

TURN_S = 0.1  # short beside what disturbs a machine, long beside what fills its caches
Batch = Mapping[str, NDArray[Any]]  # Any: pixels are float32, tokens int64
System = Callable[[Any], Any]  # Any: a runtime takes more than a batch, and what it answers does not matter


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds per call.

    Attributes:
        mean_s: What gains are made of: a conditional network is fast on average.
        p50_s: Median; past half early exits it is just the first exit, so never divide it.
        p95_s: 95th percentile.
        calls: How many were timed.
        turns: Seconds of each turn in the order of time; systems timed side by side had the same batches in each.
    """

    mean_s: float
    p50_s: float
    p95_s: float
    calls: int
    turns: tuple[float, ...] = field(default=(), repr=False)


def latency(  # noqa: PLR0913  # all of one measurement
    systems: Mapping[str, System],
    batches: Sequence[Batch],
    *,
    warmup: int = 10,
    repeats: int = 1,
    seed: int = 0,
    turn_s: float | None = None,
    settle: int = 0,
) -> dict[str, Latency]:
    """Time per call of each system, over the same batches in a new random order each round.

    Systems take turns, over the same few batches (one, if a call takes longer) and in an order that is drawn anew: what
    disturbs the machine disturbs all, and yet a system finds its own weights in the caches, as in a service that runs
    nothing else. Garbage collection is off while the clock runs.

    Args:
        systems: By name, what is called with a batch.
        batches: Real samples in their natural mix; for batch 1 at least 2,000 different ones, if there are that many.
        warmup: Calls of each system before the clock runs.
        repeats: Rounds over all batches.
        seed: The seed of the order of systems and batches.
        turn_s: Seconds of a turn of the slowest system; the others have as many calls. None: 0.1.
        settle: Calls with other batches at the start of a turn that are not timed, for systems that ten calls of fit in
            a turn: beside a slow one, theirs is over before their weights are in the caches.

    Returns:
        The seconds per call of each system, by name.

    Raises:
        OptionError: No system, no batch, or a count that makes no sense.

    Example:
        >>> times = latency({"idle": lambda batch: None}, [{"x": np.zeros((1, 3))}], repeats=5)
        >>> times["idle"].calls
        5
    """
    _check(systems, batches, warmup, repeats)
    generator = np.random.default_rng(seed)
    turn_s = TURN_S if turn_s is None else turn_s
    once = dict.fromkeys(systems, turn_s)
    for at in range(warmup):
        once = {name: _time(call, batches[at % len(batches)]) for name, call in systems.items()}
    turn = max(1, int(turn_s / max(*once.values(), 1e-9)))
    settling = {name: settle if 10 * seconds <= turn_s else 0 for name, seconds in once.items()}
    seconds: dict[str, list[list[float]]] = {name: [] for name in systems}
    names = list(systems)
    with _undisturbed():
        for _ in range(repeats):
            order = generator.permutation(len(batches))
            for start in range(0, len(order), turn):
                taken = [batches[position] for position in order[start : start + turn]]
                for name in [names[at] for at in generator.permutation(len(names))]:
                    for at in range(settling[name]):
                        systems[name](batches[order[(start - 1 - at) % len(order)]])  # others than those that are timed
                    seconds[name].append([_time(systems[name], batch) for batch in taken])
    return {name: _summary(times) for name, times in seconds.items()}


def gain(baseline: Latency, ours: Latency) -> float:
    """How many times faster than the baseline: mean by mean.

    Args:
        baseline: The latency of the network to compare with.
        ours: The latency of the conditional network, over the same batches.

    Returns:
        The mean of the baseline by ours: 2.0 is twice as fast.

    Example:
        >>> slow = Latency(mean_s=0.006, p50_s=0.006, p95_s=0.006, calls=9)
        >>> gain(slow, Latency(mean_s=0.003, p50_s=0.001, p95_s=0.007, calls=9))
        2.0
    """
    return baseline.mean_s / ours.mean_s


def _time(call: System, batch: Batch) -> float:
    start = time.perf_counter_ns()
    call(batch)
    return (time.perf_counter_ns() - start) * 1e-9


def _summary(turns: Sequence[Sequence[float]]) -> Latency:
    seconds = np.concatenate([np.asarray(turn) for turn in turns])
    p50, p95 = np.percentile(seconds, [50, 95])
    return Latency(
        mean_s=float(seconds.mean()),
        p50_s=float(p50),
        p95_s=float(p95),
        calls=len(seconds),
        turns=tuple(map(sum, turns)),
    )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Garbage is collected before, not during."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _check(systems: Mapping[str, System], batches: Sequence[Batch], warmup: int, repeats: int) -> None:
    if not systems or not batches:
        raise OptionError(
            f"latency needs a system and a batch, but got {len(systems)} and {len(batches)}. Give one each."
        )
    if warmup < 0 or repeats < 1:
        raise OptionError(f"warmup must be at least 0 and repeats 1, but are {warmup} and {repeats}. Leave them out.")
