#!/usr/bin/env bash
# Where one NaN in the input stays visible depends on engine and operator, so a network that looks sure may have seen NaN, and a
# maximum cannot be used to look for it. On the CPU, float32:
# OpenVINO 2026.4.1 gives 0 for Relu(NaN), leaves NaN out of MaxPool, and softmaxes a row with one NaN into NaN there and zeros elsewhere.
# ONNX Runtime 1.31.1 keeps NaN in all of these. Yet ReduceMax leaves it out in both (numpy.max would give NaN); sums and averages keep it in both.
# What this prints (outputs that are NaN, of a 4x4 input with one), and fails if it changes:
#   operator           ONNX Runtime  OpenVINO
#   Relu                          1         0
#   MaxPool                       1         0
#   Softmax                       4         1
#   ReduceMax                     0         0
#   AveragePool                   1         1
#   ReduceSum                     1         1
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.31.1 openvino==2026.4.1 onnx==1.23.2 numpy==2.4.6
cd "$folder" && venv/bin/python - <<'PY'
import numpy as np, onnxruntime, openvino
from onnx import TensorProto, helper

POOL = {"kernel_shape": [2, 2], "strides": [2, 2]}
CASES = {  # operator, its attributes -> outputs that are NaN in ONNX Runtime, in OpenVINO
    "Relu": ({}, 1, 0), "MaxPool": (POOL, 1, 0), "Softmax": ({"axis": -1}, 4, 1), "ReduceMax": ({"keepdims": 0}, 0, 0),
    "AveragePool": (POOL, 1, 1), "ReduceSum": ({"keepdims": 0}, 1, 1),
}


def network(operator, attributes):
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], **attributes)], "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


x = np.ones((1, 1, 4, 4), np.float32)
x[0, 0, 1, 1] = np.nan
core = openvino.Core()
print(f"{'operator':18} ONNX Runtime  OpenVINO")
for operator, (attributes, *expected) in CASES.items():
    model = network(operator, attributes)
    one = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    other = compiled(x)[0]
    found = [int(np.isnan(answer).sum()) for answer in (one, other)]
    print(f"{operator:18} {found[0]:12} {found[1]:9}")
    assert found == expected, "the rule has changed"
PY
