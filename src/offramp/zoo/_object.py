"""From a module that a user made to a network that is ready to be captured."""

from __future__ import annotations

import copy
from pathlib import Path

from torch import Tensor, nn

from offramp.capture import Logits, read_logits
from offramp.errors import CaptureError

from ._load import LoadedModel, prepare
from ._weights import load_weights, read_weights


def take_module(
    module: nn.Module,
    example: Tensor | dict[str, Tensor],
    *,
    reference: str | None = None,
    weights: str | Path | None = None,
    logits: Logits = None,
) -> LoadedModel:
    """A copy of a user's module, in eval mode on the CPU, with all that is needed to capture it and feed it.

    Args:
        module: A classifier; it stays as it is.
        example: Two samples as the module reads them: a tensor, or a dictionary if it is called by keyword.
        reference: How the same network can be built again, as for `load_model`; None if nobody can say.
        weights: A file of weights that the copy gets; None keeps those of the module.
        logits: Name or position of the output that holds the logits, if there are several.

    Returns:
        The network, ready to be captured.

    Raises:
        CaptureError: It cannot be copied, or does not answer the example with logits.
        WeightsError: The weights do not fit, or cannot be read.

    Example:
        >>> import torch
        >>> take_module(nn.Linear(4, 3), torch.zeros(2, 4)).classes
        3
    """
    try:
        copied = copy.deepcopy(module).cpu()
    except Exception as error:  # a user's module may hold anything
        raise CaptureError(
            f"{type(module).__name__} must be a module that can be copied, but raised {type(error).__name__}: {error}. "
            "Give a reference to its builder instead."
        ) from error
    if weights is not None:
        load_weights(copied, read_weights(weights), str(weights))
    return prepare(copied, example, type(module).__name__, read_logits(logits), reference=reference)
