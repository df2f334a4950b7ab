"""Which numbers options take: one table, looked at before any work."""

from __future__ import annotations

from collections.abc import Mapping

from offramp.errors import OptionError

SMALLEST = 1e-9  # of a share: one in a billion samples is more than anybody has
LARGEST = 1e9  # of a pixel, a threshold, or what they are divided by

# Inclusive. The upper ends are far beyond use, and below what numbers of 32 or 64 bits hold.
RANGES: Mapping[str, tuple[float, float]] = {
    "alpha": (SMALLEST, 1 - SMALLEST),
    "batch": (1, 2**16),
    "confidence": (SMALLEST, 1 - SMALLEST),
    "epochs": (1, 10**6),
    "exits": (1, 10**4),
    "mixup": (0, 1),
    "price": (0, 10**6),
    "samples": (1, 2**53),
    "seed": (0, 2**63 - 1),
    "sample_weighting": (0, 1),
    "threads": (1, 1024),
}


def find_outside(**given: float | None) -> list[str]:
    """Those that lie outside the range of their option, each as a part of a sentence; None lies inside.

    Example:
        >>> find_outside(threads=0, batch=8, training_threads=None)
        ['--threads 0 (1 to 1024)']
    """
    found = []
    for name, value in given.items():
        if value is None:
            continue
        low, high = RANGES[name]
        if not low <= value <= high:  # NaN lies nowhere
            found.append(f"--{name.replace('_', '-')} {value} ({low:g} to {high:.17g})")
    return found


def check_ranges(**given: float | None) -> None:
    """Refuse numbers outside the ranges of their options, all at once.

    Raises:
        OptionError: There are some.
    """
    refuse(find_outside(**given))


def refuse(wrong: list[str]) -> None:
    """Refuse options, if any are wrong.

    Args:
        wrong: Each with its value and what it may be.

    Raises:
        OptionError: There are some.
    """
    if wrong:
        raise OptionError(f"options must lie in their range, but these do not: {', '.join(wrong)}. Change them.")
