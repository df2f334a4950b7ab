from __future__ import annotations

import dataclasses

import pytest

from offramp import Progress


def test_an_event_is_small_and_stays_as_it_was() -> None:
    event = Progress(step="work", done=1, total=2)
    assert (event.state, event.seconds) == ("going", 0.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.done = 2  # type: ignore[misc]  # that is the test
