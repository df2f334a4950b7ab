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
        values: [G, B] values Q(s, a) of the edges that were opened; anything where a control node did not run.
        ran: [G, B] True where a control node ran.
        answers: [B] int64 classes.
        efficiency: [B] 1 minus the compute that was spent, as a share of the most that can be.
    """

    values: Tensor
    ran: Tensor
    answers: Tensor
    efficiency: Tensor


def turn_one(route: Tensor, edges: Sequence[int]) -> Tensor:
    """The edges of a way on which one control node of each sample, drawn among those that ran, opens another edge.

    Args:
        route: [G, B] int64 the edges that were opened; the number of edges where a control node did not run.
        edges: [G] number of edges of each control node.

    Returns:
        Edges [G, B] int64; -1 where a control node did not run: should it run now, it chooses for itself.
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
        first: What the samples did; those of a mini-bag stand side by side.
        second: What the same samples did on other ways.
        bag: M, the number of samples of a mini-bag.

    Returns:
        Mini-bags in which one sample is exchanged.
    """
    return Acts(
        values=swap_rows(first.values, second.values, bag),
        ran=swap_rows(first.ran, second.ran, bag),
        answers=swap_rows(first.answers, second.answers, bag),
        efficiency=swap_rows(first.efficiency, second.efficiency, bag),
    )


def swap_rows(first: Tensor, second: Tensor, bag: int) -> Tensor:
    """The same for two tensors.

    Args:
        first: [..., B] values; those of a mini-bag stand side by side.
        second: [..., B] other values of the same samples.
        bag: M, the number of samples of a mini-bag.

    Returns:
        Values [..., B M].

    Example:
        >>> swap_rows(torch.tensor([1, 2, 3, 4]), torch.tensor([10, 20, 30, 40]), 2)
        tensor([10,  2,  1, 20, 30,  4,  3, 40])
    """
    lead = first.shape[:-1]
    one, other = (tensor.view(*lead, -1, 1, bag).expand(*lead, -1, bag, bag) for tensor in (first, second))
    return torch.where(torch.eye(bag, dtype=torch.bool, device=first.device), other, one).reshape(*lead, -1)
