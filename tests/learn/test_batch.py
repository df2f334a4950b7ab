"""Which samples come when."""

from __future__ import annotations

import numpy as np
import torch

from early_exits import make_samples
from offramp.graph import DataEdge, Graph, Node, Tensor
from offramp.learn._batch import draw, shuffle, take_batch


def test_an_epoch_reads_every_sample_once() -> None:
    assert sorted(shuffle(50, seed=3, epoch=2)) == list(range(50))


def test_order_depends_on_seed_and_epoch_alone() -> None:
    assert np.array_equal(shuffle(50, seed=3, epoch=2), shuffle(50, seed=3, epoch=2))
    assert not np.array_equal(shuffle(50, seed=3, epoch=2), shuffle(50, seed=3, epoch=3))
    assert not np.array_equal(shuffle(50, seed=3, epoch=2), shuffle(50, seed=4, epoch=2))


def test_every_step_has_its_own_chance() -> None:
    assert draw(0, 1, 2).integers(2**62) != draw(0, 1, 3).integers(2**62)


def make_graph(*names: str) -> Graph:
    row = Tensor(shape=(3,))
    inputs = [Node(name=name, kind="input", outputs=(row,)) for name in names]
    reads = tuple(DataEdge(source=name) for name in names)
    return Graph(nodes=(*inputs, Node(name="net", kind="function", inputs=reads, outputs=(row,))), answer="net")


def test_a_batch_is_a_copy_where_the_samples_must_not_be_written() -> None:
    samples = make_samples(8)
    samples.inputs["x"].flags.writeable = False
    batch = take_batch(samples, np.array([1, 5]), torch.device("cpu"), make_graph("x"))
    np.testing.assert_array_equal(batch["x"].numpy(), samples.inputs["x"][[1, 5]])


def test_the_only_input_has_the_graphs_name_for_it() -> None:
    batch = take_batch(make_samples(8), np.array([1]), torch.device("cpu"), make_graph("pixel_values"))
    assert list(batch) == ["pixel_values"]
