from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import HealthCheck, given, settings

from graphs import ROW, make_chain, random_graphs
from offramp.graph import DataEdge, Graph, Node, draw_dot, draw_svg

SVG = "{http://www.w3.org/2000/svg}"


def titles(svg: str) -> set[str | None]:
    return {title.text for title in ElementTree.fromstring(svg).iter(f"{SVG}title")}


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(graph=random_graphs())
def test_the_picture_of_any_graph_is_xml_that_names_every_node(graph: Graph) -> None:
    assert titles(draw_svg(graph)) == {f"{node.name} ({node.kind})" for node in graph.nodes}


def test_a_node_stands_below_all_that_it_reads() -> None:
    root = ElementTree.fromstring(draw_svg(make_chain(1)))
    heights = {
        (group.findtext(f"{SVG}title") or "").split(" ")[0]: int(rect.attrib["y"])
        for group in root.iter(f"{SVG}g")
        if (rect := group.find(f"{SVG}rect")) is not None
    }
    graph = make_chain(1)
    assert all(heights[edge.source] < heights[node.name] for node in graph.nodes for edge in node.inputs)


def test_control_edges_are_dashed_and_labeled_in_the_picture() -> None:
    root = ElementTree.fromstring(draw_svg(make_chain(1)))
    dashed = [path for path in root.iter(f"{SVG}path") if "stroke-dasharray" in path.attrib]
    assert len(dashed) == 2
    assert {"stop", "go"} <= {text.text for text in root.iter(f"{SVG}text")}


def test_names_that_mean_something_in_xml_are_escaped() -> None:
    nodes = (
        Node(name="x", kind="input", outputs=(ROW,)),
        Node(name='<&"net">', kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,)),
    )
    assert '<&"net"> (function)' in titles(draw_svg(Graph(nodes=nodes, answer='<&"net">')))


def test_the_text_has_a_line_for_every_edge() -> None:
    text = draw_dot(make_chain(1))
    assert '"stage0" -> "exit0/head";' in text
    assert '"exit0/gate" -> "stage1" [style=dashed, label="go"];' in text
    assert '"exit0/gate" -> "exit0/stop" [style=dashed, label="stop"];' in text


def test_the_text_shows_the_fill_of_an_edge_with_a_default() -> None:
    late = Node(name="late", kind="function", outputs=(ROW,), inputs=(DataEdge(source="x", default=0.5),))
    graph = Graph(nodes=(*make_chain(0).nodes, late), answer="answer")
    assert '"x" -> "late" [label="0.5"];' in draw_dot(graph)


def test_quotes_in_names_do_not_end_the_text() -> None:
    nodes = (
        Node(name="x", kind="input", outputs=(ROW,)),
        Node(name='a"b', kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,)),
    )
    assert '"x" -> "a\\"b";' in draw_dot(Graph(nodes=nodes, answer='a"b'))
