"""Between which limits the true loss lies, for all that a few samples tell.

Shape letters: S samples.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import beta

from offramp.errors import EvidenceError, OptionError

from ._loss import Kind, p_value

EDGE = 1e-9  # from the ends of what a mean loss can be, where no bet is defined


def loss_interval(losses: NDArray[np.int8], kind: Kind, *, confidence: float = 0.95) -> tuple[float, float]:
    """Limits between which the true mean loss lies with this confidence; each side errs with half of the rest.

    Agreement and harm count mistakes: the exact interval of a share. Net losses are signed: all means that
    `decide.p_value` does not refute from either side.

    Args:
        losses: [S] losses of independent samples, in random order.
        kind: What counts as a loss: "agreement", "harm" or "net", see `decide.find_losses`.
        confidence: Probability with which the true loss lies inside.

    Returns:
        The lower and the upper limit.

    Raises:
        EvidenceError: There are no losses.
        OptionError: `confidence` is not between 0 and 1.

    Example:
        >>> low, high = loss_interval(np.array([1] + [0] * 299, np.int8), "agreement")
        >>> round(low, 5), round(high, 5)
        (8e-05, 0.01843)

    Reference:
        Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 1934. Waudby-Smith and Ramdas,
        "Estimating means of bounded random variables by betting", JRSS B 2024, section 4.1, for the net loss.
    """
    _check_confidence(confidence)
    if not len(losses):
        raise EvidenceError("an interval must come from at least one loss, but there is none. Give more samples.")
    if kind != "net":
        return share_interval(float(losses.sum()), len(losses), confidence)
    side = (1 - confidence) / 2
    return -_upper(-losses, side), _upper(losses, side)


def mean_interval(values: NDArray[np.float64], *, confidence: float = 0.95) -> tuple[float, float]:
    """Limits of the true mean of many independent values, such as differences sample by sample.

    The normal approximation: mean plus and minus z s / sqrt(S), where s is the standard deviation of the values and z
    the quantile of the normal distribution at (1 + confidence) / 2.

    Args:
        values: [S] one value per sample, at least two.
        confidence: Probability with which the true mean lies inside.

    Returns:
        The lower and the upper limit.

    Raises:
        EvidenceError: There are fewer than two values.
        OptionError: `confidence` is not between 0 and 1.

    Example:
        >>> low, high = mean_interval(np.array([0.0, 1.0, 0.0, 1.0]))
        >>> round(low, 3), round(high, 3)
        (-0.066, 1.066)
    """
    _check_confidence(confidence)
    if len(values) < 2:
        raise EvidenceError(f"an interval of a mean needs two values, but there are {len(values)}. Give more samples.")
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    half = NormalDist().inv_cdf((1 + confidence) / 2) * spread / len(values) ** 0.5
    return mean - half, mean + half


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, but is {confidence}. For 95 percent give 0.95.")


def share_interval(lost: float, samples: float, confidence: float) -> tuple[float, float]:
    """The exact interval of a share; both counts may be fractions, to ask what more samples would tell.

    Args:
        lost: The number of lost answers.
        samples: The number of samples.
        confidence: The probability with which the true share lies inside.

    Returns:
        The lower and the upper limit.
    """
    side = (1 - confidence) / 2
    low = beta.ppf(side, lost, samples - lost + 1) if lost > 0 else 0.0
    high = beta.ppf(1 - side, lost + 1, samples - lost) if lost < samples else 1.0
    return float(low), float(high)


def _upper(losses: NDArray[np.int8], error: float) -> float:
    """The largest mean that is not refuted: the p-value never rises with the mean that is tested."""

    def over(mean: float) -> float:
        return p_value(losses, "net", max_loss=mean, confidence=1 - error) - error

    return float(brentq(over, EDGE - 1, 1 - EDGE, xtol=1e-7)) if over(1 - EDGE) < 0 else 1.0
