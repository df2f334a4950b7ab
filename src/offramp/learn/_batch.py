"""Which samples come when: a pure function of seed and epoch, so that a resumed training sees the same ones."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offramp.graph import Graph
from offramp.run import Samples, bind


def shuffle(count: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of the samples in an epoch.

    Args:
        count: Number of samples.
        seed: The seed of the training.
        epoch: Which epoch, counted from 0.

    Returns:
        A permutation of 0 to count - 1.
    """
    return draw(seed, epoch, 0).permutation(count)


def draw(seed: int, epoch: int, step: int, rank: int = 0) -> np.random.Generator:
    """The random generator of one step.

    Args:
        seed: The seed of the training.
        epoch: Which epoch, counted from 0.
        step: Which step of it, counted from 1; 0 is the order of the epoch.
        rank: Which of several processes, counted from 0.

    Returns:
        A generator that is the same for the same arguments.
    """
    return np.random.default_rng([seed, epoch, step, *([rank] if rank else [])])


def take_batch(samples: Samples, positions: NDArray[np.int64], device: torch.device, graph: Graph) -> dict[str, Tensor]:
    """The inputs of some samples as tensors.

    Args:
        samples: All samples.
        positions: Which of them, counted from 0.
        device: Where the tensors shall be.
        graph: Graph whose inputs give the names.

    Returns:
        Tensors [B, ...] by the names of the graph's inputs.
    """
    taken = bind(samples.take(positions), [node.name for node in graph.inputs])
    return {name: torch.from_numpy(np.require(x, requirements=["C", "W"])).to(device) for name, x in taken.items()}


def take_labels(samples: Samples, positions: NDArray[np.int64], device: torch.device) -> Tensor | None:
    """The labels of some samples.

    Args:
        samples: All samples.
        positions: Which of them, counted from 0.
        device: Where the tensor shall be.

    Returns:
        Classes [B] int64; None if the samples have no labels.
    """
    return None if samples.labels is None else torch.from_numpy(samples.labels[positions]).to(device)
