"""The area under a frontier: one number for how much work a score saves, over all losses that may be accepted.

Shape letters: P points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offramp.errors import OptionError

from ._frontier import Frontier

ROUNDING = 1e-9  # 1 - 0.99 is a little more than 0.01


def area(frontier: Frontier, *, up_to: float) -> float:
    """Mean share of the full network's work that is saved, over all accepted losses from 0 to `up_to`.

    It is the area between the frontier and the network alone, with loss on one axis and relative MACs on the other:
    the integral of 1 - c(x) over x in [0, up_to], divided by up_to, where c(x) is what `macs_at` gives. So 1 would
    be an answer without work, 0 is no gain at any loss, and less than 0 costs more than it saves. Of two frontiers
    the one that loses and costs no more everywhere never has the smaller area.

    Args:
        frontier: A frontier that was drawn on the tuning samples.
        up_to: The largest loss that counts, in the unit of `Frontier.losses`.

    Returns:
        The mean share of the work that is saved.

    Raises:
        OptionError: `up_to` is not in (0, 1].

    Example:
        >>> from offramp.graph import Gate
        >>> from offramp.measure import Costs, Evidence, frontier
        >>> gate = Gate(direction="higher", stop_all=0.0, stop_none=2.0)
        >>> seen = Evidence(ids=np.arange(2), predictions=np.array([[1, 1], [0, 1]]), reference=np.array([1, 1]),
        ...                 scores={"p": np.array([[0.875], [0.625]], np.float32)}, gates={"p": gate})
        >>> drawn = frontier(seen, Costs(per_exit=np.array([1.0, 4.0]), baseline=4.0, unit="macs"), score="p")
        >>> drawn.losses.tolist(), (drawn.macs / 4).tolist()  # 0.375 saved below a loss of one half, 0.75 above
        ([0.0, 0.5], [0.625, 0.25])
        >>> area(drawn, up_to=0.5), area(drawn, up_to=1.0)
        (0.375, 0.5625)
    """
    if not 0 < up_to <= 1:
        raise OptionError(f"up_to must lie above 0 and not above 1, but is {up_to}. For one percent give 0.01.")
    losses, costs = _steps(frontier)
    edges = np.append(losses, up_to).clip(max=up_to)
    return float(((1 - costs) * np.diff(edges)).sum() / up_to)


def macs_at(frontier: Frontier, loss: float) -> float:
    """Relative cost of the cheapest point that loses at most this much; of nobody leaving early if none does.

    Args:
        frontier: A frontier that was drawn on the tuning samples.
        loss: The accepted loss, in the unit of `Frontier.losses`.

    Returns:
        The cost as a share of the baseline's.
    """
    losses, costs = _steps(frontier)
    return float(costs[np.searchsorted(losses, max(0.0, loss) + ROUNDING, side="right") - 1])


def _steps(frontier: Frontier) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[P + 1] accepted losses from 0 on, and the relative MACs that hold from each to the next."""
    losses = np.concatenate([[0.0], frontier.losses.clip(min=0)])  # nobody leaving early is always accepted
    costs = np.array([frontier.full.relative_macs, *(point.relative_macs for point in frontier.points)])
    return losses, np.minimum.accumulate(costs)
