"""From a name to a score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from offramp.errors import OptionError, suggest

from ._calibrated import Calibrated
from ._class_mean import ClassMean
from ._confidence import Confidence
from ._energy import Energy
from ._entropy import Entropy
from ._head_confidence import HeadConfidence
from ._margin import Margin
from ._max_probability import MaxProbability
from ._normalized_entropy import NormalizedEntropy
from ._openmax import OpenMax
from ._patience import Patience

_BUILDERS: Mapping[str, Callable[[Sequence[int], int], nn.Module]] = {
    "max_probability": lambda shape, classes: MaxProbability(),
    "entropy": lambda shape, classes: Entropy(),
    "margin": lambda shape, classes: Margin(),
    "calibrated": lambda shape, classes: Calibrated(),
    "patience": lambda shape, classes: Patience(),
    "normalized_entropy": lambda shape, classes: NormalizedEntropy(),
    "energy": lambda shape, classes: Energy(),
    "confidence": Confidence,
    "head_confidence": lambda shape, classes: HeadConfidence(),
    "class_mean": ClassMean,
    "openmax": lambda shape, classes: OpenMax(classes),
}
_AVERAGING: Mapping[str, Callable[..., nn.Module]] = {"confidence": Confidence, "class_mean": ClassMean}
SCORES = tuple(_BUILDERS)
"""The names of all scores."""
MASKED_SCORES = tuple(_AVERAGING)
"""The names of those that average features, and so want to know which tokens are padded."""


def build_score(name: str, shape: Sequence[int], classes: int, *, masked: bool = False) -> nn.Module:
    """The score of that name for features [B, *shape] and logits [B, classes].

    Args:
        name: One of `SCORES`.
        shape: Shape of one sample's features, without the batch axis.
        classes: Number of logits, at least 2.
        masked: True, for tokens and one of `MASKED_SCORES`, if the mask [B, T] comes after all else that it reads.

    Returns:
        A module that implements `Score`, and `FittedScore` if it must be fitted.

    Raises:
        OptionError: No such score.

    Example:
        >>> build_score("entropy", (16, 32, 32), 10).direction
        'lower'
    """
    if name not in _BUILDERS:
        known = ", ".join(_BUILDERS)
        raise OptionError(f"a score must be one of {known}, but got {name!r}. {suggest(name, _BUILDERS)}")
    if masked:
        assert name in MASKED_SCORES, f"{name} does not look at tokens"
        return _AVERAGING[name](shape, classes, masked=True)
    return _BUILDERS[name](shape, classes)
