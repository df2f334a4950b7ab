"""Which score gates best: by the area under its frontier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from offramp.errors import EvidenceError, OptionError
from offramp.measure import Frontier, area


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Scores by the work that they save.

    Attributes:
        areas: Name of the score -> `measure.area` of its frontier, the largest first.
        up_to: The largest loss that counted.
    """

    areas: Mapping[str, float]
    up_to: float

    @property
    def best(self) -> str:
        """The score with the largest area."""
        return next(iter(self.areas))


def rank_scores(frontiers: Mapping[str, Frontier], *, max_loss: float | None = None) -> Ranking:
    """Rank scores by the area under their frontiers; among equals the one that was given first leads.

    One point of a frontier is the luck of a few tuning samples; the area is the mean over all losses up to the
    accepted one. Nothing may be proved on the samples that this choice was made on: they are the tuning samples.

    Args:
        frontiers: By name of the score, a frontier; all are drawn on the same tuning samples, each with the costs of
            its own gates.
        max_loss: The accepted loss, up to which the areas count; None counts up to what the cheapest point loses.

    Returns:
        The scores by area, the largest first.

    Raises:
        EvidenceError: The frontiers were drawn on different samples, or for different qualities.
        OptionError: No frontier, or a loss that is not in (0, 1].
    """
    if not frontiers:
        raise OptionError("a ranking needs at least one frontier, but there is none. Draw one per score.")
    first = next(iter(frontiers.values()))
    other = [
        name
        for name, drawn in frontiers.items()
        if drawn.quality != first.quality or not np.array_equal(drawn.ids, first.ids)
    ]
    if other:
        raise EvidenceError(
            f"scores must be compared on the same samples and quality, but {', '.join(other)} differ from the first. "
            "Draw all frontiers from one evidence."
        )
    if max_loss is None:
        largest = max(float(drawn.losses[-1]) for drawn in frontiers.values())
        max_loss = largest if largest > 0 else 1.0  # nobody loses anything: any limit serves
    areas = {name: area(drawn, up_to=max_loss) for name, drawn in frontiers.items()}
    return Ranking(areas=dict(sorted(areas.items(), key=lambda entry: -entry[1])), up_to=max_loss)
