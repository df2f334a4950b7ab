"""Settings of joint training."""

from __future__ import annotations

from typing import Any

import pytest

from offramp import learn
from offramp.errors import OptionError


@pytest.mark.parametrize("wrong", [
    {"regime": "post"}, {"backbone_epochs": -1}, {"backbone_epochs": 1, "regime": "joint"}, {"weights": (1.0, -1.0)},
    {"weights": (0.0, 0.0)}, {"distill": 1.1}, {"emphasis": 1.0}, {"optimizer": "lion"}, {"momentum": 1.0},
    {"schedule": "linear"}, {"backbone_rate": 0.0}, {"devices": 0},
])  # fmt: skip
def test_a_value_outside_its_range_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(wrong))}="):
        learn.JointSettings(**wrong)


def test_without_weights_early_exits_count_1_and_the_final_one_less() -> None:
    assert learn.JointSettings().weights_for(3) == (1.0, 1.0, 0.3)


def test_given_weights_must_be_one_per_exit() -> None:
    with pytest.raises(OptionError, match="so 3, but are 2"):
        learn.JointSettings(weights=(1.0, 0.5)).weights_for(3)
