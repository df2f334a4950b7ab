"""What every score that learns refuses."""

from __future__ import annotations

import pytest
import torch

from offramp.errors import LearnError
from offramp.nn.scores._fitting import check_fitted, check_rows


def test_a_score_that_is_not_fitted_does_not_answer() -> None:
    check_fitted("luck", lambda: True)
    with pytest.raises(LearnError, match="the luck score must be fitted before it answers"):
        check_fitted("luck", lambda: False)


@pytest.mark.parametrize("rows", [torch.zeros(0, 3), torch.tensor([[0.0, float("nan")]]), torch.tensor([[torch.inf]])])
def test_nothing_can_be_fitted_to_no_rows_or_to_some_that_are_not_finite(rows: torch.Tensor) -> None:
    with pytest.raises(LearnError, match=f"the luck score needs finite rows to fit, but got {len(rows)}"):
        check_rows("luck", rows)


@pytest.mark.parametrize("far", [0.0, torch.finfo(torch.float32).max])
def test_finite_rows_pass_however_large(far: float) -> None:
    rows = torch.full((1, 1), far)
    check_rows("luck", rows)
    with pytest.raises(LearnError, match="1"):
        check_rows("luck", torch.cat([rows, torch.full((1, 1), torch.inf)]))
