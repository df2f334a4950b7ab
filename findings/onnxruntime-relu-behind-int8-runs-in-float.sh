#!/usr/bin/env bash
# ONNX Runtime 1.31.1 (CPU) turns a convolution between DequantizeLinear and QuantizeLinear into an integer kernel. With a Relu behind
# it, this depends on the zero point of the output alone: only where that is the lowest code (0 of uint8, -128 of int8) is the
# Relu dropped as clipping that happens anyway, and the kernel an integer one. With any other zero point, symmetric int8 among them,
# the convolution runs in float between conversions, and nothing says so: the file is "int8" and its answers are right, so only the optimized model shows it.
# What this prints, and fails if it changes:
#   uint8, zero point    0, Relu: QLinearConv
#   uint8, zero point  128, Relu: FusedConv
#   int8,  zero point -128, Relu: QLinearConv
#   int8,  zero point    0, Relu: FusedConv
#   int8,  zero point    0, none: QLinearConv
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6
cd "$folder" && venv/bin/python - <<'PY'
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper, numpy_helper

WIDTH = 16


def convolution(kind, zero, relu):
    """A quantized convolution, with or without Relu, whose output has this zero point."""
    constants = {
        "x_scale": np.float32(0.05), "x_zero": np.array(128, np.uint8), "w_scale": np.float32(0.01), "w_zero": np.array(0, np.int8),
        "w": np.random.default_rng(0).integers(-100, 100, (WIDTH, WIDTH, 3, 3)).astype(np.int8),
        "y_scale": np.float32(0.2), "y_zero": np.array(zero, kind),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "x_scale", "x_zero"], ["x_codes"]),
        helper.make_node("DequantizeLinear", ["x_codes", "x_scale", "x_zero"], ["x_real"]),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["w_real"]),
        helper.make_node("Conv", ["x_real", "w_real"], ["sums"], pads=[1] * 4),
        *([helper.make_node("Relu", ["sums"], ["positive"])] if relu else []),
        helper.make_node("QuantizeLinear", ["positive" if relu else "sums", "y_scale", "y_zero"], ["y_codes"]),
        helper.make_node("DequantizeLinear", ["y_codes", "y_scale", "y_zero"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", WIDTH, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", WIDTH, 8, 8])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def kernel(kind, zero, relu):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = "optimized.onnx", 3
    onnxruntime.InferenceSession(convolution(kind, zero, relu), options, providers=["CPUExecutionProvider"])
    (found,) = [node.op_type for node in onnx.load("optimized.onnx").graph.node if "Conv" in node.op_type]
    return found


CASES = {
    (np.uint8, 0, True): "QLinearConv", (np.uint8, 128, True): "FusedConv", (np.int8, -128, True): "QLinearConv",
    (np.int8, 0, True): "FusedConv", (np.int8, 0, False): "QLinearConv",
}
for (kind, zero, relu), expected in CASES.items():
    found = kernel(kind, zero, relu)
    print(f"{kind.__name__ + ',':6} zero point {zero:4}, {'Relu' if relu else 'none'}: {found}")
    assert found == expected, "the rule has changed"
PY
