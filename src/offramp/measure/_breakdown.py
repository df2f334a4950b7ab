"""What each part of a network with exits costs, from which the costs of any choice among its exits follow.

Shape letters: E exits with the final one, N = E - 1 early exits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offramp.errors import OptionError

from ._costs import Costs, Unit
from ._evidence import check_exits


@dataclass(frozen=True, kw_only=True, eq=False)
class Breakdown:
    """The cost of each part of a network with exits, all in one unit.

    Attributes:
        stages: [E] the backbone's work from one exit's place to the next; the last entry leads to the final exit.
        heads: [N] the head of each early exit, its score included.
        gate_overheads: [N] what each early exit costs besides: condition, gathering and scattering of rows.
        baseline: The cost of the network alone.
        unit: What all of them count: "macs" (multiply-accumulates) or "seconds".

    Raises:
        OptionError: The numbers do not fit together, or one of them is negative or not finite.

    Example:
        >>> parts = Breakdown(stages=np.array([0.0, 20.0, 30.0]), heads=np.array([5.0, 2.0]),
        ...                   gate_overheads=np.zeros(2), baseline=50.0, unit="macs")
        >>> parts.costs([0, 1]).per_exit, parts.costs([1]).per_exit, parts.costs([]).per_exit
        (array([ 5., 27., 57.]), array([22., 52.]), array([50.]))
    """

    stages: NDArray[np.float64]
    heads: NDArray[np.float64]
    gate_overheads: NDArray[np.float64]
    baseline: float
    unit: Unit

    def __post_init__(self) -> None:
        for name in ("stages", "heads", "gate_overheads"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))
        sizes = [part.shape for part in (self.stages, self.heads, self.gate_overheads)]
        together = np.concatenate([part.ravel() for part in (self.stages, self.heads, self.gate_overheads)])
        count = len(self.stages) - 1 if self.stages.ndim == 1 else -1
        if count < 0 or sizes[1:] != [(count,)] * 2 or not np.isfinite(together).all() or (together < 0).any():
            raise OptionError(
                "a breakdown needs costs of 0 or more, one per stage and one less of heads and gates, but has "
                f"{sizes[0]}, {sizes[1]} and {sizes[2]}, the least {together.min(initial=0.0):g}. Count them again."
            )
        object.__setattr__(self, "baseline", float(self.baseline))

    def costs(self, kept: Sequence[int]) -> Costs:
        """What each exit costs if of the early ones only these are there: all that ran before it, and itself.

        Args:
            kept: The early exits that stay, counted from 0, in order.

        Returns:
            The costs of the exits that stay, with the final one.

        Raises:
            OptionError: There is no such exit, or they are not in order.
        """
        check_exits(kept, len(self.heads))
        reached = np.cumsum(self.stages)[[*kept, -1]]
        passed = np.cumsum(np.append(0.0, (self.heads + self.gate_overheads)[list(kept)]))
        return Costs(per_exit=reached + np.append(passed[1:], passed[-1]), baseline=self.baseline, unit=self.unit)
