"""Tests of making operations out of place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx
from torch.nn import functional as F

from offramp.capture._inplace import make_out_of_place

pytestmark = pytest.mark.tracing


def add_assign(x: Tensor) -> Tensor:
    y = x * 1
    y += 3
    return y


def method(x: Tensor) -> Tensor:
    y = x * 1
    y.clamp_(min=0)
    return y


def function(x: Tensor) -> Tensor:
    y = x * 1
    torch.relu_(y)
    return y


def keyword(x: Tensor) -> Tensor:
    y = x * 1
    F.hardtanh(y, inplace=True)
    return y


def read_before(x: Tensor) -> Tensor:
    y = x * 1
    before = y * 2
    y.neg_()
    return before + y


@pytest.mark.parametrize("work", [add_assign, method, function, keyword, read_before])
def test_the_result_is_the_same_and_nothing_is_overwritten(work: Callable[[Tensor], Tensor]) -> None:
    module = fx.symbolic_trace(work)
    make_out_of_place(module.graph)
    module.recompile()
    x = torch.randn(4, 3)
    torch.testing.assert_close(module(x), work(x))
    values: list[tuple[Tensor, Tensor]] = []

    class Watcher(fx.Interpreter):
        def run_node(self, n: fx.Node) -> object:
            result = super().run_node(n)
            values.append((result, result.clone()))
            return result

    Watcher(module).run(x)
    assert all(torch.equal(now, then) for now, then in values)
