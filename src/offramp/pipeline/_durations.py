"""Durations, as people say them."""

from __future__ import annotations


def tell_seconds(seconds: float) -> str:
    """A duration as people say it.

    Example:
        >>> tell_seconds(0.31), tell_seconds(42.4), tell_seconds(200), tell_seconds(9000)
        ('0.3 s', '42 s', '3 min 20 s', '2 h 30 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def tell_about(seconds: float) -> str:
    """A duration that is only estimated.

    Example:
        >>> tell_about(4), tell_about(50), tell_about(700), tell_about(7400)
        ('a few seconds', 'about 50 seconds', 'about 12 minutes', 'about 2.1 hours')
    """
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"about {10 * round(seconds / 10)} seconds"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"
