"""What an answer costs, by exit, in multiply-accumulates or in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from offramp.errors import OptionError

Unit = Literal["macs", "seconds"]
"""What a cost counts: multiply-accumulates, or seconds on one engine."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Costs:
    """The cost of a sample by the exit that answers it, and that of the network that we compare with.

    Attributes:
        per_exit: [E] the cost of everything that a sample that answers at exit e ran: stages, heads and scores 0 to e.
        baseline: The cost of one sample in the original network.
        unit: What both count: "macs" (multiply-accumulates) or "seconds".

    Raises:
        OptionError: A cost is not finite, falls from one exit to the next, or the baseline is not positive.

    Example:
        >>> Costs(per_exit=np.array([10.0, 55.0]), baseline=50.0, unit="macs").relative
        array([0.2, 1.1])
    """

    per_exit: NDArray[np.float64]
    baseline: float
    unit: Unit

    def __post_init__(self) -> None:
        costs = np.asarray(self.per_exit, np.float64)
        fit = costs.ndim == 1 and costs.size and np.isfinite(costs).all()
        if not fit or (np.diff(costs) < 0).any() or costs[0] < 0:
            raise OptionError(
                f"per_exit must be one finite cost per exit that never falls, but is {costs.tolist()}. "
                "Charge each exit with everything that ran before it."
            )
        if not self.baseline > 0:
            raise OptionError(f"baseline must be positive, but is {self.baseline}. Count or time the full network.")
        object.__setattr__(self, "per_exit", costs)

    @property
    def relative(self) -> NDArray[np.float64]:
        """[E] the costs as shares of the baseline."""
        return self.per_exit / self.baseline

    def expect(self, unit: Unit) -> Costs:
        """These costs, for code that only makes sense in one unit.

        Args:
            unit: The unit that the code needs.

        Returns:
            The costs themselves.

        Raises:
            OptionError: The costs count something else.

        Example:
            >>> Costs(per_exit=np.array([0.1]), baseline=0.1, unit="seconds").expect("seconds").baseline
            0.1
        """
        if self.unit != unit:
            raise OptionError(f"costs must count {unit}, but count {self.unit}. Give the costs in {unit}.")
        return self
