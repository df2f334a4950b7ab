from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offramp.cli._chain import check_goal, choose, gates_by_score
from offramp.cli._request import Goal, Request
from offramp.errors import CurveError
from offramp.graph import Gate
from offramp.measure import Costs, Evidence

COSTS = Costs(macs=np.array([25.0, 110.0]), baseline_macs=100.0)
GRAPH: Any = None  # only kept


def evidence(part: int, count: int = 500, labels: bool = False) -> Evidence:
    """Surer samples agree more often."""
    random = np.random.default_rng(part)
    score = random.random(count).astype(np.float32)
    reference = random.integers(0, 10, count)
    first = np.where(random.random(count) < score**0.2, reference, (reference + 1) % 10)
    return Evidence(
        ids=np.arange(count) + part * count,
        predictions=np.stack([first, reference], axis=1),
        scores={"max_probability": score[:, None]},
        gates={"max_probability": Gate(direction="higher", stop_all=0.0, stop_none=2.0)},
        reference=reference,
        labels=reference if labels else None,
    )


def chosen(goal: Goal, *, labels: bool = False) -> Any:
    request = Request(model="m", data="d", out=Path("o"), goal=goal)
    found = {name: evidence(part, labels=labels) for part, name in enumerate(("tune", "calibrate", "test"))}
    return choose(request, GRAPH, COSTS, found)


@pytest.mark.parametrize(("labels", "kind"), [(False, "agreement"), (True, "harm")])
def test_labels_decide_what_a_promise_is_about(labels: bool, kind: str) -> None:
    guarantee = chosen(Goal(max_loss=0.1), labels=labels).decision.guarantee
    assert (guarantee.kind, guarantee.status) == (kind, "certified")


def test_a_budget_is_kept_and_nothing_is_promised() -> None:
    found = chosen(Goal(budget=0.6))
    assert found.decision.guarantee is None
    assert found.test_loss is None
    assert found.decision.point.relative_macs <= 0.6


def test_the_knee_is_a_point_of_the_frontier() -> None:
    found = chosen(Goal())
    assert found.frontier.points[found.knee] == found.decision.point


def test_a_budget_below_the_first_exit_is_refused_before_any_work() -> None:
    with pytest.raises(CurveError, match=r"0\.250 or more"):
        check_goal(Goal(budget=0.2), COSTS)
    check_goal(Goal(budget=0.25), COSTS)


def test_every_score_of_a_graph_declares_its_gate() -> None:
    import torch
    from torch import nn

    from offramp import build

    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    graph = build.attach_exits(net, torch.zeros(2, 8), exits=1, placement="1", scores=("margin", "entropy"))
    assert {name: gate.direction for name, gate in gates_by_score(graph).items()} == {
        "margin": "higher",
        "entropy": "lower",
    }
