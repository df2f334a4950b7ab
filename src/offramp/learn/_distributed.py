"""The processes of one training, each with its share of every batch, through Lightning Fabric."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from offramp.data import import_extra
from offramp.errors import OptionError


@dataclass(frozen=True, slots=True)
class Distributed:
    """The processes that take part in a training; by default one alone, which needs nothing else.

    Attributes:
        fabric: Lightning's Fabric in one process of several; None for one alone.
    """

    fabric: Any = None  # Any: lightning_fabric is optional

    @property
    def size(self) -> int:
        """Number of processes."""
        return 1 if self.fabric is None else int(self.fabric.world_size)

    @property
    def rank(self) -> int:
        """Which process this is, counted from 0; the first one writes files and draws the bar."""
        return 0 if self.fabric is None else int(self.fabric.global_rank)

    def share(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's part of a batch.

        Args:
            positions: Positions of the batch's samples.

        Returns:
            Those that belong to this process.
        """
        return positions[self.rank :: self.size]

    def join(self, learner: nn.Module, optimizer: torch.optim.Optimizer) -> nn.Module:
        """The learner as it is to be called: gradients become the mean over all processes.

        Args:
            learner: Module that learns.
            optimizer: Optimizer of the learner.

        Returns:
            A module that is called like the learner; alone, the learner itself.
        """
        if self.fabric is None:
            return learner
        joined: nn.Module = self.fabric.setup(learner, optimizer)[0]
        return joined

    def backward(self, loss: Tensor) -> None:
        """Compute gradients.

        Args:
            loss: A single number.
        """
        if self.fabric is None:
            loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's own
        else:
            self.fabric.backward(loss)


def run_distributed(
    function: Callable[..., Any], *arguments: Any, devices: int, accelerator: str, batch: int, partly: bool = False
) -> Any:
    """What `function(distributed, *arguments)` gives in the first of so many processes.

    Args:
        function: A function of a module, so that new processes find it; like its arguments and result it is sent from
            one process to another if there are several.
        *arguments: Arguments of the function after the first.
        devices: Number of processes; 1 starts none.
        accelerator: Kind of device in Lightning Fabric's words, such as "cpu" or "cuda".
        batch: Number of samples per step of all processes together.
        partly: True if some steps give some weights no gradient.

    Returns:
        What the function returns.

    Raises:
        MissingExtra: Several processes, but Lightning Fabric is not installed.
        OptionError: The batch cannot be shared equally.
    """
    if devices == 1:
        return function(Distributed(), *arguments)
    if batch % devices:
        raise OptionError(f"{devices} devices share each batch equally, but batch is {batch}. Take a multiple.")
    lightning = import_extra("lightning_fabric", "devices")
    strategies = import_extra("lightning_fabric.strategies", "devices")
    strategy = strategies.DDPStrategy(start_method="spawn", find_unused_parameters=partly)
    threads = max(1, torch.get_num_threads() // devices)
    fabric = lightning.Fabric(accelerator=accelerator, devices=devices, strategy=strategy)
    # one opaque object: Fabric would look for tensors in arguments, and refuses frozen dataclasses
    return fabric.launch(partial(_enter, work=function, arguments=arguments, threads=threads))


def _enter(fabric: Any, *, work: Callable[..., Any], arguments: tuple[Any, ...], threads: int) -> Any:
    """In each new process."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    torch.set_num_threads(threads)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    return work(Distributed(fabric), *arguments)
