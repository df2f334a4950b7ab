from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evidences import make_costs, make_evidence
from offramp.decide import Target, rotate, turns
from offramp.errors import OptionError


def test_each_sample_is_tested_once_and_means_agree() -> None:
    seen, costs = make_evidence(2400, 2), make_costs(2)
    turned = rotate(seen, costs, score="max_probability", target=Target(max_loss=0.03, kind="agreement"))
    assert len(turned.decisions) == 3
    assert turned.agreement > 0.96
    assert sum(turned.exit_rates) == pytest.approx(1)
    assert turned.relative_macs == pytest.approx(sum(turned.exit_rates * costs.relative))
    assert turned.accuracy is not None
    assert turned.accuracy_difference is not None
    assert turned.accuracy_interval is not None
    assert seen.labels is not None
    full = (seen.reference == seen.labels).mean()
    assert turned.accuracy - full == pytest.approx(turned.accuracy_difference)
    low, high = turned.accuracy_interval
    assert low < turned.accuracy_difference < high


def test_without_labels_there_is_agreement_alone() -> None:
    turned = rotate(replace(make_evidence(1200, 2), labels=None), make_costs(2), score="entropy", shared=True)
    assert (turned.accuracy, turned.accuracy_difference, turned.accuracy_interval, turned.harm) == (None,) * 4


def test_two_samples_make_no_three_parts() -> None:
    with pytest.raises(OptionError, match="at least 3"):
        rotate(make_evidence(2, 1), make_costs(1), score="entropy")


@pytest.mark.parametrize("samples", [3, 7, 100])
def test_in_three_rounds_every_sample_plays_every_part_once(samples: int) -> None:
    rounds = turns(samples, seed=3)
    for part in ("tune", "calibrate", "test"):
        assert sorted(np.concatenate([getattr(one, part) for one in rounds])) == list(range(samples))
    for one in rounds:
        assert sorted(one.others) == sorted([*one.tune, *one.calibrate])
        assert set(one.others) | set(one.test) == set(range(samples))
