from __future__ import annotations

import pytest

from evidences import make_costs, make_evidence
from offramp.decide import Kind, Target, audit
from offramp.errors import OptionError


@pytest.mark.parametrize("kind", ["agreement", "harm", "net"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_promise_is_broken_as_rarely_as_promised(kind: Kind, seed: int) -> None:
    seen = make_evidence(5000, 3, seed=seed)
    found = audit(seen, make_costs(3), score="max_probability", target=Target(max_loss=0.02, kind=kind), seed=seed)
    assert found.holds
    assert found.limit < 0.1
    assert found.share_refused < 0.05
    assert found.relative_macs < 0.6


def test_without_a_promise_one_percent_of_agreement_is_audited() -> None:
    found = audit(make_evidence(300, 2), make_costs(2), score="entropy", draws=3)
    assert (found.draws, found.share_refused) == (3, 1.0)
    assert found.mean_loss == 0.0


def test_an_audit_of_nothing_is_refused() -> None:
    with pytest.raises(OptionError, match="10 samples"):
        audit(make_evidence(5, 1), make_costs(1), score="entropy")
