"""A body in 8 bits that PyTorch runs as its ONNX model says: quantize, dequantize, and layers in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import NodeProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

Attributes = Mapping[str, Any]  # Any: of an ONNX node


class QuantizedBody(nn.Module):
    """The function that an ONNX model with quantizations computes, node by node.

    Convolutions, matrix products and roundings run in PyTorch, so that multiply-accumulates are counted; all else is
    left to ONNX Runtime. Weights are kept in the types of the model, most of them in one byte each. They follow from
    the pass that made the body, so they are no part of its state, and nobody can train them.

    Args:
        model: Its inputs are `i0, i1, ...`, its outputs `o0, o1, ...`; no control flow.
        trained: The body in float that it stands for, for those who need that one.

    Attributes:
        model: As given; exported files hold it as it is.
        trained: As given. It is no child, and neither counted nor moved to another device.
    """

    def __init__(self, model: onnx.ModelProto, trained: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._trained = (trained,)  # in a tuple, which PyTorch does not look into
        self._names = {one.name: f"w{at}" for at, one in enumerate(model.graph.initializer)}
        self._sessions: dict[Any, Any] = {}  # Any: ONNX Runtime has no types
        for one in model.graph.initializer:
            array = numpy_helper.to_array(one).copy()
            self.register_buffer(self._names[one.name], torch.from_numpy(array), persistent=False)

    @property
    def trained(self) -> nn.Module:
        """The body in float."""
        return self._trained[0]

    def __getstate__(self) -> dict[str, Any]:  # Any: as PyTorch keeps it
        """All but sessions, which cannot be copied and are made again when they are needed."""
        return {**self.__dict__, "_sessions": {}}

    def forward(self, *given: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Run the model.

        Args:
            given: The tensors that the model reads, in the order of its inputs.

        Returns:
            What it gives, one tensor or a tuple with several.
        """
        values = {name: self.get_buffer(buffer) for name, buffer in self._names.items()}
        values |= {port.name: one for port, one in zip(self.model.graph.input, given, strict=True)}
        for at, node in enumerate(self.model.graph.node):
            inputs = [values[name] if name else None for name in node.input]
            operation = _OPERATIONS.get(node.op_type)
            results = [operation(inputs, _attributes(node))] if operation else self._leave(at, node, inputs, given[0])
            values |= dict(zip(node.output, results, strict=False))
        outputs = tuple(values[port.name] for port in self.model.graph.output)
        return outputs[0] if len(outputs) == 1 else outputs

    def _leave(self, at: int, node: NodeProto, inputs: list[Tensor | None], like: Tensor) -> list[Tensor]:
        """The node as ONNX Runtime computes it."""
        arrays = {name: one.detach().cpu().numpy() for name, one in zip(node.input, inputs, strict=True)
                  if one is not None}  # fmt: skip
        key = (at, *(str(array.dtype) for array in arrays.values()))
        if key not in self._sessions:
            self._sessions[key] = _session(node, arrays, self.model)
        found = self._sessions[key].run(None, arrays)
        return [torch.from_numpy(np.asarray(array)).to(like.device) for array in found]


def in_float(body: Callable[..., Any]) -> Callable[..., Any]:  # Any: a body is opaque
    """The body, or if it is in 8 bits the one in float that it stands for.

    Args:
        body: Any body of a graph.

    Returns:
        The body in float; every other body is given back as it is.
    """
    return body.trained if isinstance(body, QuantizedBody) else body


def _session(node: NodeProto, arrays: Mapping[str, np.ndarray[Any, Any]], model: onnx.ModelProto) -> Any:
    """A model of this node alone. Any: ONNX Runtime has no types."""
    inputs = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), None)
              for name, array in arrays.items()]  # fmt: skip
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    graph = helper.make_graph([node], "node", inputs, outputs)
    alone = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    return onnxruntime.InferenceSession(alone.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _attributes(node: NodeProto) -> Attributes:
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


def _quantize(inputs: list[Any], told: Attributes) -> Tensor:
    value, step, zero = inputs
    codes = torch.round(value / _along(step, value, told)) + _along(zero, value, told)
    limits = torch.iinfo(zero.dtype)
    return codes.clamp(limits.min, limits.max).to(zero.dtype)


def _dequantize(inputs: list[Any], told: Attributes) -> Tensor:
    codes, step, *zeros = inputs
    zero = _along(zeros[0], codes, told).to(torch.int32) if zeros else 0
    real: Tensor = (codes.to(torch.int32) - zero).to(step.dtype) * _along(step, codes, told)
    return real


def _along(numbers: Tensor, value: Tensor, told: Attributes) -> Tensor:
    """One number for all, or one for each place of an axis, so that they meet the value."""
    if numbers.numel() == 1:
        return numbers.reshape(())
    axis = told.get("axis", 1) % value.ndim
    return numbers.reshape(-1, *(1,) * (value.ndim - axis - 1))


def _convolve(inputs: list[Any], told: Attributes) -> Tensor:
    value, weight, *bias = inputs
    space = weight.ndim - 2
    value, padding = _padded(value, list(told.get("pads", [0] * 2 * space)), space)
    run: Callable[..., Tensor] = (F.conv1d, F.conv2d, F.conv3d)[space - 1]
    return run(
        value, weight, bias[0] if bias else None, stride=list(told.get("strides", [1] * space)), padding=padding,
        dilation=list(told.get("dilations", [1] * space)), groups=told.get("group", 1),
    )  # fmt: skip


def _padded(value: Tensor, pads: list[int], space: int) -> tuple[Tensor, list[int]]:
    """The value, and what its convolution pads on both sides alike; unlike sides are padded before."""
    first, last = pads[:space], pads[space:]
    if first == last:
        return value, first
    around = [size for at in reversed(range(space)) for size in (first[at], last[at])]
    return F.pad(value, around), [0] * space


def _widen(inputs: list[Any], told: Attributes) -> Tensor:
    value, weight, *bias = inputs
    space = weight.ndim - 2
    run: Callable[..., Tensor] = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[space - 1]
    return run(
        value, weight, bias[0] if bias else None, stride=list(told.get("strides", [1] * space)),
        padding=list(told.get("pads", [0] * 2 * space))[:space], groups=told.get("group", 1),
        output_padding=list(told.get("output_padding", [0] * space)),
        dilation=list(told.get("dilations", [1] * space)),
    )  # fmt: skip


def _multiply_add(inputs: list[Any], told: Attributes) -> Tensor:
    first, second, *rest = inputs
    first = first.T if told.get("transA", 0) else first
    second = second.T if told.get("transB", 0) else second
    product: Tensor = told.get("alpha", 1.0) * (first @ second)
    return product + told.get("beta", 1.0) * rest[0] if rest else product


_OPERATIONS: dict[str, Callable[[list[Any], Attributes], Tensor]] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "Conv": _convolve,
    "ConvTranspose": _widen,
    "Gemm": _multiply_add,
    "MatMul": lambda inputs, _: inputs[0] @ inputs[1],
    "Add": lambda inputs, _: inputs[0] + inputs[1],
    "Relu": lambda inputs, _: inputs[0].relu(),
}
