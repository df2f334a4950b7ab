"""Time of the network alone and of ours, side by side, and how much of the saved work becomes saved time.

Shape letters: B batch, S samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp.graph import Graph
from offramp.measure import Evidence, Latency, efficiency, exits_taken, gain, gain_interval, latency
from offramp.run import Samples
from offramp.transform import backbone, nothing, static_path

from ._batches import draw_batches, warm
from ._engine import Engine
from ._exports import Exports

SIZES = (1, 64)  # batch sizes that a result has


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What was timed at one batch size.

    Attributes:
        baseline: The network alone, in the precision of the file.
        floating: The network alone in f32, if the file is in another precision.
        ours: The conditional network.
        gain: Mean of the one by mean of the other.
        efficiency: Ideal by measured.
        ideal_s: What ours would take if conditions were free.
        empty_s: What a call of a network that does nothing takes.
    """

    baseline: Latency
    ours: Latency
    gain: float
    efficiency: float
    ideal_s: float
    empty_s: float
    floating: Latency | None = None

    @property
    def gain_to_float(self) -> float:
        """Mean of the network alone in f32 by mean of the conditional network."""
        return self.gain if self.floating is None else gain(self.floating, self.ours)

    @property
    def gain_interval(self) -> tuple[float, float] | None:
        """Between which limits the gain lies with 95 % confidence; None if too few turns were timed to tell."""
        return gain_interval(self.baseline, self.ours)

    @property
    def gain_to_float_interval(self) -> tuple[float, float] | None:
        """The same of the gain over the network alone in f32."""
        return gain_interval(self.floating or self.baseline, self.ours)

    @property
    def float_gain_interval(self) -> tuple[float, float] | None:
        """The same of what the network alone gains by the precision of the file."""
        return None if self.floating is None else gain_interval(self.floating, self.baseline)


def time_network(  # noqa: PLR0913  (everything of one run)
    graph: Graph, model: Path, *, test: Samples, evidence: Evidence, thresholds: Sequence[float], score: str,
    engine: Engine, exports: Exports, seed: int, sizes: Sequence[int] = SIZES, seconds: float | None = None,
) -> dict[int, Timing]:  # fmt: skip  # all of one run
    """Latency, gain and efficiency at each batch size, over the test samples."""
    taken = exits_taken(evidence, thresholds, score)
    systems = dict(_static_systems(graph, np.unique(taken).tolist(), engine, exports))
    if engine.precision != "f32":
        floating = exports.passing(None).save_dense(backbone(graph), "floating")
        systems["floating"] = replace(engine, precision="f32").load_static(floating)
    systems["ours"] = engine.load(model)
    found = {}
    for batch in sizes:
        batches, repeats = draw_batches(systems, test, batch, seed=seed, seconds=seconds)
        warm(systems["ours"], batches)
        shares = np.bincount(taken[batches.positions.ravel()], minlength=len(graph.exits))
        found[batch] = _summary(latency(systems, batches, repeats=repeats, seed=seed), shares / shares.sum())
    return found


def _static_systems(
    graph: Graph, used: Sequence[int], engine: Engine, exports: Exports
) -> Iterator[tuple[str, Callable[[Any], Any]]]:  # Any: as measure.latency calls it
    """The network alone, one without conditions per exit that is used, and one that does nothing."""
    wanted = {"baseline": backbone(graph), "empty": nothing(graph)}
    wanted |= {f"exit{at}": static_path(graph, graph.exits[at].name) for at in used}
    for name, static in wanted.items():
        yield name, engine.load_static(exports.save_dense(static, name))


def _summary(times: Mapping[str, Latency], shares: NDArray[np.float64]) -> Timing:
    """What times of the systems mean, if these shares of the samples left at each exit."""
    used = [at for at in np.flatnonzero(shares) if f"exit{at}" in times]
    static = [times[f"exit{at}"] for at in used]
    value = efficiency(shares[used].tolist(), static, times["ours"], empty=times["empty"])
    return Timing(
        baseline=times["baseline"],
        ours=times["ours"],
        gain=gain(times["baseline"], times["ours"]),
        efficiency=value.value,
        ideal_s=value.ideal_s,
        empty_s=times["empty"].mean_s,
        floating=times.get("floating"),
    )
