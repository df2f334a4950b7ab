"""A copy of the user's network, so that the network itself stays as it is."""

from __future__ import annotations

import copy

from torch import nn

from offramp.errors import CaptureError


def copy_module(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode.

    Raises:
        CaptureError: It cannot be copied.
    """
    try:
        return copy.deepcopy(model).eval()
    except Exception as reason:  # whatever the model's members raise
        line = next(iter(str(reason).strip().splitlines()), "")[:160].rstrip(" .")
        raise CaptureError(
            f"{type(model).__name__} must be copyable, but copying it failed with {type(reason).__name__}: {line}. "
            "Remove hooks and tensors that are results of computations (old weight_norm) from its members."
        ) from reason
