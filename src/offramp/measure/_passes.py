"""Evidence from the file that ships: one pass per exit, with thresholds that send everybody there.

Shape letters: E exits with the final one, N = E - 1 early exits, S samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from offramp.errors import EvidenceError, OptionError
from offramp.graph import Gate
from offramp.run import as_samples, digest_rows

from ._evidence import Evidence

if TYPE_CHECKING:
    from offramp.run import Answer, Runtime


def evidence_by_passes(
    runtime: Runtime,
    samples: Any,  # Any: as `run.as_samples` takes them
    *,
    batch: int = 64,
) -> Evidence:
    """What every exit of a conditional network says about every sample, without its dense twin.

    Pass i stops nobody before exit i and everybody there; the last stops nobody, and its answers are the reference. A
    score that stops at no threshold, such as a NaN, is kept as NaN, and the final answer stands in for that exit's.

    Args:
        runtime: Of the engine and precision that ship.
        samples: As for `evidence`.
        batch: Samples per call.

    Returns:
        Evidence of the one score that the gates compare.

    Raises:
        OptionError: `batch` is not positive.
        EvidenceError: No samples, logits are not finite, or the network is no chain of early exits with one score.
    """
    if batch < 1:
        raise OptionError(f"batch must be at least 1, but is {batch}. Choose 64 if in doubt.")
    samples = as_samples(samples)
    if not len(samples):
        raise EvidenceError("evidence must come from at least one sample, but there is none. Give more samples.")
    score, gates = _gates(runtime)
    passes = _passes(gates)
    predictions = np.empty((len(samples), len(passes)), np.int64)
    scores = np.empty((len(samples), len(gates)), np.float32)
    contents = np.empty(len(samples), np.uint64)
    for start in range(0, len(samples), batch):
        rows = slice(start, min(start + batch, len(samples)))
        inputs = samples.take(rows)
        answers = [runtime(inputs, limits) for limits in passes]
        predictions[rows], scores[rows] = _read(answers, start)
        contents[rows] = digest_rows(inputs)
    return Evidence(
        ids=samples.ids,
        predictions=predictions,
        scores={score: scores},
        gates={score: gates[0]},
        reference=predictions[:, -1],
        labels=samples.labels,
        contents=contents,
    )


def _gates(runtime: Runtime) -> tuple[str, list[Gate]]:
    """The score that the gates compare, and one gate per early exit."""
    card = runtime.card
    told = card["gates"]
    names = {gate["score"] for gate in told}
    if len(told) != len(card["exits"]) - 1 or len(card["controls"]) != len(told) or len(names) != 1:
        raise EvidenceError(
            f"passes need one gate per early exit and one score, but the network has {len(card['exits']) - 1} early "
            f"exits, {len(told)} gates and the scores {sorted(names)}. Collect evidence from its dense file."
        )
    gates = [Gate(**{name: gate[name] for name in ("direction", "stop_all", "stop_none")}) for gate in told]
    return names.pop(), gates


def _passes(gates: list[Gate]) -> list[NDArray[np.float32]]:
    """[E][N] the thresholds of each pass."""
    nobody = np.array([gate.stop_none for gate in gates], np.float32)
    passes = []
    for place, gate in enumerate(gates):
        limits = nobody.copy()
        limits[place] = gate.stop_all
        passes.append(limits)
    return [*passes, nobody]


def _read(answers: list[Answer], start: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """[B, E] predictions and [B, N] scores of one batch."""
    final = len(answers) - 1
    taken = np.stack([answer.exit for answer in answers], axis=1)
    strange = (taken != np.arange(final + 1)) & (taken != final)
    broken = ~np.isfinite(np.stack([answer.logits for answer in answers], axis=1)).all(axis=(1, 2))
    for rows, what in ((strange.any(axis=1), "leaves where no gate stopped it"), (broken, "has logits not finite")):
        if rows.any():
            raise EvidenceError(
                f"every exit must answer when asked, but sample {start + int(np.argmax(rows))} {what}. "
                "Look at its input, then at the network."
            )
    predictions = np.stack([np.argmax(answer.logits, axis=1) for answer in answers], axis=1)
    scores = np.stack([answer.score for answer in answers[:-1]], axis=1)
    return predictions, np.where(taken[:, :-1] == np.arange(final), scores, np.float32(np.nan))
