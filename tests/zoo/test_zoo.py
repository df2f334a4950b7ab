"""The networks that offramp brings along."""

from __future__ import annotations

import pytest
import torch

from offramp.zoo import ZOO


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("classes", [10, 3])
def test_every_network_answers_its_own_shape(name: str, classes: int) -> None:
    entry = ZOO[name]
    with torch.no_grad():
        logits = entry.build(classes).eval()(torch.rand(2, *entry.shape))
    assert logits.shape == (2, classes)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", ZOO)
def test_mean_and_std_come_together_one_per_channel(name: str) -> None:
    entry = ZOO[name]
    assert (entry.mean is None) == (entry.std is None)
    assert len(entry.mean or entry.shape[:1] * entry.shape[0]) == entry.shape[0]


def test_the_zoo_holds_what_the_documentation_names() -> None:
    ours = ["lenet5", "mlp", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"]
    assert list(ZOO) == [*ours, "vgg19", "densenet121", "b_lenet", "b_alexnet", "b_resnet110"]
