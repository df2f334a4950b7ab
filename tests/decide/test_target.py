from __future__ import annotations

import pytest

from offramp.decide import Kind, Target, quality_for
from offramp.errors import OptionError


@pytest.mark.parametrize(("kind", "quality"), [("agreement", "agreement"), ("harm", "harm"), ("net", "accuracy")])
def test_a_frontier_keeps_what_is_promised(kind: Kind, quality: str) -> None:
    assert quality_for(kind) == quality


def test_a_promise_of_no_share_is_refused() -> None:
    with pytest.raises(OptionError, match="max_loss"):
        Target(max_loss=1.5)
