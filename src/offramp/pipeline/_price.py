"""What each part of a network with exits takes on the clock, so that exits can be chosen by time.

Shape letters: B batch, E exits with the final one, N = E - 1 early exits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp import transform
from offramp.graph import Graph, Node, Tensor, find_ancestors
from offramp.measure import Breakdown, latency
from offramp.run import Samples
from offramp.transform import backbone, head_alone, nothing, static_path

from ._batches import draw_batches
from ._engine import Engine
from ._exports import Exports

System = Callable[[Any], Any]  # Any: as measure.latency calls it
SECONDS = 12  # for all systems together
CALLS = 200  # of each, if there is time


def price(
    graph: Graph, samples: Samples, engine: Engine, exports: Exports, *, batch: int = 1, seed: int = 0
) -> Breakdown:
    """Seconds of each stage, head and gate_overhead, per call of a batch.

    Timed side by side: the network up to each head, each head alone, all of it without gates, and the conditional file
    with nobody leaving. Stages are what is left of the first without its head, the last one is all of a fallback;
    gates share evenly what the gates add. Nothing here depends on the samples, so the median counts: it does not
    mind what else the machine does.

    Args:
        graph: With all candidates, trained or not.
        samples: Any.
        engine: That ships.
        exports: Of the run.
        batch: Samples per call.
        seed: Of their order.
    """
    systems = dict(_systems(graph, engine, exports, batch))
    batches, repeats = draw_batches(systems, samples, batch, seed=seed, seconds=SECONDS, most=CALLS)
    times = latency(systems, batches, repeats=repeats, seed=seed)
    return _break_down(graph, {name: timing.p50_s for name, timing in times.items()})


def _systems(graph: Graph, engine: Engine, exports: Exports, batch: int) -> Iterator[tuple[str, System]]:
    """All that is timed, by name."""
    whole = {"network": backbone(graph), "empty": nothing(graph), "dense": static_path(graph, graph.exits[-1])}
    if transform.has_fallback(graph):
        whole["fallback"] = backbone(graph, graph.exits[-1])
    for at, exit in enumerate(graph.exits[:-1]):
        if _is_new_place(graph, at):
            whole[f"to{at}"] = backbone(graph, exit)
        alone = head_alone(graph, exit)
        given = {node.name: _zeros(node.outputs[0], batch) for node in alone.inputs}
        yield f"head{at}", _bound(engine.load_static(exports.save_dense(alone, f"head{at}")), given)
    for name, static in whole.items():
        yield name, engine.load_static(exports.save_dense(static, name))
    gated = engine.load(exports.save_scratch(graph, "gated"))
    nobody = np.array([gate.gate.stop_none for gate in graph.gates if gate.gate], np.float32)
    yield "gated", lambda inputs: gated(inputs, nobody)


def _is_new_place(graph: Graph, at: int) -> bool:
    """Whether an exit reads other features than the exit before it."""
    return at == 0 or head_of(graph, at).inputs[0] != head_of(graph, at - 1).inputs[0]


def head_of(graph: Graph, at: int) -> Node:
    """The head of an early exit, which answers there by itself or in an ensemble."""
    return graph[graph.exits[at].partition("/")[0] + "/head"]


def _zeros(tensor: Tensor, batch: int) -> NDArray[Any]:  # Any: as the tensor says
    """What a head reads: zeros take as long as others."""
    return np.zeros((batch, *tensor.shape) if tensor.row_wise else tensor.shape, tensor.dtype)


def _bound(system: System, given: Mapping[str, NDArray[Any]]) -> System:  # Any: floats, or token numbers
    """A head reads the same whatever the batch."""
    return lambda inputs: system(given)


def _heads_on_the_way(graph: Graph, at: int) -> list[int]:
    """Whose heads the network up to an exit runs: its own, and those that it hears."""
    ran = find_ancestors(graph, graph.exits[at], through_control=False)
    return [other for other in range(at + 1) if head_of(graph, other).name in ran]


def _break_down(graph: Graph, seconds: Mapping[str, float]) -> Breakdown:
    """From times of the whole and of pieces to times of the parts, none below zero."""
    count = len(graph.exits) - 1
    heads = np.maximum([seconds[f"head{at}"] - seconds["empty"] for at in range(count)], 0.0)
    reached = np.zeros(count + 1)
    for at in range(count):
        known = f"to{at}" in seconds
        reached[at] = seconds[f"to{at}"] - heads[_heads_on_the_way(graph, at)].sum() if known else reached[at - 1]
    reached[-1] = seconds["network"]
    reached = np.minimum(np.maximum.accumulate(np.maximum(reached, 0.0)), seconds["network"])
    gate_overhead = max(0.0, seconds["gated"] - seconds["dense"]) / count
    stages = np.diff(reached, prepend=0.0)
    if "fallback" in seconds:
        stages[-1] += max(0.0, seconds["fallback"] - seconds["empty"])
    return Breakdown(
        stages=stages,
        heads=heads,
        gate_overheads=np.full(count, gate_overhead),
        baseline=seconds["network"],
        unit="seconds",
    )
