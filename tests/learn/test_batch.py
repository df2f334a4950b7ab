"""Which samples come when."""

from __future__ import annotations

import numpy as np
import torch

from early_exits import make_samples
from offramp.learn._batch import draw, shuffle, take_batch


def test_an_epoch_reads_every_sample_once() -> None:
    assert sorted(shuffle(50, seed=3, epoch=2)) == list(range(50))


def test_order_depends_on_seed_and_epoch_alone() -> None:
    assert np.array_equal(shuffle(50, seed=3, epoch=2), shuffle(50, seed=3, epoch=2))
    assert not np.array_equal(shuffle(50, seed=3, epoch=2), shuffle(50, seed=3, epoch=3))
    assert not np.array_equal(shuffle(50, seed=3, epoch=2), shuffle(50, seed=4, epoch=2))


def test_every_step_has_its_own_chance() -> None:
    assert draw(0, 1, 2).integers(2**62) != draw(0, 1, 3).integers(2**62)


def test_a_batch_is_a_copy_where_the_samples_must_not_be_written() -> None:
    samples = make_samples(8)
    samples.inputs["x"].flags.writeable = False
    batch = take_batch(samples, np.array([1, 5]), torch.device("cpu"))
    np.testing.assert_array_equal(batch["x"].numpy(), samples.inputs["x"][[1, 5]])
