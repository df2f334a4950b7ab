"""The loop behind every training: it can be killed at any step, and goes on as if it had not been.

Everything that a step needs but the weights and the optimizer's state is a pure function of (settings, epoch, step).
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from rich.progress import Progress as Bar
from torch import Tensor, nn
from torch.optim import Optimizer

from offramp.errors import LearnError
from offramp.graph import Graph, to_json
from offramp.run import Samples

from ._augment import augment, choose_augment
from ._batch import draw, shuffle, take_batch, take_labels
from ._checkpoint import Position, load_checkpoint, save_checkpoint
from ._distributed import Distributed
from ._settings import TrainingSettings

Watcher = Callable[[int, int, str], None]  # steps that are done, all steps, and a text with epoch and loss
Progress = bool | Watcher | None


class TrainingTask(Protocol):
    """What is learned, and by which losses.

    Attributes:
        title: Text beside the progress bar.
        learner: Module that learns, in place.
        optimizer: Optimizer of the learner; each group's "peak" is the highest learning rate of its parameters.
        device: Device on which the learner is.
        epochs: Number of passes over the samples.
    """

    @property
    def title(self) -> str: ...
    @property
    def learner(self) -> nn.Module: ...
    @property
    def optimizer(self) -> Optimizer: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def epochs(self) -> int: ...

    def losses(self, batch: Mapping[str, Tensor], labels: Tensor | None, epoch: int) -> dict[str, Tensor]:
        """The losses of a batch; a step makes their sum smaller.

        Args:
            batch: Inputs [B, ...] by name.
            labels: Classes [B] int64; None if the samples have none.
            epoch: Which epoch, counted from 0.

        Returns:
            A single number for each exit that learns in this epoch, by name.
        """
        ...

    def rate(self, epoch: int, step: int, steps: int) -> float:
        """The factor of the peak learning rates at a step.

        Args:
            epoch: Which epoch, counted from 0.
            step: Which step of it, counted from 0.
            steps: Number of steps of an epoch.

        Returns:
            A factor in (0, 1].
        """
        ...


class Training:
    """One training: what it learns from, and how far it is.

    Args:
        graph: Graph that gives the names of inputs.
        samples: Samples to learn from, at least one batch.
        settings: How to learn.
        task: What learns, and by which losses.
        digest: Digest of the weights that the task starts from.
        distributed: The processes that share each batch; None for this one alone.

    Raises:
        LearnError: There are fewer samples than a batch.
    """

    def __init__(
        self,
        graph: Graph,
        samples: Samples,
        settings: TrainingSettings,
        *,
        task: TrainingTask,
        digest: str,
        distributed: Distributed | None = None,
    ) -> None:
        if len(samples) < settings.batch:
            raise LearnError(
                f"training needs at least one batch of {settings.batch} samples, but got {len(samples)}. "
                "Give more samples, or a smaller batch."
            )
        self.graph, self.samples, self.settings = graph, samples, settings
        self.task, self.distributed = task, distributed or Distributed()
        self.steps = len(samples) // settings.batch
        self.fingerprint = _fingerprint(graph, samples, settings, digest)
        self._augment = choose_augment(settings.augment, graph.inputs)

    def run(self, *, checkpoint: Path | None, resume: bool, progress: Progress) -> None:
        """Train to the end, with a checkpoint after each epoch and now and then between.

        Args:
            checkpoint: Path of the file that keeps what is reached; None keeps nothing.
            resume: True goes on from the checkpoint, if there is one.
            progress: True draws a bar on stderr, None does so on a terminal; a function is called after each step.

        Raises:
            LearnError: A loss is not finite, or the checkpoint is of another training.
            OutputError: The checkpoint cannot be written.
        """
        position = self._resume(checkpoint) if resume and checkpoint else Position()
        saved = time.monotonic()
        total, done = self.task.epochs * self.steps, self._count(position)
        shown = progress if self.distributed.rank == 0 else False
        watcher = shown if callable(shown) else None
        with _isolate(self.task.device), _bar(False if callable(shown) else shown) as bar:
            line = bar.add_task(self.task.title, total=total, completed=done)
            for reached, loss in self._advance(position):
                text = self._tell(reached, loss)
                bar.update(line, completed=self._count(reached), description=text)
                if watcher is not None:
                    watcher(self._count(reached), total, text)
                due = time.monotonic() - saved >= self.settings.checkpoint_interval_s
                if checkpoint is not None and self.distributed.rank == 0 and (due or reached.step == 0):
                    self._save(checkpoint, reached)
                    saved = time.monotonic()

    def _advance(self, position: Position) -> Iterator[tuple[Position, float]]:
        """Do one step after the other; give the loss of each and the position behind it."""
        for epoch in range(position.epoch, self.task.epochs):
            order = shuffle(len(self.samples), seed=self.settings.seed, epoch=epoch)
            first = position.step if epoch == position.epoch else 0
            for step in range(first, self.steps):
                chosen = self.distributed.share(order[step * self.settings.batch : (step + 1) * self.settings.batch])
                batch = take_batch(self.samples, chosen, self.task.device, self.graph)
                loss = self._step(batch, take_labels(self.samples, chosen, self.task.device), epoch, step)
                done = step + 1 == self.steps
                yield Position(epoch=epoch + done, step=0 if done else step + 1), loss

    def _step(self, batch: Mapping[str, Tensor], labels: Tensor | None, epoch: int, step: int) -> float:
        random = draw(self.settings.seed, epoch, step + 1, self.distributed.rank)
        torch.manual_seed(int(random.integers(2**63)))  # dropout, if there is any
        losses = self.task.losses(augment(batch, self._augment, random), labels, epoch)
        loss = torch.stack(list(losses.values())).sum()
        _check_finite(losses, f"at epoch {epoch + 1}, step {step + 1}", self.settings.learning_rate)
        rate = self.task.rate(epoch, step, self.steps)
        for group in self.task.optimizer.param_groups:
            group["lr"] = rate * group["peak"]
        self.task.optimizer.zero_grad()
        self.distributed.backward(loss)
        self.task.optimizer.step()
        return float(loss.detach()) / len(losses)

    def _count(self, position: Position) -> int:
        return position.epoch * self.steps + position.step

    def _resume(self, checkpoint: Path) -> Position:
        """Bring learner and optimizer to where the killed training was, and give that position."""
        return load_checkpoint(
            checkpoint, learner=self.task.learner, optimizer=self.task.optimizer, fingerprint=self.fingerprint
        )

    def _save(self, checkpoint: Path, position: Position) -> None:
        save_checkpoint(
            checkpoint,
            position,
            learner=self.task.learner,
            optimizer=self.task.optimizer,
            fingerprint=self.fingerprint,
        )

    def _tell(self, position: Position, loss: float) -> str:
        epochs = self.task.epochs
        return f"{self.task.title}: epoch {min(position.epoch + 1, epochs)}/{epochs}, loss {loss:.3f}"


def _check_finite(losses: Mapping[str, Tensor], where: str, learning_rate: float) -> None:
    wrong = [name for name, loss in losses.items() if not math.isfinite(float(loss.detach()))]
    if wrong:
        raise LearnError(
            f"the loss must stay finite, but that of {', '.join(wrong)} does not {where}. "
            f"Use a learning_rate below {learning_rate:g}."
        )


def _fingerprint(graph: Graph, samples: Samples, settings: TrainingSettings, digest: str) -> dict[str, object]:
    """What must be equal for a resumed training to give what the killed one would have given."""
    structure = hashlib.sha256(json.dumps(to_json(graph), sort_keys=True).encode()).hexdigest()
    deciding = {name: value for name, value in asdict(settings).items() if name != "checkpoint_interval_s"}
    known = {**deciding, "samples": len(samples), "graph": structure, "backbone": digest}
    return dict(json.loads(json.dumps(known, default=_name)))  # as the file gives it back: tuples become lists


def _name(function: Any) -> str:  # Any: a setting that is no JSON
    """A function of the user's, by its name."""
    return f"{function.__module__}.{function.__qualname__}"


def _isolate(device: torch.device) -> AbstractContextManager[None]:
    """PyTorch's generators are as before, whatever happens inside."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _bar(progress: bool | None) -> Bar:
    console = Console(stderr=True)
    shown = console.is_terminal if progress is None else progress
    return Bar(console=console, disable=not shown)
