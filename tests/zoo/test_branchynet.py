"""The trunks of BranchyNet; their graphs are tested in tests/attach/test_branchynet.py."""

from __future__ import annotations

import pytest
import torch

from offramp.measure.torch import count
from offramp.zoo import ZOO


@pytest.mark.parametrize(("name", "macs"), [("b_lenet", 1.140e6), ("b_alexnet", 28.25e6), ("b_resnet110", 232.4e6)])
def test_the_trunks_cost_what_the_published_code_costs(name: str, macs: float) -> None:
    entry = ZOO[name]
    assert count(entry.build(10), torch.zeros(1, *entry.shape)) == pytest.approx(macs, rel=5e-4)  # all digits known
