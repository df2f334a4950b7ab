from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from graphs import ROW, make_chain, random_graphs
from offramp.graph import ROOT, DataEdge, Graph, Node, find_regions
from offramp.graph._reach import find_gap, lineage, parent, tips

CHAIN = make_chain(2)
REGIONS = find_regions(CHAIN.nodes)


def test_what_no_gate_guards_runs_for_all() -> None:
    assert REGIONS["stage0"] == REGIONS["exit0/head"] == REGIONS["exit0/gate"] == ROOT


def test_the_next_stage_runs_where_the_gate_lets_samples_go() -> None:
    assert REGIONS["stage1"] == {("exit0/gate", 1)}


def test_a_stage_deep_in_the_chain_needs_every_gate_before_it() -> None:
    assert REGIONS["stage2"] == {("exit0/gate", 1), ("exit1/gate", 1)}


def test_a_select_runs_where_all_its_inputs_have_a_region_in_common() -> None:
    assert REGIONS["answer"] == ROOT


def test_an_input_with_a_default_does_not_bind_a_node_to_its_source() -> None:
    extra = Node(
        name="late", kind="function", outputs=(ROW,),
        inputs=(DataEdge(source="x"), DataEdge(source="stage2", default=0.0)),
    )  # fmt: skip
    assert find_regions([*CHAIN.nodes, extra])["late"] == ROOT


def test_the_tips_of_a_region_imply_the_rest_of_it() -> None:
    assert tips(REGIONS["stage2"], REGIONS) == (("exit1/gate", 1),)


def test_a_region_selects_from_its_parent_up_to_the_root() -> None:
    assert parent(REGIONS["stage2"], REGIONS) == REGIONS["stage1"]
    assert lineage(REGIONS["stage2"], REGIONS) == (REGIONS["stage2"], REGIONS["stage1"], ROOT)


def test_sources_that_cover_every_edge_leave_no_gap() -> None:
    stop, go = REGIONS["exit0/stop"], REGIONS["stage1"]
    assert find_gap(ROOT, [stop, go], CHAIN.by_name, REGIONS) is None


def test_a_gap_names_the_edges_under_which_nothing_holds() -> None:
    assert find_gap(ROOT, [REGIONS["stage2"]], CHAIN.by_name, REGIONS) == {("exit0/gate", 0)}  # type: ignore[comparison-overlap]  # it is there
    assert find_gap(ROOT, [REGIONS["exit0/stop"], REGIONS["stage2"]], CHAIN.by_name, REGIONS) == {  # type: ignore[comparison-overlap]  # it is there
        ("exit0/gate", 1),
        ("exit1/gate", 0),
    }


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(graph=random_graphs())
def test_a_region_holds_the_region_of_every_control_node_that_it_names(graph: Graph) -> None:
    regions = find_regions(graph.nodes)
    assert all(regions[control] <= region for region in regions.values() for control, _ in region)


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(graph=random_graphs())
def test_the_parent_of_a_region_is_smaller(graph: Graph) -> None:
    regions = find_regions(graph.nodes)
    assert all(parent(region, regions) < region for region in regions.values() if region != ROOT)
