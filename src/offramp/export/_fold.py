"""What follows from weights alone, computed once at export instead of at each call.

The exporter folds small constants and leaves larger ones, such as a position embedding that is resized. Engines then
compute these, not always as PyTorch does: OpenVINO's antialiased bicubic Resize is off by 1e-2.
"""

from __future__ import annotations

import onnx
import onnxruntime
from onnx import numpy_helper

LARGEST = 2**24  # bytes of one folded tensor; what is larger stays an operation, or the file would grow
# Draws at random, or keeps weights in 8 bits.
_KEPT = frozenset(
    ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial", "Dropout",
     "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
)  # fmt: skip


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with results in place of the operations that read weights alone; it is changed itself.

    They are computed by ONNX Runtime without its optimizations. A model that has none, or of which it does not know
    all operators, stays as it is.
    """
    graph = model.graph
    constant = _constant_nodes(graph)
    if all(node.op_type == "Constant" for node in constant):
        return model
    made = {name for node in constant for name in node.output if name}
    rest = [node for node in graph.node if not any(name in made for name in node.output)]
    wanted = {value.name for value in graph.output} | {name for node in rest for name in _reads(node)}
    folded = {
        tensor.name: tensor
        for tensor in _compute(model, constant, sorted(made & wanted))
        if len(tensor.raw_data) <= LARGEST
    }
    _replace(graph, made, folded)
    return model


def _constant_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that read nothing but weights and what such nodes give."""
    known = {tensor.name for tensor in graph.initializer} | {""}
    found = []
    for node in graph.node:
        plain = node.domain in ("", "ai.onnx") and node.op_type not in _KEPT
        inner = any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute)
        if plain and not inner and all(name in known for name in node.input):
            found.append(node)
            known.update(node.output)
    return found


def _compute(model: onnx.ModelProto, nodes: list[onnx.NodeProto], names: list[str]) -> list[onnx.TensorProto]:
    """The values of these names; none if ONNX Runtime cannot."""
    read = {name for node in nodes for name in node.input}
    graph = onnx.GraphProto(
        name="constants",
        node=nodes,
        initializer=[tensor for tensor in model.graph.initializer if tensor.name in read],
        output=[onnx.ValueInfoProto(name=name) for name in names],
    )
    part = onnx.ModelProto(graph=graph, ir_version=model.ir_version, opset_import=model.opset_import)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])
        values = session.run(names, {})
    except (
        Exception
    ):  # its exceptions share no parent; the operations then stay, and the engine that ships computes them
        return []
    return [numpy_helper.from_array(value, name) for name, value in zip(names, values, strict=True)]


def _replace(graph: onnx.GraphProto, made: set[str], folded: dict[str, onnx.TensorProto]) -> None:
    """Put the folded tensors in, and drop the operations and weights that nobody reads any more."""
    wanted = {value.name for value in graph.output}
    kept: list[onnx.NodeProto] = []
    before = {name for node in graph.node for name in _reads(node)}
    for node in reversed(graph.node):
        if any(name in made for name in node.output) and not any(
            name in wanted - folded.keys() for name in node.output
        ):
            continue
        kept.append(node)
        wanted.update(_reads(node))
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(kept)]
    del graph.node[:]
    graph.node.extend(nodes)
    weights = [tensor for tensor in graph.initializer if tensor.name in wanted or tensor.name not in before]
    copies = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in weights]
    del graph.initializer[:]
    graph.initializer.extend([*copies, *folded.values()])


def _reads(node: onnx.NodeProto) -> set[str]:
    """Names that a node reads, by its subgraphs too."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
            names |= {name for step in inner.node for name in _reads(step)} | {value.name for value in inner.output}
    return names
