"""What one network with control nodes answered, and what that cost: it has no thresholds to choose afterwards.

Shape letters: S samples, G control nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from offramp.errors import EvidenceError, OptionError
from offramp.graph import Graph

from ._evidence import Ids
from ._routes import dearest_edges, route_macs

if TYPE_CHECKING:
    from offramp.run import Runtime, Samples


@dataclass(frozen=True, kw_only=True, eq=False)
class RouteEvidence:
    """Per sample the answer of one operating point of a D2NN, and the way there.

    Attributes:
        ids: [S] one id per sample.
        predictions: [S] classes.
        route: [S, G] the edge that each control node opened; its number of edges if it did not run.
        macs: [S] multiply-accumulates of everything that ran.
        baseline_macs: What one sample costs in the network that it is compared with.
        reference: [S] the answers of that network.
        labels: [S] the true classes, or None.
    """

    ids: Ids
    predictions: NDArray[np.int64]
    route: NDArray[np.int64]
    macs: NDArray[np.float64]
    baseline_macs: float
    reference: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def relative_macs(self) -> float:
        """Mean cost as a share of the baseline's."""
        return float(self.macs.mean()) / self.baseline_macs

    @property
    def agreement(self) -> float:
        """Share of answers equal to the baseline's."""
        return float((self.predictions == self.reference).mean())

    @property
    def accuracy(self) -> float | None:
        """Share of right answers, or None without labels."""
        return None if self.labels is None else float((self.predictions == self.labels).mean())

    def subset(self, positions: NDArray[np.integer] | NDArray[np.bool_] | slice) -> RouteEvidence:
        """The same evidence about the samples at these positions.

        Args:
            positions: Positions of the samples to keep, a mask over all samples, or a slice.

        Returns:
            Evidence about these samples, in this order.
        """
        return replace(
            self,
            ids=self.ids[positions],
            predictions=self.predictions[positions],
            route=self.route[positions],
            macs=self.macs[positions],
            reference=self.reference[positions],
            labels=None if self.labels is None else self.labels[positions],
        )


def route_evidence(
    runtime: Runtime,
    samples: Samples,
    *,
    graph: Graph,
    macs: Mapping[str, int],
    reference: NDArray[np.int64],
    batch: int = 64,
) -> RouteEvidence:
    """What a network with control nodes answers to every sample, and what that costs.

    The baseline's cost is that of the dearest way through the graph without its control nodes.

    Args:
        runtime: The runtime of the graph; take the engine and precision that ship.
        samples: The samples; evidence keeps their ids and labels.
        graph: The structure of what the runtime runs.
        macs: Multiply-accumulates by name of the node, as `measure.torch.count_macs` gives them.
        reference: [S] answers of the network to compare with.
        batch: Samples per call.

    Returns:
        The evidence about all samples.

    Raises:
        OptionError: `batch` is not positive.
        EvidenceError: No samples, another number of reference answers, or logits that are not finite.
    """
    if batch < 1:
        raise OptionError(f"batch must be at least 1, but is {batch}. Choose 64 if in doubt.")
    if not len(samples) or len(reference) != len(samples):
        raise EvidenceError(
            f"evidence must come from at least one sample, each with a reference answer, but there are {len(samples)} "
            f"samples and {len(reference)} references. Give one for each."
        )
    starts = range(0, len(samples), batch)
    answers = [runtime(samples.take(slice(start, min(start + batch, len(samples))))) for start in starts]
    logits = np.concatenate([answer.logits for answer in answers])
    if not np.isfinite(logits).all():
        raise EvidenceError("logits must be finite, but some are not. Look at the samples, then at the network.")
    route = np.concatenate([answer.route for answer in answers])
    return RouteEvidence(
        ids=samples.ids,
        predictions=np.argmax(logits, axis=1).astype(np.int64),
        route=route,
        macs=route_macs(graph, macs, route),
        baseline_macs=baseline_macs(graph, macs),
        reference=np.asarray(reference, np.int64),
        labels=samples.labels,
    )


def baseline_macs(graph: Graph, macs: Mapping[str, int]) -> float:
    """Multiply-accumulates of a sample that takes the dearest way, control nodes left out.

    Args:
        graph: Any conditional graph.
        macs: Multiply-accumulates by name of the node, as `measure.torch.count_macs` gives them.

    Returns:
        Multiply-accumulates per sample.
    """
    edges = dearest_edges(graph, macs)
    free = {node.name: 0 for node in graph.controls}
    way = np.array([[edges[node.name] for node in graph.controls]], np.int64)
    return float(route_macs(graph, {**macs, **free}, way)[0])
