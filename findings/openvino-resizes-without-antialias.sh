#!/usr/bin/env bash
# OpenVINO 2026.4.1 reads an ONNX Resize with antialias=1 (opset 18) and computes it without: shrinking 16x16 to 6x6 gives just what the same node with
# antialias=0 gives, and says nothing. ONNX Runtime 1.31.1 and onnx's own reference do average, and agree with each other. Enlarging is not
# concerned, for there antialiasing changes nothing. A preprocessing step, or a position embedding that a network resizes, exported from
# PyTorch's interpolate(..., antialias=True), is therefore wrong in one engine alone.
# What this prints (largest difference, of numbers between 0 and 1), and fails if it changes:
#   linear 16 -> 6, antialias=1: ONNX Runtime to reference 0.00, OpenVINO to reference 0.44, OpenVINO to antialias=0 0.00
#   cubic  16 -> 6, antialias=1: ONNX Runtime to reference 0.00, OpenVINO to reference 0.61, OpenVINO to antialias=0 0.00
#   linear 16 -> 24, antialias=1: ONNX Runtime to reference 0.00, OpenVINO to reference 0.00, OpenVINO to antialias=0 0.00
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.31.1 openvino==2026.4.1 onnx==1.23.2 numpy==2.4.6
cd "$folder" && venv/bin/python - <<'PY'
import numpy as np, onnx, onnxruntime, openvino
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


def network(mode, size, antialias):
    node = helper.make_node(
        "Resize", ["x", "", "", "sizes"], ["y"], mode=mode, antialias=antialias, cubic_coeff_a=-0.5,
        coordinate_transformation_mode="half_pixel",
    )
    graph = helper.make_graph(
        [node], "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, size, size])],
        [numpy_helper.from_array(np.array([1, 1, size, size]), "sizes")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


x = np.random.default_rng(0).random((1, 1, 16, 16), np.float32)
core = openvino.Core()
for mode, size, expected in (("linear", 6, (0, 1)), ("cubic", 6, (0, 1)), ("linear", 24, (0, 0))):
    with_it, without = network(mode, size, 1), network(mode, size, 0)
    right = ReferenceEvaluator(with_it).run(None, {"x": x})[0]
    plain = ReferenceEvaluator(without).run(None, {"x": x})[0]
    session = onnxruntime.InferenceSession(with_it.SerializeToString(), providers=["CPUExecutionProvider"])
    compiled = core.compile_model(core.read_model(with_it.SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    theirs, others = session.run(None, {"x": x})[0], compiled(x)[0]
    gaps = [float(np.abs(one - other).max()) for one, other in ((theirs, right), (others, right), (others, plain))]
    print(
        f"{mode:6} 16 -> {size}, antialias=1: ONNX Runtime to reference {gaps[0]:.2f}, OpenVINO to reference {gaps[1]:.2f}, "
        f"OpenVINO to antialias=0 {gaps[2]:.2f}"
    )
    assert [gap > 0.1 for gap in gaps[:2]] == list(map(bool, expected)), "OpenVINO antialiases now, or ONNX Runtime no more"
    assert gaps[2] < 1e-3
PY
