from __future__ import annotations

from offramp.graph import to_json
from offramp.transform import in_float
from passed import make_graph, make_quantized


def test_a_graph_in_8_bits_becomes_the_one_before() -> None:
    graph = make_graph()
    back = in_float(make_quantized()(graph))
    assert to_json(back) == to_json(graph)
    assert dict(back.bodies) == dict(graph.bodies)


def test_it_does_not_claim_to_know_how_it_came_about() -> None:
    assert in_float(make_quantized()(make_graph())).steps == ()


def test_a_graph_in_float_is_left_as_it_is() -> None:
    assert in_float(make_graph()) is make_graph()
