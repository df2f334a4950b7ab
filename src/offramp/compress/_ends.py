"""Quantizations where a convolution in 8 bits ends in float, so that ONNX Runtime computes it with integers too.

It makes an integer kernel of a convolution or a sum only if bytes go in and come out, and behind a ReLU only if the
zero point of what comes out is the lowest code. NNCF puts quantizations in front of what reads bytes, and nothing
behind a layer that a body ends with, or that a mean reads: there ONNX Runtime would compute in float without a word.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

Item = Mapping[str, np.ndarray[Any, Any]]  # inputs of one call, by name; any dtype
_CONVOLUTIONS = ("Conv", "ConvTranspose")
_CLIPS = ("Relu", "Clip")  # what ONNX Runtime leaves to the lowest and the highest code
_POOLS = ("ReduceMean", "GlobalAveragePool", "AveragePool", "MaxPool", "GlobalMaxPool")
_MOVES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Pad", "Gather", "Identity")
_READING = (*_CONVOLUTIONS, "Add", "Gemm", "MatMul")
_MIDDLE = 128  # of the codes without a sign
_ADDED = "/closing"  # ends the names of quantizations that nobody but `close_ends` asked for
_SPACE = 2  # axes behind batch and channels from which on an output is a map, and not what an exit says


def close_ends(made: onnx.ModelProto, traced: onnx.ModelProto, items: Sequence[Item]) -> onnx.ModelProto:
    """The model with a quantization behind each convolution or sum in 8 bits that a body or a pooling gets in float.

    Linear layers that end in float get biases in whole numbers, which is all that their integer kernel needs. What an
    exit says is not rounded. Values that are only moved between a layer and the bytes that it reads, as by the padding
    of a shortcut, are quantized again as they were, which changes none of them.

    Args:
        made: In 8 bits; it is changed itself.
        traced: The same in float. Ranges are those of its values, as NNCF has them of what the next body reads, so that
            bytes of one body are bytes of the next.
        items: Inputs of single samples.
    """
    _carry_over(made)
    _unsign(made)
    ends = [end for end in _ends(made) if end.closable]
    ranges = _ranges(traced, [end.value for end in ends if not end.known], items)
    for end in ends:
        _close(made, end, ranges.get(end.value))
    _round_biases(made)
    return made


def open_ends(model: onnx.ModelProto, layers: Collection[str]) -> None:
    """Take the quantizations away again that `close_ends` put behind these layers; the model is changed itself.

    Args:
        model: In 8 bits, with these layers in float.
        layers: Names of their nodes.
    """
    graph = model.graph
    for node in [node for node in graph.node if node.name in layers]:
        value = node.output[0]
        clips = [one for one in graph.node if one.op_type in _CLIPS and value in one.input]
        value = clips[0].output[0] if clips else value
        for first in [one for one in graph.node if one.name.endswith(_ADDED) and one.input[0] == value]:
            second = next(one for one in graph.node if first.output[0] in one.input)
            for one in graph.node:
                one.output[:] = [second.output[0] if name == value else name for name in one.output]
                one.input[:] = [second.output[0] if name == value else name for name in one.input]
            graph.node.remove(first)
            graph.node.remove(second)


def float_kernels(made: onnx.ModelProto) -> list[str]:
    """Names of the convolutions in 8 bits that ONNX Runtime computes in float all the same: no bytes come out."""
    return [end.node.name for end in _ends(made) if end.node.op_type in _CONVOLUTIONS]


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """A layer in 8 bits whose results somebody reads in float.

    Attributes:
        node: The layer.
        value: What it gives, behind its ReLU if it has one.
        known: The quantization that others read it through, if there is one.
        closable: Whether only maps that leave the body or are pooled come of it.
    """

    node: NodeProto
    value: str
    known: NodeProto | None
    closable: bool


def _ends(model: onnx.ModelProto) -> Iterator[_End]:
    graph = model.graph
    readers: dict[str, list[NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    bytes_ = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    outputs = {value.name: len(value.type.tensor_type.shape.dim) for value in graph.output}
    for node in graph.node:
        many = 2 if node.op_type in (*_CONVOLUTIONS, "Add") else 0
        if not many or not bytes_.issuperset(node.input[:many]):
            continue
        value = node.output[0]
        if value not in outputs and len(readers[value]) == 1 and readers[value][0].op_type in _CLIPS:
            value = readers[value][0].output[0]
        quantizing = [reader for reader in readers[value] if reader.op_type == "QuantizeLinear"]
        others = [reader for reader in readers[value] if reader.op_type != "QuantizeLinear"]
        if not others and value not in outputs:
            continue
        maps = outputs.get(value, _SPACE + 1) > _SPACE and all(reader.op_type in _POOLS for reader in others)
        yield _End(
            node=node, value=value, known=quantizing[0] if quantizing else None, closable=maps and len(quantizing) < 2
        )


def _ranges(model: onnx.ModelProto, names: Sequence[str], items: Sequence[Item]) -> dict[str, tuple[float, float]]:
    """Least and greatest number of each value over all items."""
    if not names:
        return {}
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    del asked.graph.output[:]
    asked.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session: Any = onnxruntime.InferenceSession(  # Any: ONNX Runtime has no types
        asked.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found = [[(float(one.min()), float(one.max())) for one in session.run(list(names), dict(item))] for item in items]
    return {
        name: (min(low for low, _ in column), max(high for _, high in column))
        for name, column in zip(names, zip(*found, strict=True), strict=True)
    }


def _close(model: onnx.ModelProto, end: _End, range_: tuple[float, float] | None) -> None:
    """Let everybody read a value through one quantization; where the body gives it, under the name that it had."""
    graph, name = model.graph, end.value
    given = any(value.name == name for value in graph.output)
    inner, outer = (f"{name}/exact", name) if given else (name, f"{name}/rounded")
    if end.known is None:
        assert range_ is not None, "measured above, as nobody quantizes it"
        scale, zero = _scale(*range_)
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}/scale"))
        graph.initializer.append(numpy_helper.from_array(zero, f"{name}/zero"))
        constants = [f"{name}/scale", f"{name}/zero"]
    else:
        constants = list(end.known.input[1:])
    for node in graph.node:
        node.output[:] = [inner if one == name else one for one in node.output]
        node.input[:] = [outer if one == name else one for one in node.input]
    codes = f"{name}/codes"
    pair = [
        helper.make_node(
            "QuantizeLinear", [inner, *constants], [codes], name=f"{codes}{_ADDED if end.known is None else '/q'}"
        ),
        helper.make_node("DequantizeLinear", [codes, *constants], [outer], name=f"{codes}/dq"),
    ]
    if end.known is not None:  # its readers take these bytes
        _replace(graph, end.known, codes)
    nodes = list(graph.node)
    at = next(at for at, node in enumerate(nodes) if inner in node.output)
    del graph.node[:]
    graph.node.extend([*nodes[: at + 1], *pair, *nodes[at + 1 :]])


def _replace(graph: onnx.GraphProto, node: NodeProto, by: str) -> None:
    """Remove a node; what it gave is given by another value."""
    (gone,) = node.output
    for reader in graph.node:
        reader.input[:] = [by if one == gone else one for one in reader.input]
    graph.node.remove(node)


def _scale(low: float, high: float) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Scale and zero point as NNCF chooses them: without a sign where nothing is below 0, else symmetric."""
    most = max(abs(low), abs(high)) or 1.0
    signed = low < 0
    return np.array(most / (127 if signed else 255), np.float32), np.array(0, np.int8 if signed else np.uint8)


def _carry_over(model: onnx.ModelProto) -> None:
    """Quantize what a sum or a linear layer reads once more, where it was moved after its dequantization."""
    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}
    constants = {one.name: one for one in graph.initializer}
    nodes: list[NodeProto] = []
    known: dict[str, str] = {}
    for node in graph.node:
        for at, name in enumerate(node.input[:2] if node.op_type in _READING else []):
            source = _moved(made.get(name), made, constants)
            if source is None:
                continue
            if name not in known:
                known[name], codes = f"{name}/again", f"{name}/bytes"
                inputs = list(source.input[1:])
                nodes.append(helper.make_node("QuantizeLinear", [name, *inputs], [codes], name=f"{codes}/q"))
                nodes.append(helper.make_node("DequantizeLinear", [codes, *inputs], [known[name]], name=f"{codes}/dq"))
            node.input[at] = known[name]
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _moved(
    node: NodeProto | None, made: Mapping[str, NodeProto], constants: Mapping[str, TensorProto]
) -> NodeProto | None:
    """The dequantization, by one scale, of what was at least once moved since; None if more happened to it."""
    moves = 0
    while node is not None and node.op_type in (*_MOVES, "Concat"):
        if node.op_type == "Concat" and not _has_one_scale(node, made, constants):
            return None
        if node.op_type == "Pad" and not _pads_with_zeros(node, constants):
            return None
        moves, node = moves + 1, made.get(node.input[0])
    if not moves or node is None or node.op_type != "DequantizeLinear" or node.input[0] in constants:
        return None
    step = _step(node, constants)
    return node if step is not None and step.size == 1 else None


def _has_one_scale(node: NodeProto, made: Mapping[str, NodeProto], constants: Mapping[str, TensorProto]) -> bool:
    """Whether all that is put together was dequantized in one way."""
    parts = [made.get(name) for name in node.input]
    scales = {
        tuple(constants[name].raw_data for name in part.input[1:])
        for part in parts
        if part is not None and part.op_type == "DequantizeLinear" and all(one in constants for one in part.input[1:])
    }
    return len(scales) == 1 and all(part is not None and part.op_type == "DequantizeLinear" for part in parts)


def _pads_with_zeros(node: NodeProto, constants: Mapping[str, TensorProto]) -> bool:
    if any(one.name == "mode" and one.s != b"constant" for one in node.attribute):
        return False
    fill = node.input[2] if len(node.input) > _SPACE else ""
    return not fill or (fill in constants and not numpy_helper.to_array(constants[fill]).any())


def _unsign(model: onnx.ModelProto) -> None:
    """Codes without a sign where ONNX Runtime needs them, for the same values.

    Behind a ReLU the lowest code has to be zero, also where NNCF gives a sign because what it stands beside has one.
    And on x86 a convolution takes signed codes only where nobody else reads them. Signed codes that are put
    together go wrong in OpenVINO 2026.4 (on average by 6 % of the largest answer), and right without a sign.
    """
    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}
    constants = {one.name: one for one in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    beside = {name for node in graph.node if node.op_type == "Concat" for name in (*node.input, *node.output)}
    for node in list(graph.node):
        signed = node.op_type == "QuantizeLinear" and constants[node.input[2]].data_type == TensorProto.INT8
        if not signed or numpy_helper.to_array(constants[node.input[2]]).any():
            continue
        pair = [one for one in graph.node if one.op_type == "DequantizeLinear" and one.input[0] == node.output[0]]
        positive = made.get(node.input[0]) is not None and made[node.input[0]].op_type == "Relu"
        shared = sum(readers[one.output[0]] for one in pair) > 1
        if positive or shared or not beside.isdisjoint([node.input[0], *(one.output[0] for one in pair)]):
            name = f"{node.output[0]}/zero"
            graph.initializer.append(numpy_helper.from_array(np.array(0 if positive else _MIDDLE, np.uint8), name))
            for one in (node, *pair):
                one.input[2] = name


def _round_biases(model: onnx.ModelProto) -> None:
    """Biases of linear layers in 8 bits that end in float, as whole numbers of the layer's own step."""
    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}
    constants = {one.name: one for one in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "Gemm" and len(node.input) == 3 and node.input[2] in constants:  # with a bias
            steps = [_step(made.get(name), constants) for name in node.input[:2]]
            nodes += _rounded_bias(node, steps, constants[node.input[2]], graph)
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _step(node: NodeProto | None, constants: Mapping[str, TensorProto]) -> np.ndarray[Any, Any] | None:
    """The scale of a dequantization."""
    if node is None or node.op_type != "DequantizeLinear" or node.input[1] not in constants:
        return None
    return numpy_helper.to_array(constants[node.input[1]])


def _rounded_bias(
    node: NodeProto, steps: Sequence[np.ndarray[Any, Any] | None], bias: TensorProto, graph: onnx.GraphProto
) -> list[NodeProto]:
    """The dequantization that a linear layer gets its bias from, if its other inputs are in 8 bits."""
    data, known = numpy_helper.to_array(bias), [step for step in steps if step is not None]
    if len(known) < len(steps) or data.ndim != 1 or known[0].size != 1:
        return []
    step = (known[0].reshape(()) * known[1]).astype(np.float32)
    whole = np.round(data.astype(np.float64) / step)
    if np.abs(whole).max(initial=0) > np.iinfo(np.int32).max:
        return []
    name = f"{node.name}/bias"
    parts = {"codes": whole.astype(np.int32), "scale": step, "zero": np.zeros(step.shape, np.int32)}
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(array), f"{name}/{part}") for part, array in parts.items()
    )
    node.input[2] = f"{name}/real"
    inputs = [f"{name}/{part}" for part in parts]
    return [helper.make_node("DequantizeLinear", inputs, [f"{name}/real"], name=f"{name}/dq", axis=0)]
