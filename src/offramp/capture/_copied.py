"""A copy of the user's network, so that the network itself stays as it is, and what its code raises, in short."""

from __future__ import annotations

import copy

from torch import nn

from offramp.errors import CaptureError


def copy_module(model: nn.Module) -> nn.Module:
    """A copy of a network in evaluation mode.

    Args:
        model: Network to copy.

    Returns:
        The copy.

    Raises:
        CaptureError: It cannot be copied.
    """
    try:
        return copy.deepcopy(model).eval()
    except Exception as reason:  # whatever the model's members raise
        raise CaptureError(
            f"{type(model).__name__} must be copyable, but copying it failed with {brief(reason)}. "
            "Remove hooks and tensors that are results of computations (old weight_norm) from its members."
        ) from reason


def brief(reason: Exception) -> str:
    """Kind and first line of an error that the user's code raised.

    Args:
        reason: The error.

    Returns:
        A text short enough for a sentence.
    """
    return f"{type(reason).__name__}: {first_line(reason)}"


def first_line(reason: Exception) -> str:
    """The first line of an error's message.

    Args:
        reason: The error.

    Returns:
        At most 160 characters, without a full stop.
    """
    return next(iter(str(reason).strip().splitlines()), "")[:160].rstrip(" .")
