"""The parts that benchmarks are made of are public, and each says what it is."""

from __future__ import annotations

import inspect

import pytest

from offramp.pipeline import parts

NAMES = sorted(name for name in vars(parts) if not name.startswith("_") and name != "INT8_FALLBACK")


@pytest.mark.parametrize("name", NAMES)
def test_every_part_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(parts, name))
