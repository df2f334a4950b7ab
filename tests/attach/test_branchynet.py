"""The networks of BranchyNet: layers, places and work as published."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from offramp import attach, learn
from offramp.attach import b_alexnet, b_lenet, b_resnet
from offramp.errors import OptionError, WeightsError
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.measure.torch import count_macs, path_costs
from offramp.nn import BasicBlock
from offramp.run import ArraySamples
from offramp.run import onnx as run_onnx
from offramp.run import openvino as run_openvino
from offramp.run import torch as run_torch
from offramp.zoo import load_model

BUILDERS: dict[str, Callable[[], Graph]] = {
    "b_lenet": b_lenet,
    "b_alexnet": b_alexnet,
    "b_alexnet, paper": lambda: b_alexnet(positions="paper"),
    "b_resnet": lambda: b_resnet(depth=8),
}


@cache
def macs_of(name: str) -> dict[str, int]:
    return count_macs({"b_lenet": b_lenet, "b_alexnet": b_alexnet, "b_resnet110": b_resnet}[name]())


def stages_of(macs: dict[str, int]) -> int:
    return sum(count for name, count in macs.items() if name.startswith("stage"))


@pytest.mark.parametrize(
    ("name", "node", "macs"),
    [
        ("b_lenet", "stage0", 0.113e6),
        ("b_lenet", "exit0/head", 0.108e6),
        ("b_resnet110", "exit0/head", 48.2e6),
        ("b_resnet110", "exit1/head", 4.3e6),
    ],
)
def test_branches_cost_what_the_published_code_costs(name: str, node: str, macs: float) -> None:
    assert macs_of(name)[node] == pytest.approx(macs, rel=5e-3)


def test_the_first_exit_of_b_alexnet_costs_61_percent_of_the_network() -> None:
    costs = path_costs(b_alexnet(), macs_of("b_alexnet"))
    assert costs.per_exit[0] == pytest.approx(17.34e6, rel=5e-4)
    assert costs.per_exit[0] / costs.baseline == pytest.approx(0.61, abs=0.005)


def layers_of(graph: Graph, node: str) -> list[str]:
    return [type(layer).__name__ for layer in graph.bodies[node].children()]  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module


def linear_sizes(module: nn.Module) -> list[tuple[int, int]]:
    return [
        (layer.in_features, layer.out_features) for layer in module.modules() if isinstance(layer, nn.Linear)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("graph", "shapes"),
    [
        (b_lenet, [(5, 30, 30)]),
        (b_alexnet, [(64, 16, 16), (96, 8, 8)]),
        (lambda: b_alexnet(positions="paper"), [(32, 32, 32), (64, 16, 16)]),
        (b_resnet, [(16, 30, 30), (16, 30, 30)]),
    ],
)
def test_branches_read_where_they_were_published(graph: Callable[[], Graph], shapes: list[tuple[int, ...]]) -> None:
    built = graph()
    assert [built[f"stage{at}"].outputs[0].shape for at in range(len(shapes))] == shapes


def test_branches_read_convolutions_before_pooling_and_relu() -> None:
    assert layers_of(b_lenet(), "stage0") == ["Conv2d"]
    assert layers_of(b_alexnet(), "stage0") == ["Conv2d", "ReLU", "MaxPool2d", "ResponseNorm", "Conv2d"]
    assert layers_of(b_alexnet(), "stage1") == ["ReLU", "MaxPool2d", "ResponseNorm", "Conv2d"]


def test_the_linear_layers_have_the_published_sizes() -> None:
    sizes = {name: linear_sizes(body) for name, body in b_alexnet().bodies.items() if isinstance(body, nn.Module)}
    assert sizes["exit0/head"] == [(512, 10)]
    assert sizes["exit1/head"] == [(128, 10)]
    assert sizes["stage2"] == [(1024, 256), (256, 128), (128, 10)]
    lenet = b_lenet()
    assert linear_sizes(lenet.bodies["exit0/head"]) == [(640, 10)]  # type: ignore[arg-type]  # a body is opaque to the graph; here it is a module
    assert linear_sizes(lenet.bodies["stage1"]) == [(720, 84), (84, 10)]  # type: ignore[arg-type]  # a body is opaque to the graph; here it is a module
    resnet = b_resnet()
    ends = [linear_sizes(resnet.bodies[exit.name]) for exit in resnet.exits]  # type: ignore[arg-type]  # a body is opaque to the graph; here it is a module
    assert ends == [[(28800, 10)], [(14400, 10)], [(576, 10)]]


def test_b_resnet_110_has_18_blocks_per_group_and_biases() -> None:
    bodies = b_resnet().bodies
    blocks = [sum(isinstance(part, BasicBlock) for part in bodies[f"stage{at}"].modules()) for at in range(3)]  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
    assert blocks == [0, 18, 36]
    assert all(part.bias is not None for part in bodies["stage2"].modules() if isinstance(part, nn.Conv2d))  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
    assert any(isinstance(part, BasicBlock) for part in bodies["exit1/head"].modules())  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module


def test_the_entropy_gates_unless_asked_otherwise() -> None:
    assert [gate.gate.direction for gate in b_alexnet().gates if gate.gate] == ["lower", "lower"]
    graph = b_lenet(scores=("max_probability", "entropy"))
    assert {"exit0/score", "exit0/score/entropy"} < {node.name for node in graph.nodes}
    assert graph.gates[0].gate is not None
    assert graph.gates[0].gate.direction == "higher"


def test_branches_may_stand_elsewhere_and_be_more_or_fewer() -> None:
    graph = b_alexnet(7, positions=("conv1", "conv2", "conv4"), depths=(1, 0, 3))
    convolutions = [layers_of(graph, f"exit{at}/head").count("Conv2d") for at in range(3)]
    assert convolutions == [1, 0, 3]
    assert graph["stage3"].outputs[0].shape == (7,)
    assert [exit.name for exit in b_lenet(positions="relu2").exits] == ["exit0/head", "stage1"]
    assert [exit.name for exit in b_lenet(positions=()).exits] == ["stage0"]


@pytest.mark.parametrize(
    ("positions", "depths", "complaint"),
    [
        (("conv9",), None, "Did you mean 'conv"),
        (("fc2",), None, "no inner layer"),
        (("conv2", "conv1"), None, "order"),
        (("conv1", "conv1"), None, "order"),
        ("conv1", (1, 2), "one for each of the 1 branches"),
        ("conv1", (-1,), "whole numbers"),
    ],
)
def test_branches_that_do_not_fit_are_refused(
    positions: str | tuple[str, ...], depths: tuple[int, ...] | None, complaint: str
) -> None:
    with pytest.raises(OptionError, match=complaint):
        b_lenet(positions=positions, depths=depths)


def test_other_depths_of_the_resnet_are_refused() -> None:
    with pytest.raises(OptionError, match="6n"):
        b_resnet(depth=18)


@pytest.mark.parametrize(("name", "build"), [("b_lenet", b_lenet), ("b_alexnet", b_alexnet)])
def test_a_trained_trunk_gives_its_weights_and_stays_as_it_is(name: str, build: Callable[..., Graph]) -> None:
    loaded = load_model(f"zoo:{name}", seed=3)
    before = {key: value.clone() for key, value in loaded.module.state_dict().items()}
    graph = build(trunk=loaded.module)
    answer = run_torch.load(graph)({"x": loaded.example.numpy()}, stop_none(graph))  # type: ignore[union-attr]  # as it is at run time
    torch.testing.assert_close(torch.from_numpy(answer.logits), loaded.module(loaded.example).detach())
    nn.init.zeros_(graph.bodies["stage0"].conv1.weight)  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
    assert all(torch.equal(before[key], value) for key, value in loaded.module.state_dict().items())


@pytest.mark.parametrize(("name", "graph"), [("b_alexnet", b_alexnet), ("b_resnet110", b_resnet)])
def test_the_stages_together_have_the_weights_of_the_trunk(name: str, graph: Callable[[], Graph]) -> None:
    built = graph()
    stages = [built.bodies[node.name] for node in built.nodes if node.role == "stage"]
    names = [key for body in stages if isinstance(body, nn.Module) for key in body.state_dict()]
    assert names == list(load_model(f"zoo:{name}").module.state_dict())


def test_a_trunk_of_another_network_is_refused() -> None:
    with pytest.raises(WeightsError, match="trunk"):
        b_lenet(trunk=load_model("zoo:b_alexnet").module)


def test_our_own_exits_fit_anywhere_on_a_trunk() -> None:
    loaded = load_model("zoo:b_alexnet")
    graph = attach.exits(loaded.module, loaded.example, placement=["conv3", "fc1"], head="pool")
    assert len(graph.exits) == 3


def stop_none(graph: Graph) -> np.ndarray:
    return np.array([gate.gate.stop_none for gate in graph.gates if gate.gate], np.float32)


def split_in_the_middle(graph: Graph, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Thresholds in the widest gap of the middle half of the scores: some leave, and no rounding decides who."""
    scores = np.sort(run_torch.load_dense(graph)(inputs).scores["entropy"], axis=0)[:, : len(graph.gates)]
    quarter = len(scores) // 4
    inner = scores[quarter:-quarter]
    widest = np.diff(inner, axis=0).argmax(axis=0)
    gates = range(len(graph.gates))
    return np.array([inner[widest[gate] : widest[gate] + 2, gate].mean() for gate in gates], np.float32)


@pytest.mark.parametrize("name", ["b_lenet", "b_alexnet", "b_resnet"])
def test_the_file_answers_like_torch_in_both_engines(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    graph = BUILDERS[name]()
    path = export_onnx.save(graph, tmp_path / "model.onnx")
    shape = graph.inputs[0].outputs[0].shape
    pictures = np.random.default_rng(0).random((64, *shape), dtype=np.float32) * 3
    limits = split_in_the_middle(graph, {"x": pictures})
    oracle, engines = run_torch.load(graph), [run_onnx.load(path), run_openvino.load(path)]
    for rows in (0, 1, 3, 64):
        inputs = {"x": pictures[:rows]}
        expected = oracle(inputs, limits)
        for engine in engines:
            given = engine(inputs, limits)  # type: ignore[operator]  # as it is at run time
            np.testing.assert_array_equal(given.exit, expected.exit)
            # sums in another order, over a thousand products
            np.testing.assert_allclose(given.logits, expected.logits, atol=1e-4)
    assert len(set(expected.exit)) == len(graph.exits)


@pytest.mark.parametrize("name", BUILDERS)
def test_joint_training_moves_trunk_and_branches(name: str) -> None:
    torch.manual_seed(0)
    graph = BUILDERS[name]()
    generator = np.random.default_rng(0)
    shape = graph.inputs[0].outputs[0].shape
    samples = ArraySamples(
        inputs={"x": generator.random((32, *shape), dtype=np.float32)},
        ids=np.array([str(row) for row in range(32)]),
        labels=generator.integers(0, 10, 32),
    )
    settings = learn.JointSettings(epochs=1, backbone_epochs=1, batch=16, regime="mixed")
    trained = learn.joint(graph, samples, settings, progress=False)
    moved = {
        node.name
        for node in graph.nodes
        if node.role in ("stage", "head") and not torch.equal(_weights(graph, node.name), _weights(trained, node.name))
    }
    assert moved == {node.name for node in graph.nodes if node.role in ("stage", "head")}


def _weights(graph: Graph, name: str) -> torch.Tensor:
    body = graph.bodies[name]
    assert isinstance(body, nn.Module)
    return torch.cat([weight.detach().flatten() for weight in body.parameters()])
