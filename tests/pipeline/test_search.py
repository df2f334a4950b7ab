from __future__ import annotations

from typing import Any

import pytest

from offramp.errors import OptionError
from offramp.pipeline import Search


@pytest.mark.parametrize(
    ("given", "says"), [({"name": "luck"}, "frontier or screening"), ({"grid": (0.5,)}, "need search.name screening")]
)
def test_a_search_that_is_none_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        Search(**given)


def test_a_screening_may_have_thresholds_or_shares() -> None:
    assert Search(name="screening", grid=(0.1,)).shares is None
    assert Search(name="screening", shares=(0.8,)).grid is None
