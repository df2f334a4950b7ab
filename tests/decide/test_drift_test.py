from __future__ import annotations

import pytest

from offramp.decide import DriftTest
from offramp.errors import OptionError


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"alpha": 1.0}, {"confidence": 95.0}, {"confidence": float("nan")}])
def test_shares_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(wrong))} must lie between 0 and 1"):
        DriftTest(**wrong)  # type: ignore[arg-type]  # a name of either


def test_nothing_is_promised_unless_said() -> None:
    assert DriftTest().target is None
