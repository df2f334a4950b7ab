"""What a network with control nodes answered, and what that cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from d2nns import make_cascade, make_digits, make_high_low
from offramp.errors import EvidenceError, OptionError
from offramp.measure import RouteEvidence, route_evidence
from offramp.measure._routed import baseline_macs
from offramp.measure.torch import count_macs
from offramp.run import torch as engine

SOME = make_digits(0, 70)


def collect(batch: int = 64, **options: object) -> RouteEvidence:
    graph = make_cascade()
    wanted = {"samples": SOME, "reference": np.zeros(70, np.int64), **options}
    return route_evidence(engine.load(graph), graph=graph, macs=count_macs(graph), batch=batch, **wanted)  # type: ignore[arg-type]  # options


def test_each_sample_has_its_answer_its_way_and_its_cost() -> None:
    seen, graph = collect(), make_cascade()
    answer = engine.load(graph)(SOME.take(slice(None)))
    assert np.array_equal(seen.predictions, answer.logits.argmax(1))
    assert np.array_equal(seen.route, answer.route)
    ran = {(0, 2): 456, (1, 0): 2280, (1, 1): 11752}
    assert seen.macs.tolist() == [ran[tuple(route)] for route in seen.route.tolist()]
    assert seen.agreement == pytest.approx(float((seen.predictions == 0).mean()))
    assert seen.accuracy == pytest.approx(float((seen.predictions == SOME.labels).mean()))
    assert seen.relative_macs == pytest.approx(seen.macs.mean() / seen.baseline_macs)


def test_the_baseline_is_the_dearest_way_without_control_nodes() -> None:
    graph = make_high_low()
    assert baseline_macs(graph, count_macs(graph)) == 64 * 64 + 640


def test_batches_do_not_matter_and_a_part_is_that_of_the_whole() -> None:
    whole, small = collect(), collect(batch=9)
    assert np.array_equal(whole.macs, small.macs)
    part = whole.subset(slice(3, 8))
    assert (len(part), part.ids.tolist()) == (5, SOME.ids[3:8].tolist())
    assert np.array_equal(part.route, whole.route[3:8])
    assert part.labels is not None


def test_without_labels_there_is_no_accuracy() -> None:
    seen = collect(samples=replace(SOME, labels=None))
    assert seen.accuracy is None
    assert seen.subset(slice(2)).labels is None


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(OptionError, match="batch must be at least 1"):
        collect(batch=0)
    with pytest.raises(EvidenceError, match="70 samples and 3 references"):
        collect(reference=np.zeros(3, np.int64))
    broken = replace(SOME, inputs={"x": np.full((70, 64), np.nan, np.float32)})
    with pytest.raises(EvidenceError, match="finite"):
        collect(samples=broken)
