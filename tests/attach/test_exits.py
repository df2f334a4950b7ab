"""Tests of attaching exits: the graph's shape, its recipes, and that it still answers like the model."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

import networks
from networks import CifarResNet, call, more
from offramp import attach
from offramp.attach import choose_cuts
from offramp.attach._exits import Placement
from offramp.capture import capture
from offramp.errors import CaptureError, OptionError
from offramp.graph import from_json, to_json
from offramp.measure.torch import path_costs
from offramp.nn import Executor, Normalize
from offramp.nn.heads import HeadRecipe
from offramp.transform import gate_by

pytestmark = pytest.mark.tracing
PICTURE = torch.zeros(2, 3, 32, 32)


def net() -> CifarResNet:
    torch.manual_seed(0)
    return CifarResNet(2).eval()


def test_the_graph_has_the_shape_of_the_frame() -> None:
    plain = Normalize([0.5] * 3, [0.25] * 3)
    scores = ("max_probability", "entropy")
    graph = attach.exits(net(), PICTURE, count=2, scores=scores, normalize=plain)
    names = [node.name for node in graph.nodes]
    exit = ["head", "score", "score/entropy", "gate", "stop"]
    assert names == [
        *("x", "normalize", "stage0"),
        *(f"exit0/{part}" for part in exit),
        "stage1",
        *(f"exit1/{part}" for part in exit),
        *("stage2", "answer"),
    ]
    assert graph.exits == ("exit0/head", "exit1/head", "stage2")
    assert [edge.source for edge in graph["answer"].inputs] == ["stage2", "exit1/head", "exit0/head"]
    assert [edge.source for edge in graph["exit1/score"].inputs] == ["stage1", "exit1/head", "exit0/head"]
    assert graph["exit0/gate"].edges == ("exit0/stop", "stage1")


def test_recipes_are_json() -> None:
    graph = attach.exits(net(), PICTURE, count=1, head=HeadRecipe("pool"), normalize=Normalize([0.5] * 3, [0.25] * 3))
    again = from_json(json.loads(json.dumps(to_json(graph))))
    assert again.nodes == graph.nodes
    assert graph["exit0/head"].recipe == {"kind": "pool", "options": {}}
    assert graph["normalize"].recipe == {"mean": [0.5] * 3, "std": [0.25] * 3}


@torch.no_grad()
@pytest.mark.parametrize("name", ["cifar", "hf_bert", "hf_vit", "swin_t"])
def test_if_nobody_stops_the_answers_are_the_models(name: str, vision: Any) -> None:
    model, example = networks.make(name)
    graph = attach.exits(model, example, count=2, head="pool")
    inputs = more(example, 5)
    given = inputs if isinstance(inputs, dict) else {"x": inputs}
    never = torch.tensor([gate.gate.stop_none for gate in graph.gates if gate.gate])
    outcome = Executor(graph).eval()(given, never)
    torch.testing.assert_close(outcome.logits, call(model, inputs), rtol=1e-4, atol=1e-4)  # sums in another order
    assert outcome.exit.tolist() == [2] * 5


@torch.no_grad()
def test_if_everybody_stops_the_first_head_answers() -> None:
    graph = attach.exits(net(), PICTURE, count=2)
    always = torch.tensor([gate.gate.stop_all for gate in graph.gates if gate.gate])
    outcome = Executor(graph).eval()({"x": torch.randn(3, 3, 32, 32)}, always)
    assert outcome.exit.tolist() == [0] * 3


@torch.no_grad()
def test_without_exits_the_graph_is_the_network() -> None:
    model = net()
    graph = attach.exits(model, PICTURE, count=0)
    x = torch.randn(3, 3, 32, 32)
    assert [node.name for node in graph.nodes] == ["x", "stage0"]
    torch.testing.assert_close(Executor(graph)({"x": x}).logits, model(x))


def test_inputs_by_name_keep_their_types(vision: Any) -> None:
    graph = attach.exits(*networks.make("hf_bert"), count=1)
    assert {node.name: node.outputs[0].dtype for node in graph.inputs} == {
        "input_ids": "int64",
        "attention_mask": "int64",
    }
    assert graph["stage0"].eval_only
    assert len(graph["stage1"].inputs) == 2


@pytest.mark.parametrize(
    ("placement", "exits", "names"),
    [
        ("linear", 2, ["layer1.1", "layer2.1"]),
        ("layer2.1", 9, ["layer2.1"]),
        ("layer2", 9, ["layer2.1"]),
        (0, 9, ["relu"]),
        (-1, 9, ["layer3.1"]),
        (["layer2.1", 1], 9, ["layer1.0", "layer2.1"]),
        ([], 9, []),
    ],
)
def test_exits_go_where_they_are_told(placement: Placement, exits: int, names: list[str]) -> None:
    captured = capture(net(), PICTURE)
    assert [cut.name for cut in choose_cuts(captured, placement, count=exits)] == names


@pytest.mark.parametrize(
    ("placement", "exits", "says"),
    [
        ("layer2.9", 1, "no cut point is named 'layer2.9'; the nearest are layer2"),
        (99, 1, "below 7, but is 99"),
        (["layer2", "layer2.1"], 1, "need a cut point each, but .* names one twice"),
        ("linear", 9, "9 exits by rule 'linear' do not fit"),
    ],
)
def test_exits_that_fit_nowhere_are_refused(placement: Any, exits: int, says: str) -> None:
    with pytest.raises(CaptureError, match=says):
        attach.exits(net(), PICTURE, count=exits, placement=placement)


@pytest.mark.parametrize("scores", [(), ("entropy", "entropy")])
def test_scores_are_named_once_each(scores: tuple[str, ...]) -> None:
    with pytest.raises(OptionError, match="each once"):
        attach.exits(net(), PICTURE, scores=scores)


def test_heads_of_a_cascade_read_those_before_them_and_start_as_the_plain_ones() -> None:
    torch.manual_seed(1)
    plain = attach.exits(net(), PICTURE, count=3)
    torch.manual_seed(1)
    graph = attach.exits(net(), PICTURE, count=3, reuse_logits=True)
    assert [edge.source for edge in graph["exit2/head"].inputs] == ["stage2", "exit0/head", "exit1/head"]
    assert graph["exit0/head"] == plain["exit0/head"]
    assert (graph["exit2/head"].recipe or {})["reuse_logits"] is True
    x = {"x": torch.rand(2, 3, 32, 32)}
    with torch.no_grad():
        expected, given = (Executor(one).eval().dense(x) for one in (plain, graph))
    assert graph.exits == plain.exits
    assert all(torch.equal(given[name][0], expected[name][0]) for name in graph.exits)


def test_in_an_ensemble_all_heads_so_far_answer_and_scores_read_that() -> None:
    graph = attach.exits(net(), PICTURE, count=3, scores=("patience", "entropy"), ensemble_heads=True)
    assert graph.exits == ("exit0/head", "exit1/ensemble", "exit2/ensemble", "stage3")
    assert [edge.source for edge in graph["exit2/ensemble"].inputs] == ["exit2/head", "exit0/head", "exit1/head"]
    assert [edge.source for edge in graph["exit2/head"].inputs] == ["stage2"]
    read = ["stage2", "exit2/ensemble", "exit0/head", "exit1/ensemble"]
    assert [edge.source for edge in graph["exit2/score"].inputs] == read
    assert gate_by(graph, "entropy")["exit2/score"].inputs == graph["exit2/score"].inputs
    with torch.no_grad():
        given = Executor(graph).eval().dense({"x": torch.rand(2, 3, 32, 32)})
        said = graph.bodies["exit2/ensemble"](*(given[f"exit{at}/head"][0] for at in (2, 0, 1)))
    assert torch.equal(given["exit2/ensemble"][0], said)


def test_hearing_earlier_heads_costs_a_square_of_the_classes_per_exit() -> None:
    plain = path_costs(attach.exits(net(), PICTURE, count=3)).per_exit
    more = path_costs(attach.exits(net(), PICTURE, count=3, reuse_logits=True, ensemble_heads=True)).per_exit
    assert (more - plain).tolist() == [0, 100, 200, 200]
