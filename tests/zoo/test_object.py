from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from offramp.errors import CaptureError, WeightsError
from offramp.zoo import take_module


class Uncopied(nn.Linear):
    def __deepcopy__(self, memo: object) -> None:
        raise RuntimeError("holds a file")


def test_a_module_is_copied_and_stays_as_it_is() -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.Dropout())
    loaded = take_module(module, torch.zeros(2, 4))
    assert (loaded.classes, loaded.reference, loaded.shapes) == (3, None, {"x": (4,)})
    assert module.training
    assert not loaded.module.training
    assert loaded.module is not module


def test_weights_of_a_file_are_taken_by_the_copy_alone(tmp_path: Path) -> None:
    module, other = nn.Linear(4, 3), nn.Linear(4, 3)
    save_file(other.state_dict(), tmp_path / "w.safetensors")
    loaded = take_module(module, torch.zeros(2, 4), weights=tmp_path / "w.safetensors")
    assert torch.equal(loaded.module.state_dict()["weight"], other.weight)
    with pytest.raises(WeightsError):
        take_module(nn.Linear(5, 3), torch.zeros(2, 5), weights=tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("module", "says"),
    [(Uncopied(4, 3), "can be copied, but raised RuntimeError: holds a file"), (nn.Linear(5, 3), "Linear must answer")],
)
def test_a_module_that_cannot_be_taken_is_refused_by_its_class(module: nn.Module, says: str) -> None:
    with pytest.raises(CaptureError, match=says):
        take_module(module, torch.zeros(2, 4))
