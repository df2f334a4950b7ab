"""Settings of a training."""

from __future__ import annotations

from typing import Any

import pytest

from offramp.errors import OptionError
from offramp.learn import DistillSettings


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"batch": 1}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"weight_decay": -1.0},
     {"temperature": 0.0}, {"augment": "flip"}, {"seed": -1}, {"precision": "float16"}, {"score_samples": 0},
     {"checkpoint_interval_s": -1.0}, {"targets": "none"}, {"sample_weighting": -0.1}, {"sample_weighting": 1.1}],
)  # fmt: skip
def test_a_value_outside_its_range_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(wrong))}="):
        DistillSettings(**wrong)


def test_all_offenders_are_named() -> None:
    with pytest.raises(OptionError, match=r"epochs=0, temperature=-1"):
        DistillSettings(epochs=0, temperature=-1)
