"""Does the interval of a gain hold it as often as it says? On synthetic times; no clock is read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from offramp.errors import OptionError
from offramp.measure import Latency, gain_interval

Times = NDArray[np.float64]
TURNS, DRAWS = 40, 600
NOISE = 2.6 * np.sqrt(0.95 * 0.05 / DRAWS)  # of the coverage itself, 99 %


def timed(turns: Times) -> Latency:
    return Latency(mean_s=float(turns.mean()), p50_s=1.0, p95_s=1.0, calls=len(turns), turns=tuple(turns.tolist()))


def remembering(random: np.random.Generator, correlation: float, size: float) -> Times:
    """Noise whose neighbors resemble each other."""
    fresh = random.normal(size=TURNS) * np.sqrt(1 - correlation**2)
    noise = np.empty(TURNS)
    noise[0] = random.normal()
    for at in range(1, TURNS):
        noise[at] = correlation * noise[at - 1] + fresh[at]
    return size * noise


def quiet(random: np.random.Generator) -> tuple[Times, Times]:
    return np.ones(TURNS), np.ones(TURNS)


def busy_neighbor(random: np.random.Generator) -> tuple[Times, Times]:
    """What else runs comes and goes for many turns, and slows both."""
    slower = np.exp(remembering(random, 0.95, 0.3))
    return slower, slower


def drift(random: np.random.Generator) -> tuple[Times, Times]:
    """The machine grows warm."""
    slower = np.linspace(1, 1.5, TURNS)
    return slower, slower


def spikes(random: np.random.Generator) -> tuple[Times, Times]:
    """Now and then a turn takes far longer, one system's or the other's."""
    first, second = (1 + (random.random(TURNS) < 0.1) * random.exponential(0.3, TURNS) for _ in range(2))
    return first, second


def own_memory(random: np.random.Generator) -> tuple[Times, Times]:
    """Each system has good and bad stretches of its own."""
    return 1 + remembering(random, 0.4, 0.05), 1 + remembering(random, 0.4, 0.05)


def coverage(disturb: Callable[[np.random.Generator], tuple[Times, Times]], truth: float) -> tuple[float, float]:
    """Share of measurements whose interval holds the true gain, and the median width."""
    random = np.random.default_rng(0)
    held, widths = 0, []
    for _ in range(DRAWS):
        slow, fast = disturb(random)
        noise = 1 + 0.03 * random.normal(size=(2, TURNS))
        found = gain_interval(timed(truth * slow * noise[0]), timed(fast * noise[1]))
        assert found is not None
        held += found[0] <= truth <= found[1]
        widths.append(found[1] - found[0])
    return held / DRAWS, float(np.median(widths))


@pytest.mark.parametrize("truth", [1.0, 1.25, 3.0])
@pytest.mark.parametrize("disturb", [quiet, busy_neighbor, drift, spikes])
def test_the_interval_holds_the_gain_as_often_as_it_says(
    disturb: Callable[[np.random.Generator], tuple[Times, Times]], truth: float
) -> None:
    held, width = coverage(disturb, truth)
    assert 0.95 - NOISE <= held <= 0.99
    assert width < 0.15 * truth


def test_stretches_of_each_system_s_own_cost_little_coverage() -> None:
    held, _ = coverage(own_memory, 1.25)
    assert held >= 0.9


def test_taking_turns_is_what_makes_the_interval_narrow() -> None:
    random = np.random.default_rng(0)
    slower, other = (np.exp(remembering(random, 0.95, 0.3)) for _ in range(2))
    noise = 1 + 0.03 * random.normal(size=TURNS)
    side_by_side, apart = (gain_interval(timed(slower), timed(noise * one)) for one in (slower, other))
    assert side_by_side is not None
    assert apart is not None
    assert apart[1] - apart[0] > 3 * (side_by_side[1] - side_by_side[0])


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_more_confidence_is_a_wider_interval(confidence: float) -> None:
    turns = 1 + 0.1 * np.random.default_rng(0).normal(size=TURNS)
    usual, other = (gain_interval(timed(turns), timed(turns[::-1]), confidence=sure) for sure in (0.95, confidence))
    assert usual is not None
    assert other is not None
    assert (other[1] - other[0] > usual[1] - usual[0]) == (confidence > 0.95)


def test_a_system_gains_nothing_over_itself() -> None:
    turns = timed(np.arange(1.0, 9.0))
    assert gain_interval(turns, turns) == (1.0, 1.0)


def test_the_interval_is_never_below_nothing() -> None:
    slow, fast = np.array([1.0, 9.0, 0.1, 0.1, 0.1]), np.array([1.0, 0.1, 0.1, 0.1, 9.0])
    found = gain_interval(timed(slow), timed(fast))
    assert found is not None
    assert found[0] == 0.0


def test_too_few_turns_tell_nothing() -> None:
    untold = Latency(mean_s=1.0, p50_s=1.0, p95_s=1.0, calls=9)
    assert gain_interval(timed(np.ones(4)), timed(np.ones(4))) is None
    assert gain_interval(untold, untold) is None


@pytest.mark.parametrize(
    ("turns", "confidence", "word"), [(6, 0.95, "7 and 6"), (7, 1.0, "confidence"), (7, 0.0, "confidence")]
)
def test_what_cannot_be_compared_is_refused(turns: int, confidence: float, word: str) -> None:
    with pytest.raises(OptionError, match=word):
        gain_interval(timed(np.ones(7)), timed(np.ones(turns)), confidence=confidence)
