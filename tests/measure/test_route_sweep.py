"""Which routes the networks of a sweep take, and what fixed routes at random would give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.errors import EvidenceError, OptionError
from offramp.measure import node_shares, route_chance, route_shares
from route_sweeps import FULL, LABELS, MACS, ROUTES, SAMPLES, make_evidence, make_sweep, take_turns


def test_each_network_has_its_share_of_samples_per_route_from_cheap_to_dear() -> None:
    found = route_shares(make_sweep())
    assert [tuple(route) for route in found.routes.tolist()] == list(ROUTES)
    assert found.relative_macs * FULL == pytest.approx([12, 45, 150])
    assert found.shares * SAMPLES == pytest.approx(np.array([[6, 24, 30], [20, 30, 10], [45, 15, 0], [60, 0, 0]]))


def test_each_network_has_its_share_of_samples_per_number_of_nodes() -> None:
    counts, shares = node_shares(make_sweep())
    assert counts.tolist() == [2, 4, 6]
    assert shares[0] * SAMPLES == pytest.approx([6, 24, 30])
    assert shares.sum(axis=1) == pytest.approx(np.ones(4))


@pytest.mark.parametrize(
    ("labels", "metric", "name"),
    [(True, None, "accuracy"), (False, None, "agreement"), (True, lambda said, right: 0.25, "f1")],
)
def test_quality_is_accuracy_or_agreement_or_a_metric(labels: bool, metric: Any, name: str) -> None:
    evidence = [replace(one, labels=LABELS if labels else None) for one in make_sweep().evidence]
    sweep = make_sweep(evidence=evidence, fixed={}, metric=metric, metric_name="f1")
    assert sweep.quality_name == name
    assert sweep.quality(evidence[1]) == (0.9 if metric is None else 0.25)


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0, 1))
def test_routes_taken_at_random_give_the_mean_of_both(share: float) -> None:
    sweep = make_sweep()
    cheap, dear = sweep.ends
    cost, quality = sweep.mixture({cheap: 1 - share, dear: share})
    assert (cheap, dear) == (ROUTES[0], ROUTES[2])
    assert quality == pytest.approx(0.5 + 0.5 * share)
    assert sweep.mixture_at(cost) == pytest.approx(quality)


def test_random_edges_are_a_mixture_too() -> None:
    sweep = make_sweep()
    cost, quality = sweep.mixture({route: route_chance(sweep.graph, route) for route in ROUTES})
    assert quality == pytest.approx(0.5 * 0.5 + 0.25 * 0.8 + 0.25 * 1.0)
    assert cost == pytest.approx((0.5 * 12 + 0.25 * 45 + 0.25 * 150) / FULL)


def test_a_metric_judges_what_is_drawn_and_so_need_not_be_a_mean() -> None:
    def worst_class(said: np.ndarray, right: np.ndarray) -> float:
        return min(float((said == right)[right == one].mean()) for one in range(10))

    sweep = make_sweep(metric=worst_class)
    cheap, dear = sweep.ends
    assert sweep.mixture({dear: 1.0})[1] == 1.0
    mixed = sweep.mixture({cheap: 0.5, dear: 0.5})[1]
    assert 0.5 < mixed < 0.75
    assert mixed == sweep.mixture({cheap: 0.5, dear: 0.5})[1]


@pytest.mark.parametrize(("cost", "quality"), [(0.0, None), (12 / FULL, 0.5), (2.0, 1.0)])
def test_mixing_gives_nothing_below_the_cheapest_and_the_dearest_above(cost: float, quality: float | None) -> None:
    assert make_sweep().mixture_at(cost) == quality


def test_one_fixed_route_cannot_be_mixed() -> None:
    fixed = {ROUTES[0]: make_evidence(ROUTES[0], 0.5)}
    assert make_sweep(fixed=fixed).mixture_at(0.5) is None
    assert make_sweep(fixed={}).mixture_at(0.5) is None
    with pytest.raises(OptionError, match="need fixed routes"):
        _ = make_sweep(fixed={}).ends


def test_a_plain_network_is_charged_against_the_baseline_of_the_sweep() -> None:
    plain = make_evidence(ROUTES[0], 0.5, baseline_macs=12.0)
    assert make_sweep(fixed={ROUTES[0]: plain}).relative_macs(plain) == 12 / FULL


@pytest.mark.parametrize("chances", [{ROUTES[0]: 0.5}, {(0, 0): 1.0}, {}])
def test_chances_must_be_those_of_fixed_routes(chances: Any) -> None:
    with pytest.raises(OptionError, match="chances must sum to 1"):
        make_sweep().mixture(chances)


ONE = make_evidence(ROUTES[0], 0.5)
OTHERS = replace(ONE, ids=np.array([f"t{at}" for at in range(SAMPLES)]))


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"evidence": [], "accuracy_weights": []}, EvidenceError, "0 lambdas and 0 evidences"),
        ({"evidence": [ONE], "accuracy_weights": (0.9, 0.5)}, EvidenceError, "2 lambdas and 1 evidences"),
        ({"accuracy_weights": (0.9, 0.5, 0.1, 1.5)}, OptionError, "between 0 and 1, but is 1.5"),
        ({"evidence": [ONE, OTHERS], "accuracy_weights": (1, 0)}, EvidenceError, "same samples"),
        ({"evidence": [ONE, ONE.subset(slice(3))], "accuracy_weights": (1, 0)}, EvidenceError, "same samples"),
        ({"fixed": {ROUTES[0]: OTHERS}}, EvidenceError, "same samples"),
        ({"fixed": {(0,): ONE}}, OptionError, "find_routes"),
        ({"fixed": {(0, 7): ONE}}, OptionError, "find_routes"),
        ({"fixed": {ROUTES[0]: replace(ONE, labels=None)}}, EvidenceError, "1 of 5 have none"),
        (
            {"evidence": [replace(ONE, baseline_macs=1.0), ONE], "accuracy_weights": (1, 0)},
            EvidenceError, r"\[1.0, 148.0\] MACs",
        ),
        (
            {"evidence": [ONE.subset(slice(0))], "accuracy_weights": (1,), "fixed": {}}, EvidenceError, "one sample",
        ),
        (
            {"evidence": [replace(ONE, route=take_turns(60, 0, 0)[:, :1])], "accuracy_weights": (1,), "fixed": {}},
            EvidenceError, "graph of 2 control nodes",
        ),
        (
            {"evidence": [replace(ONE, labels=None)], "accuracy_weights": (1,), "fixed": {}, "metric": min},
            EvidenceError, "a metric needs them",
        ),
    ],
)  # fmt: skip
def test_what_is_no_sweep_is_refused(changes: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make_sweep(**changes)


def test_a_graph_without_control_nodes_is_refused() -> None:
    from offramp.graph import DataEdge, Graph, Node, Tensor

    row = (Tensor(shape=(2,)),)
    net = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=row)
    plain = Graph(nodes=(Node(name="x", kind="input", outputs=row), net), answer="net")
    with pytest.raises(EvidenceError, match="with control nodes"):
        make_sweep(graph=plain, macs=MACS)
