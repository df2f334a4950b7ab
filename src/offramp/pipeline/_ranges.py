"""Which numbers arguments take: one table, looked at before any work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from offramp.errors import OptionError

SMALLEST = 1e-9  # of a share: one in a billion samples is more than anybody has
LARGEST = 1e9  # of a pixel, a threshold, or what they are divided by

# Inclusive. The upper ends are far beyond use, and below what numbers of 32 or 64 bits hold.
RANGES: Mapping[str, tuple[float, float]] = {
    "alpha": (SMALLEST, 1 - SMALLEST),
    "batch": (1, 2**16),
    "confidence": (SMALLEST, 1 - SMALLEST),
    "count": (1, 10**4),
    "epochs": (1, 10**6),
    "mixup": (0, 1),
    "price": (0, 10**6),
    "sample_weighting": (0, 1),
    "samples": (1, 2**53),
    "seed": (0, 2**63 - 1),
    "threads": (1, 1024),
}
Wrong = Mapping[str, str]  # name of an argument -> its value and what it may be


def find_outside(owner: str, /, **given: float | None) -> Wrong:
    """Those that lie outside the range of their argument, each with a part of a sentence; None lies inside.

    Args:
        owner: The argument that they are parts of, such as "engine"; empty if they are arguments themselves.
        **given: Numbers by name.

    Example:
        >>> find_outside("engine", threads=0, batch=8)
        {'engine.threads': '0 (1 to 1024)'}
    """
    found = {}
    for name, value in given.items():
        low, high = RANGES[name]
        if value is not None and not low <= value <= high:  # NaN lies nowhere
            found[_join(owner, name)] = f"{value} ({low:g} to {high:.17g})"
    return found


def find_unknown(owner: str, allowed: Mapping[str, Sequence[str]], **given: str) -> Wrong:
    """Words that are not among those that their argument knows, as for `find_outside`.

    Args:
        owner: As for `find_outside`.
        allowed: By name, the words.
        **given: Words by name.

    Example:
        >>> find_unknown("engine", {"name": ("openvino", "onnxruntime")}, name="abacus")
        {'engine.name': 'abacus (openvino or onnxruntime)'}
    """
    return {
        _join(
            owner, name
        ): f"{word} ({' or '.join(allowed[name]) if len(allowed[name]) == 2 else ', '.join(allowed[name])})"
        for name, word in given.items()
        if word not in allowed[name]
    }


def _join(owner: str, name: str) -> str:
    return f"{owner}.{name}" if owner else name


def check_ranges(**given: float | None) -> None:
    """Refuse numbers outside the ranges of their arguments, all at once.

    Raises:
        OptionError: There are some.
    """
    refuse(find_outside("", **given))


def refuse(wrong: Wrong) -> None:
    """Refuse arguments, if any are wrong.

    Args:
        wrong: By name, its value and what it may be.

    Raises:
        OptionError: There are some.
    """
    if wrong:
        told = ", ".join(f"{name} {value}" for name, value in wrong.items())
        raise OptionError(
            f"options must lie in their range, but these do not: {told}. Change them.", about=tuple(wrong)
        )
