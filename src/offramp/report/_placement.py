"""Which of the candidates stay, and what the alternatives would cost."""

from __future__ import annotations

from typing import Any

from offramp.store.record import CandidateRecord, PlacementRecord

SHOWN = 12  # choices


def tabulate_placement(placement: PlacementRecord) -> dict[str, Any]:  # Any: jinja reads it
    """The placement of a result with what its tables show besides.

    Args:
        placement: Of a run.
    """
    costs = {frozenset(one.kept): one.relative for one in placement.trials}
    candidates = [
        {**one.model_dump(), "alone": costs[frozenset({at, *placement.always})], "stays": at in placement.kept}
        for at, one in enumerate(placement.candidates)
    ]
    trials = [(_name(one.kept, placement.candidates), one) for one in placement.trials[:SHOWN]]
    return {"kept": placement.kept, "candidates": candidates, "trials": trials, "about": _explain(placement)}


def describe_placement(placement: PlacementRecord, *, expected: bool = True) -> str:
    """Why these exits, in a sentence.

    Args:
        placement: Of a run.
        expected: Whether the point is the one that was expected when they were chosen; else no figure is told.
    """
    candidates, best, by = placement.candidates, placement.trials[0], placement.judged_by
    kept = [f"{candidates[at].head} at {candidates[at].cut}" for at in placement.kept]
    everything = next(one for one in placement.trials if len(one.kept) == len(candidates))
    names = " and ".join(kept) if kept else "none"
    stays = f"Of {len(candidates)} candidates {names} {'stay' if len(kept) > 1 else 'stays'}"
    if not expected:
        return f"{stays}."
    return (
        f"{stays}: {best.relative:.2f} of the network's {by} is expected, with all of them {everything.relative:.2f}."
    )


def _name(kept: tuple[int, ...], candidates: tuple[CandidateRecord, ...]) -> str:
    return ", ".join(f"{candidates[at].cut} ({candidates[at].head})" for at in kept) or "none"


def _explain(placement: PlacementRecord) -> str:
    """How the choice was made."""
    how = f"timed at batch {placement.batch}" if placement.judged_by == "time" else "counted in MACs"
    loss = placement.allowed_loss
    goal = "within the budget" if loss is None else f"with at most {100 * loss:.2f} % lost"
    return (
        f"All candidates were trained together, and {placement.tried:,} choices among them compared on the tuning "
        f"samples {goal}. Shares are of the network alone, {how}; a sample pays each head and gate that it passes. "
        "An exit that saves no more than chance explains is left out. "
        "Alone is what a sample is expected to cost if no other candidate stays"
        f"{' but those that always do' if placement.always else ''}."
    )
