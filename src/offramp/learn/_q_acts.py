"""What the samples of a step did and what came of it, and mini-bags in which one of them did something else.

Shape letters: G control nodes, B batch, N mini-bags of M = B / N samples.
"""

from __future__ import annotations

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
