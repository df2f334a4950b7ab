"""D2NNs from texts: nodes, shapes, answers, and what is refused."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from graphs import with_numpy_bodies
from offramp.attach import d2nn
from offramp.errors import GraphError, OfframpError, OptionError
from offramp.export import onnx as export_onnx
from offramp.graph import DataEdge, Graph, from_json, to_json
from offramp.nn import Executor, Merge, Normalize
from offramp.run import run_reference

SHAPE = (4,)
TABLE = """
    n1: x  | fc 6 | relu
    n2: n1 | fc 16 | relu | fc 3
    n3: n1 | fc 3
    q1: n1 | fc 5 | relu -> n2, n3
    answer: n2 or n3
"""


def forced(graph: Graph, edges: dict[str, int], rows: int = 3) -> torch.Tensor:
    with torch.no_grad():
        given = {name: torch.full((rows,), edge) for name, edge in edges.items()}
        return Executor(graph).eval()({"x": torch.ones(rows, *SHAPE)}, forced=given).logits  # type: ignore[no-any-return]  # layers and arrays tell no type


def test_each_line_becomes_a_node_behind_all_that_it_needs() -> None:
    graph = d2nn(TABLE, torch.zeros(1, *SHAPE))
    assert [(node.name, node.kind, node.role) for node in graph.nodes] == [
        ("x", "input", None),
        ("n1", "function", "regular"),
        ("q1", "control", "controller"),
        ("n2", "function", "regular"),
        ("n3", "function", "regular"),
        ("answer", "select", None),
    ]
    assert graph["q1"].edges == ("n2", "n3")
    assert graph["answer"].inputs == (DataEdge(source="n2"), DataEdge(source="n3"))


def test_shapes_are_those_that_come_out() -> None:
    graph = d2nn(TABLE, SHAPE)
    assert [graph[name].outputs[0].shape for name in ("x", "n1", "n2", "answer")] == [(4,), (6,), (3,), (3,)]


def test_the_last_layer_of_a_control_node_is_linear_to_its_edges() -> None:
    body = d2nn(TABLE, SHAPE).bodies["q1"]
    assert isinstance(body, nn.Sequential)
    assert [tuple(weight.shape) for weight in body.parameters()][-2:] == [(2, 5), (2,)]


def test_recipes_say_how_a_node_was_written() -> None:
    graph = d2nn("n1: x | fc 2 |  relu\nn2: x | fc 2\nout: n1 + n2 | fc 3", SHAPE)
    assert graph["n1"].recipe == {"join": "concat", "layers": "fc 2 | relu"}
    assert graph["out"].recipe == {"join": "sum", "layers": "fc 3"}
    assert from_json(to_json(graph)) == graph


@pytest.mark.parametrize(("sign", "join", "features"), [("+", "sum", 2), (",", "concat", 4)])
def test_what_did_not_run_is_read_as_its_default(sign: str, join: str, features: int) -> None:
    graph = d2nn(f"q: x -> a, b\na: x | fc 2\nb: x | fc 2\nout: a=5 {sign} b=-1 | fc 3", SHAPE)
    body = graph.bodies["out"]
    assert isinstance(body, Merge)
    assert body.join == join
    assert body.layers[0].in_features == features  # type: ignore[index]
    with torch.no_grad():
        value = graph.bodies["b"](torch.ones(3, *SHAPE))
        wanted = body(torch.full((3, 2), 5.0), value)
    torch.testing.assert_close(forced(graph, {"q": 1}), wanted)


def test_a_dummy_lets_nothing_run() -> None:
    graph = d2nn("q: x -> a, dummy\na: x | fc 3\nout: a=7 | take 2 1 0", SHAPE)
    assert graph["q"].edges == ("a", "q/dummy1")
    assert forced(graph, {"q": 1}).tolist() == [[7.0] * 3] * 3


def test_a_node_without_layers_passes_on_what_it_reads() -> None:
    assert forced(d2nn("a: x | fc 3\nb: a", SHAPE), {}).shape == (3, 3)


def test_modules_take_all_that_their_node_reads() -> None:
    class Difference(nn.Module):
        def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
            return left - right

    graph = d2nn("a: x | fc 3\nb: x | fc 3\nout: a, b", SHAPE, modules={"out": Difference()})
    x = torch.ones(3, *SHAPE)
    torch.testing.assert_close(forced(graph, {}), graph.bodies["a"](x) - graph.bodies["b"](x))
    assert graph["out"].recipe == {"kind": "module", "options": {}}


def test_the_given_module_stays_as_it_is() -> None:
    given = nn.Linear(4, 3).train()
    graph = d2nn("out: x", SHAPE, modules={"out": given})
    assert given.training
    assert graph.bodies["out"] is not given


def test_inputs_have_the_names_of_the_example() -> None:
    graph = d2nn("out: a_b, c | fc 3", {"a.b": torch.zeros(2, 2), "c": torch.zeros(2, 5)})
    assert [(node.name, node.outputs[0].shape) for node in graph.inputs] == [("a_b", (2,)), ("c", (5,))]


def test_pixels_are_normalized_in_front_of_all() -> None:
    table = "q: x -> a, b\na: x | fc 3\nb: x | fc 3\nout: a or b"
    graph = d2nn(table, torch.zeros(1, 1), normalize=Normalize([0.5], [0.25]))
    assert {graph[name].inputs[0].source for name in ("q", "a", "b")} == {"normalize"}
    assert (graph["normalize"].role, graph["normalize"].recipe) == ("normalize", {"mean": [0.5], "std": [0.25]})


def test_a_select_may_stand_in_the_middle() -> None:
    torch.manual_seed(0)
    graph = d2nn("q: x -> a, b\na: x | fc 3\nb: x | fc 3\nc: a or b\nout: c | relu | fc 2", SHAPE)
    x = np.random.default_rng(0).random((9, *SHAPE), dtype=np.float32)
    expected = run_reference(with_numpy_bodies(graph), {"x": x})
    with torch.no_grad():
        executor = Executor(graph)
        np.testing.assert_allclose(executor({"x": torch.from_numpy(x)}).logits, expected.logits, atol=1e-6)
        values = executor.dense({"x": torch.from_numpy(x)})
    torch.testing.assert_close(values["c"], values["a"])


def test_the_dense_file_runs_through_a_select_in_the_middle() -> None:
    graph = d2nn("q: x -> a, b\na: x | fc 3\nb: x | fc 3\nc: b or a\nout: c | relu | fc 2", SHAPE)
    model = export_onnx.to_model(graph, dense=True).SerializeToString()
    x = np.random.default_rng(0).random((5, *SHAPE), dtype=np.float32)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["exit_logits"], {"x": x})
    with torch.no_grad():
        wanted = Executor(graph).dense({"x": torch.from_numpy(x)})["out"][0]
    np.testing.assert_allclose(logits[:, 0], wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("a: b | fc 3\nb: a | fc 3", "no cycle, but 'a' -> 'b' -> 'a'"),
        ("a: a | fc 3", "no cycle, but 'a' -> 'a'"),
        ("q: a -> a, dummy\na: x | fc 3\nout: a=0", "no cycle, but 'a' -> 'q' -> 'a'"),
        ("a: x | fc 3\nq: x -> a, bb\nb: x | fc 3\nout: a or b", "leads to 'bb', which does not exist .*'b'"),
        ("a: x | fc 3\nout: a or c", "reads 'c', which does not exist"),
        ("a: x | fc 3\na: x | fc 3\nout: a", "2 nodes are called 'a'"),
        ("x: x | fc 3", "2 nodes are called 'x'"),
        ("q: x -> a, b\na: x | fc 3\nb: x | fc 3", "one node must be read by no other, .* but a, b are"),
        ("q: x -> a, dummy\na: x | fc 3\nout: a or a", "'out' is null for samples"),
        ("q: x -> a, b, dummy\na: x | fc 3\nb: x | fc 3\nc: a or b\nout: c=0", "'c' are null if 'q' opens edge 2"),
        ("q: x -> a, a\na: x | fc 3\nout: a", "at most one incoming control edge, but 'a' has 2"),
        ("q: x -> a, b\np: x -> a, b\na: x | fc 3\nb: x | fc 3\nout: a or b", "at most one incoming"),
        ("q: x -> a, b\na: x | fc 3\nb: a | fc 3\nout: a or b", "'b' can never run"),
        ("q: x -> a, b\na: x | fc 3\nb: x | fc 3\nc: q | fc 3\nout: a or b or c", "all data or all control edges"),
        ("q: x -> a, b\na: x | fc 3\nb: x | fc 3\np: x -> q, dummy\nout: a or b", "incoming control edge has no"),
        ("q: x -> a\na: x | fc 3\nout: a=0", "at least two edges, but 'q' has one"),
        ("q: x -> a, b\na: x | fc 3\nb: x | fc 4\nout: a or b", "inputs of the select node 'out' must be .* like"),
        ("a: x | fc 3\nout: a=0 or x=1", "must have no defaults"),
        ("a: x | fc 3\nb: x | fc 4\nout: a + b", r"'out' joins must be alike, but is a \[3\], b \[4\]"),
        ("a: x | fcc 3", "a layer must be one of"),
        ("a: x | conv 3x3 4", "cannot read features"),
    ],
)
def test_what_is_no_d2nn_is_refused_in_one_sentence(table: str, complaint: str) -> None:
    with pytest.raises((GraphError, OptionError), match=complaint) as caught:
        d2nn(table, SHAPE)
    assert "\n" not in str(caught.value)


class Broken(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise ValueError("not today")


@pytest.mark.parametrize(
    ("table", "modules", "complaint"),
    [
        ("a: x", {"b": nn.Identity()}, "modules must belong to nodes of the text, but 'b' does not"),
        ("a: x | fc 3", {"a": nn.Identity()}, "has layers or a module"),
        ("a: x\nb: x | fc 3\nc: a or b", {"c": nn.Identity()}, "has layers or a module"),
        ("a: x", {"a": Broken()}, "'a' must read .* but raised ValueError: not today"),
        ("a: x", {"a": nn.Flatten(0)}, r"must give a tensor \[2, \.\.\.\], but gave \[8\]"),
        ("a: x | fc 3\nq: x -> a, dummy\nb: a=0", {"q": nn.Linear(4, 3)}, r"must give a tensor \[2, 2\], but gave"),
    ],
)
def test_modules_that_do_not_fit_are_refused(table: str, modules: dict[str, nn.Module], complaint: str) -> None:
    with pytest.raises(OfframpError, match=complaint):
        d2nn(table, SHAPE, modules=modules)
