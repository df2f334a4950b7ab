"""The processes of one training; that two of them learn what one learns is tested with `learn.joint`."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn

from offramp.errors import MissingExtra, OptionError
from offramp.learn._distributed import Distributed, run_distributed


class Fabric:
    """What a process of three sees of Lightning Fabric."""

    world_size = 3

    def __init__(self, rank: int) -> None:
        self.global_rank = rank


def test_alone_there_is_nothing_to_share() -> None:
    distributed, net = Distributed(), nn.Linear(1, 1)
    assert (distributed.rank, distributed.size) == (0, 1)
    assert distributed.share(np.arange(5)).tolist() == [0, 1, 2, 3, 4]
    assert distributed.join(net, torch.optim.SGD(net.parameters())) is net


def test_every_sample_of_a_batch_is_one_processs() -> None:
    shares = [Distributed(Fabric(rank)).share(np.arange(12)) for rank in range(3)]
    assert {len(share) for share in shares} == {4}
    assert sorted(np.concatenate(shares).tolist()) == list(range(12))


def test_one_device_calls_the_function_here() -> None:
    here: list[Distributed] = []

    def note(distributed: Distributed, x: int) -> int:
        here.append(distributed)
        return x + 1

    given = run_distributed(note, 2, devices=1, accelerator="cpu", batch=3)
    assert given == 3
    assert here == [Distributed()]


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(OptionError, match="2 devices share each batch equally, but batch is 15"):
        run_distributed(print, devices=2, accelerator="cpu", batch=15)


def test_without_fabric_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(MissingExtra, match=r"offramp\[devices\]"):
        run_distributed(print, devices=2, accelerator="cpu", batch=16)
