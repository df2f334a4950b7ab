from __future__ import annotations

from unittest import mock

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from offramp import attach
from offramp.export import onnx
from offramp.export._body import trace_bodies
from offramp.export._narrow import find_reads
from offramp.graph import Graph
from offramp.nn.scores import SCORES, build_score

CLASSES = 3


@pytest.fixture
def graph() -> Graph:
    """Three exits, so that scores are given one, two and three times logits."""
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, CLASSES))
    scores = ("max_probability", "patience")
    return attach.exits(net, torch.zeros(2, 8), placement=("input", "1", "3"), head="pool", scores=scores)


@pytest.mark.parametrize("name", [name for name in SCORES if find_reads(build_score(name, (8,), CLASSES))])
def test_what_a_score_does_not_read_does_not_matter(name: str) -> None:
    score = build_score(name, (8,), CLASSES)
    logits = torch.randn(5, CLASSES)
    first, second = (score(torch.randn(5, 8), logits, torch.randn(5, CLASSES)) for _ in range(2))
    assert torch.equal(first, second)
    assert find_reads(score) == (1,)


def test_a_score_that_reads_logits_alone_is_traced_once_for_all_exits(graph: Graph) -> None:
    scores = [node for node in graph.nodes if node.role == "score"]
    with mock.patch.object(onnx, "trace_bodies", wraps=trace_bodies) as traced:
        onnx.trace(graph, scores, {})
    assert len(traced.call_args.args[0]) == 1 + 3  # max_probability, and patience at each exit


def test_its_model_takes_all_that_it_is_given(graph: Graph) -> None:
    last = [node for node in graph.nodes if node.role == "score" and "max_probability" in str(node.recipe)][-1]
    model = onnx.trace(graph, [last], {})[last.name]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = {f"i{at}": np.random.default_rng(at).normal(size=(4, CLASSES)).astype(np.float32) for at in range(1, 4)}
    given["i0"] = np.zeros((4, 8), np.float32)
    body = graph.bodies[last.name]
    wanted = body(*(torch.from_numpy(given[f"i{at}"]) for at in range(4)))
    assert [port.name for port in session.get_inputs()] == ["i0", "i1", "i2", "i3"]
    np.testing.assert_allclose(session.run(None, given)[0], wanted.numpy(), rtol=1e-6)
