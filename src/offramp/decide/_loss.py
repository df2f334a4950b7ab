"""What counts as a loss, and how sure the samples make us that it is small.

Shape letters: S samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from offramp.errors import EvidenceError, OptionError
from offramp.measure import Evidence, exits_taken

Kind = Literal["agreement", "harm", "net"]


class Known(Protocol):
    """What is known of samples, whatever answered them."""

    @property
    def reference(self) -> NDArray[np.int64]:
        """[S] the answers of the original network."""

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """[S] the true classes, or None."""


def find_losses(evidence: Evidence, thresholds: Sequence[float], score: str, kind: Kind) -> NDArray[np.int8]:
    """[S] the loss of each sample at these thresholds.

    Args:
        evidence: Evidence of the samples to judge.
        thresholds: One threshold per early exit.
        score: Name of the score that the gates compare.
        kind: "agreement" (1 if the answer differs from the original network's), "harm" (1 if the original is right and
            this wrong), or "net" (harm, and -1 if this is right and the original wrong).

    Returns:
        [S] the loss of each sample: 0 or 1, and for "net" also -1.

    Raises:
        OptionError: There is no such kind.
        EvidenceError: The kind needs labels and there are none.
    """
    taken = exits_taken(evidence, thresholds, score)
    return compare_answers(evidence.predictions[np.arange(len(evidence)), taken], evidence, kind)


def compare_answers(answers: NDArray[np.int64], known: Known, kind: Kind) -> NDArray[np.int8]:
    """[S] the loss of each answer; the rest as for `find_losses`.

    Args:
        answers: [S] the class that each sample was answered with.
        known: What is known about the same samples, such as evidence.
        kind: What counts as a loss: "agreement", "harm" or "net", see `decide.find_losses`.

    Returns:
        [S] the loss of each answer.
    """
    if kind not in ("agreement", "harm", "net"):
        raise OptionError(f"kind must be agreement, harm or net, but is {kind!r}. Choose one of them.")
    if kind == "agreement":
        return np.asarray(answers != known.reference, np.int8)
    if known.labels is None:
        raise EvidenceError(f"{kind} must be judged with labels, but the evidence has none. Promise agreement instead.")
    right, before = answers == known.labels, known.reference == known.labels
    if kind == "harm":
        return np.asarray(before & ~right, np.int8)
    return np.asarray(before, np.int8) - np.asarray(right, np.int8)


def p_value(losses: NDArray[np.int8], kind: Kind, *, max_loss: float, confidence: float) -> float:
    """How surprising so small losses are if the true mean loss is above `max_loss`.

    Agreement and harm count mistakes: the binomial distribution function. Net losses are signed: the betting test,
    whose capital grows by 1 - bet x (loss - max_loss) per sample, with the losses scaled to [0, 1]; the bets are
    sqrt(2 log(1 / error) / (S x variance so far)), at most three quarters of what could ruin it, and the p-value is 1
    over the highest capital on the way. The losses must come in random order.

    Args:
        losses: [S] losses of independent samples, in random order.
        kind: What counts as a loss: "agreement", "harm" or "net", see `decide.find_losses`.
        max_loss: The mean that is tested.
        confidence: The confidence at which the bets aim; the p-value holds at any.

    Returns:
        The p-value: the probability of losses as small as these, at most, if the true mean loss is `max_loss` or more.

    Example:
        >>> round(p_value(np.zeros(299, np.int8), "agreement", max_loss=0.01, confidence=0.95), 4)
        0.0495

    Reference:
        Angelopoulos et al., "Learn then Test", 2021, section 2 (binomial p-value). Waudby-Smith and Ramdas,
        "Estimating means of bounded random variables by betting", JRSS B 2024, section 4.1 (predictable plug-in bets).
    """
    if kind != "net":
        return float(binom.cdf(int(losses.sum()), len(losses), max_loss))
    count = np.arange(1, len(losses) + 1)
    scaled, limit = (losses + 1) / 2, (max_loss + 1) / 2
    mean = (0.5 + np.cumsum(scaled)) / (count + 1)
    variance = (0.25 + np.cumsum((scaled - mean) ** 2)) / (count + 1)
    before = np.concatenate([[0.25], variance[:-1]])  # a bet sees only the samples before it
    bets = np.minimum(np.sqrt(-2 * math.log1p(-confidence) / (len(losses) * before)), 0.75 / (1 - limit))
    return float(np.exp(min(0.0, -np.cumsum(np.log1p(-bets * (scaled - limit))).max())))


def needed_samples(max_loss: float, confidence: float) -> int:
    """The fewest samples that can certify anything without a single loss: n with (1 - max_loss)^n <= 1 - confidence.

    Args:
        max_loss: The accepted mean loss.
        confidence: The probability, over the choice of the calibration samples, with which the promise holds.

    Returns:
        The number of calibration samples.

    Example:
        >>> needed_samples(0.01, 0.95)
        299
    """
    return math.ceil(math.log1p(-confidence) / math.log1p(-max_loss))


def certifiable_loss(samples: int, kind: Kind, *, max_loss: float, confidence: float) -> float:
    """The largest mean loss on so many calibration samples that still certifies `max_loss`; 0 if none does.

    For agreement and harm it is exact. The bets on net losses depend on their variance: two changed answers for each
    one that may be lost are assumed, and the bound that such bets reach with many samples.

    Args:
        samples: The number of calibration samples.
        kind: What counts as a loss: "agreement", "harm" or "net", see `decide.find_losses`.
        max_loss: The accepted mean loss, which is to be certified.
        confidence: The probability, over the choice of the calibration samples, with which the promise holds.

    Returns:
        The largest mean loss on the calibration samples, as a share of them.

    Example:
        >>> [round(2500 * certifiable_loss(2500, "harm", max_loss=0.01, confidence=sure)) for sure in (0.95, 0.5)]
        [16, 24]

    Reference:
        Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024, section 4.1.
    """
    if kind == "net":
        return max(0.0, max_loss - math.sqrt(-4 * max_loss * math.log1p(-confidence) / samples))
    most = int(binom.ppf(1 - confidence, samples, max_loss))  # the first count that is likelier than the error
    return max(0, most - int(binom.cdf(most, samples, max_loss) > 1 - confidence)) / samples


def aim_at(max_loss: float, margin: float) -> float:
    """The stricter loss that is proven where `max_loss` is promised, so that samples to come exceed that more rarely.

    Args:
        max_loss: The loss that is promised.
        margin: The share of it that is held in reserve, from 0 to below 1.

    Returns:
        The loss that is proven, `(1 - margin) x max_loss`.

    Raises:
        OptionError: The margin is no such share.

    Example:
        >>> round(aim_at(0.01, 0.2), 6), aim_at(0.01, 0.0)
        (0.008, 0.01)
    """
    if not 0 <= margin < 1:
        raise OptionError(f"margin must be 0 or more and below 1, but is {margin}. For a tenth in reserve give 0.1.")
    return max_loss * (1 - margin)


def check_target(max_loss: float, confidence: float) -> None:
    """Refuses limits that are no shares.

    Raises:
        OptionError: One is not between 0 and 1.
    """
    for name, value in (("max_loss", max_loss), ("confidence", confidence)):
        if not 0 < value < 1:
            raise OptionError(f"{name} must lie between 0 and 1, but is {value}. For one percent give 0.01.")
