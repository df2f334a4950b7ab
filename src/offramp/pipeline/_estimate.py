"""How long a run will take, from a few steps of training, forward passes and an exported body, all measured here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import torch

from offramp.errors import OfframpError
from offramp.export import onnx
from offramp.graph import Graph
from offramp.run import Samples

from ._batches import CALLS, SECONDS
from ._chain import BATCH, answer_in_float, batch_size, learn_exits
from ._durations import tell_about
from ._price import CALLS as PRICED
from ._price import SECONDS as PRICING
from ._problem import Problem
from ._request import Request
from ._screen import Screen

STEPS = 4  # of training; the first is no measure
ENGINE = 0.5  # of PyTorch's time, at a guess between small networks and large ones
FILE = 0.3  # of the time that one body takes to be exported: to write a file of exported bodies, and to load it
WAYS = {"auto": 4, "int8": 2, "int8+f32": 2}  # how often what follows the training is done


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What was measured, in seconds.

    Attributes:
        step_s: One step of training.
        one_s: The network on one sample, in PyTorch.
        many_s: On 64.
        body_s: One body, written as ONNX.
    """

    step_s: float
    one_s: float
    many_s: float
    body_s: float


def announce(request: Request, graph: Graph, problem: Problem, screen: Screen) -> None:
    """Say how long the run will take, where somebody may read it; one that goes on is not estimated."""
    if not screen.shows or request.resume:
        return
    try:
        with screen.step("how long it will take"), torch.random.fork_rng(devices=[]):  # the run stays the same
            told = tell_about(estimate(request, graph, problem, measure(request, graph, problem)))
    except OfframpError:
        return  # the run will meet the same, and say it in its own place
    screen.say(f"  {told} in all, if the machine stays as busy as it is")


def measure(request: Request, graph: Graph, problem: Problem) -> Pace:
    """Train a few steps and throw them away, run the network, and export one head."""
    few = problem.train.subset(slice(0, STEPS * batch_size(problem.train)))
    head = next(node for node in graph.nodes if node.role == "head")
    return Pace(
        step_s=_time_steps(request, graph, problem, few),
        one_s=_time(lambda: answer_in_float(problem, problem.test.subset(slice(0, 1)))),
        many_s=_time(lambda: answer_in_float(problem, problem.test.subset(slice(0, BATCH))), times=2),
        body_s=_time(lambda: onnx.trace(graph, [head], {}), times=1),
    )


def estimate(request: Request, graph: Graph, problem: Problem, pace: Pace) -> float:
    """Seconds from the training to the end.

    Args:
        request: Of the run.
        graph: With exits, or candidates for them.
        problem: Of the run.
        pace: As measured.
    """
    auto = request.exits.is_auto
    exits = len(graph.exits) - 1
    steps = len(problem.train) // batch_size(problem.train) * request.training.epochs
    bodies = sum(node.kind == "function" for node in graph.nodes)
    held = len(problem.tune) + len(problem.calibrate) + len(problem.test)
    passes = pace.many_s * held / BATCH * (1 + ENGINE)
    systems = 3 + (1 if auto else exits)
    files = 2 + systems
    calls = {1: pace.one_s, BATCH: pace.many_s}
    clock = sum(min(SECONDS, CALLS[size] * systems * ENGINE * seconds) for size, seconds in calls.items())
    if auto and request.target.budget is None:
        priced = 2 * exits + 4
        files += priced
        clock += min(PRICING, PRICED * priced * ENGINE * pace.one_s)
    after = pace.body_s * (bodies + FILE * files) + passes + clock
    return pace.step_s * steps + after * WAYS.get(request.engine.precision, 1)


def _time_steps(request: Request, graph: Graph, problem: Problem, few: Samples) -> float:
    """Seconds of a step: the median, for the first waits for much."""
    times = [time.perf_counter()]
    learn_exits(
        request, graph, few, batch=batch_size(problem.train), epochs=2,
        progress=lambda *_: times.append(time.perf_counter()),
    )  # fmt: skip
    return median(after - before for before, after in pairwise(times[1:]))


def _time(call: Callable[[], object], times: int = 5) -> float:
    """Seconds of a call, after one that nobody counts: the best of some."""
    call()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found)
