"""Plain training of a classifier, for the demo and for tests."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn
from torch.nn import functional

from offramp import data
from offramp.errors import DataError, OptionError
from offramp.run import Samples


def train_classifier(
    module: nn.Module, samples: data.Given, *, epochs: int = 20, seed: int = 0, batch: int = 64, peak_rate: float = 4e-3
) -> nn.Module:
    """A trained copy of a module, in eval mode.

    Cross-entropy, Adam, and one cycle of the learning rate; nothing that a serious recipe would add.

    Args:
        module: Network from one input to logits; it stays as it is, and its weights are where the copy starts.
        samples: Samples with labels.
        epochs: Number of passes over the samples, at least 1.
        seed: The seed of the samples' order and of dropout; the global generator is left as it was.
        batch: Number of samples per step, at least 1.
        peak_rate: Highest learning rate of the cycle.

    Returns:
        The trained copy, on the module's device.

    Raises:
        DataError: There are no samples, no labels, or several inputs.
        OptionError: `epochs` or `batch` is below 1.

    Reference:
        Smith and Topin, "Super-Convergence", 2019, section 3, for the cycle.
    """
    if epochs < 1 or batch < 1:
        raise OptionError(f"epochs and batch must be 1 or more, but are {epochs} and {batch}. Raise them.")
    inputs, labels = _as_tensors(data.as_samples(samples))
    trained = copy.deepcopy(module).train()
    device = next(trained.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        _fit(trained, inputs.to(device), labels.to(device), epochs=epochs, batch=batch, peak_rate=peak_rate)
    return trained.eval()


def _as_tensors(samples: Samples) -> tuple[torch.Tensor, torch.Tensor]:
    if samples.labels is None or not len(samples):
        raise DataError(f"a classifier learns from samples with labels, but got {len(samples)} without. Add labels.")
    inputs = samples.take(slice(None))
    if len(inputs) != 1:
        raise DataError(f"a classifier here reads one input, but the samples have {sorted(inputs)}. Train it yourself.")
    return torch.from_numpy(next(iter(inputs.values()))), torch.from_numpy(samples.labels)


def _fit(
    module: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, *, epochs: int, batch: int, peak_rate: float
) -> None:
    steps = max(1, math.ceil(len(inputs) / batch))
    optimizer = torch.optim.Adam(module.parameters(), lr=peak_rate)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=peak_rate, total_steps=epochs * steps)
    for _ in range(epochs):
        # chunks of nearly equal size: a last batch of one sample would break batch normalization
        for rows in torch.randperm(len(inputs)).tensor_split(steps):
            loss = functional.cross_entropy(module(inputs[rows]), labels[rows])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            cycle.step()
