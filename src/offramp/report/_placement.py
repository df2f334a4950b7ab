"""Which of the candidates stay, and what the alternatives would cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHOWN = 12  # choices


def describe_placement(placement: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON, jinja reads it
    """The placement of a result with what its tables show besides.

    Args:
        placement: As `result.json` holds it.
    """
    always = set(placement.get("always", []))  # older results have none
    costs = {frozenset(one["kept"]): one["relative"] for one in placement["trials"]}
    candidates = [
        {**one, "alone": costs[frozenset({at, *always})], "stays": at in placement["kept"]}
        for at, one in enumerate(placement["candidates"])
    ]
    trials = [(_name(one["kept"], candidates), one) for one in placement["trials"][:SHOWN]]
    return {**placement, "candidates": candidates, "trials": trials, "about": _explain(placement)}


def _name(kept: list[int], candidates: list[dict[str, Any]]) -> str:  # Any: JSON
    return ", ".join(f"{candidates[at]['cut']} ({candidates[at]['head']})" for at in kept) or "none"


def _explain(placement: Mapping[str, Any]) -> str:  # Any: JSON
    """How the choice was made."""
    how = f"timed at batch {placement['batch']}" if placement["judged_by"] == "time" else "counted in MACs"
    loss = placement["allowed_loss"]
    goal = "within the budget" if loss is None else f"with at most {100 * loss:.2f} % lost"
    return (
        f"All candidates were trained together, and {placement['tried']:,} choices among them compared on the tuning "
        f"samples {goal}. Shares are of the network alone, {how}; a sample pays each head and gate that it passes. "
        "An exit that saves no more than chance explains is left out. "
        "Alone is what a sample is expected to cost if no other candidate stays"
        f"{' but those that always do' if placement.get('always') else ''}."
    )
