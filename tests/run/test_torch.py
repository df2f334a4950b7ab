"""The torch runtime against the reference interpreter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from graphs import make_chain, random_graphs, with_numpy_bodies
from offramp.errors import EngineError, GraphError, OptionError
from offramp.graph import Graph
from offramp.run import Answer, Runtime, run_reference
from offramp.run import torch as run_torch
from offramp.testing import RuntimeContract

GRAPH = make_chain(3)


class TestTorch(RuntimeContract):
    def load(self) -> Runtime:
        return run_torch.load(GRAPH)

    def expect(self, inputs: dict[str, np.ndarray], thresholds: np.ndarray) -> Answer:
        return run_reference(with_numpy_bodies(GRAPH), inputs, thresholds)


def batch(rows: int = 4) -> dict[str, np.ndarray]:
    return {"x": np.arange(3 * rows, dtype=np.float32).reshape(rows, 3) % 17 - 6}


@settings(deadline=None, max_examples=30, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(graph=random_graphs(), seed=st.integers(0, 99))
def test_any_graph_answers_like_the_reference(graph: Graph, seed: int) -> None:
    generator = np.random.default_rng(seed)
    inputs = {"x": generator.integers(-8, 9, (5, 3)).astype(np.float32)}
    thresholds = generator.integers(-10, 10, len(graph.gates)).astype(np.float32)
    runtime = run_torch.load(graph)
    try:
        expected = run_reference(with_numpy_bodies(graph), inputs, thresholds)
    except GraphError:
        with pytest.raises(EngineError, match="exit for every sample"):
            runtime(inputs, thresholds)
        return
    got = runtime(inputs, thresholds)
    for name in ("logits", "exit", "score", "route"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)


def test_dense_gives_every_exit_and_score() -> None:
    answer = run_torch.load_dense(GRAPH)(batch())
    everybody = run_reference(with_numpy_bodies(GRAPH), batch(), np.full(3, 1e9, np.float32))
    assert answer.logits.shape == (4, 4, 3)
    np.testing.assert_array_equal(answer.logits[:, -1], everybody.logits)
    np.testing.assert_array_equal(answer.scores["sum"], answer.logits[:, :3].sum(axis=2))


def test_the_number_of_threads_applies_only_during_a_call() -> None:
    before = torch.get_num_threads()
    run_torch.load(GRAPH, threads=before + 1)(batch())
    assert torch.get_num_threads() == before


def test_loading_leaves_the_bodies_in_their_mode() -> None:
    graph = make_chain(1)
    run_torch.load(graph)(batch())
    assert all(body.training for body in graph.bodies.values())  # type: ignore[attr-defined]  # modules


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(OptionError, match="device"):
        run_torch.load(GRAPH, device="nothing:7")


def test_no_threads_are_refused() -> None:
    with pytest.raises(OptionError, match="threads"):
        run_torch.load(GRAPH, threads=0)
