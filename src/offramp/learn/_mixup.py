"""Mixtures of samples, on which a full network's answers teach more than on its own training samples.

A network is nearly always right, and sure, about what it was trained on; exits that learn from its answers there learn
labels, and remember them. Its answer to a mixture of two samples was never a label.

Shape letters: B batch, C channels, H W space.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from offramp.errors import LearnError


def mixup(batch: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """The batch with some of its samples mixed with another one of it, drawn from PyTorch's generator.

    Half of the mixtures are blends; in the other half a rectangle is taken from the other sample, which only pictures
    [B, C, H, W] can be: anything else is always blended. All inputs of a sample are mixed alike.

    Args:
        batch: Floating-point inputs by name, the batch first.
        share: Chance of each sample to be mixed, in [0, 1].

    Returns:
        Tensors of the same shapes.

    Raises:
        LearnError: An input holds whole numbers: there is nothing between two tokens.

    Reference:
        Zhang et al., "mixup", ICLR 2018, for blends, with weights drawn evenly; Yun et al., "CutMix", ICCV 2019,
        section 3.1, for rectangles; Beyer et al., "Knowledge Distillation: A Good Teacher Is Patient and Consistent",
        CVPR 2022, for a teacher and a student that see the same mixture.
    """
    if share == 0 or not batch:
        return dict(batch)
    for name, x in batch.items():
        if not x.is_floating_point():
            raise LearnError(
                f"only floating-point inputs can be mixed, but '{name}' is {str(x.dtype).removeprefix('torch.')}. "
                "Set mixup to 0."
            )
    first = next(iter(batch.values()))
    count, device = len(first), first.device
    partner = torch.randperm(count, device=device)
    chosen, cut = torch.rand(2, count, device=device).lt(torch.tensor([[share], [0.5]], device=device))
    weight = torch.rand(count, device=device)
    place = torch.rand(2, count, device=device)
    mixed = {}
    for name, x in batch.items():
        other = x[partner]
        blend = torch.lerp(other, x, _along(weight, x))
        if x.dim() == 4:
            inside = _rectangles(place, weight, x.shape[-2:])
            blend = torch.where(_along(cut, x), torch.where(inside, other, x), blend)
        mixed[name] = torch.where(_along(chosen, x), blend, x)
    return mixed


def _rectangles(place: Tensor, weight: Tensor, size: torch.Size) -> Tensor:
    """[B, 1, H, W] True inside; each about (1 - weight) of the picture, less what lies outside of it.

    Args:
        place: [2, B] of the middle, as a share of height and width.
        weight: [B] share that remains of the sample.
        size: (H, W).
    """
    half = (1 - weight).sqrt() / 2
    within: list[Tensor] = []
    for middle, length in zip(place, size, strict=True):
        at = (torch.arange(length, device=place.device) + 0.5) / length
        within.append((at - middle[:, None]).abs() < half[:, None])
    rows, columns = within
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _along(values: Tensor, x: Tensor) -> Tensor:
    """[B] values, with as many axes as `x`."""
    return values.reshape(-1, *[1] * (x.dim() - 1))
