"""Which samples come when: a pure function of seed and epoch, so that a resumed training sees the same ones."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offramp.graph import Graph
from offramp.run import Samples, bind


def shuffle(count: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of `count` samples in an epoch."""
    return draw(seed, epoch, 0).permutation(count)


def draw(seed: int, epoch: int, step: int, rank: int = 0) -> np.random.Generator:
    """Chance for one step, counted from 1, in one of several processes; step 0 is the order of the epoch."""
    return np.random.default_rng([seed, epoch, step, *([rank] if rank else [])])


def take_batch(samples: Samples, positions: NDArray[np.int64], device: torch.device, graph: Graph) -> dict[str, Tensor]:
    """The inputs of some samples as tensors on a device, by the names of a graph's inputs."""
    taken = bind(samples.take(positions), [node.name for node in graph.inputs])
    return {name: torch.from_numpy(np.require(x, requirements=["C", "W"])).to(device) for name, x in taken.items()}


def take_labels(samples: Samples, positions: NDArray[np.int64], device: torch.device) -> Tensor | None:
    """[B] int64 labels of some samples; None if they have none."""
    return None if samples.labels is None else torch.from_numpy(samples.labels[positions]).to(device)
