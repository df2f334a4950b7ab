"""Where a model's answer holds the logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offramp.errors import CaptureError


def find_logits(answer: Any) -> Any:  # Any: tensors, or what stands for them while tracing
    """The logits in what a model answers: the answer itself, its `logits`, or its first entry.

    Raises:
        CaptureError: The answer is empty.

    Example:
        >>> find_logits({"loss": 1, "logits": 2})
        2
    """
    if isinstance(answer, Mapping):
        return _first(answer["logits"] if "logits" in answer else next(iter(answer.values()), ()))
    if isinstance(answer, (tuple, list)):
        return _first(getattr(answer, "logits", answer))
    return answer


def _first(answer: Any) -> Any:  # Any: see above
    if not isinstance(answer, (tuple, list)):
        return answer
    if not answer:
        raise CaptureError("a model must answer with logits, but answered with nothing. Return a tensor [B, K].")
    return find_logits(answer[0])
