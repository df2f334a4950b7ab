"""The loop that trains heads on a frozen backbone, and can be killed at any step.

Everything that a step needs but the weights and the optimizer's state is a pure function of (settings, epoch, step).
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress, TaskID
from torch import Tensor
from torch.nn.functional import kl_div

from offramp.errors import LearnError
from offramp.graph import Graph, to_json
from offramp.run import Samples

from ._augment import augment, choose_augment
from ._batch import draw, shuffle, take_batch
from ._checkpoint import Position, load_checkpoint, save_checkpoint
from ._frozen import Frozen
from ._heads import Heads
from ._settings import PostSettings

_WARM_UP = 0.05  # share of all steps


class Training:
    """One training of heads: what it learns from, and how far it is.

    Args:
        graph: Structure and names.
        samples: At least one batch.
        settings: How to learn.
        heads: What learns, in place.
        frozen: The backbone, which teaches.
    """

    def __init__(self, graph: Graph, samples: Samples, settings: PostSettings, *, heads: Heads, frozen: Frozen) -> None:
        self.samples, self.settings = samples, settings
        self.heads, self.frozen = heads, frozen
        self.steps = len(samples) // settings.batch
        self.optimizer = torch.optim.AdamW(heads.parameters(), weight_decay=settings.weight_decay)
        self.fingerprint = _fingerprint(graph, samples, settings, frozen)
        self._augment = choose_augment(settings.augment, graph.inputs)

    def resume(self, checkpoint: Path) -> Position:
        """Bring heads and optimizer to where the file says, and give that position."""
        return load_checkpoint(checkpoint, heads=self.heads, optimizer=self.optimizer, fingerprint=self.fingerprint)

    def run(self, position: Position, *, checkpoint: Path | None, progress: bool | None) -> None:
        """Train from `position` to the end, with a checkpoint after each epoch and now and then between."""
        saved = time.monotonic()
        with _bar(progress) as bar:
            task = bar.add_task("heads", total=self.settings.epochs * self.steps, completed=self._count(position))
            for reached, loss in self._advance(position):
                self._show(bar, task, reached, loss)
                due = time.monotonic() - saved >= self.settings.checkpoint_interval_s
                if checkpoint is not None and (due or reached.step == 0):
                    self._save(checkpoint, reached)
                    saved = time.monotonic()

    def _advance(self, position: Position) -> Iterator[tuple[Position, float]]:
        """Do one step after the other; give the loss of each and the position behind it."""
        for epoch in range(position.epoch, self.settings.epochs):
            order = shuffle(len(self.samples), seed=self.settings.seed, epoch=epoch)
            first = position.step if epoch == position.epoch else 0
            for step in range(first, self.steps):
                chosen = order[step * self.settings.batch : (step + 1) * self.settings.batch]
                loss = self._step(take_batch(self.samples, chosen, self.frozen.device), epoch, step)
                done = step + 1 == self.steps
                yield Position(epoch=epoch + done, step=0 if done else step + 1), loss

    def _step(self, batch: Mapping[str, Tensor], epoch: int, step: int) -> float:
        random = draw(self.settings.seed, epoch, step + 1)
        torch.manual_seed(int(random.integers(2**63)))  # dropout, if a head has any
        values = self.frozen(augment(batch, self._augment, random))
        teacher = values[self.frozen.teacher][0]
        losses = {
            name: distillation_loss(given[0], teacher, self.settings.temperature)
            for name, given in self.heads(values).items()
        }
        loss = torch.stack(list(losses.values())).sum()
        _check_finite(losses, teacher, epoch=epoch, step=step, settings=self.settings)
        rate = learning_rate(epoch * self.steps + step, self.settings.epochs * self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * self.settings.learning_rate
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's own
        self.optimizer.step()
        return float(loss.detach()) / len(losses)

    def _count(self, position: Position) -> int:
        return position.epoch * self.steps + position.step

    def _save(self, checkpoint: Path, position: Position) -> None:
        save_checkpoint(checkpoint, position, heads=self.heads, optimizer=self.optimizer, fingerprint=self.fingerprint)

    def _show(self, bar: Progress, task: TaskID, position: Position, loss: float) -> None:
        text = f"heads: epoch {min(position.epoch + 1, self.settings.epochs)}/{self.settings.epochs}, loss {loss:.3f}"
        bar.update(task, completed=self._count(position), description=text)


def distillation_loss(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 KL(softmax(teacher / T) || softmax(logits / T)), mean over the batch.

    Reference:
        Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2; the factor T^2
        keeps the gradients' size when T changes.
    """
    student = (logits.float() / temperature).log_softmax(dim=1)
    target = (teacher / temperature).log_softmax(dim=1)
    return temperature**2 * kl_div(student, target, reduction="batchmean", log_target=True)


def learning_rate(step: int, total: int) -> float:
    """Factor in (0, 1] of the peak rate: a linear warm-up, then half a cosine."""
    warm = max(1, round(_WARM_UP * total))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def _check_finite(
    losses: Mapping[str, Tensor], teacher: Tensor, *, epoch: int, step: int, settings: PostSettings
) -> None:
    wrong = [name for name, loss in losses.items() if not math.isfinite(float(loss.detach()))]
    if not wrong:
        return
    where = f"at epoch {epoch + 1}, step {step + 1}"
    if not bool(teacher.isfinite().all()):
        raise LearnError(f"the full network must answer with finite logits, but does not {where}. Check the samples.")
    raise LearnError(
        f"the loss must stay finite, but that of {', '.join(wrong)} does not {where}. "
        f"Use a learning_rate below {settings.learning_rate:g}."
    )


def _fingerprint(graph: Graph, samples: Samples, settings: PostSettings, frozen: Frozen) -> dict[str, object]:
    """What must be equal for a resumed training to give what the killed one would have given."""
    structure = hashlib.sha256(json.dumps(to_json(graph), sort_keys=True).encode()).hexdigest()
    deciding = {name: value for name, value in asdict(settings).items() if name != "checkpoint_interval_s"}
    return {**deciding, "samples": len(samples), "graph": structure, "backbone": frozen.digest()}


def _bar(progress: bool | None) -> Progress:
    console = Console(stderr=True)
    shown = console.is_terminal if progress is None else progress
    return Progress(console=console, disable=not shown)
