"""What loaders are asked."""

from __future__ import annotations

import pytest

from offramp.data._query import Query


@pytest.mark.parametrize(
    ("part", "wish", "preferred"), [(None, "train", "train"), (None, "test", "test"), ("val", "train", "val")]
)
def test_a_demanded_part_beats_a_wished_one(part: str | None, wish: str, preferred: str) -> None:
    assert Query(place="", part=part, wish=wish).preferred == preferred
