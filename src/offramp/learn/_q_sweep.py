"""One network per price of compute, each starting from the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from offramp.errors import OptionError
from offramp.graph import Graph
from offramp.run import Samples

from ._q import q
from ._q_settings import QSettings

WARM_EPSILON = 0.5  # where training starts from a trained network: the price is new, the nodes are not


def q_sweep(
    graph: Graph,
    samples: Samples,
    settings: QSettings | None = None,
    *,
    accuracy_weights: Sequence[float],
    folder: Path | None = None,
    progress: bool | None = None,
) -> Iterator[tuple[float, Graph]]:
    """Pairs of lambda and the graph trained for it by `learn.q`, from the highest lambda to the lowest.

    The first starts from the weights that the graph has; each other one from the one before, without warm epochs and
    with half of the edges random at most. With a folder every training keeps where it stands, so that a killed sweep
    goes on where it was, with the same result. A teacher is the graph as it was at the start of each training; with
    regular nodes that learn it moves from one to the next.

    Args:
        graph: Graph with control nodes that have bodies; it is not changed.
        samples: Samples to learn from, at least one batch, with labels unless a teacher judges.
        settings: How every network learns, except for lambda; None for the defaults.
        accuracy_weights: All lambdas, each in [0, 1] and once; their order does not matter.
        folder: Folder of the checkpoints; a sweep that was killed goes on from what lies there. None keeps nothing.
        progress: True draws a bar on stderr, False does not, None does so on a terminal.

    Yields:
        Lambda, and the graph that was trained for it.

    Raises:
        OptionError: There is no lambda, one twice, or one outside [0, 1].
        LearnError: No control node can learn, or there are too few samples; the folder holds another sweep; a loss is
            not finite.

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks", AAAI 2018, arXiv 1701.00299: lambda fixes the operating point, one
        model each. Starting from the one before is ours.
    """
    settings = settings or QSettings()
    given = sorted(accuracy_weights, reverse=True)
    if not given or len(set(given)) < len(given):
        raise OptionError(f"a sweep needs different lambdas, but got {list(accuracy_weights)}. Give each of them once.")
    chosen = [replace(settings, accuracy_weight=given[0])]
    epsilon = min(settings.epsilon_first, max(WARM_EPSILON, settings.epsilon_last))
    chosen += [replace(settings, accuracy_weight=one, warm_epochs=0, epsilon_first=epsilon) for one in given[1:]]
    return _train(graph, samples, chosen, folder=folder, progress=progress)


def _train(
    graph: Graph, samples: Samples, chosen: Sequence[QSettings], *, folder: Path | None, progress: bool | None
) -> Iterator[tuple[float, Graph]]:
    for settings in chosen:
        file = None if folder is None else folder / f"q-{settings.accuracy_weight:g}.ckpt"
        graph = q(graph, samples, settings, checkpoint=file, resume=file is not None, progress=progress)
        yield settings.accuracy_weight, graph
