from __future__ import annotations

import numpy as np

from offramp.data import as_samples, load


def test_a_reference_is_opened_and_all_else_is_converted() -> None:
    named, given = as_samples("digits@test"), as_samples(np.zeros((2, 3)))
    assert np.array_equal(named.ids, load("digits@test").ids)
    assert given.take(slice(None))["x"].dtype == np.float32
