"""What an answer costs: multiply-accumulates by exit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offramp.errors import OptionError


@dataclass(frozen=True, kw_only=True, eq=False)
class Costs:
    """Multiply-accumulates per sample by exit, and those of the network that we compare with.

    Attributes:
        macs: [E] everything that a sample that answers at exit e ran: stages, heads and scores 0 to e.
        baseline_macs: What one sample costs in the original network.

    Raises:
        OptionError: A cost is not finite, falls from one exit to the next, or the baseline is not positive.

    Example:
        >>> Costs(macs=np.array([10.0, 55.0]), baseline_macs=50.0).relative
        array([0.2, 1.1])
    """

    macs: NDArray[np.float64]
    baseline_macs: float

    def __post_init__(self) -> None:
        macs = np.asarray(self.macs, np.float64)
        if macs.ndim != 1 or not macs.size or not np.isfinite(macs).all() or (np.diff(macs) < 0).any() or macs[0] < 0:
            raise OptionError(
                f"macs must be one finite cost per exit that never falls, but is {macs.tolist()}. "
                "Charge each exit with everything that ran before it."
            )
        if not self.baseline_macs > 0:
            raise OptionError(f"baseline_macs must be positive, but is {self.baseline_macs}. Count the full network.")
        object.__setattr__(self, "macs", macs)

    @property
    def relative(self) -> NDArray[np.float64]:
        """[E] the costs as shares of the baseline."""
        return self.macs / self.baseline_macs
