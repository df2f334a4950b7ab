"""Which layers of a body in 8 bits its outputs suffer from most, and such a body with some of its layers in float."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import onnx
import torch
from onnx import NodeProto, shape_inference

from ._agreement import OnnxBody
from ._ends import open_ends

PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
SUM = "Add"
SUM_COSTS = 128  # MACs per number: ResNet-56's sums in float take as long as its convolutions of 16 channels (144)
LEAST = 0.05  # of the noise: most of the layers of ResNet-56 lie within 0.05 of 0, its first at 0.21
Given = tuple[torch.Tensor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer that could stay in float.

    Attributes:
        name: Of its ONNX node.
        noise: Share of the squared error of the body's outputs that goes with it.
        cost: MACs per sample, of a sum as many as take as long.
    """

    name: str
    noise: float
    cost: float


@torch.no_grad()
def rank_layers(traced: onnx.ModelProto, whole: onnx.ModelProto, given: Sequence[Given]) -> list[Layer]:
    """The layers in 8 bits, those first that spoil most for what they cost; one by one in float.

    Args:
        traced: The body in float.
        whole: The same in 8 bits.
        given: Batches of its inputs.
    """
    costs = _costs(traced)
    wanted = _run(traced, given)
    before = _error(_run(whole, given), wanted)
    layers = []
    for name in _in_8_bits(whole):
        after = _error(_run(restore(whole, traced, [name]), given), wanted)
        layers.append(Layer(name=name, noise=1 - after / before if before else 0.0, cost=costs[name]))
    return sorted(layers, key=lambda layer: -layer.noise / max(layer.cost, 1.0))


def spare(layers: Sequence[Layer], budget: float) -> tuple[str, ...]:
    """Names of those to keep in float, if they may cost as much as this share of all layers."""
    left = budget * sum(layer.cost for layer in layers)
    chosen = []
    for layer in layers:
        if layer.noise >= LEAST and layer.cost <= left:
            chosen.append(layer.name)
            left -= layer.cost
    return tuple(chosen)


def restore(whole: onnx.ModelProto, traced: onnx.ModelProto, names: Collection[str]) -> onnx.ModelProto:
    """A body in 8 bits with some of its layers as they were.

    Args:
        whole: In 8 bits; it is not changed.
        traced: In float, with the same names.
        names: Of the layers' ONNX nodes.
    """
    model = onnx.ModelProto()
    model.CopyFrom(whole)
    before = {node.name: node for node in traced.graph.node}
    weights = {one.name: one for one in traced.graph.initializer}
    there = {one.name for one in model.graph.initializer}
    for node in model.graph.node:
        if node.name in names:
            del node.input[:]
            node.input.extend(before[node.name].input)
            missing = [name for name in node.input if name in weights and name not in there]
            model.graph.initializer.extend(weights[name] for name in missing)
            there.update(missing)
    open_ends(model, names)
    _drop_unread(model)
    return model


def _in_8_bits(model: onnx.ModelProto) -> list[str]:
    rounded = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    return [
        node.name for node in model.graph.node if node.op_type in (*PRODUCTS, SUM) and rounded.intersection(node.input)
    ]


def _drop_unread(model: onnx.ModelProto) -> None:
    """Nodes and weights that nothing leads to any more."""
    wanted = {one.name for one in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    weights = [one for one in model.graph.initializer if one.name in wanted]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(reversed(kept))
    model.graph.initializer.extend(weights)


def _costs(traced: onnx.ModelProto) -> dict[str, float]:
    """By node, MACs per sample; free axes count as 1."""
    known = shape_inference.infer_shapes(traced).graph
    shapes = {one.name: tuple(one.dims) for one in known.initializer}
    for value in (*known.value_info, *known.input, *known.output):
        shapes[value.name] = tuple(max(1, size.dim_value) for size in value.type.tensor_type.shape.dim)
    return {
        node.name: float(math.prod(shapes.get(node.output[0], ())) * _per_number(node, shapes))
        for node in known.node
        if node.op_type in (*PRODUCTS, SUM)
    }


def _per_number(node: NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    if node.op_type == SUM:
        return SUM_COSTS
    if node.op_type in ("Conv", "ConvTranspose"):
        return math.prod(shapes.get(node.input[1], ())[1:])
    return (shapes.get(node.input[0]) or (1,))[-1]


def _run(model: onnx.ModelProto, given: Sequence[Given]) -> list[Given]:
    body = OnnxBody(model)
    return [body(*batch) for batch in given]


def _error(found: Sequence[Given], wanted: Sequence[Given]) -> float:
    """Mean squared difference, of each output in units of its own size."""
    total = 0.0
    for at in range(len(wanted[0])):
        here, there = (torch.cat([batch[at] for batch in which]).double() for which in (found, wanted))
        size = float(there.square().mean())
        total += float((here - there).square().mean()) / (size or 1.0)
    return total
