"""Batches of real samples for the clock, and how many of them there is time for; no PyTorch.

Shape letters: B batch, S samples.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from offramp.measure import Latency
from offramp.run import Samples
from offramp.store.record import LatencyRecord

CALLS = {1: 2000, 64: 60}  # at least so many calls of each system, if there is time
USUAL = 100  # at other batch sizes
SECONDS = 240  # for one batch size; slower networks get fewer calls
LEAST_S = 2.0  # of the slowest system, so that it takes some twenty turns: fewer do not tell how sure a gain is
FEWEST, MOST = 20, 20_000
IN_MEMORY = 2**29  # bytes; batches beyond it are made when they are needed


class Batches(Sequence[Mapping[str, NDArray[Any]]]):
    """Batches of samples in a given order, made when they are asked for, or kept if they are small.

    Args:
        samples: Where from.
        positions: [calls, B] which samples each batch holds.

    Attributes:
        positions: As given.
    """

    def __init__(self, samples: Samples, positions: NDArray[np.int64]) -> None:
        self._samples, self.positions = samples, positions
        size = sum(array.nbytes for array in self._make(0).values()) * len(positions)
        self._kept = [self._make(at) for at in range(len(positions))] if size <= IN_MEMORY else None

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, at: int) -> Mapping[str, NDArray[Any]]: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Mapping[str, NDArray[Any]]]: ...
    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return [self[one] for one in range(len(self))[at]]
        return self._make(int(at)) if self._kept is None else self._kept[at]

    def _make(self, at: int) -> dict[str, NDArray[Any]]:
        return self._samples.take(self.positions[at])


def draw_positions(samples: int, batch: int, seed: int) -> NDArray[np.int64]:
    """[calls, B] shuffled batches without repetition; if samples are fewer than a batch holds, some come again."""
    order = np.random.default_rng(seed).permutation(samples)
    if samples < batch:
        return np.resize(order, (1, batch))
    calls = min(samples // batch, CALLS[1])
    return order[: calls * batch].reshape(calls, batch)


def affordable(
    systems: Mapping[str, Callable[[Any], Any]], inputs: Mapping[str, NDArray[Any]], batch: int, *,
    seconds: float | None = None, most: int | None = None,
) -> int:  # fmt: skip
    """How many calls of each system fit in the time there is, but at most so many as are usual, or as tell enough."""
    for call in systems.values():
        call(inputs)  # the first call compiles
    once = [max(_time(call, inputs), 1e-6) for call in systems.values()]
    usual = max(CALLS.get(batch, USUAL), min(MOST, math.ceil(LEAST_S / max(once))))
    fitting = int((SECONDS if seconds is None else seconds) / sum(once))
    return max(FEWEST, min(usual, fitting, usual if most is None else most))


def _time(call: Callable[[Any], Any], inputs: Mapping[str, NDArray[Any]]) -> float:
    start = time.perf_counter()
    call(inputs)
    return time.perf_counter() - start


def draw_batches(
    systems: Mapping[str, Callable[[Any], Any]], samples: Samples, batch: int, *, seed: int,
    seconds: float | None = None, most: int | None = None,
) -> tuple[Batches, int]:  # fmt: skip
    """Shuffled batches, as many as there is time for, and how many rounds over them make enough calls."""
    positions = draw_positions(len(samples), batch, seed)
    calls = affordable(systems, samples.take(positions[0]), batch, seconds=seconds, most=most)
    batches = Batches(samples, positions[:calls])
    return batches, math.ceil(calls / len(batches))


def warm(ours: Callable[[Any], Any], batches: Batches) -> None:
    """Run a conditional network over all batches once before the clock runs.

    How many rows go on differs from batch to batch, and engines prepare their kernels anew for a number that they have
    not met. That is start-up: a service meets every number within its first minutes.
    """
    if batches.positions.shape[1] > 1:
        for batch in batches:
            ours(batch)


def record_latency(timing: Latency) -> LatencyRecord:
    """Seconds per call as they are recorded."""
    return LatencyRecord(mean=timing.mean_s, p50=timing.p50_s, p95=timing.p95_s, calls=timing.calls)
