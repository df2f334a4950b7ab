"""What each part takes on the clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from offramp import attach, transform
from offramp.graph import Graph
from offramp.measure import Breakdown
from offramp.pipeline import _price
from offramp.pipeline._engine import Engine
from offramp.pipeline._exports import Exports
from offramp.pipeline._price import price
from offramp.run import ArraySamples


def attached(**options: bool) -> Graph:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    heads = ["conv1", "pool", "pool"]
    places, example = ["input", "input", "3"], torch.zeros(2, 1, 8, 8)
    return attach.exits(net, example, placement=places, head=heads, **options)  # type: ignore[arg-type]


def broken_down(graph: Graph, **seconds: float) -> Breakdown:
    usual = {"network": 10.0, "empty": 1.0, "dense": 14.0, "gated": 17.0, "to0": 3.0, "to2": 8.0}
    return _price._break_down(graph, {**usual, "head0": 3.0, "head1": 2.0, "head2": 2.0, **seconds})


def test_stages_are_what_is_left_without_heads_and_borders_share_what_gates_add() -> None:
    parts = broken_down(attached())
    assert parts.heads.tolist() == [2.0, 1.0, 1.0]
    assert parts.stages.tolist() == [1.0, 0.0, 6.0, 3.0]  # the call itself is part of the first
    assert parts.gate_overheads.tolist() == [1.0, 1.0, 1.0]
    assert parts.costs([]).per_exit.tolist() == [parts.baseline] == [10.0]


def test_heads_that_read_others_are_not_taken_for_stages() -> None:
    graph = attached(reuse_logits=True, ensemble_heads=True)
    parts = broken_down(graph, to2=12.0)  # it runs all three heads
    assert parts.heads.tolist() == [2.0, 1.0, 1.0]
    assert parts.stages.tolist() == [1.0, 0.0, 7.0, 2.0]


def test_a_fallback_costs_the_way_to_it_and_all_of_itself() -> None:
    graph = transform.add_fallback(attached())
    parts = broken_down(graph, to3=10.0, head3=1.0, behind=25.0, dense=38.0, gated=42.0)
    assert parts.stages.tolist() == [1.0, 0.0, 6.0, 3.0, 24.0]
    assert parts.heads.tolist() == [2.0, 1.0, 1.0, 0.0]
    assert parts.gate_overheads.tolist() == [1.0, 1.0, 1.0, 1.0]
    assert parts.baseline == 10.0


@pytest.mark.parametrize("seconds", [{"gated": 13.0}, {"head0": 0.5}, {"to0": 0.5}, {"to2": 15.0}, {"to0": 12.0}])
def test_a_disturbed_clock_makes_no_part_negative(seconds: dict[str, float]) -> None:
    parts = broken_down(attached(), **seconds)
    assert parts.stages.sum() == pytest.approx(10.0)
    assert min(parts.stages.min(), parts.heads.min(), parts.gate_overheads.min()) >= 0


@pytest.mark.parametrize(("engine", "batch"), [("openvino", 1), ("onnxruntime", 4)])
def test_every_part_is_timed_by_the_engine_that_ships(
    engine: str, batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_price, "CALLS", 20)
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    graph = attach.exits(net, torch.zeros(2, 8), count=1, placement="1", head="pool")
    rows = np.random.default_rng(0).random((30, 8), dtype=np.float32)
    samples = ArraySamples(inputs={"input": rows}, ids=np.arange(30).astype(str))
    parts = price(graph, samples, Engine(name=engine), Exports(tmp_path), batch=batch)
    assert parts.baseline > 0
    assert parts.stages.sum() == pytest.approx(parts.baseline)
    assert len(parts.heads) == 1


class Texts(nn.Module):
    """Looks tokens up; the mean of those that the mask keeps decides."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.first, self.last = nn.Embedding(11, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        kept = attention_mask.unsqueeze(2).float()
        answer: torch.Tensor = self.last((self.first(self.words(input_ids)) * kept).sum(1))
        return answer


def test_heads_of_texts_are_timed_with_their_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_price, "CALLS", 20)
    example = {"input_ids": torch.ones(2, 6, dtype=torch.int64), "attention_mask": torch.ones(2, 6, dtype=torch.int64)}
    heads = ["student:width=4", "token"]
    graph = attach.exits(Texts().eval(), example, placement=["input", "first"], head=heads, scores=("margin",))
    rows = {name: np.ones((30, 6), np.int64) for name in example}
    samples = ArraySamples(inputs=rows, ids=np.arange(30).astype(str))
    parts = price(graph, samples, Engine(name="onnxruntime"), Exports(tmp_path), batch=4)
    assert len(parts.heads) == 2
    assert parts.stages.sum() == pytest.approx(parts.baseline)
