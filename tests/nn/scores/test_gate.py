"""The gate that compares a score."""

from __future__ import annotations

import pytest

from offramp.nn.scores import SCORES, build_score, gate_of


@pytest.mark.parametrize("name", SCORES)
def test_a_gate_declares_what_its_score_declares(name: str) -> None:
    score, gate = build_score(name, (4,), 3), gate_of(build_score(name, (4,), 3))
    assert (gate.direction, gate.stop_all, gate.stop_none) == (score.direction, score.stop_all, score.stop_none)  # type: ignore[comparison-overlap]  # known here
