"""What every score that learns refuses."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from offramp.errors import LearnError


def check_fitted(name: str, is_fitted: Callable[[], bool]) -> None:
    """Refuse to answer before `fit`; while tracing, where values are unknown, everything passes.

    Args:
        name: Name of the score, for the message.
        is_fitted: Whether the score is fitted; called only where values are known.

    Raises:
        LearnError: It is not fitted.
    """
    if not torch.compiler.is_compiling() and not is_fitted():
        raise LearnError(
            f"the {name} score must be fitted before it answers, but is not. "
            "Run learn.distill_heads on the graph, or gate by max_probability."
        )


def check_rows(name: str, collected: Tensor) -> None:
    """Refuse to fit to nothing, or to what is not finite.

    Args:
        name: Name of the score, for the message.
        collected: The rows [S, D] to fit to.

    Raises:
        LearnError: There are no rows, or some are not finite.
    """
    wrong = int((~collected.isfinite()).any(dim=1).sum())
    if len(collected) == 0 or wrong:
        raise LearnError(
            f"the {name} score needs finite rows to fit, but got {len(collected)}, {wrong} of them not finite. "
            "Check the samples."
        )
