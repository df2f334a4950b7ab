"""The loop, on a task of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from early_exits import Killed, KilledSamples, make_graph, make_samples
from offramp.errors import LearnError
from offramp.learn import DistillSettings
from offramp.learn._training import Training

SETTINGS = DistillSettings(epochs=3, batch=16, augment="crop", checkpoint_interval_s=0.0)  # 12 steps
STEPS = 12


class Mean:
    """Learns the mean picture, with noise from the generator that dropout would use."""

    title = "mean"
    epochs = 3
    device = torch.device("cpu")

    def __init__(self, rate: float = 0.1) -> None:
        self.learner = nn.Linear(64, 1, bias=False)
        nn.init.zeros_(self.learner.weight)
        self.optimizer = torch.optim.SGD(self.learner.parameters(), lr=1.0, momentum=0.9)
        self.optimizer.param_groups[0]["peak"] = rate
        self.rates: list[float] = []

    def losses(self, batch: Mapping[str, Tensor], labels: Tensor | None, epoch: int) -> dict[str, Tensor]:
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        target = batch["x"].flatten(1) + 0.1 * torch.rand(len(batch["x"]), 64)
        return {"mean": ((self.learner.weight - target) ** 2).mean()}

    def rate(self, epoch: int, step: int, steps: int) -> float:
        return 1 / (1 + epoch * steps + step)


def train(task: Mean, samples: object, **options: object) -> None:
    training = Training(make_graph(), samples, SETTINGS, task=task, digest="")  # type: ignore[arg-type]  # duck
    training.run(**{"checkpoint": None, "resume": False, "progress": False, **options})  # type: ignore[arg-type]


def test_each_group_learns_at_its_peak_times_the_lessons_rate() -> None:
    task = Mean(rate=0.5)
    train(task, make_samples())
    assert task.rates[1:] == pytest.approx([0.5 / (1 + step) for step in range(STEPS - 1)])


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, STEPS - 1))
def test_killed_at_any_step_and_resumed_it_ends_where_it_would_have(tmp_path: Path, step: int) -> None:
    whole, parts = Mean(), Mean()
    train(whole, make_samples())
    file = tmp_path / f"{step}.ckpt"
    file.unlink(missing_ok=True)
    with pytest.raises(Killed):
        train(parts, KilledSamples(make_samples(), at=step), checkpoint=file)
    again = Mean()
    train(again, make_samples(), checkpoint=file, resume=True)
    assert torch.equal(again.learner.weight, whole.learner.weight)


def test_fewer_samples_than_a_batch_are_refused() -> None:
    with pytest.raises(LearnError, match="at least one batch of 16 samples, but got 8"):
        train(Mean(), make_samples(8))


def test_a_loss_that_is_not_finite_stops_the_training_by_name() -> None:
    samples = make_samples()
    samples.inputs["x"][:] = np.inf
    with pytest.raises(LearnError, match="that of mean does not at epoch 1, step 1"):
        train(Mean(), samples)


def test_a_watcher_is_told_after_each_step_where_the_training_is() -> None:
    told: list[tuple[int, int, str]] = []
    train(Mean(), make_samples(), progress=lambda *where: told.append(where))
    assert [(done, total) for done, total, _ in told] == [(step, STEPS) for step in range(1, STEPS + 1)]
    assert told[0][2].startswith("mean: epoch 1/3, loss ")
