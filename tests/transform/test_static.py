from __future__ import annotations

import pytest
import torch

from early_exits import make_graph, make_reusing
from graphs import make_chain
from offramp.errors import GraphError
from offramp.nn import Executor
from offramp.transform import backbone, head_alone, nothing, static_path


def names(graph: object) -> list[str]:
    return [node.name for node in graph.nodes]  # type: ignore[attr-defined]


def test_the_way_to_an_exit_holds_the_heads_on_it_but_no_scores_and_gates() -> None:
    static = static_path(make_graph(), "stage1")
    assert names(static) == ["x", "stage0", "exit0/head", "stage1", "answer"]
    assert static.exits == ("exit0/head", "stage1")


def test_the_way_to_the_first_exit_ends_there() -> None:
    static = static_path(make_graph(), "exit0/head")
    assert names(static) == ["x", "stage0", "exit0/head"]
    assert static.answer == "exit0/head"


def test_the_backbone_has_no_heads() -> None:
    assert names(backbone(make_graph())) == ["x", "stage0", "stage1"]


def test_an_exit_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(GraphError, match="exit0/head, stage1, but is 'exit7'"):
        static_path(make_graph(), "exit7")


def test_the_backbone_answers_as_the_whole_does_when_nobody_leaves() -> None:
    graph = make_chain(2)
    x = {"x": torch.ones(4, 3)}
    whole = Executor(graph)(x, torch.tensor([gate.gate.stop_none for gate in graph.gates if gate.gate]))
    assert torch.equal(Executor(backbone(graph))(x).logits, whole.logits)


def test_a_head_alone_answers_as_it_does_in_its_place() -> None:
    graph = make_graph()
    alone = head_alone(graph, "exit0/head")
    assert names(alone) == ["features", "exit0/head"]
    x = {"x": torch.rand(3, 1, 8, 8)}
    with torch.no_grad():
        values = Executor(graph).eval().dense(x)
        answer = Executor(alone).eval()({"features": values["stage0"][0]})
    assert torch.equal(answer.logits, values["exit0/head"][0])


def test_a_head_alone_takes_whatever_it_hears_and_its_ensemble_with_it() -> None:
    graph = make_reusing(learned=True)
    alone = head_alone(graph, "exit2/ensemble")
    assert names(alone) == ["features", "features1", "features2", "exit2/head", "exit2/ensemble"]
    with torch.no_grad():
        values = Executor(graph).eval().dense({"x": torch.rand(3, 1, 8, 8)})
        heard = {"features1": values["exit0/head"][0], "features2": values["exit1/head"][0]}
        answer = Executor(alone).eval()({"features": values[graph["exit2/head"].inputs[0].source][0], **heard})
    torch.testing.assert_close(answer.logits, values["exit2/ensemble"][0])


def test_what_is_no_exit_has_no_head() -> None:
    with pytest.raises(GraphError, match="exit7"):
        head_alone(make_graph(), "exit7")


def test_nothing_takes_the_same_input_and_gives_one_number_per_row() -> None:
    idle = nothing(make_graph())
    assert [node.name for node in idle.inputs] == ["x"]
    assert Executor(idle)({"x": torch.rand(3, 1, 8, 8)}).logits.shape == (3, 1)
