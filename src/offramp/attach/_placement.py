"""Where exits go: four rules that spread them over the work of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Literal, get_args

from offramp.errors import CaptureError, OptionError

Rule = Literal["fine", "pareto", "linear", "golden"]
RULES: tuple[Rule, ...] = get_args(Rule)

_PHI = (1 + sqrt(5)) / 2
_THRESHOLDS: Mapping[Rule, Callable[[int, int], float]] = {
    "fine": lambda exit, count: 1 - 0.95 ** (exit + 1),
    "pareto": lambda exit, count: 1 - 0.8 ** (exit + 1),
    "linear": lambda exit, count: (exit + 1) / (count + 1),
    "golden": lambda exit, count: _PHI ** (exit - count),
}


def place(macs_before: Sequence[int], total: int, count: int, rule: Rule) -> list[int]:
    """Positions of `count` exits: each at the first place, not yet taken, before which enough work is done.

    "fine" asks for 5 % of what remains after the last threshold, "pareto" for 20 %, "linear" for equal parts, and
    with "golden" the parts grow by the golden ratio.

    Args:
        macs_before: Multiply-accumulates done before each place, in order.
        total: Multiply-accumulates of the whole network.
        count: Number of exits, 0 or more.
        rule: "fine", "pareto", "linear" or "golden".

    Returns:
        Positions in `macs_before`, counted from 0, rising.

    Raises:
        OptionError: There is no such rule, or the count is negative.
        CaptureError: Fewer than `count` exits fit.

    Example:
        >>> place([10, 20, 30, 40], 50, 2, "linear")
        [1, 3]

    Reference:
        Demir and Akbas, "Early-exit Convolutional Neural Networks", arXiv 2409.05336, 2024, distribution of the exits.
        There every operation counts; here multiply-accumulates alone.
    """
    if rule not in _THRESHOLDS or not isinstance(count, int) or count < 0:
        raise OptionError(
            f"a placement needs count >= 0 and one of {', '.join(RULES)}, but got {count} and {rule!r}. "
            "Cut points are named by `placement`."
        )
    placed: list[int] = []
    for at, macs in enumerate(macs_before):
        if len(placed) < count and macs >= _THRESHOLDS[rule](len(placed), count) * total:
            placed.append(at)
    if len(placed) < count:
        raise CaptureError(
            f"{count} exits by rule {rule!r} do not fit: only {len(placed)} of {len(macs_before)} cut points come late "
            f"enough. Ask for {len(placed)} exits, or name the cut points."
        )
    return placed
