"""What the samples of a step did and what came of it, and mini-bags in which one of them did something else.

Shape letters: G control nodes, B batch, N mini-bags of M = B / N samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """The way of each sample through the graph.

    Attributes:
        values: [G, B] Q(s, a) of the edges that were opened; anything where a control node did not run.
        ran: [G, B] True where it did.
        answers: [B] int64 classes.
        efficiency: [B] 1 - what was spent as a share of what can be.
    """

    values: Tensor
    ran: Tensor
    answers: Tensor
    efficiency: Tensor


def turn_one(route: Tensor, edges: Sequence[int]) -> Tensor:
    """[G, B] the edges of a way on which one control node of each sample, drawn among those that ran, opens another.

    Args:
        route: [G, B] int64 the edges that were opened; the number of edges where a control node did not run. It gets
            -1: should it run now, it chooses for itself.
        edges: [G] how many each control node has.
    """
    counts = torch.tensor(edges)[:, None]
    ran = route < counts
    drawn = torch.where(ran, torch.rand(route.shape), -1.0).argmax(dim=0)
    steps = (1 + torch.rand(route.shape) * (counts - 1)).long()  # to another edge, each alike
    other = (route + steps) % counts
    chosen = torch.where(torch.arange(len(edges))[:, None] == drawn, other, route)
    return torch.where(ran, chosen, -1)


def swap(first: Acts, second: Acts, bag: int) -> Acts:
    """The mini-bags of `first`, once for each of their samples, with that sample as in `second`: B becomes B M.

    Args:
        first: Samples of a mini-bag stand side by side.
        second: The same samples on other ways.
        bag: M.
    """
    return Acts(
        values=swap_rows(first.values, second.values, bag),
        ran=swap_rows(first.ran, second.ran, bag),
        answers=swap_rows(first.answers, second.answers, bag),
        efficiency=swap_rows(first.efficiency, second.efficiency, bag),
    )


def swap_rows(first: Tensor, second: Tensor, bag: int) -> Tensor:
    """[..., B M] of two tensors [..., B], as `swap` does it.

    Example:
        >>> swap_rows(torch.tensor([1, 2, 3, 4]), torch.tensor([10, 20, 30, 40]), 2)
        tensor([10,  2,  1, 20, 30,  4,  3, 40])
    """
    lead = first.shape[:-1]
    one, other = (tensor.view(*lead, -1, 1, bag).expand(*lead, -1, bag, bag) for tensor in (first, second))
    return torch.where(torch.eye(bag, dtype=torch.bool, device=first.device), other, one).reshape(*lead, -1)
