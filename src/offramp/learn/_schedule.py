"""How the learning rate goes over a training, as a factor of its peak."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

Schedule = Literal["cosine", "step", "constant"]

_WARM_UP = 0.05  # share of all steps
_MILESTONES = (0.5, 0.75)  # of all steps; at each the rate falls to a tenth


def learning_rate(step: int, total: int, schedule: Schedule = "cosine") -> float:
    """Factor in (0, 1] of the peak rate, after a linear warm-up over 5 % of the steps.

    Args:
        step: Which step, counted from 0.
        total: Number of steps of the training.
        schedule: "cosine" falls to 0 like half a cosine, "step" to a tenth at half and again at three quarters of the
            steps, "constant" stays.

    Returns:
        The factor.

    Example:
        >>> [round(learning_rate(step, 100), 2) for step in (0, 4, 5, 52, 99)]
        [0.2, 1.0, 1.0, 0.51, 0.0]
    """
    warm = max(1, round(_WARM_UP * total))
    if step < warm:
        return (step + 1) / warm
    return _SHAPES[schedule](step, warm, total)


def rate_in_phases(epoch: int, step: int, *, steps: int, phases: Sequence[int], schedule: Schedule = "cosine") -> float:
    """The same factor where the schedule begins anew for each phase of a training.

    Args:
        epoch: Which epoch, counted from 0 over all phases.
        step: Which step of the epoch, counted from 0.
        steps: Number of steps of an epoch.
        phases: Number of epochs of each phase; some may have none.
        schedule: The schedule of each phase.

    Returns:
        The factor.

    Example:
        >>> [round(rate_in_phases(epoch, 9, steps=10, phases=(2, 1)), 2) for epoch in (0, 1, 2)]
        [0.62, 0.01, 0.03]
    """
    place = 0
    while epoch >= phases[place]:
        epoch -= phases[place]
        place += 1
    return learning_rate(epoch * steps + step, phases[place] * steps, schedule)


def _cosine(step: int, warm: int, total: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def _steps(step: int, warm: int, total: int) -> float:
    return float(0.1 ** sum(step >= share * total for share in _MILESTONES))


_SHAPES: Mapping[Schedule, Callable[[int, int, int], float]] = {
    "cosine": _cosine,
    "step": _steps,
    "constant": lambda step, warm, total: 1.0,
}
