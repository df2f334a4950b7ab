"""Which samples a report shows, and how the classes spread over the exits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp.measure import Evidence
from offramp.report import ShownSample
from offramp.run import Samples

EACH = 6  # pictures per exit and kind


def choose_shown(samples: Samples, evidence: Evidence, taken: NDArray[np.int64], score: str) -> list[ShownSample]:
    """For each exit the samples that were surest and least sure among those that left there."""
    shown: list[ShownSample] = []
    values = evidence.scores[score]
    sign = 1.0 if evidence.gates[score].direction == "higher" else -1.0
    for at in range(evidence.exits):
        here = np.flatnonzero(taken == at)
        own = sign * values[here, min(at, values.shape[1] - 1)]
        order = here[np.argsort(-own, kind="stable")]
        for kind, chosen in (("easiest", order[:EACH]), ("hardest", order[::-1][:EACH])):
            shown += [_show(samples, evidence, int(position), at, kind, score) for position in chosen]
    return shown


def _show(samples: Samples, evidence: Evidence, position: int, at: int, kind: Any, score: str) -> ShownSample:  # Any: Literal
    inputs = samples.take([position])
    first = np.asarray(next(iter(inputs.values())))[0]
    picture = first if first.ndim == 3 and first.shape[0] in (1, 3) else None
    values = evidence.scores[score]
    return ShownSample(
        exit=at,
        kind=kind,
        score=float(values[position, min(at, values.shape[1] - 1)]),
        picture=picture,
        text=None if picture is not None else str(evidence.ids[position]),
    )


def rates_by_class(evidence: Evidence, taken: NDArray[np.int64]) -> dict[str, Any]:  # Any: JSON
    """Share of each class that leaves at each exit; without labels, by the full network's answer."""
    classes = evidence.labels if evidence.labels is not None else evidence.reference
    rates = [
        [float(np.mean(taken[classes == at] == exit_)) for exit_ in range(evidence.exits)] for at in np.unique(classes).tolist()
    ]
    return {"rates": rates, "labels_from": "labels" if evidence.labels is not None else "answers"}
