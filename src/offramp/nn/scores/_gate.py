"""The gate that compares a score."""

from __future__ import annotations

from typing import Any

from offramp.graph import Gate


def gate_of(score: Any) -> Gate:  # Any: a graph's body is opaque; this one is a `Score`
    """The gate that compares a score with a threshold.

    Args:
        score: A score, which declares its direction and its extremes.

    Returns:
        A gate with the same direction and extremes.

    Example:
        >>> from offramp.nn.scores import build_score
        >>> gate_of(build_score("entropy", (16,), 10)).direction
        'lower'
    """
    return Gate(direction=score.direction, stop_all=score.stop_all, stop_none=score.stop_none)
