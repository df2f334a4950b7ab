from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offramp.cli._material import gather
from offramp.cli._request import Goal, Request
from offramp.cli._screen import Screen
from offramp.errors import DataError


def request(**changes: Any) -> Request:
    return Request(**{"model": "zoo:mlp", "data": "digits@train", "out": Path("o"), "goal": Goal(), **changes})


def test_four_sets_share_no_sample() -> None:
    parts = gather(request(held_out="digits@test"), Screen(quiet=True)).parts
    ids = np.concatenate([part.ids for part in parts.values()])
    assert len(np.unique(ids)) == len(ids) == 1797
    assert [len(part) for part in parts.values()] == [1000, 239, 279, 279]


def test_without_held_out_samples_some_are_set_aside_and_the_user_is_told() -> None:
    screen = Screen(quiet=True)
    material = gather(request(), screen)
    assert (len(material.train), material.held_out) == (600, False)
    assert "40 %" in screen.warnings[0]


def test_samples_in_both_sets_are_refused() -> None:
    with pytest.raises(DataError, match="in both"):
        gather(request(held_out="digits@train"), Screen(quiet=True))


@pytest.mark.parametrize("options", [{"mean": (0.1,), "std": (0.2,)}])
def test_mean_and_std_of_the_options_are_taken(options: dict[str, Any]) -> None:
    material = gather(request(**options), Screen(quiet=True))
    assert (material.mean, material.std) == ((0.1,), (0.2,))


def test_a_network_of_the_users_code_is_told_the_shape_of_the_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_code.py").write_text(
        "from torch import nn\n"
        "def net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(784, 9), nn.ReLU(), nn.Linear(9, 10))\n"
    )
    monkeypatch.chdir(tmp_path)
    screen = Screen(quiet=True)
    material = gather(request(model="own_code:net"), screen)
    assert material.model.shapes == {"x": (1, 28, 28)}
    assert any("mean and std" in warning for warning in screen.warnings)
