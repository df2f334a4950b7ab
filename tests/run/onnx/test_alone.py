"""The network alone out of a file: node by node what the export writes without exits, and the same answers."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from graphs import make_chain
from offramp import attach, transform
from offramp.errors import EngineError
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.run import onnx as onnxruntime
from offramp.run import openvino
from offramp.run.onnx import network_alone
from offramp.transform import backbone

ROWS = np.random.default_rng(0).normal(size=(64, 1, 8, 8)).astype(np.float32)


def pictures(**options: bool) -> Graph:
    """A network with a fork, so that two tensors cross the second cut, and three exits."""

    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
            self.second = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
            self.third = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
            self.end = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first = self.first(x)
            second = self.second(first) + first
            return self.end(self.third(second) + second)  # type: ignore[no-any-return]  # layers and arrays tell no type

    torch.manual_seed(0)
    return attach.exits(Forked().eval(), torch.zeros(2, 1, 8, 8), count=0, placement=(0, 1, 2), **options)  # type: ignore[arg-type]  # options by name


GRAPHS = {
    "plain": pictures,
    "heads read heads": lambda: pictures(reuse_logits=True),
    "exits answer together": lambda: pictures(ensemble_heads=True),
    "exits before a fallback": lambda: transform.add_fallback(pictures()),
}


@functools.cache
def export_of(kind: str) -> tuple[Graph, bytes]:
    """A graph and its file, written once."""
    graph = GRAPHS[kind]()  # type: ignore[no-untyped-call]  # PyTorch's own
    return graph, export_onnx.to_model(graph).SerializeToString()


def model_of(kind: str) -> onnx.ModelProto:
    return onnx.load_from_string(export_of(kind)[1])


def nobody(model: onnx.ModelProto) -> np.ndarray:
    card = json.loads(model.metadata_props[0].value)
    return np.array([gate["stop_none"] for gate in card["gates"]], np.float32)


@pytest.mark.parametrize("kind", list(GRAPHS))
def test_it_answers_as_the_file_does_with_nobody_leaving(kind: str, tmp_path: Path) -> None:
    model = model_of(kind)
    alone = network_alone(model)
    onnx.checker.check_model(alone)
    onnx.save(model, tmp_path / "model.onnx")
    onnx.save(alone, tmp_path / "alone.onnx")
    for rows in (ROWS[:1], ROWS[:3], ROWS):
        for engine in (openvino, onnxruntime):
            whole = engine.load(tmp_path / "model.onnx")(rows, nobody(model)).logits
            found = engine.load_dense(tmp_path / "alone.onnx")(rows).logits
            assert found.shape == (len(rows), 1, 5)
            np.testing.assert_allclose(found[:, 0], whole, atol=1e-5)


@pytest.mark.parametrize("kind", ["plain", "heads read heads", "exits answer together"])
def test_it_is_what_the_export_writes_of_the_backbone(kind: str) -> None:
    graph = export_of(kind)[0]
    alone, wanted = network_alone(model_of(kind)), export_onnx.to_model(backbone(graph), dense=True)
    assert [node.name for node in alone.graph.node[:-1]] == [node.name for node in wanted.graph.node[:-2]]
    assert {one.name for one in alone.graph.initializer} - {"alone/axis"} == {
        one.name for one in wanted.graph.initializer if not one.name.startswith("offramp/")
    }


def test_of_a_file_with_a_fallback_the_first_network_can_be_had_too(tmp_path: Path) -> None:
    graph, model = export_of("exits before a fallback")[0], model_of("exits before a fallback")
    first = network_alone(model, exit=graph.exits[-2].name)
    assert not any(node.name.startswith("fallback/") for node in first.graph.node)
    assert all(node.name.startswith("fallback/") for node in network_alone(model).graph.node[:-1])
    onnx.save(first, tmp_path / "first.onnx")
    onnx.save(export_onnx.to_model(backbone(graph), dense=True), tmp_path / "backbone.onnx")
    found, wanted = (openvino.load_static(tmp_path / name)(ROWS[:3]) for name in ("first.onnx", "backbone.onnx"))  # type: ignore[arg-type]  # as it is at run time
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("exits", [0, 1, 2])
def test_integers_stay_exact_however_deep_the_conditions_nest(exits: int, tmp_path: Path) -> None:
    model = export_onnx.to_model(make_chain(exits))
    onnx.save(model, tmp_path / "model.onnx")
    onnx.save(network_alone(model), tmp_path / "alone.onnx")
    rows = np.random.default_rng(0).integers(-9, 9, (7, 3)).astype(np.float32)
    whole = onnxruntime.load(tmp_path / "model.onnx")({"x": rows}, nobody(model)).logits
    assert np.array_equal(onnxruntime.load_dense(tmp_path / "alone.onnx")({"x": rows}).logits[:, 0], whole)


def test_no_gate_no_head_and_no_condition_is_left() -> None:
    alone = network_alone(model_of("plain"))
    assert not [node.name for node in alone.graph.node if node.op_type == "If" or "head" in node.name]
    assert [value.name for value in alone.graph.input] == ["x"]
    used = {name for node in alone.graph.node for name in node.input}
    assert {one.name for one in alone.graph.initializer} <= used


def test_the_file_itself_stays_as_it_was() -> None:
    model = model_of("plain")
    before = model.SerializeToString(deterministic=True)
    network_alone(model)
    assert model.SerializeToString(deterministic=True) == before


def test_a_file_of_somebody_else_and_an_unknown_exit_are_refused() -> None:
    model = model_of("plain")
    with pytest.raises(EngineError, match="exit7"):
        network_alone(model, exit="exit7/head")
    del model.metadata_props[:]
    with pytest.raises(EngineError, match="metadata"):
        network_alone(model)


def test_a_condition_of_the_network_s_own_is_refused() -> None:
    model = model_of("plain")
    (own,) = (node for node in model.graph.node if node.op_type == "If")
    own.name = "stage1/cond"
    with pytest.raises(EngineError, match="other conditions"):
        network_alone(model)
