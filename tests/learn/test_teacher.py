"""A conditional graph as the full network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from d2nns import answer, make_cascade, make_digits, make_high_low
from early_exits import make_graph, make_samples
from offramp import learn
from offramp.nn import Executor

SOME = make_digits(0, 70)


@pytest.mark.parametrize("batch", [16, 256])
def test_everybody_takes_the_dearest_way(batch: int) -> None:
    graph = make_cascade()
    full = learn.full_answers(graph, SOME, batch=batch)
    assert SOME.labels is not None
    assert float((full == SOME.labels).mean()) == answer(graph, SOME, {"q0": 1, "q1": 1})[0]


def test_of_an_early_exit_network_the_final_exit_answers() -> None:
    graph, samples = make_graph(), make_samples(16)
    with torch.no_grad():
        final = Executor(graph).eval().dense({"x": torch.from_numpy(samples.inputs["x"])})["stage1"][0]
    graph = make_graph()  # in training mode, which must not matter
    assert np.array_equal(learn.full_answers(graph, samples), final.argmax(1).numpy())


def test_no_samples_no_answers() -> None:
    assert learn.full_answers(make_high_low(), SOME.subset([])).shape == (0,)
