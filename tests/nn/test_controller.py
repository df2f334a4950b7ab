"""A controller that sees features and an answer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp.nn import Controller


@pytest.mark.parametrize(("classes", "edges"), [(2, 2), (10, 3)])
def test_it_gives_one_value_per_edge(classes: int, edges: int) -> None:
    controller = Controller(nn.Linear(4, edges), classes, edges=edges)
    assert controller(torch.zeros(3, 4), torch.zeros(3, classes)).shape == (3, edges)


def test_it_sees_how_sure_the_answer_is_but_not_which_class_it_is() -> None:
    torch.manual_seed(0)
    controller = Controller(nn.Linear(4, 2), 5)
    x, logits = torch.rand(1, 4), torch.tensor([[3.0, 1.0, 0.0, -1.0, 2.0]])
    values = controller(x, logits)
    torch.testing.assert_close(values, controller(x, logits.flip(1)))
    assert not torch.allclose(values, controller(x, 2 * logits))
    assert not torch.allclose(values, controller(2 * x, logits))


def test_nothing_flows_back_into_the_head() -> None:
    logits = torch.rand(2, 5, requires_grad=True)
    x = torch.rand(2, 4, requires_grad=True)
    Controller(nn.Linear(4, 2), 5)(x, logits).sum().backward()
    assert logits.grad is None
    assert x.grad is not None


def test_further_inputs_go_to_the_features() -> None:
    class Masked(nn.Module):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return (x * mask)[:, :2]

    controller = Controller(Masked(), 3)
    x, logits = torch.rand(2, 4), torch.zeros(2, 3)
    difference = controller(x, torch.ones(2, 4), logits) - controller(x, torch.zeros(2, 4), logits)
    torch.testing.assert_close(difference, x[:, :2])
