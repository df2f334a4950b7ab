"""No file asks an engine to round the sizes of a pooling up, and answers are what they were."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor as Values
from torch import nn

from offramp import attach
from offramp.export import onnx as export_onnx
from offramp.export._body import trace_body
from offramp.export._pools import round_down
from offramp.graph import DataEdge, Node, Tensor
from offramp.nn.heads import HeadRecipe, build_head
from offramp.run import onnx as run_onnx
from offramp.run import openvino as run_openvino

HEADS = Path(__file__).parents[2] / "benchmarks" / "heads" / "resnet56.safetensors"
POOLS: dict[str, nn.Module] = {
    "mean 2": nn.AvgPool2d(2, ceil_mode=True),
    "mean 3/2": nn.AvgPool2d(3, 2, ceil_mode=True),
    "mean 2/3": nn.AvgPool2d(2, 3, ceil_mode=True),
    "mean 3/2 pad 1": nn.AvgPool2d(3, 2, padding=1, ceil_mode=True),
    "mean 3/2 pad 1 not counted": nn.AvgPool2d(3, 2, padding=1, ceil_mode=True, count_include_pad=False),
    "mean 4/3 pad 2 by 1": nn.AvgPool2d((4, 3), (3, 2), padding=(2, 1), ceil_mode=True),
    "most 2": nn.MaxPool2d(2, ceil_mode=True),
    "most 3/2": nn.MaxPool2d(3, 2, ceil_mode=True),
    "most 2/3": nn.MaxPool2d(2, 3, ceil_mode=True),
    "most 3/2 pad 1": nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
    "most 2/3 dilated": nn.MaxPool2d(2, 3, dilation=2, ceil_mode=True),
    "most 3/4 dilated pad 1": nn.MaxPool2d(3, 4, padding=1, dilation=3, ceil_mode=True),
}
MAPS = [(2, 8, 8), (2, 9, 9), (2, 7, 10), (2, 11, 8), (2, 32, 33), (3, 13, 56)]
KINDS = ["light", "pool", "conv1", "student", "layers:pool 3/2 | avgpool 2 | fc 8"]


def body_of(module: nn.Module, shape: tuple[int, ...]) -> onnx.ModelProto:
    with torch.no_grad():
        given = module.eval()(torch.zeros(2, *shape))
    made = Tensor(shape=tuple(given.shape[1:]))
    node = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(made,))
    return trace_body(node, module, [Tensor(shape=shape)])


def rounding(graph: onnx.GraphProto) -> list[str]:
    """Names of the operations that round up, in the bodies of `If`s too."""
    found = []
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "ceil_mode" and attribute.i:
                found.append(node.name)
            if attribute.HasField("g"):
                found += rounding(attribute.g)
    return found


def by_onnx_runtime(model: onnx.ModelProto, x: Values) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"i0": x.numpy()})[0]  # type: ignore[no-any-return]  # layers and arrays tell no type


def by_openvino(model: onnx.ModelProto, x: Values) -> np.ndarray[Any, Any]:
    import openvino

    core = openvino.Core()
    read = core.read_model(model.SerializeToString())
    return core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})({"i0": x.numpy()})[0]  # type: ignore[no-any-return]  # layers and arrays tell no type


class All(nn.Module):
    """All poolings side by side, each flattened, in one row: a body is traced in a second or two."""

    def __init__(self) -> None:
        super().__init__()
        self.pools = nn.ModuleList(POOLS.values())

    def forward(self, x: Values) -> Values:
        return torch.cat([pool(x).flatten(1) for pool in self.pools], dim=1)


@cache
def answers(shape: tuple[int, ...]) -> tuple[Values, dict[str, np.ndarray[Any, Any]], onnx.ModelProto]:
    """Inputs, all of them negative so that a border of zeros would show in a maximum; what engines say; the model."""
    x = -1 - torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    model = body_of(All(), shape)
    return x, {"onnxruntime": by_onnx_runtime(model, x), "openvino": by_openvino(model, x)}, model


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("shape", MAPS)
@pytest.mark.parametrize("name", POOLS)
def test_engines_pool_as_pytorch_does_where_it_rounds_up(name: str, shape: tuple[int, ...], engine: str) -> None:
    x, found, _ = answers(shape)
    sizes = [pool(x).flatten(1).shape[1] for pool in POOLS.values()]
    start = sum(sizes[: list(POOLS).index(name)])
    wanted = POOLS[name](x).flatten(1).numpy()
    mine = found[engine][:, start : start + wanted.shape[1]]
    if name.startswith("most"):
        np.testing.assert_array_equal(mine, wanted)
    else:
        np.testing.assert_allclose(mine, wanted, rtol=1e-6)  # an engine adds in another order


@pytest.mark.parametrize("shape", MAPS)
def test_no_pooling_rounds_up(shape: tuple[int, ...]) -> None:
    model = answers(shape)[-1]
    assert sum(node.op_type in ("AveragePool", "MaxPool") for node in model.graph.node) == len(POOLS)
    assert not rounding(model.graph)


@pytest.mark.parametrize("shape", [(4, 9), (4, 16), (2, 5, 6, 7)])
@pytest.mark.parametrize("kind", ["Avg", "Max"])
def test_sounds_and_volumes_are_pooled_so_too(kind: str, shape: tuple[int, ...]) -> None:
    module = getattr(nn, f"{kind}Pool{len(shape) - 1}d")(2, 3 if len(shape) == 2 else 2, ceil_mode=True)
    x = -1 - torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    model = body_of(module, shape)
    assert not rounding(model.graph)
    np.testing.assert_allclose(by_onnx_runtime(model, x), module(x).numpy(), rtol=1e-6)


def test_the_places_of_maxima_stay_the_same() -> None:
    class Places(nn.Module):
        def forward(self, x: Values) -> Values:
            return nn.functional.max_pool2d(x, 3, 2, ceil_mode=True, return_indices=True)[1].to(torch.float32)

    x = torch.rand(3, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    model = body_of(Places(), (2, 8, 8))
    assert not rounding(model.graph)
    np.testing.assert_array_equal(by_onnx_runtime(model, x), Places()(x).numpy())


def test_a_pooling_over_maps_of_unknown_size_stays_as_it_is() -> None:
    model = body_of(nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU()), (2, 8, 8))
    pool = onnx.helper.make_node("MaxPool", ["i0"], ["o0"], kernel_shape=[2, 2], ceil_mode=1)
    del model.graph.node[:]
    model.graph.node.append(pool)
    for value in (*model.graph.input, *model.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            dim.dim_param = "any"
    del model.graph.value_info[:]
    assert round_down(model).graph.node[0] == pool


@pytest.mark.parametrize("shape", [(4, 33, 35), (2, 100, 64)])
@pytest.mark.parametrize("kind", KINDS)
def test_no_file_of_a_head_rounds_up_and_both_engines_answer_as_pytorch_does(
    kind: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    stage = nn.Sequential(nn.Conv2d(shape[0], 4, 3, padding=1), nn.ReLU())
    net = nn.Sequential(stage, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    graph = attach.exits(net.eval(), torch.rand(2, *shape), placement=["0"], head=[HeadRecipe.parse(kind)])
    x = torch.rand(3, *shape)
    with torch.no_grad():
        head = graph.bodies["exit0/head"].eval()  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
        wanted = head(stage.eval()(x))
        wanted = wanted[0] if isinstance(wanted, tuple) else wanted
    for dense in (False, True):
        path = export_onnx.save(graph, tmp_path / f"{dense}.onnx", dense=dense)
        assert not rounding(onnx.load(path).graph)
    for run in (run_onnx, run_openvino):
        found = run.load_dense(path)({graph.inputs[0].name: x.numpy()}).logits[:, 0]
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-5)


def test_heads_that_were_trained_answer_as_before() -> None:
    """A light head of the public ResNet-56: the names of its weights are those of its layers, which did not move."""
    weights, prefix = load_file(HEADS), "exit3/head."
    head = build_head(HeadRecipe("light"), (64, 8, 8), 10).eval()
    head.load_state_dict({name.removeprefix(prefix): weights[name] for name in weights if name.startswith(prefix)})
    x = torch.rand(3, 64, 8, 8, generator=torch.Generator().manual_seed(0))
    model = body_of(head, (64, 8, 8))
    with torch.no_grad():
        np.testing.assert_allclose(by_onnx_runtime(model, x), head(x).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["squeezenet1_1", "googlenet"])
def test_networks_that_round_up_are_written_without(name: str, vision: Any) -> None:
    torch.manual_seed(0)
    how = {"init_weights": True, "aux_logits": False} if name == "googlenet" else {}
    net = getattr(vision.models, name)(num_classes=4, **how).eval()
    x = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    model = body_of(net, (3, 96, 96))
    assert "MaxPool" in {node.op_type for node in model.graph.node}
    assert not rounding(model.graph)
    with torch.no_grad():
        wanted = net(x).numpy()
    for found in (by_onnx_runtime(model, x), by_openvino(model, x)):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
