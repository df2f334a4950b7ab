from __future__ import annotations

import numpy as np

from early_exits import make_graph, make_samples
from offramp.compress import _reach
from offramp.compress._reach import find_items, float_values


def test_what_reaches_a_body_is_what_the_float_network_computes() -> None:
    graph, samples = make_graph(), make_samples(40)
    items = find_items(graph, samples, ["stage1", "exit0/head", "stage0"])
    values = next(float_values(graph, samples))["stage0"][0].numpy()
    assert {name: len(given) for name, given in items.items()} == {"stage1": 40, "exit0/head": 40, "stage0": 40}
    np.testing.assert_array_equal(items["stage1"][5]["i0"], values[5:6])
    np.testing.assert_array_equal(items["stage0"][39]["i0"], samples.take([39])["x"])


def test_of_large_inputs_fewer_are_kept(monkeypatch: object) -> None:
    graph, samples = make_graph(), make_samples(40)
    before = _reach.MOST_BYTES
    try:
        _reach.MOST_BYTES = 4 * 4 * 64 * 10
        items = find_items(graph, samples, ["stage1", "stage0"])
    finally:
        _reach.MOST_BYTES = before
    assert {name: len(given) for name, given in items.items()} == {"stage1": 10, "stage0": 40}
