from __future__ import annotations

import pytest

from offramp.pipeline._durations import tell_about, tell_seconds


@pytest.mark.parametrize(("seconds", "told"), [(9.94, "9.9 s"), (59.4, "59 s"), (3599, "59 min 59 s")])
def test_a_duration_is_told_as_people_say_it(seconds: float, told: str) -> None:
    assert tell_seconds(seconds) == told


@pytest.mark.parametrize(("seconds", "told"), [(9, "a few seconds"), (89, "about 90 seconds")])
def test_an_estimate_is_round(seconds: float, told: str) -> None:
    assert tell_about(seconds) == told
