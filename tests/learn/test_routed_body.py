"""Bodies that only some of the samples reach."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp.learn._routed_body import FEWEST, RoutedBody


@pytest.mark.parametrize("rows", [1, FEWEST - 1])
def test_too_few_rows_are_normalized_by_what_was_seen_before(rows: int) -> None:
    norm = nn.BatchNorm1d(3)
    norm.running_mean.fill_(2.0)  # type: ignore[union-attr]  # tracked
    body = RoutedBody(nn.Sequential(norm, nn.Dropout(0.0))).train()
    before = {name: value.clone() for name, value in body.state_dict().items()}
    given = body(torch.ones(rows, 3))
    torch.testing.assert_close(given, torch.full((rows, 3), -1.0), atol=1e-4, rtol=0)
    assert all(torch.equal(value, before[name]) for name, value in body.state_dict().items())
    assert norm.training


def test_enough_rows_are_normalized_by_themselves() -> None:
    plain, body = nn.BatchNorm1d(3), RoutedBody(nn.BatchNorm1d(3))
    x = torch.randn(FEWEST, 3)
    torch.testing.assert_close(body(x), plain(x))
    torch.testing.assert_close(body.body.running_mean, plain.running_mean)


def test_in_eval_mode_nothing_changes() -> None:
    body = RoutedBody(nn.BatchNorm1d(3)).eval()
    body(torch.ones(1, 3))
    assert not body.body.training


@pytest.mark.parametrize("apart", [True, False])
def test_apart_no_gradient_flows_back(apart: bool) -> None:
    x = torch.ones(2, 3, requires_grad=True)
    RoutedBody(nn.Linear(3, 1), apart=apart)(x).sum().backward()
    assert (x.grad is None) == apart


@pytest.mark.parametrize("exact", [True, False])
def test_exact_bodies_compute_in_full_precision(exact: bool) -> None:
    layer = nn.Linear(3, 2)
    x = torch.randn(4, 3).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        given = RoutedBody(layer, exact=exact)(x)
    assert given.dtype == (torch.float32 if exact else torch.bfloat16)
    if exact:
        torch.testing.assert_close(given, layer(x.float()))
