"""The CIFAR ResNets, and their public weights where they are at hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from offramp.data import load
from offramp.errors import OptionError
from offramp.nn import Normalize
from offramp.zoo import load_model
from offramp.zoo._resnet import CifarResNet, cifar_resnet

# Public research data and weights, not part of the project: OFFRAMP_DATA names their folder.
SHARED = Path(os.environ.get("OFFRAMP_DATA", Path(__file__).parents[3] / "shared"))


@pytest.mark.parametrize(
    ("depth", "parameters"), [(20, 0.27e6), (32, 0.46e6), (44, 0.66e6), (56, 0.85e6), (110, 1.7e6)]
)
def test_sizes_are_those_of_the_papers_table_6(depth: int, parameters: float) -> None:
    network = cifar_resnet(depth=depth)
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(parameters, rel=0.02)
    assert sum(isinstance(layer, torch.nn.Conv2d | torch.nn.Linear) for layer in network.modules()) == depth


def test_names_are_those_of_the_public_checkpoints() -> None:
    names = list(CifarResNet(20).state_dict())
    assert names[:2] == ["conv1.weight", "bn1.weight"]
    assert {"layer1.0.conv1.weight", "layer3.2.bn2.running_var", "linear.bias"} < set(names)


@pytest.mark.parametrize("depth", [2, 18, 57])
def test_other_depths_are_refused(depth: int) -> None:
    with pytest.raises(OptionError, match="6n"):
        CifarResNet(depth)


@pytest.fixture(scope="module")
def cifar10(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    unpack = SHARED / "data" / "unpack.py"
    if not unpack.is_file():
        pytest.skip(f"no public data in {SHARED}: set OFFRAMP_DATA")
    folder = tmp_path_factory.mktemp("cifar10")
    subprocess.run([sys.executable, str(unpack), str(folder), "cifar10"], check=True, capture_output=True)
    try:
        yield f"npz:{folder / 'cifar10.npz'}@test"
    finally:
        shutil.rmtree(folder)  # 180 MB


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "weights", "accuracy"),
    [
        ("resnet20", "resnet20-12fca82f.th", 0.9173),
        ("resnet32", "resnet32-d509ac18.th", 0.9263),
        ("resnet56", "resnet56-4bfd9763.th", 0.9339),
    ],
)
def test_public_weights_reach_their_accuracy(cifar10: str, name: str, weights: str, accuracy: float) -> None:
    loaded = load_model(f"zoo:{name}", weights=SHARED / "models" / weights)
    assert loaded.mean is not None
    assert loaded.std is not None
    network = torch.nn.Sequential(Normalize(loaded.mean, loaded.std), loaded.module)
    samples = load(cifar10).subset(slice(0, None, 10))  # 998 of the 9,980, for time
    with torch.no_grad():
        answers = network(torch.from_numpy(samples.take(slice(None))["x"])).argmax(1).numpy()
    # within three standard errors of a sample of 998; a wrong shortcut or mean costs far more
    assert np.mean(answers == samples.labels) == pytest.approx(accuracy, abs=0.026)
