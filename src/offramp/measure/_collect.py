"""From a runtime and samples to evidence: one dense pass, in which every exit answers every sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from offramp.errors import EvidenceError, OptionError
from offramp.graph import Gate
from offramp.run import as_samples, digest_rows

from ._evidence import Evidence

if TYPE_CHECKING:
    from offramp.run import DenseAnswer, DenseRuntime


def evidence(
    runtime: DenseRuntime,
    samples: Any,  # Any: as `run.as_samples` takes them
    *,
    gates: Mapping[str, Gate],
    batch: int = 64,
    reference: NDArray[np.int64] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Evidence:
    """What every exit of a network says about every sample.

    Args:
        runtime: Gives the logits of all exits and all scores of a batch; take the engine and precision that ship.
        samples: An array, a tensor, a pair (inputs, labels), a torch Dataset or DataLoader, or `Samples`, whose ids
            and labels the evidence keeps; see `run.as_samples`.
        gates: Name of each score to keep -> its direction and extremes.
        batch: Samples per call.
        reference: [S] answers of the original float network; without them those of the runtime's final exit.
        progress: Called with the number of samples of each finished batch.

    Returns:
        The evidence about all samples.

    Raises:
        OptionError: `batch` is not positive.
        EvidenceError: No samples, a score is missing, or logits are not finite.
    """
    if batch < 1:
        raise OptionError(f"batch must be at least 1, but is {batch}. Choose 64 if in doubt.")
    samples = as_samples(samples)
    predictions: list[NDArray[np.int64]] = []
    contents: list[NDArray[np.uint64]] = []
    scores: dict[str, list[NDArray[np.float32]]] = {name: [] for name in gates}
    for start in range(0, len(samples), batch):
        inputs = samples.take(slice(start, min(start + batch, len(samples))))
        contents.append(digest_rows(inputs))
        answer = runtime(inputs)
        _check(answer, gates, start)
        predictions.append(np.argmax(answer.logits, axis=2).astype(np.int64))
        for name, parts in scores.items():
            parts.append(answer.scores[name])
        if progress is not None:
            progress(len(answer.logits))
    if not predictions:
        raise EvidenceError("evidence must come from at least one sample, but there is none. Give more samples.")
    answers = np.concatenate(predictions)
    return Evidence(
        ids=samples.ids,
        predictions=answers,
        scores={name: np.concatenate(parts) for name, parts in scores.items()},
        gates=gates,
        reference=answers[:, -1] if reference is None else reference,
        labels=samples.labels,
        contents=np.concatenate(contents),
    )


def _check(answer: DenseAnswer, gates: Mapping[str, Gate], start: int) -> None:
    """Refuses answers from which no decision can be made."""
    missing = sorted(set(gates) - set(answer.scores))
    if missing:
        raise EvidenceError(
            f"the runtime must give the scores {missing}, but gives {sorted(answer.scores)}. Export it with them."
        )
    broken = np.flatnonzero(~np.isfinite(answer.logits).all(axis=(1, 2)))
    if broken.size:
        raise EvidenceError(
            f"logits must be finite, but sample {start + broken[0]} has others. Look at its input, then at the network."
        )
