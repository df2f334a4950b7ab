"""How many examples a property is tried on: all of them in `make test-all`, a quarter in `make test`.

`tests/conftest.py` registers the two profiles of Hypothesis and makes the quick one the default.
"""

from __future__ import annotations

from hypothesis import settings

QUICK, FULL = 25, 100  # examples of a property that names no number


def register_profiles() -> None:
    """Make the quick profile the default; `--hypothesis-profile=full` asks for the other."""
    settings.register_profile("full", max_examples=FULL)
    settings.register_profile("quick", max_examples=QUICK)
    settings.load_profile("quick")


def some(full: int) -> int:
    """The examples to try in the profile that is loaded, for a property that is tried on so many in the full one."""
    assert settings.default is not None, "conftest loads a profile"
    return max(1, full * settings.default.max_examples // FULL)
