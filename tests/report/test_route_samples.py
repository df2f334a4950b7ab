from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from offramp.report._route_samples import find_route_rows
from offramp.report._samples import SHOWN
from offramp.run import ArraySamples
from route_sweeps import IDS, LABELS, SAMPLES, make_sweep

SWEEP = make_sweep()
SOME = ArraySamples(
    inputs={"x": np.random.default_rng(0).integers(0, 256, (SAMPLES, 8, 8, 1)).astype(np.uint8)},
    ids=IDS, labels=LABELS,
)  # fmt: skip


def test_each_route_has_its_samples_from_the_cheapest_on() -> None:
    rows, others = find_route_rows(SWEEP.graph, SWEEP.evidence[0], SOME)
    assert [(row.name, row.count) for row in rows] == [("a0", 6), ("n1", 24), ("n1, n2", 30)]
    assert [row.relative_macs for row in rows] == [12 / 148, 45 / 148, 150 / 148]
    assert [len(row.shown) for row in rows] == [6, SHOWN, SHOWN]
    assert others == 0


def test_samples_of_a_row_are_spread_over_all_that_took_the_route() -> None:
    rows, _ = find_route_rows(SWEEP.graph, SWEEP.evidence[0], SOME)
    names = [one.text.partition(":")[0] for one in rows[2].shown]
    assert (names[0], names[-1]) == ("s30", "s59")
    assert len(set(names)) == SHOWN


def test_an_answer_is_marked_if_it_is_wrong_or_without_labels_if_it_changes() -> None:
    evidence = SWEEP.evidence[0]
    labelled, _ = find_route_rows(SWEEP.graph, evidence, SOME)
    assert Counter(one.wrong for one in labelled[2].shown) == {False: SHOWN - 1, True: 1}
    assert labelled[2].shown[-1].caption == "says 0, is 9"
    changed = replace(evidence, labels=None, reference=(LABELS + 1) % 10)
    unlabelled, _ = find_route_rows(SWEEP.graph, changed, SOME)
    assert [one.wrong for one in unlabelled[2].shown] == [not one.wrong for one in labelled[2].shown]
    assert unlabelled[2].shown[-1].caption == "says 0"


def test_rare_routes_are_counted_only() -> None:
    from offramp import attach
    from offramp.graph import find_routes

    table = "\n".join(f"q{at}: x -> n{at}, dummy\nn{at}: x | fc 3" for at in range(4))
    graph = attach.d2nn(f"{table}\nend: {' + '.join(f'n{at}=0' for at in range(4))} | fc 3", (4,))
    routes = np.array(list(find_routes(graph)))
    evidence = replace(SWEEP.evidence[0], route=routes[np.arange(SAMPLES) % len(routes)])
    rows, others = find_route_rows(graph, evidence, SOME)
    assert (len(rows), others) == (8, 8)
