"""Changes of pictures that leave their meaning alone, so that a few samples teach more.

Shape letters: B batch, C channels, H W space.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from offramp.graph import Node

from ._settings import Augment


def choose_augment(wanted: Augment, inputs: tuple[Node, ...]) -> Augment:
    """What "auto" means for these inputs; anything else stays as it is.

    A mirror image means something else for digits and letters, which are mostly grey.

    Args:
        wanted: The augmentation asked for.
        inputs: Input nodes of the graph.

    Returns:
        "crop_flip" for color pictures, "crop" for grey ones and "none" for all else, if "auto" was asked for.
    """
    if wanted != "auto":
        return wanted
    shape = inputs[0].outputs[0].shape if len(inputs) == 1 else ()
    if len(shape) != 3 or inputs[0].outputs[0].dtype != "float32":
        return "none"
    return {1: "crop", 3: "crop_flip"}.get(shape[0], "none")  # type: ignore[return-value]  # dict widens the literals


def augment(batch: Mapping[str, Tensor], how: Augment, random: np.random.Generator) -> dict[str, Tensor]:
    """The batch with each picture cropped at random after padding with black, and mirrored with "crop_flip".

    Args:
        batch: Pictures [B, C, H, W] by input name; anything without four axes stays as it is.
        how: "crop", "crop_flip" or "none".
        random: Generator of the random crops and mirrors.

    Returns:
        Tensors of the same shapes; all inputs are cropped by themselves.
    """
    if how == "none":
        return dict(batch)
    return {name: _crop(x, how == "crop_flip", random) if x.dim() == 4 else x for name, x in batch.items()}


def _crop(pictures: Tensor, mirror: bool, random: np.random.Generator) -> Tensor:
    count, _, height, width = pictures.shape
    border = max(1, min(height, width) // 8)
    rows = random.integers(0, 2 * border + 1, (count, 1)) + np.arange(height)
    columns = random.integers(0, 2 * border + 1, (count, 1)) + np.arange(width)
    if mirror:
        columns = np.where(random.random((count, 1)) < 0.5, columns[:, ::-1], columns)
    at = [torch.from_numpy(index).to(pictures.device) for index in (np.arange(count), rows, columns)]
    padded = pad(pictures, (border,) * 4)
    # Indices on both sides of a slice put the channels last: permuted, the result is in channels_last memory format.
    return padded[at[0][:, None, None], :, at[1][:, :, None], at[2][:, None, :]].permute(0, 3, 1, 2)
