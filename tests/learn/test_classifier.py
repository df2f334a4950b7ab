"""Plain training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from offramp.data import load
from offramp.errors import DataError, OptionError
from offramp.learn import train_classifier
from offramp.run import ArraySamples
from offramp.zoo._mlp import mlp


def make_samples(count: int = 60, *, labels: bool = True) -> ArraySamples:
    x = np.random.default_rng(0).standard_normal((count, 4)).astype(np.float32)
    ids = np.array([f"s/{at}" for at in range(count)], dtype=np.str_)
    return ArraySamples(inputs={"x": x}, ids=ids, labels=(x[:, 0] > 0).astype(np.int64) if labels else None)


def make_module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))


def test_a_trained_copy_is_right_and_the_original_untouched() -> None:
    samples, module = make_samples(200), make_module()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    trained = train_classifier(module, samples, epochs=30, batch=16)
    with torch.no_grad():
        answers = trained(torch.from_numpy(samples.inputs["x"])).argmax(1).numpy()
    assert np.mean(answers == samples.labels) > 0.9
    assert not trained.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_seed_repeats_the_training_and_leaves_the_global_generator_alone() -> None:
    module, state = make_module(), torch.random.get_rng_state()
    first, again, other = (
        train_classifier(module, make_samples(), epochs=1, seed=seed).state_dict()["0.weight"] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_last_batch_of_one_breaks_no_batch_normalization() -> None:
    samples = make_samples(17)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        make_module().train()(torch.from_numpy(samples.inputs["x"][16:]))
    trained = train_classifier(make_module(), samples, epochs=1, batch=16)
    assert int(trained.state_dict()["1.num_batches_tracked"]) == 2


@pytest.mark.parametrize(
    "samples",
    [
        make_samples(labels=False),
        make_samples(0),
        ArraySamples(inputs={"a": np.eye(2), "b": np.eye(2)}, ids=np.array(["a", "b"]), labels=np.array([0, 1])),
    ],
)
def test_samples_that_teach_nothing_are_refused(samples: ArraySamples) -> None:
    with pytest.raises(DataError):
        train_classifier(make_module(), samples)


@pytest.mark.parametrize(("epochs", "batch"), [(0, 16), (1, 0)])
def test_options_below_one_are_refused(epochs: int, batch: int) -> None:
    with pytest.raises(OptionError, match="1 or more"):
        train_classifier(make_module(), make_samples(), epochs=epochs, batch=batch)


def test_a_small_perceptron_learns_the_digits() -> None:
    train, test = load("digits@train"), load("digits@test")
    torch.manual_seed(0)
    trained = train_classifier(mlp(hidden=(64,)), train, epochs=10)
    with torch.no_grad():
        answers = trained(torch.from_numpy(test.take(slice(None))["x"])).argmax(1).numpy()
    assert np.mean(answers == test.labels) > 0.94
